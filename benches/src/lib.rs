//! `service-group`, measured against what could be used in its place.
//!
//! To read it: [`contenders`] are the things that are compared, all doing the same work. A [`stopwatch`] measures one of
//! them, once, in a process of its own. [`sample`] runs such processes, tells the samples that other processes disturbed
//! and takes them again. [`lifecycle`] compares starting and stopping, [`process`] whole programs that serve HTTP,
//! [`requests`] the way of a request. What is left is medians, and [`page`] writes them into the documents.

pub mod contenders;
pub mod lifecycle;
pub mod page;
pub mod process;
pub mod requests;
pub mod sample;
pub mod servers;
pub mod statistics;
pub mod stopwatch;
