//! A program that a test leads through its life, step by step.

use std::fs;
use std::path::PathBuf;

use crate::Program;

/// The program `watched`, which takes a step once there is a file of its name.
#[derive(Debug)]
pub struct Staged {
    /// The program.
    pub program: Program,
    /// The address of its admin service.
    pub address: String,
    steps: Steps,
}

/// The directory of the steps. It goes with the test.
#[derive(Debug)]
struct Steps(PathBuf);

impl Drop for Steps {
    fn drop(&mut self) {
        // It is in the system's own directory for such files.
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Staged {
    /// Starts the program, with a crowd of so many services besides its own. The name is that of the test.
    ///
    /// # Panics
    ///
    /// When it cannot be started.
    #[must_use]
    pub fn start(path: &str, name: &str, crowd: usize) -> Self {
        let steps = std::env::temp_dir().join(format!("group-{name}-{}", std::process::id()));
        fs::create_dir_all(&steps).expect("there is room for files");
        let env = [("WATCHED_STEPS", steps.to_str().expect("is text")), ("WATCHED_CROWD", &*crowd.to_string())];
        let mut program = Program::start(path, &[], &env);
        let address = program.address_of("group-admin");
        Self { program, address, steps: Steps(steps) }
    }

    /// Starts the program, and takes all steps of the start.
    ///
    /// # Panics
    ///
    /// When it cannot be started.
    #[must_use]
    pub fn started(path: &str, name: &str, crowd: usize) -> Self {
        let mut staged = Self::start(path, name, crowd);
        staged.steps(["start-database", "start-cache", "start-mailer"]);
        staged.program.logs("services are ready");
        staged
    }

    /// Lets the program take these steps.
    ///
    /// # Panics
    ///
    /// When there is no room for files.
    pub fn steps<const N: usize>(&self, names: [&str; N]) {
        for name in names {
            fs::write(self.steps.0.join(name), "").expect("there is room for files");
        }
    }
}
