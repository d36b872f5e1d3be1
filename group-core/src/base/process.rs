//! The name of the process.

use std::env;
use std::path::Path;

/// The name of the program, as it was called, without its directory.
pub(crate) fn program() -> String {
    let called = env::args_os().next().unwrap_or_default();
    let name = Path::new(&called).file_name().unwrap_or_default().to_string_lossy();
    name.strip_suffix(env::consts::EXE_SUFFIX).unwrap_or(&name).to_owned()
}
