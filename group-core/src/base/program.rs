//! The program that a group is.

/// A program, as its command line presents it.
#[derive(Clone, Copy, Debug)]
pub struct Program {
    /// The name of its package.
    pub name: Option<&'static str>,
    /// The version of its package.
    pub version: Option<&'static str>,
    /// The description of its package.
    pub about: Option<&'static str>,
    /// True unless it reads its arguments itself.
    pub reads_arguments: bool,
}
