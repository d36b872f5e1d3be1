//! The lifecycle of `group-core`, with its model check. It names nothing else of that crate, so it can be built alone:
//! optimized, while all the rest of the tests is built quickly.

#![cfg(test)]
// The rest of `group-core` uses what the check does not.
#![allow(dead_code, unreachable_pub)]

#[path = "../../../group-core/src/lifecycle/mod.rs"]
mod lifecycle;
