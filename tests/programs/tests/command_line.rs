//! The command line of a program, seen from outside.

use std::fs;
use std::path::PathBuf;

use programs::{Ended, Program};

const COMMANDED: &str = env!("CARGO_BIN_EXE_commanded");

const SECRET: (&str, &str) = ("GROUP_WORKER__SECRET", "hunter2");

/// Free ports, so that tests can run side by side.
const FREE_PORTS: [(&str, &str); 2] =
    [("GROUP_GATEWAY__HTTP", "127.0.0.1:0"), ("GROUP_INVENTORY__GRPC", "127.0.0.1:0")];

fn asked(args: &[&str], env: &[(&str, &str)]) -> Ended {
    Program::start(COMMANDED, args, env).end()
}

/// Runs the program until its last service is ready, and stops it. Returns what it has built.
fn built(args: &[&str], env: &[(&str, &str)], last: &str) -> Vec<String> {
    let mut program = Program::start(COMMANDED, args, &[env, &FREE_PORTS].concat());
    program.logs(&format!("{last} is ready"));
    program.signal("TERM");
    let ended = program.end();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert!(ended.logged_with("WARN").is_empty(), "{ended:#?}");
    ended.printed
}

/// The messages of a program that is refused.
fn refused(args: &[&str], env: &[(&str, &str)]) -> Vec<String> {
    let ended = asked(args, env);
    assert_eq!(ended.code, Some(78), "{ended:#?}");
    assert!(ended.printed.is_empty(), "{ended:#?}");
    let messages = ended.logged.iter().filter_map(|line| line.split_once("ERROR group: "));
    let messages = messages.map(|(_, message)| message.to_owned());
    messages.filter(|message| !message.contains("exit code")).collect()
}

/// A file for one test.
fn file(test: &str, toml: &str) -> PathBuf {
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("command_line").join(test);
    fs::create_dir_all(&directory).expect("there is a place for files");
    let file = directory.join("shop.toml");
    fs::write(&file, toml).expect("it can be written");
    file
}

#[test]
fn the_help_lists_the_services_with_the_first_paragraph_of_their_comments() {
    let ended = asked(&["--help"], &[]);
    assert_eq!((ended.code, &ended.logged[..]), (Some(0), &[][..]), "{ended:#?}");
    let services = ended.printed.iter().position(|line| line == "Services:").expect("services are listed");
    assert_eq!(
        ended.printed[services + 1..],
        [
            "  database   Keeps the orders.",
            "  inventory  Knows what is in stock.",
            "  gateway    Answers the clients of the shop, and asks what is in stock.",
            "  worker",
        ]
    );
    for option in
        ["--check", "--plan", "--only", "--without", "--config", "--admin", "--log", "--manifest", "--version"]
    {
        assert!(ended.printed.iter().any(|line| line.contains(option)), "{option}: {ended:#?}");
    }
}

#[test]
fn the_version_is_that_of_the_package() {
    let ended = asked(&["--version"], &[]);
    assert_eq!((ended.code, ended.printed), (Some(0), vec!["programs 0.0.0".to_owned()]));
}

#[test]
fn wrong_arguments_are_an_invalid_setup() {
    for (args, told) in [
        (&["--chek"][..], "a similar argument exists: '--check'"),
        (&["--plan", "svgg"], "invalid value 'svgg' for '--plan [<FORM>]'"),
        (&["--check", "--plan"], "'--check' cannot be used with '--plan [<FORM>]'"),
        (&["--log", "info,app=loud"], "cannot read \"app=loud\": expected a level, or target=level"),
        (&["gateway"], "unexpected argument 'gateway'"),
    ] {
        let ended = asked(args, &[SECRET]);
        assert_eq!(ended.code, Some(78), "{ended:#?}");
        assert!(ended.printed.is_empty(), "{ended:#?}");
        assert!(ended.logged.iter().any(|line| line.contains(told)), "{told}: {ended:#?}");
    }
}

#[test]
fn a_check_says_what_was_checked() {
    let toml = file("check", "[group]\nstop_timeout = '30s'");
    let toml = toml.to_string_lossy();
    let ended = asked(&["--check", "--config", &toml], &[SECRET, ("GROUP_DRAIN_DELAY", "1s"), ("GROUP_ID", "x")]);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert_eq!(
        ended.printed,
        [
            &*format!("settings   {toml}, GROUP_DRAIN_DELAY, GROUP_WORKER__SECRET"),
            "order      database -> inventory -> worker -> gateway",
            "addresses  grpc://127.0.0.1:50051 (inventory), http://127.0.0.1:8080 (gateway)",
            "valid: 4 services",
        ]
    );
    let all = format!("{ended:?}");
    assert!(!all.contains("hunter2"), "{all}");
}

#[test]
fn a_check_finds_every_mistake() {
    let env = [("GROUP_GATEWAY__HTTP", "nowhere"), ("GROUP_STOP_TIMEOUT", "soon")];
    assert_eq!(
        refused(&["--check"], &env),
        [
            "GROUP_GATEWAY__HTTP is text: expected `host:port`, as in `127.0.0.1:8080`",
            "`services.worker.secret` is missing: there is no group.toml, and the variable GROUP_WORKER__SECRET is not set",
            "GROUP_STOP_TIMEOUT is text: expected a duration with its unit, as in `10s` or `1m 30s`",
        ]
    );
}

#[test]
fn the_plan_is_the_order_that_the_environment_asks_for_too() {
    for form in ["text", "dot", "json", "svg"] {
        let (plan, order) = (asked(&["--plan", form], &[SECRET]), asked(&[], &[SECRET, ("GROUP_ORDER", form)]));
        assert_eq!((plan.code, order.code), (Some(0), Some(0)), "{plan:#?}");
        assert_eq!(plan.printed, order.printed);
        assert!(plan.printed.concat().contains("gateway"), "{plan:#?}");
    }
    let plan = asked(&["--plan"], &[SECRET]);
    assert_eq!(plan.printed[0], "start: database -> inventory -> worker -> gateway");
}

#[test]
fn only_some_services_run_and_those_that_they_need() {
    let only = |service| built(&["--only", service], &[SECRET], service);
    assert_eq!(only("worker"), ["database is built", "worker is built with 7 letters"]);
    assert_eq!(only("gateway"), ["database is built", "inventory is built", "gateway is built"]);
    let without = built(&["--without", "gateway,worker"], &[], "inventory");
    assert_eq!(without, ["database is built", "inventory is built"]);
    assert_eq!(built(&["--only", "gateway,worker", "--without", "worker"], &[], "gateway").len(), 3);
    assert_eq!(built(&["--only", "database", "--only", "worker"], &[SECRET], "worker").len(), 2);
}

#[test]
fn a_service_that_is_called_may_run_elsewhere() {
    let elsewhere = ("GROUP_INVENTORY__REMOTE", "http://10.0.0.7:50051");
    assert_eq!(built(&["--only", "gateway"], &[elsewhere], "gateway"), ["gateway is built"]);
    // It is wanted here, whatever the others are told.
    let inventory = built(&["--only", "inventory"], &[elsewhere], "inventory");
    assert_eq!(inventory, ["database is built", "inventory is built"]);
    let ended = asked(&["--check", "--only", "gateway"], &[elsewhere]);
    assert!(ended.printed.contains(&"elsewhere  inventory at http://10.0.0.7:50051".to_owned()), "{ended:#?}");
}

#[test]
fn settings_of_services_that_are_left_out_are_no_mistakes() {
    let toml = file("left_out", "[services.worker]\nport = 'many'");
    let env = [("GROUP_WORKER__SECRTE", "x"), ("GROUP_CONFIG", &*toml.to_string_lossy())];
    assert_eq!(built(&["--without", "worker"], &env, "gateway").len(), 3);
}

#[test]
fn what_cannot_be_left_out_is_said() {
    assert_eq!(
        refused(&["--only", "gatway"], &[SECRET]),
        ["--only: `gatway` is not in this group; did you mean `gateway`?"]
    );
    let said = refused(&["--without", "inventory"], &[SECRET]);
    assert_eq!(said.len(), 1, "{said:#?}");
    assert!(said[0].starts_with("`gateway` (") && said[0].contains("GROUP_INVENTORY__REMOTE="), "{said:#?}");
    let said = refused(&["--only", "worker", "--without", "database"], &[SECRET]);
    assert!(said[0].contains("starts after `database`, which is not in this group"), "{said:#?}");
    let said = refused(&["--without", "database,inventory,gateway,worker"], &[]);
    assert_eq!(said, ["`--without` leaves no service to run"]);
}

#[test]
fn the_command_line_comes_over_the_environment() {
    let toml = file("over", "[services.worker]\nsecret = 'abc'");
    let args = ["--config", &*toml.to_string_lossy(), "--only", "worker", "--log", "info,commanded=debug"];
    let env = [("GROUP_CONFIG", "gone.toml"), ("RUST_LOG", "off")];
    let mut program = Program::start(COMMANDED, &args, &env);
    program.logs("the worker works");
    program.logs("2 services are ready");
    program.signal("TERM");
    let ended = program.end();
    assert_eq!((ended.code, &*ended.printed[1]), (Some(0), "worker is built with 3 letters"));
}

#[test]
fn the_admin_service_is_where_the_command_line_says() {
    let mut program =
        Program::start(COMMANDED, &["--only", "database", "--admin", "127.0.0.1:0"], &[("GROUP_ADMIN", "off")]);
    program.logs("group-admin is ready on http://127.0.0.1:");
    program.logs("2 services are ready");
    program.signal("TERM");
    assert_eq!(program.end().code, Some(0));
    let built = built(&["--only", "database", "--admin", "off"], &[("GROUP_ADMIN", "nowhere:0")], "database");
    assert_eq!(built, ["database is built"]);
    assert_eq!(
        refused(&["--check", "--admin", "here"], &[SECRET]),
        ["--admin is text: expected `host:port`, as in `127.0.0.1:9900`, or `off`"]
    );
}

#[test]
fn a_program_with_options_of_its_own_flattens_those_of_the_group() {
    let start = |args: &[&str]| Program::start(env!("CARGO_BIN_EXE_flattened"), args, &[]);
    let mut program = start(&["--name", "me", "--only", "two", "--log", "debug"]);
    program.logs("two is ready");
    program.signal("TERM");
    let ended = program.end();
    assert_eq!(
        (ended.code, &ended.printed[..]),
        (Some(0), &["hello, me, Some(\"debug\")", "two runs"].map(str::to_owned)[..])
    );
    assert!(!ended.logged_with("DEBUG").is_empty(), "{ended:#?}");

    let plan = start(&["--name", "me", "--plan"]).end();
    assert_eq!((plan.code, &*plan.printed[1]), (Some(0), "start: one -> two"));
    let help = start(&["--help"]).end();
    assert!(help.printed.iter().any(|line| line.contains("--name")), "{help:#?}");
    assert!(help.printed.iter().any(|line| line.contains("--manifest")), "{help:#?}");
}
