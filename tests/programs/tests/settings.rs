//! Settings from a program's file and its environment.

use std::fs;
use std::path::{Path, PathBuf};

use programs::{Ended, Program};

/// A directory for one test, with this `group.toml`, if any.
fn directory(test: &str, toml: Option<&str>) -> PathBuf {
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(test);
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir_all(&directory).expect("there is a place for files");
    if let Some(toml) = toml {
        fs::write(directory.join("group.toml"), toml).expect("it can be written");
    }
    directory
}

fn start(directory: &Path, env: &[(&str, &str)]) -> Program {
    Program::start_in(&directory.to_string_lossy(), env!("CARGO_BIN_EXE_settings"), &[], env)
}

/// Runs the program until its services are ready, and stops it.
fn run(directory: &Path, env: &[(&str, &str)]) -> Ended {
    let mut program = start(directory, env);
    program.logs("2 services are ready");
    program.signal("TERM");
    let ended = program.end();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    ended
}

/// The messages of a program that does not start.
fn refused(directory: &Path, env: &[(&str, &str)]) -> Vec<String> {
    said_by(&start(directory, env).end())
}

/// The messages of a program that has not started.
fn said_by(ended: &Ended) -> Vec<String> {
    assert_eq!(ended.code, Some(78), "{ended:#?}");
    assert!(ended.printed.is_empty(), "nothing is built: {ended:#?}");
    let messages = ended.logged.iter().filter_map(|line| line.split_once("ERROR group: "));
    let messages = messages.map(|(_, message)| message.to_owned());
    messages.filter(|message| !message.contains("exit code")).collect()
}

const FILE: &str = "[services.mail-queue]\nport = 25\nuser = 'me'\nlimits.many = 3\nmax-size = 1.5";

#[test]
fn the_environment_overrides_the_file() {
    let directory = directory("overrides", Some(FILE));
    assert_eq!(run(&directory, &[]).printed, ["25 me 1.5 [] false Some(3)"]);
    let env = [
        ("GROUP_MAIL_QUEUE__PORT", "26"),
        // A number for a number, and a string for a string.
        ("GROUP_MAIL_QUEUE__USER", "27"),
        ("GROUP_MAIL_QUEUE__MAX_SIZE", "2"),
        ("GROUP_MAIL_QUEUE__HOSTS", "['a', \"b\"]"),
        ("GROUP_MAIL_QUEUE__LIMITS__SLOW", "true"),
    ];
    assert_eq!(run(&directory, &env).printed, [r#"26 27 2 ["a", "b"] true Some(3)"#]);
}

#[test]
fn the_environment_is_enough() {
    let directory = directory("environment", None);
    let env = [
        ("GROUP_MAIL_QUEUE__PORT", "26"),
        ("GROUP_MAIL_QUEUE__USER", "me"),
        ("GROUP_MAIL_QUEUE__LIMITS", "{ many = 7 }"),
        ("GROUP_ID", "is of somebody else"),
    ];
    assert_eq!(run(&directory, &env).printed, ["26 me 0 [] false Some(7)"]);
}

#[test]
fn a_variable_names_another_file_which_must_be_there() {
    let directory = directory("another", Some("[services.mail-queue]\nport = 'wrong'"));
    fs::write(directory.join("other.toml"), FILE).expect("it can be written");
    assert_eq!(run(&directory, &[("GROUP_CONFIG", "other.toml")]).printed, ["25 me 1.5 [] false Some(3)"]);
    let said = refused(&directory, &[("GROUP_CONFIG", "gone.toml")]);
    assert_eq!(said.len(), 1, "{said:#?}");
    assert!(said[0].starts_with("cannot read gone.toml: "), "{said:#?}");
}

#[test]
fn every_mistake_is_said_with_its_source() {
    let directory = directory("mistakes", Some("[services.mail-queue]\nport = 'many'\nusr = 'me'"));
    let env = [
        ("GROUP_MAIL_QUEUE__LIMITS__MANY", "many"),
        ("GROUP_MAIL_QUEUE__LIMITS__SLO", "true"),
        ("GROUP_MAIL_QUEUE__LIMTS__SLOW", "true"),
        ("GROUP_MAIL_QUEUE__STOP_TIMEOUT", "9"),
        ("GROUP_MAILQUEUE__PORT", "26"),
        ("GROUP_TICKER__HTTP", "127.0.0.1:80"),
        ("GROUP_SCHEDULE", "fast"),
    ];
    assert_eq!(
        refused(&directory, &env),
        [
            "GROUP_MAILQUEUE__PORT is for a service that is not in this group; did you mean `mail-queue`?",
            "GROUP_MAIL_QUEUE__STOP_TIMEOUT is text: expected a duration with its unit, as in `10s` or `1m 30s`",
            "GROUP_MAIL_QUEUE__LIMITS__MANY is text: expected a whole number from 0 to 255",
            "group.toml:2: `services.mail-queue.port` is text: expected a whole number from 0 to 65535",
            "unknown variable GROUP_MAIL_QUEUE__LIMITS__SLO: did you mean `slow`?",
            "unknown variable GROUP_MAIL_QUEUE__LIMTS__SLOW: did you mean `limits`?",
            "group.toml:3: unknown key `services.mail-queue.usr`: did you mean `user`?",
            "unknown variable GROUP_TICKER__HTTP: expected one of `start_timeout`, `stop_timeout`, `critical`, `restart`",
            "GROUP_SCHEDULE is text: expected `strict` or `graph`",
        ]
    );
}

#[test]
fn a_variable_cannot_be_a_value_and_have_others_inside() {
    let directory = directory("inside", Some(FILE));
    let env = [("GROUP_MAIL_QUEUE__LIMITS", "{ many = 7 }"), ("GROUP_MAIL_QUEUE__LIMITS__SLOW", "true")];
    let said = refused(&directory, &env);
    let expected = "GROUP_MAIL_QUEUE__LIMITS__SLOW sets a part of GROUP_MAIL_QUEUE__LIMITS, which is set as a whole: set only one of them";
    assert_eq!(said, [expected]);
}

#[test]
fn what_has_no_file_and_no_variable_is_missing() {
    let said = refused(&directory("nothing", None), &[]);
    let expected = [
        "`services.mail-queue.port` is missing: there is no group.toml, and the variable GROUP_MAIL_QUEUE__PORT is not set",
        "`services.mail-queue.user` is missing: there is no group.toml, and the variable GROUP_MAIL_QUEUE__USER is not set",
    ];
    assert_eq!(said, expected);
}

#[test]
fn what_the_file_lacks_is_missing_from_both() {
    let said = refused(&directory("lacks", Some("[services.mail-queue]\nport = 25")), &[]);
    let expected =
        "`services.mail-queue.user` is missing: neither group.toml nor the variable GROUP_MAIL_QUEUE__USER sets it";
    assert_eq!(said, [expected]);
}

#[test]
fn a_file_that_is_no_toml_is_said_with_its_line() {
    let said = refused(&directory("broken", Some("[services.mail-queue]\nport = = 25")), &[]);
    assert!(said.len() == 1 && said[0].starts_with("group.toml:2: "), "{said:#?}");
}

#[test]
fn the_limit_of_the_group_is_the_codes_then_the_files_then_the_environments() {
    let directory = directory("limit", Some(FILE));
    let says =
        |ended: &Ended, limit: &str| assert_eq!(ended.logged_with(&format!("within {limit}")).len(), 1, "{ended:#?}");
    says(&run(&directory, &[]), "7 s");
    fs::write(directory.join("group.toml"), format!("group.stop_timeout = '8s'\n{FILE}")).expect("it can be written");
    says(&run(&directory, &[]), "8 s");
    says(&run(&directory, &[("GROUP_STOP_TIMEOUT", "9s")]), "9 s");
}

/// What the service with settings of many shapes prints.
fn shapes(test: &str, toml: &str, env: &[(&str, &str)]) -> String {
    let directory = directory(test, Some(toml));
    let program = env!("CARGO_BIN_EXE_shapes");
    let mut program = Program::start_in(&directory.to_string_lossy(), program, &[], env);
    program.logs("shapes is ready");
    program.signal("TERM");
    let ended = program.end();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    ended.printed.join("\n")
}

fn shapes_refused(test: &str, toml: &str, env: &[(&str, &str)]) -> Vec<String> {
    let directory = directory(test, Some(toml));
    said_by(&Program::start_in(&directory.to_string_lossy(), env!("CARGO_BIN_EXE_shapes"), &[], env).end())
}

#[test]
fn a_text_of_digits_is_text_where_serde_buffers_it() {
    let pool = [
        ("GROUP_SHAPES__BUFFERED__USER", "1"),
        ("GROUP_SHAPES__BUFFERED__PASSWORD", "12345"),
        ("GROUP_SHAPES__BUFFERED__SIZE", "1"),
    ];
    let taken = shapes("digits", "", &pool);
    let pool = r#"pool: Some(Pool { user: "1", password: "12345", size: 1, idle: 0ns }), rest: {}"#;
    assert!(taken.contains(pool), "{taken}");
    for text in ["true", "1e5", "nan", "0x10", "[1]", "2020-01-01 10:00:00", "{ a = 1 }"] {
        let file = "[services.shapes.buffered]\nuser = 'me'\nsize = 3";
        let taken = shapes("digits", file, &[("GROUP_SHAPES__BUFFERED__PASSWORD", text)]);
        assert!(taken.contains(&format!("password: {text:?}, size: 3")), "{taken}");
    }
}

#[test]
fn a_number_is_a_number_where_serde_buffers_it() {
    let number = shapes("numbers", "", &[("GROUP_SHAPES__PORT", "8080")]);
    assert!(number.contains("port: Number(8080)"), "{number}");
    let name = shapes("numbers", "", &[("GROUP_SHAPES__PORT", "80800")]);
    assert!(name.contains(r#"port: Name("80800")"#), "{name}");
    assert_eq!(
        shapes_refused("numbers", "[services.shapes]\nport = true", &[]),
        ["group.toml:2: `services.shapes.port`: data did not match any variant of untagged enum Port"]
    );
}

#[test]
fn a_buffered_value_of_a_wrong_type_is_named() {
    let file = "[services.shapes.buffered]\nrest = 'is text'\nmore = [1]";
    assert_eq!(
        shapes_refused("buffered", file, &[]),
        ["group.toml:3: `services.shapes.buffered.more` is a list: expected text"]
    );
}

#[test]
fn a_duration_is_written_as_the_groups_own_are() {
    let env = [("GROUP_SHAPES__TIMEOUT", "1m 30s"), ("GROUP_SHAPES__WAITS", "['1s', '200ms']")];
    let taken = shapes("durations", "[services.shapes]\ntimeout = '5s'", &env);
    assert!(taken.contains("timeout: 90s, waits: [1s, 200ms]"), "{taken}");
    let file = "[services.shapes.buffered]\nuser = 'me'\npassword = '2s'\nsize = 3\nidle = '2s'";
    let taken = shapes("durations", file, &[]);
    assert!(taken.contains(r#"password: "2s", size: 3, idle: 2s"#), "{taken}");
    assert_eq!(
        shapes_refused("durations", "[services.shapes]\ntimeout = 5", &[("GROUP_SHAPES__WAITS", "['s3cr3t']")]),
        [
            "group.toml:2: `services.shapes.timeout` is a whole number: expected a duration with its unit, as in `10s` or `1m 30s`",
            "GROUP_SHAPES__WAITS is text: expected a duration with its unit, as in `10s` or `1m 30s`",
        ]
    );
}

#[test]
fn a_key_may_have_one_name_in_the_file_and_another_in_the_environment() {
    for (file, variable) in [("passwd", "PASSWORD"), ("password", "SECRET"), ("passwd", "SECRET")] {
        let toml = format!("[services.shapes]\n{file} = 'file'");
        let taken = shapes("aliases", &toml, &[(&format!("GROUP_SHAPES__{variable}"), "environment")]);
        assert!(taken.contains(r#"password: "environment""#), "{file}, {variable}: {taken}");
    }
    let file = "[services.shapes.db]\nurl = 'file'\nuser = 'file'";
    let taken = shapes("aliases", file, &[("GROUP_SHAPES__DATABASE__URL", "environment")]);
    assert!(taken.contains(r#"database: Database { url: "environment", user: "file" }"#), "{taken}");
    let file = "[services.shapes.buffered]\nuser = 'me'\npasswd = 'file'\nsize = 3";
    let taken = shapes("aliases", file, &[("GROUP_SHAPES__BUFFERED__PASSWORD", "5")]);
    assert!(taken.contains(r#"password: "5""#), "{taken}");
}

#[test]
fn a_key_that_is_set_twice_in_one_place_is_a_mistake() {
    let twice = "`password` is set twice, under two of its names: set only one";
    assert_eq!(
        shapes_refused("twice", "[services.shapes]\npasswd = 'a'\nsecret = 'b'", &[]),
        [format!("group.toml:1: `services.shapes`: {twice}")]
    );
    let env = [("GROUP_SHAPES__PASSWD", "a"), ("GROUP_SHAPES__SECRET", "b")];
    assert_eq!(shapes_refused("twice", "", &env), [format!("`services.shapes`: {twice}")]);
}

#[test]
fn no_message_prints_a_value() {
    let directory = directory("secrets", Some("[services.mail-queue]\nport = 's3cr3t'\nuser = 'me'\n"));
    let env = [
        ("GROUP_MAIL_QUEUE__MAX_SIZE", "s3cr3t"),
        ("GROUP_MAIL_QUEUE__HOSTS", "s3cr3t"),
        ("GROUP_MAIL_QUEUE__LIMITS__MANY", "s3cr3t"),
        ("GROUP_MAIL_QUEUE__LIMITS__SLOW", "s3cr3t"),
        ("GROUP_MAIL_QUEUE__STOP_TIMEOUT", "s3cr3t"),
        ("GROUP_MAIL_QUEUE__RESTART", "s3cr3t"),
        ("GROUP_MAIL_QUEUE__CRITICAL", "s3cr3t"),
        ("GROUP_DRAIN_DELAY", "s3cr3t"),
        ("GROUP_SCHEDULE", "s3cr3t"),
    ];
    let said = refused(&directory, &env);
    assert_eq!(said.len(), 10, "{said:#?}");
    assert!(!said.iter().any(|message| message.contains("s3cr3t")), "{said:#?}");
}

/// What the program warns of when it starts.
fn warned(test: &str, env: &[(&str, &str)]) -> Vec<String> {
    let ended = run(&directory(test, Some(FILE)), env);
    let messages = ended.logged.iter().filter_map(|line| line.split_once("WARN  group: "));
    messages.map(|(_, message)| message.to_owned()).collect()
}

#[test]
fn an_underscore_that_is_missing_is_hinted_at() {
    for (variable, meant) in [
        ("GROUP_MAIL_QUEUE_PORT", "GROUP_MAIL_QUEUE__PORT"),
        ("GROUP_MAIL_QUEUE_MAX_SIZE", "GROUP_MAIL_QUEUE__MAX_SIZE"),
        ("GROUP_MAIL_QUEUE_LIMITS_MANY", "GROUP_MAIL_QUEUE__LIMITS__MANY"),
        ("GROUP_MAIL_QUEUE_LIMITS__MANY", "GROUP_MAIL_QUEUE__LIMITS__MANY"),
        ("GROUP_TICKER_STOP_TIMEOUT", "GROUP_TICKER__STOP_TIMEOUT"),
        ("GROUP_STOP_TIMOUT", "GROUP_STOP_TIMEOUT"),
    ] {
        let hint = format!("{variable} is unknown: did you mean {meant}?");
        assert_eq!(warned("underscore", &[(variable, "1")]), [hint]);
    }
    let others = [("GROUP_MAIL_QUEUE_HOME", "/"), ("GROUP_TICKER_PORT", "1"), ("GROUP_MAIL_QUEUE_PORT_80", "1")];
    assert_eq!(warned("underscore", &others), [""; 0]);
}

#[test]
fn what_kubernetes_sets_for_its_own_services_is_no_mistake() {
    for service in ["STORE", "MAIL_QUEUE", "TICKER", "STOP_TIMEOUTS", "CONFIG"] {
        let set = |end: &str, value: &str| (format!("GROUP_{service}_{end}"), value.to_owned());
        let env = [
            set("SERVICE_HOST", "10.96.0.12"),
            set("SERVICE_PORT", "80"),
            set("SERVICE_PORT_HTTP", "80"),
            set("PORT", "tcp://10.96.0.12:80"),
            set("PORT_80_TCP", "tcp://10.96.0.12:80"),
            set("PORT_80_TCP_PROTO", "tcp"),
            set("PORT_80_TCP_PORT", "80"),
            set("PORT_80_TCP_ADDR", "10.96.0.12"),
        ];
        let env: Vec<_> = env.iter().map(|(name, value)| (&**name, &**value)).collect();
        assert_eq!(warned("kubernetes", &env), [""; 0]);
    }
    // As from `docker run --link`, which sets no host.
    assert_eq!(warned("kubernetes", &[("GROUP_STORE_PORT", "tcp://172.17.0.5:6379")]), [""; 0]);
}

#[test]
fn a_variable_of_another_program_is_warned_of_and_a_misspelt_one_of_ours_is_a_mistake() {
    let env = [("GROUP_MORNING__HTTP", "127.0.0.1:80"), ("GROUP_BILLING_API__POOL__SIZE", "3")];
    assert_eq!(
        warned("others", &env),
        [
            "GROUP_BILLING_API__POOL__SIZE is for a service that is not in this group, and sets nothing",
            "GROUP_MORNING__HTTP is for a service that is not in this group, and sets nothing",
        ]
    );
    for slip in ["MAIL_QUEU", "MAILQUEUE", "MAIL_QUEEU", "MAIL_QEUUE", "NAIL_QUEUE", "MAIL_QUEUES"] {
        let variable = format!("GROUP_{slip}__PORT");
        let message = format!("{variable} is for a service that is not in this group; did you mean `mail-queue`?");
        assert_eq!(refused(&directory("others", Some(FILE)), &[(&variable, "3")]), [message]);
    }
}

/// Starts the program that has settings of its own.
fn sections(test: &str, toml: &str, args: &[&str], env: &[(&str, &str)]) -> Program {
    let directory = directory(test, Some(toml));
    Program::start_in(&directory.to_string_lossy(), env!("CARGO_BIN_EXE_sections"), args, env)
}

/// What that program logs and prints until it is stopped.
fn sections_run(test: &str, toml: &str, env: &[(&str, &str)]) -> Ended {
    let mut program = sections(test, toml, &[], env);
    program.logs("printer is ready");
    program.signal("TERM");
    let ended = program.end();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert!(ended.logged_with("WARN").is_empty(), "{ended:#?}");
    ended
}

#[test]
fn a_section_of_the_file_is_for_the_program() {
    let file = "[log]\nlevel = 'debug'\nflush = '3s'\n[tracing]\nnobody.reads = 'this'";
    let ended = sections_run("sections", file, &[]);
    assert_eq!((ended.printed, ended.logged[0].as_str()), (vec!["printer: debug 3s".into()], "main: debug 3s"));
    let ended = sections_run("sections", file, &[("GROUP_LOG__LEVEL", "trace")]);
    assert_eq!((ended.printed, ended.logged[0].as_str()), (vec!["printer: trace 3s".into()], "main: trace 3s"));
    let ended = sections_run("sections", "", &[("GROUP_LOG__LEVEL", "5")]);
    assert_eq!(ended.printed, ["printer: 5 0ns"]);
}

#[test]
fn mistakes_in_a_section_are_an_invalid_setup() {
    for args in [&[][..], &["ignore"]] {
        let ended = sections("sections-bad", "[log]\nlevle = 'debug'\nflush = 3", args, &[]).end();
        let expected = [
            "group.toml:3: `log.flush` is a whole number: expected a duration with its unit, as in `10s` or `1m 30s`",
            "group.toml:2: unknown key `log.levle`: did you mean `level`?",
        ];
        assert_eq!(said_by(&ended), expected);
    }
    let said = said_by(&sections("sections-bad", "", &[], &[]).end());
    assert_eq!(said, ["`log.level` is missing: neither group.toml nor the variable GROUP_LOG__LEVEL sets it"]);
    let said = said_by(&sections("sections-bad", "log = 'debug'", &[], &[]).end());
    assert_eq!(said, ["group.toml:1: `log` is text: expected a table"]);
    for args in [&[][..], &["ignore"]] {
        let said = said_by(&sections("sections-bad", "[log", args, &[]).end());
        assert!(said.len() == 1 && said[0].starts_with("group.toml:1: "), "{said:?}");
    }
}

#[test]
fn what_looks_like_a_misspelt_section_is_a_mistake() {
    let log = "[log]\nlevel = 'debug'";
    for (more, message) in [
        ("[logg]", "group.toml:3: unknown key `logg`: did you mean `log`?"),
        ("[service.printer]", "group.toml:3: unknown key `service`: did you mean `services`?"),
        ("[printer]", "group.toml:3: unknown key `printer`: did you mean `services.printer`?"),
    ] {
        assert_eq!(said_by(&sections("sections-slip", &format!("{log}\n{more}"), &[], &[]).end()), [message]);
    }
    let said = said_by(&sections("sections-slip", &format!("stop_timeout = '3s'\n{log}"), &[], &[]).end());
    assert_eq!(said, ["group.toml:1: unknown key `stop_timeout`: expected one of `group`, `services`, `log`"]);
}

#[test]
fn one_file_is_for_two_programs() {
    let file = "[log]\nlevel = 'debug'\n[services.billing-api]\nport = 80\n[group]\n";
    let ended = sections("sections-two", file, &[], &[]).end();
    let hint = "if it is for another program, name it in `group.elsewhere`";
    let message = format!("group.toml:3: `services.billing-api` is for a service that is not in this group; {hint}");
    assert_eq!(said_by(&ended), [message]);
    let file = format!("{file}elsewhere = ['billing-api', 'printer']");
    let env = [("GROUP_BILLING_API__PORT", "81"), ("GROUP_PRINTER__STOP_TIMEOUT", "3s")];
    sections_run("sections-two", &file, &env);
    let file = file.replace("['billing-api', 'printer']", "3");
    let said = said_by(&sections("sections-two", &file, &[], &[]).end());
    assert_eq!(said[0], "group.toml:6: `group.elsewhere` is a whole number: expected a list of the names of services");
}

#[test]
fn a_reload_reads_the_file_again_under_the_environment() {
    let directory = directory("reload", Some("[services.mailer]\nrate = 1\nburst = 1"));
    let write = |toml: &str| fs::write(directory.join("group.toml"), toml).expect("it can be written");
    let program = env!("CARGO_BIN_EXE_reconfigured");
    let env = [("GROUP_MAILER__BURST", "9"), ("GROUP_OTHER__PORT", "3")];
    let mut program = Program::start_in(&directory.to_string_lossy(), program, &[], &env);
    program.logs("mailer is ready");
    write("[services.mailer]\nrate = 2\nburst = 2");
    program.signal("HUP");
    program.logs("mailer has reloaded");
    write("[services.mailer]\nrate = 's3cr3t'");
    program.signal("HUP");
    program.logs(
        "nothing was reloaded: group.toml:2: `services.mailer.rate` is text: expected a whole number from 0 to 4294967295; \
         everything stays as it was",
    );
    write("[services.mailer]\nrate = 3");
    program.signal("HUP");
    program.logs("mailer has reloaded");
    program.signal("TERM");
    let ended = program.end();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    let settings = |rate: u8| format!("Settings {{ rate: {rate}, burst: 9 }}");
    assert_eq!(ended.printed, [settings(1), settings(2), settings(3)]);
    assert_eq!(ended.logged_with("GROUP_OTHER__PORT").len(), 1, "it is warned of once: {ended:#?}");
}
