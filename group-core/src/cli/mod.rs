//! The command line of a program: its options, and the answers to its questions.
//!
//! With the feature `cli`, every program with `#[group::main]` reads its arguments: see the
//! [guide](https://docs.rs/service-group/latest/group/guide/command_line/). A program with options of its own flattens
//! [`Args`] into them, and gives them to [`Group::apply`](crate::Group::apply).

mod args;
mod check;
mod chosen;
mod main;
mod manifest;

pub use self::args::Args;
pub(crate) use self::main::read;
