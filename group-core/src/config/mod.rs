//! Settings from a file and the environment, as a tree that knows where each value comes from.

pub(crate) mod read;
pub(crate) mod settings;
pub(crate) mod settle;
pub(crate) mod trial;
pub(crate) mod value;
pub(crate) mod words;
pub(crate) mod wrong;
