//! A process that is stopped for a while and goes on, as one on a laptop or in a virtual machine is.

use std::time::Duration;

use programs::Program;

#[test]
fn a_process_that_was_suspended_does_not_lose_its_heartbeat() {
    let mut program = Program::start(env!("CARGO_BIN_EXE_beats"), &[], &[]);
    program.prints("beats");
    for _ in 0..10 {
        program.signal("STOP");
        std::thread::sleep(Duration::from_millis(700));
        program.signal("CONT");
        std::thread::sleep(Duration::from_millis(70));
    }
    program.signal("TERM");
    let ended = program.end();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert_eq!(ended.logged_with("no sign of life").len(), 0, "{ended:#?}");
}

#[test]
fn a_service_that_hangs_is_found_also_after_a_suspension() {
    let mut program = Program::start(env!("CARGO_BIN_EXE_beats"), &["hangs"], &[]);
    program.prints("beats");
    program.signal("STOP");
    std::thread::sleep(Duration::from_millis(700));
    program.signal("CONT");
    let ended = program.end();
    assert_eq!(ended.code, Some(1), "{ended:#?}");
    // The last line repeats it.
    assert_eq!(ended.logged_with("no sign of life for 400 ms (heartbeat)").len(), 2, "{ended:#?}");
}
