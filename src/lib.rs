#![doc = include_str!("../README.md")]

pub use group_core::*;
pub use group_macros::{main, service};

#[doc(hidden)]
pub use group_core::__private;
