//! Run several services in one process, start them in order, and stop them right.

pub use group_core::*;
pub use group_macros::{main, service};

#[doc(hidden)]
pub use group_core::__private;
