//! Every way to end, watched from outside: exit codes, what was stopped, the last words.

use std::hash::{BuildHasher as _, DefaultHasher, Hash as _, Hasher as _, RandomState};
use std::time::Duration;

use programs::{Ended, Program};

fn start(way: &str) -> Program {
    Program::start(env!("CARGO_BIN_EXE_ending"), &[way], &[])
}

/// Checks what is true of every end: the first service was stopped and dropped once, and the last
/// line of the log sums it up.
#[track_caller]
fn check(ended: &Ended, code: i32, last_words: &str) {
    assert_eq!((ended.code, ended.signal), (Some(code), None), "{ended:#?}");
    assert!(ended.last_words().starts_with(last_words), "{ended:#?}");
    for line in ["polite stopped", "polite dropped", "provided value dropped"] {
        let times = ended.printed.iter().filter(|printed| *printed == line).count();
        assert_eq!(times, 1, "{line}: {ended:#?}");
    }
}

#[test]
fn a_stop_that_was_asked_for_exits_with_0() {
    for signal in ["TERM", "INT", "QUIT"] {
        let mut program = start("stopped");
        program.prints("all are ready");
        program.signal(signal);
        let ended = program.end();
        check(&ended, 0, "stopped cleanly: 2 services");
        assert_eq!(ended.logged_with("ERROR").len(), 0);
    }
}

#[test]
fn the_end_of_every_main_exits_with_0() {
    let ended = start("completed").end();
    check(&ended, 0, "stopped cleanly: 2 services");
    assert_eq!(
        ended.printed,
        ["done", "polite was told", "polite stopped", "polite dropped", "provided value dropped"]
    );
}

#[test]
fn a_failed_start_exits_with_2() {
    let ended = start("start-failed").end();
    check(&ended, 2, "start failed; stopped again: 2 services");
    assert!(!ended.printed.contains(&"all are ready".to_owned()), "what comes after it was not built");
}

#[test]
fn a_body_of_main_that_runs_the_group_itself_is_told_not_to() {
    let ended = start("body-runs").end();
    assert_eq!(ended.code, Some(78), "{ended:#?}");
    let said = ended.told_with("which must neither `run` nor `start` it");
    assert_eq!(said.len(), 1, "{ended:#?}");
    assert!(!ended.printed.contains(&"polite stopped".to_owned()), "{ended:#?}");
}

#[test]
fn the_error_is_said_once_with_all_its_causes_and_again_in_the_last_line() {
    let ended = start("start-failed").end();
    let said = ended.logged_with("no route");
    let error = "`database` failed to start: no route to the database: cable unplugged";
    assert!(said.len() == 2 && said.iter().all(|line| line.ends_with(error)), "{ended:#?}");
    assert!(ended.last_words().starts_with("start failed; stopped again: "), "{ended:#?}");
}

#[test]
fn a_failure_while_running_exits_with_1() {
    check(&start("run-failed").end(), 1, "stopped after a failure: 2 services");
}

#[test]
fn a_panic_is_an_error_with_message_and_place() {
    for (way, code, words) in [("start-panicked", 2, "start failed"), ("run-panicked", 1, "stopped after a failure")] {
        let ended = start(way).end();
        check(&ended, code, words);
        let said = ended.logged_with("panicked: no route to the database, at ");
        assert_eq!(said.len(), 2, "when it fails, and at last: {ended:#?}");
        assert!(said.iter().all(|line| line.contains("`database`") && line.contains("ending.rs:")), "{said:?}");
    }
}

#[test]
fn a_service_past_its_limit_exits_with_3() {
    let mut program = start("over-limit");
    program.prints("deaf is ready");
    program.signal("TERM");
    let ended = program.end();
    check(&ended, 3, "stopped, but not cleanly: 2 services");
    assert_eq!(ended.told_with("`deaf` failed to stop: it has not stopped after").len(), 1, "{ended:#?}");
}

#[test]
fn a_group_past_its_deadline_exits_with_3() {
    let mut program = start("over-deadline");
    program.prints("deaf is ready");
    program.signal("TERM");
    check(&program.end(), 3, "stopped, but not cleanly: 2 services");
}

#[test]
fn a_second_signal_ends_it_now_and_says_so() {
    for (second, code) in [("TERM", 128 + 15), ("INT", 128 + 2), ("QUIT", 128 + 3)] {
        let mut program = start("deaf");
        program.prints("deaf is ready");
        program.signal("TERM");
        program.prints("deaf was told");
        program.signal_again(second);
        let ended = program.end();
        assert_eq!((ended.code, ended.signal), (Some(code), None), "{ended:#?}");
        assert!(ended.last_words().starts_with("forced to end by a second signal, SIG"), "{ended:#?}");
    }
}

#[test]
fn an_end_that_nobody_reads_of_comes_all_the_same() {
    let start = |limit| {
        let limit = [("GROUP_STOP_TIMEOUT", limit)];
        let mut program = Program::start(env!("CARGO_BIN_EXE_shouts"), &[], &limit);
        program.prints("ready");
        program.prints("ready");
        program
    };
    let program = start("500ms");
    program.signal("TERM");
    assert_eq!(program.end().code, Some(3), "the deadline holds");
    let program = start("25s");
    program.signal("TERM");
    program.signal_again("INT");
    assert!(matches!(program.end().code, Some(130 | 143)), "and a second signal ends it");
}

#[test]
fn a_hundred_groups_leave_no_threads_behind() {
    let ended = Program::start(env!("CARGO_BIN_EXE_by_hand"), &["again and again"], &[]).end();
    assert_eq!((ended.code, ended.signal), (Some(0), None), "{ended:#?}");
}

#[test]
fn a_second_signal_ends_it_also_when_a_service_blocks_a_worker() {
    let mut program = start("blocked");
    program.prints("all are ready");
    program.signal("TERM");
    program.prints("blocked");
    program.signal_again("TERM");
    let ended = program.end();
    assert_eq!(ended.code, Some(128 + 15), "{ended:#?}");
    assert!(ended.last_words().starts_with("forced to end by a second signal, SIGTERM"), "{ended:#?}");
}

#[test]
fn a_second_signal_ends_it_also_when_the_only_thread_is_blocked() {
    let mut program = Program::start(env!("CARGO_BIN_EXE_one_thread"), &[], &[]);
    program.prints("blocked");
    program.signal("TERM");
    program.signal_again("INT");
    let ended = program.end();
    assert!(matches!(ended.code, Some(130 | 143)), "{ended:#?}");
    assert!(ended.last_words().starts_with("forced to end by a second signal, SIG"), "{ended:#?}");
}

#[test]
fn a_second_signal_ends_it_also_when_the_body_of_main_is_blocked() {
    let mut program = start("body-blocks");
    program.prints("blocked");
    program.signal("TERM");
    program.signal_again("INT");
    let ended = program.end();
    assert!(matches!(ended.code, Some(130 | 143)), "{ended:#?}");
    assert!(ended.last_words().starts_with("forced to end by a second signal, SIG"), "{ended:#?}");
}

#[test]
fn the_deadline_holds_when_the_body_of_main_is_blocked() {
    let of_the_environment = || {
        let limit = [("GROUP_STOP_TIMEOUT", "300ms")];
        Program::start(env!("CARGO_BIN_EXE_ending"), &["body-blocks"], &limit)
    };
    let of_the_attribute = || Program::start(env!("CARGO_BIN_EXE_blocks_in_main"), &[], &[]);
    for mut program in [of_the_environment(), of_the_attribute()] {
        program.prints("blocked");
        program.signal("TERM");
        let ended = program.end();
        assert_eq!(ended.code, Some(3), "{ended:#?}");
        assert_eq!(ended.told_with("its body blocks its thread, and nothing was started yet").len(), 1, "{ended:#?}");
        assert!(ended.last_words().starts_with("stopped, but not cleanly"), "{ended:#?}");
    }
}

#[test]
fn the_deadline_holds_when_every_thread_is_blocked_before_the_signal() {
    let limit = [("GROUP_STOP_TIMEOUT", "500ms")];
    let mut program = Program::start(env!("CARGO_BIN_EXE_ending"), &["all-blocked"], &limit);
    let workers = std::thread::available_parallelism().expect("it is known").get();
    for _ in 0..workers {
        program.prints("blocked");
    }
    program.signal("TERM");
    let ended = program.end();
    assert_eq!(ended.code, Some(3), "{ended:#?}");
    assert_eq!(ended.told_with("`blocker` failed to stop: it blocks its thread").len(), 1, "{ended:#?}");
    assert_eq!(ended.told_with("`polite` failed to stop: it could not be stopped: something else").len(), 1);
}

#[test]
fn an_invalid_setup_exits_with_78() {
    let ended = start("cycle").end();
    assert_eq!(ended.code, Some(78), "{ended:#?}");
    assert_eq!(ended.told_with("polite -> polite").len(), 1, "{ended:#?}");
    assert_eq!(ended.printed, ["polite dropped", "provided value dropped"], "dropped, but never started or stopped");
}

#[test]
fn a_program_without_services_exits_with_78_and_says_why() {
    let ended = start("empty").end();
    assert_eq!(ended.code, Some(78), "{ended:#?}");
    assert_eq!(ended.told_with("a crate that is never named is never linked").len(), 1, "{ended:#?}");
}

#[test]
fn a_program_without_services_exits_with_78_also_when_it_was_asked_to_reload() {
    let mut program = Program::start(env!("CARGO_BIN_EXE_blocks_in_main"), &["returns"], &[]);
    program.prints("body runs");
    program.signal("HUP");
    let ended = program.end();
    assert_eq!(ended.code, Some(78), "{ended:#?}");
}

#[test]
fn the_order_is_printed_and_nothing_is_started() {
    let told = |form| Program::start(env!("CARGO_BIN_EXE_ending"), &["stopped"], &[("GROUP_ORDER", form)]).end();
    let text = told("text");
    assert_eq!(text.code, Some(0), "{text:#?}");
    assert!(text.printed.contains(&"start: polite -> last".to_owned()), "{text:#?}");
    assert!(text.printed.contains(&"stop: last -> polite".to_owned()), "{text:#?}");
    assert!(!text.printed.contains(&"all are ready".to_owned()), "{text:#?}");
    let dot = told("dot");
    assert!(dot.code == Some(0) && dot.printed.contains(&"digraph group {".to_owned()), "{dot:#?}");
    let other = told("yes");
    assert_eq!(other.code, Some(78), "{other:#?}");
    assert_eq!(
        other.told_with("GROUP_ORDER is text: expected one of `text`, `dot`, `json`, `svg`").len(),
        1,
        "{other:#?}"
    );
}

#[test]
fn a_limit_in_the_environment_that_cannot_be_read_exits_with_78_and_names_the_variable() {
    for value in ["ten", "10", "", "-1s"] {
        let ended = Program::start(env!("CARGO_BIN_EXE_ending"), &["stopped"], &[("GROUP_STOP_TIMEOUT", value)]).end();
        assert_eq!(ended.code, Some(78), "{value:?}: {ended:#?}");
        assert_eq!(ended.told_with("GROUP_STOP_TIMEOUT").len(), 1, "{value:?}: {ended:#?}");
    }
}

#[test]
fn a_body_that_fails_or_panics_is_2_and_nothing_is_started() {
    for way in ["body-failed", "body-panicked", "no-such-way"] {
        let ended = start(way).end();
        assert_eq!(ended.code, Some(2), "{ended:#?}");
        assert_eq!(ended.told_with("`main` failed to start: ").len(), 1, "{ended:#?}");
        let last_words = "start failed; nothing had been started (exit code 2): `main` failed to start: ";
        assert!(ended.last_words().starts_with(last_words), "{ended:#?}");
        assert!(!ended.printed.contains(&"polite stopped".to_owned()), "{ended:#?}");
    }
}

#[test]
fn a_signal_before_the_first_start_starts_nothing_and_exits_with_0() {
    let mut program = start("body-hangs");
    program.prints("body runs");
    program.signal("TERM");
    let ended = program.end();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert_eq!(ended.printed, ["body runs", "polite dropped", "provided value dropped"], "{ended:#?}");
}

#[test]
fn what_outlives_the_group_is_dropped_too() {
    let mut program = start("stopped");
    program.prints("all are ready");
    program.signal("TERM");
    let ended = program.end();
    assert_eq!(ended.printed.last().map(String::as_str), Some("detached task dropped"), "{ended:#?}");
}

#[test]
fn code_after_the_group_runs_and_its_exit_code_wins() {
    for signal in ["TERM", "INT", "QUIT"] {
        let mut program = Program::start(env!("CARGO_BIN_EXE_by_hand"), &[], &[]);
        program.prints("ready");
        program.signal(signal);
        let ended = program.end();
        assert_eq!(ended.code, Some(123), "{ended:#?}");
        assert!(ended.printed[1].starts_with("stopped cleanly: 1 service"), "{ended:#?}");
        assert_eq!(ended.logged.len(), 0, "without a subscriber, nothing is logged");
    }
}

#[test]
fn a_group_that_is_only_started_leaves_signals_to_the_program() {
    let mut program = Program::start(env!("CARGO_BIN_EXE_by_hand"), &["without signals"], &[]);
    program.prints("ready");
    program.signal("TERM");
    let ended = program.end();
    assert_eq!((ended.code, ended.signal), (None, Some(15)), "nobody listens: {ended:#?}");
}

#[test]
fn after_the_group_a_signal_ends_the_process_again() {
    let mut program = Program::start(env!("CARGO_BIN_EXE_by_hand"), &["lingers"], &[]);
    program.prints("ready");
    program.signal("TERM");
    program.prints("stopped cleanly");
    program.signal_again("TERM");
    assert_eq!(program.end().code, Some(128 + 15));
}

#[test]
fn the_log_is_silent_when_asked_to_be() {
    let mut program = Program::start(env!("CARGO_BIN_EXE_ending"), &["stopped"], &[("RUST_LOG", "off")]);
    program.prints("all are ready");
    program.signal("TERM");
    let ended = program.end();
    assert_eq!((ended.code, ended.logged.len()), (Some(0), 0), "{ended:#?}");
}

#[test]
fn a_program_says_itself_what_it_logs_unless_the_environment_does() {
    let start = |env: &[(&str, &str)]| Program::start(env!("CARGO_BIN_EXE_quiet"), &[], env).end();
    let unreadable = r#"cannot read "job=loud": expected a level, or target=level"#;
    let quiet = start(&[]);
    assert_eq!(quiet.code, Some(0), "{quiet:#?}");
    assert_eq!(quiet.logged.len(), 1, "{quiet:#?}");
    assert!(quiet.last_words().ends_with(&format!("log_to_stderr_with: {unreadable}")), "{quiet:#?}");
    let told = start(&[("RUST_LOG", "info,job=loud")]);
    assert_eq!(told.logged_with(&format!("RUST_LOG: {unreadable}")).len(), 1, "{told:#?}");
    assert!(told.last_words().starts_with("stopped cleanly: 1 service"), "{told:#?}");
}

#[test]
fn a_service_chooses_the_exit_code_of_a_clean_end() {
    let ended = start("exit").end();
    check(&ended, 42, "stopped cleanly: 2 services");
}

#[test]
fn a_chosen_exit_code_does_not_hide_a_failure() {
    check(&start("exit-late").end(), 1, "stopped after a failure: 2 services");
}

#[test]
fn restarts_that_are_used_up_exit_with_1() {
    let ended = start("restarts").end();
    check(&ended, 1, "stopped after a failure: 2 services");
    assert_eq!(ended.printed.iter().filter(|line| *line == "flaky starts").count(), 3, "{ended:#?}");
    assert_eq!(ended.logged_with("flaky: restarting in").len(), 2, "{ended:#?}");
    let given_up = ended.logged_with("flaky: giving up: 2 restarts within 1m");
    assert_eq!(given_up.len(), 1, "{ended:#?}");
}

#[test]
fn a_start_that_blocks_its_thread_is_told_when_its_time_is_over() {
    let ended = Program::start(env!("CARGO_BIN_EXE_blocks_in_start"), &[], &[]).end();
    assert_eq!(ended.code, Some(2), "{ended:#?}");
    let said = ended.told_with("`blocker` failed to start: it is not ready after 30");
    assert!(said.len() == 1 && said[0].ends_with("ms (start_timeout)"), "{ended:#?}");
    assert_eq!(ended.told_with("`blocker` failed to stop: it blocks its thread").len(), 1, "{ended:#?}");
}

#[test]
fn a_stop_is_heard_while_a_start_blocks_its_thread() {
    let limit = [("GROUP_BLOCKER__START_TIMEOUT", "1h")];
    let mut program = Program::start(env!("CARGO_BIN_EXE_blocks_in_start"), &[], &limit);
    program.prints("blocked");
    program.signal("INT");
    program.logs("SIGINT: stopping 1 service");
    let ended = program.end();
    assert_eq!(ended.code, Some(3), "{ended:#?}");
    assert_eq!(ended.told_with("`blocker` failed to stop: it blocks its thread").len(), 1, "{ended:#?}");
}

/// The driver cannot run on the only thread, and yet the limit holds.
#[test]
fn a_service_that_blocks_the_only_worker_is_held_to_its_start_timeout() {
    for way in ["new", "start", "restart"] {
        let limit = [("GROUP_STOP_TIMEOUT", "2s")];
        let mut program = Program::start(env!("CARGO_BIN_EXE_one_worker"), &[way], &limit);
        program.prints("blocked");
        program.logs("(start_timeout)");
        program.logs("`blocker` failed: stopping");
        let ended = program.end();
        let code = if way == "restart" { 1 } else { 2 };
        assert_eq!(ended.code, Some(code), "{way}: {ended:#?}");
        assert_eq!(ended.told_with("`blocker` failed to stop: it blocks its thread").len(), 1, "{way}: {ended:#?}");
        assert!(ended.told_with("`bystander` failed to stop: it could not be").len() == 1, "{way}: {ended:#?}");
    }
}

#[test]
fn so_is_one_that_blocks_the_only_thread() {
    let limits = [("GROUP_STOP_TIMEOUT", "2s"), ("GROUP_BLOCKER__START_TIMEOUT", "300ms")];
    let ended = Program::start(env!("CARGO_BIN_EXE_one_thread"), &[], &limits).end();
    assert_eq!(ended.code, Some(2), "{ended:#?}");
    assert_eq!(ended.told_with("`blocker` failed to start: it is not ready after").len(), 1, "{ended:#?}");
}

#[test]
fn one_that_asks_for_more_time_may_block_the_only_worker() {
    let mut program = Program::start(env!("CARGO_BIN_EXE_one_worker"), &["patient"], &[]);
    program.logs("2 services are ready");
    program.signal("TERM");
    assert_eq!(program.end().code, Some(0));
}

#[test]
fn the_deadline_holds_when_a_service_blocks_a_worker() {
    let limit = [("GROUP_STOP_TIMEOUT", "500ms")];
    let mut program = Program::start(env!("CARGO_BIN_EXE_ending"), &["blocked"], &limit);
    program.prints("all are ready");
    program.signal("TERM");
    let ended = program.end();
    check(&ended, 3, "stopped, but not cleanly: 2 services");
    assert_eq!(ended.told_with("`last` failed to stop: it blocks its thread").len(), 1, "{ended:#?}");
}

#[test]
fn the_deadline_holds_when_the_only_thread_is_blocked_and_the_stuck_one_is_named() {
    let limit = [("GROUP_STOP_TIMEOUT", "500ms")];
    let mut program = Program::start(env!("CARGO_BIN_EXE_one_thread"), &["for ever"], &limit);
    program.prints("ready");
    program.signal("TERM");
    program.prints("blocked");
    let ended = program.end();
    assert_eq!(ended.code, Some(3), "{ended:#?}");
    assert!(ended.last_words().starts_with("stopped, but not cleanly"), "{ended:#?}");
    assert_eq!(ended.told_with("`blocker` failed to stop: it blocks its thread").len(), 1, "{ended:#?}");
    assert_eq!(ended.told_with("`bystander` failed to stop: it could not be stopped").len(), 1, "{ended:#?}");
}

#[test]
fn the_deadline_holds_by_hand_too_where_the_runtime_waits_for_the_blocked_thread() {
    let limit = [("GROUP_STOP_TIMEOUT", "500ms")];
    let mut program = Program::start(env!("CARGO_BIN_EXE_by_hand"), &["blocks"], &limit);
    program.prints("ready");
    program.signal("TERM");
    let ended = program.end();
    assert!(ended.printed[1].starts_with("stopped, but not cleanly"), "{ended:#?}");
    assert_eq!(ended.code, Some(3), "{ended:#?}");
}

#[test]
fn a_blocking_start_that_does_not_end_is_named_and_does_not_hold_the_others_up() {
    let mut program = start("thread-blocked");
    program.prints("blocked");
    program.signal("TERM");
    let ended = program.end();
    check(&ended, 3, "stopped, but not cleanly: 2 services");
    assert_eq!(ended.told_with("`on-thread` failed to stop: it blocks its thread").len(), 1, "{ended:#?}");
}

#[test]
fn a_destructor_that_panics_is_1_and_the_others_are_stopped() {
    let mut program = start("drop-panics");
    program.prints("all are ready");
    program.signal("TERM");
    let ended = program.end();
    check(&ended, 1, "stopped after a failure: 3 services");
    assert_eq!(ended.told_with("`panics-on-drop` failed to stop: panicked: cannot let go").len(), 1, "{ended:#?}");
}

#[test]
fn a_blocking_task_that_leaks_does_not_hold_the_end_up() {
    let mut program = start("leaks");
    program.prints("all are ready");
    program.signal("TERM");
    check(&program.end(), 0, "stopped cleanly: 2 services");
}

#[test]
fn sighup_reloads_in_start_order_and_the_group_runs_on() {
    let mut program = Program::start(env!("CARGO_BIN_EXE_reloads"), &[], &[]);
    program.logs("3 services are ready");
    program.signal("HUP");
    program.logs("2 services reloaded");
    program.signal("TERM");
    let ended = program.end();
    assert_eq!(
        (ended.code, &ended.printed[..]),
        (Some(0), &["first reloads", "second reloads"].map(str::to_owned)[..])
    );
}

#[test]
fn a_failed_reload_is_said_and_the_group_runs_on() {
    let mut program = Program::start(env!("CARGO_BIN_EXE_reloads"), &["bad"], &[]);
    program.logs("3 services are ready");
    program.signal("HUP");
    program.logs("`first` failed to reload: the new settings are no good; it keeps its old state");
    program.prints("second reloads");
    program.signal("TERM");
    assert_eq!(program.end().code, Some(0));
}

#[test]
fn sighup_asks_for_a_stop_where_nothing_reloads() {
    let mut program = start("stopped");
    program.prints("all are ready");
    program.signal("HUP");
    let ended = program.end();
    check(&ended, 0, "stopped cleanly: 2 services");
    assert_eq!(ended.logged_with("SIGHUP: stopping 2 services").len(), 1, "{ended:#?}");
}

/// A moment in the first 50 milliseconds, mostly in the first five. The same seed gives the same
/// moment.
fn moment(seed: u64) -> Duration {
    let chance = |salt: u64| {
        let mut hasher = DefaultHasher::new();
        (seed, salt).hash(&mut hasher);
        hasher.finish()
    };
    let within = if chance(0) % 4 == 0 { 50_000 } else { 5_000 };
    Duration::from_micros(chance(1) % within)
}

/// Whenever the signal comes, every service that was started is stopped. Only before the first line
/// of `main` may the signal kill the process. `GROUP_SEED` repeats a moment that failed.
#[test]
fn a_signal_at_any_moment_of_the_first_milliseconds_ends_it_in_order() {
    let first = match std::env::var("GROUP_SEED") {
        Ok(seed) => seed.parse().expect("GROUP_SEED is a number"),
        Err(_) => RandomState::new().hash_one(0),
    };
    let mut killed = 0;
    for nth in 0..300 {
        let seed = first.wrapping_add(nth);
        println!("GROUP_SEED={seed}");
        let program = start("stopped");
        std::thread::sleep(moment(seed));
        program.signal("TERM");
        let ended = program.end();
        if ended.signal == Some(15) {
            assert!(ended.printed.is_empty() && ended.logged.is_empty(), "{ended:#?}");
            killed += 1;
            continue;
        }
        assert_eq!(ended.code, Some(0), "{ended:#?}");
        assert!(ended.last_words().starts_with("stopped cleanly"), "{ended:#?}");
        let times = |line: &str| ended.printed.iter().filter(|printed| *printed == line).count();
        assert!(times("polite stopped") <= 1 && times("polite was told") <= times("polite stopped"), "{ended:#?}");
        assert!(times("polite stopped") <= times("polite dropped") && times("polite dropped") <= 1, "{ended:#?}");
    }
    assert!(killed < 300, "it never came as far as `main`");
}

#[test]
fn the_last_line_says_how_many_tasks_of_no_service_are_cut_off() {
    for (tasks, told) in [("0", ""), ("1", "; 1 task of no service cut off"), ("3", "; 3 tasks of no service cut off")]
    {
        let ended = Program::start(env!("CARGO_BIN_EXE_detached"), &[tasks], &[]).end();
        assert_eq!(ended.code, Some(0), "{ended:#?}");
        let (_, rest) = ended.last_words().split_once(" ms, after ").expect("it says how long it took");
        assert_eq!(rest.split_once(" ms").map(|(_, told)| told), Some(told), "{ended:#?}");
    }
}

/// Nothing waits for its thread, neither the runtime nor the process.
#[test]
fn an_end_that_blocks_for_ever_is_given_up_and_the_process_ends() {
    for (way, service) in [("stop", "pool"), ("drop", "pool"), ("start", "resizer")] {
        let mut program = Program::start(env!("CARGO_BIN_EXE_blocking_ends"), &[way], &[("GROUP_STOP_TIMEOUT", "20s")]);
        program.logs("2 services are ready");
        program.signal("TERM");
        program.prints("blocked");
        let ended = program.end();
        assert_eq!(ended.code, Some(3), "{way}: {ended:#?}");
        let told = format!("`{service}` failed to stop: it blocks its thread");
        assert_eq!(ended.told_with(&told).len(), 1, "{way}: {ended:#?}");
    }
}
