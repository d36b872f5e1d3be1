//! Measures `service-group` against the libraries that could be used in its place.
//!
//! The [`contenders`] are compared; all do the same work. A [`stopwatch`] measures one contender once, in a process of its
//! own. [`sample`] runs these processes, finds the samples that other processes disturbed, and takes them again.
//! [`lifecycle`] compares starts and stops, [`process`] whole programs that serve HTTP, and [`requests`] the answers to
//! requests. [`statistics`] computes the medians, and [`page`] writes them into the documents.

pub mod contenders;
pub mod idle;
pub mod lifecycle;
pub mod page;
pub mod process;
pub mod requests;
pub mod sample;
pub mod servers;
pub mod statistics;
pub mod stopwatch;
