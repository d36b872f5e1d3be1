//! The services of a program, and their order.

use programs::Program;

fn run(program: &str, services: usize) -> Vec<String> {
    let mut program = Program::start(program, &[], &[]);
    program.logs(&format!("{services} services are ready"));
    program.signal("TERM");
    let ended = program.end();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    ended.printed
}

#[test]
fn services_of_every_crate_that_is_named_start_by_crate_and_line() {
    let printed = run(env!("CARGO_BIN_EXE_registered"), 4);
    assert_eq!(printed[..4], ["ledger starts", "invoices starts", "zebra starts", "aardvark starts"]);
    assert_eq!(printed[4..], ["aardvark stops", "zebra stops", "invoices stops", "ledger stops"]);
}

#[test]
fn services_that_are_listed_are_exactly_those_in_that_order() {
    let printed = run(env!("CARGO_BIN_EXE_listed"), 2);
    assert_eq!(printed, ["zebra starts", "ledger starts", "ledger stops", "zebra stops"]);
}

#[test]
fn a_service_starts_after_one_of_another_crate() {
    let printed = run(env!("CARGO_BIN_EXE_across"), 3);
    assert_eq!(printed[..2], ["ledger starts", "across starts"]);
    assert_eq!(printed[4..], ["across stops", "ledger stops"]);
}

#[test]
fn a_crate_that_main_names_is_in_the_program_and_comes_by_its_name() {
    // In `registered` it comes before the program's own services, here after: no link order does both.
    let printed = run(env!("CARGO_BIN_EXE_accounts"), 3);
    assert_eq!(printed[..3], ["accounts starts", "ledger starts", "invoices starts"]);
    assert_eq!(printed[3..], ["invoices stops", "ledger stops", "accounts stops"]);
}

#[test]
fn a_generic_service_can_be_listed_for_several_types() {
    let mut program = Program::start(env!("CARGO_BIN_EXE_generic"), &[], &[]);
    program.logs("cache-vec-u8 is ready");
    program.logs("cache-u8 is ready");
    program.signal("TERM");
    let ended = program.end();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert_eq!(ended.printed, ["a cache keeps []", "a cache keeps 0"]);
}

#[test]
fn a_limit_in_the_environment_overrides_the_one_in_the_program() {
    for (env, said) in [(&[][..], "within 7 s"), (&[("GROUP_STOP_TIMEOUT", "1m 30s")][..], "within 1m 30s")] {
        let mut program = Program::start(env!("CARGO_BIN_EXE_listed"), &[], env);
        program.logs("2 services are ready");
        program.signal("TERM");
        let ended = program.end();
        assert_eq!(ended.told_with(said).len(), 1, "{ended:#?}");
    }
}
