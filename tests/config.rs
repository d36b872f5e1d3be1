//! Settings from outside the code, and the messages about mistakes in them.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::num::NonZeroU16;
use std::time::Duration;

use group::{Config, Group, Report, Restart, Schedule, Service as _, Shutdown, service};
use serde::Deserialize;

#[derive(Clone, Debug, Deserialize, PartialEq)]
struct MailerConfig {
    port: u16,
    #[serde(default)]
    hosts: Vec<String>,
    #[serde(default)]
    smtp: Smtp,
    mode: Option<Mode>,
    #[serde(rename = "max-size")]
    max_size: Option<f64>,
    stop_timeout: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
struct Smtp {
    user: String,
    tls: bool,
    letter: Option<char>,
}

#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Mode {
    Fast,
    Slow { by: u8 },
}

struct Mailer(MailerConfig);

#[service(register = false, stop_timeout = "3s")]
impl Mailer {
    fn new(config: Config<MailerConfig>) -> Self {
        assert!(config.port > 0, "it is the settings that it derefs to");
        Self(config.0)
    }

    async fn start(&self, shutdown: Shutdown) {
        shutdown.requested().await;
    }
}

/// Takes no settings.
#[derive(Default)]
struct Ticker;

#[service(register = false)]
impl Ticker {
    async fn start(&self, shutdown: Shutdown) {
        shutdown.requested().await;
    }
}

/// The settings that the mailer reads from this table.
async fn taken(table: &str) -> MailerConfig {
    let running = Group::new().add_type::<Mailer>().config_str(format!("[services.mailer]\n{table}")).start().await;
    let running = running.unwrap_or_else(|error| panic!("{table}: {error}"));
    let taken = running.get::<Mailer>().expect("it runs").0.clone();
    assert!(running.stop().await.is_clean());
    taken
}

/// The messages of a group with an invalid setup.
async fn said(group: &mut Group) -> Vec<String> {
    let Err(error) = group.start().await else { panic!("it started") };
    let report: &Report = error.report();
    assert_eq!(report.exit_code(), 78, "{report}");
    report.failures().iter().map(ToString::to_string).collect()
}

/// The messages about the mailer's table, which begins on line 1.
async fn said_of(table: &str) -> Vec<String> {
    said(Group::new().add_type::<Mailer>().config_str(format!("services.mailer = {table}"))).await
}

#[tokio::test]
async fn a_service_takes_what_its_table_says() {
    let none =
        MailerConfig { port: 25, hosts: vec![], smtp: Smtp::default(), mode: None, max_size: None, stop_timeout: None };
    assert_eq!(taken("port = 25").await, none);

    let all = "port = 0x19\nhosts = ['a', 'b']\nmax-size = 1.5\nmode = 'fast'\n[services.mailer.smtp]\nuser = 'me'\ntls = true\nletter = 'x'";
    let smtp = Smtp { user: "me".into(), tls: true, letter: Some('x') };
    let hosts = vec!["a".into(), "b".into()];
    assert_eq!(taken(all).await, MailerConfig { hosts, smtp, mode: Some(Mode::Fast), max_size: Some(1.5), ..none });

    let slow = taken("port = 25\nmode = { slow = { by = 3 } }").await;
    assert_eq!(slow.mode, Some(Mode::Slow { by: 3 }));
}

#[tokio::test]
async fn a_field_that_is_named_like_a_key_of_the_group_is_given_too() {
    assert_eq!(taken("port = 25\nstop_timeout = '7s'").await.stop_timeout.as_deref(), Some("7s"));
}

#[tokio::test]
async fn everything_that_is_wrong_is_said_at_once_and_nothing_is_built() {
    let toml = "\
[services.mailer]
port = 70000
hosts = 'localhost'
prot = 25
mode = 'fats'
start_timeout = '3'
critical = 'perhaps'
[services.mailer.smtp]
user = 3
tsl = true
[services.tickr]
[services.ticker]
restart = 'sometimes'
every = '3s'
[group]
stop_timeout = 25
scheduel = 'graph'
schedule = 'fast'
[servics]
";
    let mut group = Group::new();
    group.add_fn("first", || async { panic!("nothing is built when something is wrong") });
    group.add_type::<Mailer>().add_type::<Ticker>().config_str(toml);
    assert_eq!(
        said(&mut group).await,
        [
            "config_str:17: unknown key `group.scheduel`: did you mean `schedule`?",
            "config_str:18: `group.schedule` is text: expected `strict` or `graph`",
            "config_str:16: `group.stop_timeout` is a whole number: expected a duration with its unit, as in `10s` or `1m 30s`",
            "config_str:19: unknown key `servics`: did you mean `services`?",
            "config_str:11: `services.tickr` is for a service that is not in this group; did you mean `ticker`?",
            "config_str:6: `services.mailer.start_timeout` is text: expected a duration with its unit, as in `10s` or `1m 30s`",
            "config_str:7: `services.mailer.critical` is text: expected `true` or `false`",
            "config_str:3: `services.mailer.hosts` is text: expected a list",
            "config_str:5: `services.mailer.mode` is text: expected one of `fast`, `slow`; did you mean `fast`?",
            "config_str:2: `services.mailer.port` is out of range: expected a whole number from 0 to 65535",
            "config_str:9: `services.mailer.smtp.user` is a whole number: expected text",
            "`services.mailer.smtp.tls` is missing: config_str does not set it",
            "config_str:4: unknown key `services.mailer.prot`: did you mean `port`?",
            "config_str:10: unknown key `services.mailer.smtp.tsl`: expected one of `user`, `tls`, `letter`",
            "config_str:13: `services.ticker.restart` is text: expected `never`, `on-failure` or `always`",
            "config_str:14: unknown key `services.ticker.every`: expected one of `start_timeout`, `stop_timeout`, `critical`, `restart`",
        ]
    );
}

#[tokio::test]
async fn what_is_missing_is_said_with_where_it_could_be() {
    assert_eq!(said_of("{}").await, ["`services.mailer.port` is missing: config_str does not set it"]);
    assert_eq!(
        said_of("{ port = 25, smtp = { tls = true } }").await,
        ["`services.mailer.smtp.user` is missing: config_str does not set it"]
    );
    let said = said(Group::new().add_type::<Mailer>()).await;
    assert_eq!(
        said,
        [
            "`services.mailer.port` is missing: there is no configuration: set one with `Group::config_file`, or call `run`, which reads group.toml and the environment"
        ]
    );
}

#[tokio::test]
async fn more_than_is_taken_is_too_much() {
    let mut group = Group::new();
    group
        .add_fn("pair", async |_: Config<HashMap<String, (u8, String)>>| {})
        .config_str("services.pair.x = [1, '2', 3]");
    assert_eq!(said(&mut group).await, ["config_str:1: `services.pair.x`: it has 3 values: expected a list of 2"]);
}

#[tokio::test]
async fn what_is_misspelt_is_not_said_to_be_missing_too() {
    let misspelt = "config_str:1: unknown key `services.mailer.prot`: did you mean `port`?";
    assert_eq!(said_of("{ prot = 25 }").await, [misspelt]);
    assert_eq!(
        said_of("{ prot = 25, smtp = { usr = 'root', tls = true, letter = 'x' } }").await,
        [misspelt, "config_str:1: unknown key `services.mailer.smtp.usr`: did you mean `user`?"]
    );
    let of_no_service =
        "config_str:1: `services.mailr` is for a service that is not in this group; did you mean `mailer`?";
    assert_eq!(
        said(Group::new().add_type::<Mailer>().config_str("[services.mailr]\nport = 25")).await,
        [of_no_service]
    );
    // `usr` is near `smtp.user`, but in another table, so `user` is still missing.
    assert_eq!(
        said_of("{ port = 25, usr = 'root', smtp = { tls = true } }").await,
        [
            "`services.mailer.smtp.user` is missing: config_str does not set it",
            "config_str:1: unknown key `services.mailer.usr`: expected one of `port`, `hosts`, `smtp`, `mode`, `max-size`, `stop_timeout`, `start_timeout`, `critical`, `restart`"
        ]
    );
}

/// A field of each kind, and some whose type accepts only certain values.
#[expect(dead_code, reason = "it is only read into")]
#[derive(Deserialize)]
struct Needy {
    name: String,
    on: bool,
    factor: f32,
    letter: char,
    workers: NonZeroU16,
    smtp: Smtp,
    mode: Mode,
    list: Vec<String>,
    map: HashMap<String, u8>,
    pair: (u8, u8),
    maybe: Option<u8>,
    bind: SocketAddr,
    last: String,
}

#[tokio::test]
async fn all_that_is_missing_is_said_at_once() {
    let said_of = async |toml: &str| {
        let mut group = Group::new();
        group.add_fn("needy", async |_: Config<Needy>| {}).config_str(toml);
        said(&mut group).await
    };
    let missing = |keys: &[&str]| -> Vec<String> {
        keys.iter().map(|key| format!("`services.needy.{key}` is missing: config_str does not set it")).collect()
    };
    // Fields behind a missing one are not read if its type accepts only certain values: no placeholder would do.
    let before = ["name", "on", "factor", "letter", "workers", "smtp", "mode", "list", "map", "pair"];
    assert_eq!(said_of("").await, missing(&before));
    let pair = "[services.needy]\npair = [1, 2]\n";
    let but_pair: Vec<_> = before.into_iter().filter(|key| *key != "pair").chain(["bind"]).collect();
    assert_eq!(said_of(pair).await, missing(&but_pair));
    let bind = format!("{pair}bind = '[::1]:80'\nsmtp = {{ letter = 'ab' }}");
    let wrong = "config_str:4: `services.needy.smtp.letter` is text: expected one character".to_owned();
    let nested = ["smtp.user", "smtp.tls", "name", "on", "factor", "letter", "workers", "mode", "list", "map", "last"];
    assert_eq!(said_of(&bind).await, [vec![wrong], missing(&nested)].concat());
}

#[tokio::test]
async fn what_is_no_table_is_said() {
    assert_eq!(said_of("3").await, ["config_str:1: `services.mailer` is a whole number: expected a table"]);
    for (toml, message) in [
        ("services = 3", "config_str:1: `services` is a whole number: expected a table"),
        ("group = ['graph']", "config_str:1: `group` is a list: expected a table"),
        ("\n[services.ticker\n", "config_str:2: "),
    ] {
        let said = said(Group::new().add_type::<Ticker>().config_str(toml)).await;
        assert!(said.len() == 1 && said[0].starts_with(message), "{toml}: {said:?}");
    }
}

#[tokio::test]
async fn a_file_that_is_named_must_be_there() {
    let said = said(Group::new().add_type::<Ticker>().config_file("no/such/file.toml")).await;
    assert!(said.len() == 1 && said[0].starts_with("cannot read no/such/file.toml: "), "{said:?}");
}

#[tokio::test]
async fn a_list_says_what_is_wrong_inside_of_it() {
    assert_eq!(
        said_of("{ port = 25, hosts = ['a', 3] }").await,
        ["config_str:1: `services.mailer.hosts` is a whole number: expected text"]
    );
}

/// Two types of settings, each a part of one table.
struct Split;

#[derive(Deserialize)]
struct Left {
    left: u8,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Right {
    right: u8,
}

#[service(register = false)]
impl Split {
    fn new(config: Config<Left>) -> Self {
        assert_eq!(config.left, 1);
        Self
    }

    async fn start(&self, config: Config<Right>) {
        assert_eq!(config.right, 2);
    }
}

#[tokio::test]
async fn several_types_share_a_table() {
    let config = |more: &str| format!("[services.split]\nleft = 1\nright = 2\ncritical = true\n{more}");
    let running = Group::new().add_type::<Split>().config_str(config("")).start().await.unwrap();
    assert!(running.wait().await.is_clean());
    let said = said(Group::new().add_type::<Split>().config_str(config("wrong = 3"))).await;
    assert_eq!(said.len(), 1, "{said:?}");
}

#[tokio::test]
async fn a_map_takes_all_but_what_is_for_the_group() {
    let mut group = Group::new();
    group.add_fn("mapper", |config: Config<HashMap<String, u8>>| async move {
        assert_eq!(config.0, HashMap::from([("a".to_owned(), 1), ("b".to_owned(), 2)]));
    });
    group.config_str("[services.mapper]\na = 1\nb = 2\nstart_timeout = '3s'");
    let report = group.start().await.unwrap().wait().await;
    assert!(report.is_clean(), "{report}");
}

#[tokio::test(start_paused = true)]
async fn a_file_overrides_what_the_code_says_of_a_service() {
    let mut group = Group::new();
    let late = |shutdown: Shutdown| async move {
        shutdown.requested().await;
        std::future::pending::<()>().await;
    };
    group.add_fn("late", late).configure("late", |spec| spec.stop_timeout(Duration::from_secs(9)));
    group
        .add_fn("flaky", || async { Err::<(), _>("as always") })
        .configure("flaky", |spec| spec.restart(Restart::on_failure().max(3)));
    group.config_str("[services.late]\nstop_timeout = '2s'\n[services.flaky]\nrestart = 'never'\ncritical = false");
    let running = group.start().await.unwrap();
    let report = running.stop().await;
    let (asked, gone) = report.service("late").map(|late| (late.stop_asked_at(), late.gone_at())).unwrap();
    assert_eq!(gone.unwrap().saturating_sub(asked.unwrap()).as_secs(), 2, "{report}");
    assert_eq!(report.service("flaky").unwrap().restarts(), 0, "{report}");
}

#[tokio::test]
async fn a_file_says_where_a_service_listens() {
    use group::axum::Router;

    struct Web;

    #[service(register = false, http = "127.0.0.1:1")]
    impl Web {
        fn router(&self, routes: Router) -> Router {
            routes
        }
    }

    assert_eq!(Web::spec().get_name(), "web");
    let running = Group::new().add(Web).config_str("services.web.http = '127.0.0.1:0'").start().await.unwrap();
    assert!(running.local_addr("web").unwrap().port() > 1);
    assert!(running.stop().await.is_clean());

    let said = said(Group::new().add(Web).config_str("services.web.http = 'here'")).await;
    assert_eq!(said, ["config_str:1: `services.web.http` is text: expected `host:port`, as in `127.0.0.1:8080`"]);
    let said = self::said(Group::new().add(Ticker).config_str("services.ticker.http = '127.0.0.1:0'")).await;
    assert!(said.len() == 1 && said[0].contains("unknown key `services.ticker.http`"), "{said:?}");
}

#[tokio::test]
async fn a_file_overrides_the_drain_delay_of_the_group() {
    let mut group = Group::new();
    group.add(Ticker).drain_delay(Duration::from_secs(1)).config_str("group.drain_delay = '1m'");
    let said = said(&mut group).await;
    assert_eq!(said, ["drain_delay is 1m, and stop_timeout, which includes it, is only 25 s: no time is left to stop"]);
}

#[tokio::test]
async fn a_file_overrides_the_schedule_of_the_group() {
    let mut group = Group::new();
    group.add_as("a", Ticker).add_as("b", Ticker).schedule(Schedule::Graph).config_str("group.schedule = 'strict'");
    assert_eq!(group.order().unwrap().to_string(), "start: a -> b\nstop: b -> a");
}

/// A type whose own words contain the value.
#[derive(Debug)]
struct Talkative;

impl<'de> Deserialize<'de> for Talkative {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let said = format!("`{text}` ({text:?}) is no Talkative, and {text}s is another word");
        Err(serde::de::Error::custom(said))
    }
}

#[tokio::test]
async fn the_words_of_a_users_type_are_told_without_the_value() {
    for value in ["s3cr3t", "a\"b\\c", "12"] {
        let mut group = Group::new();
        group.add_fn("talker", async |_: Config<HashMap<String, Option<Talkative>>>| {});
        group.config_str(format!("services.talker.key = '{value}'"));
        let message =
            format!("config_str:1: `services.talker.key`: `…` (\"…\") is no Talkative, and {value}s is another word");
        assert_eq!(said(&mut group).await, [message]);
    }
}

#[tokio::test]
async fn a_service_of_another_program_is_declared_in_code_too() {
    let mut group = Group::new();
    group.add(Ticker).elsewhere(["billing"]).config_str("[services.billing]\nport = 3\n[services.ticker]");
    assert!(group.start().await.unwrap().stop().await.is_clean());
}

#[group::test]
async fn a_test_reads_a_section_from_its_own_text(group: &mut Group) {
    #[derive(Deserialize)]
    struct Log {
        level: String,
    }

    group.config_str("log.level = 'debug'");
    assert_eq!(group.section::<Log>("log").unwrap().level, "debug");
    let wrong = group.section::<Log>("logs").map(|log| log.level).unwrap_err();
    assert_eq!(wrong.mistakes().collect::<Vec<_>>(), ["`logs.level` is missing: config_str does not set it"]);
}

/// A group with the mailer inside of `mail`.
fn with_mail(toml: &str) -> Group {
    let mut mail = Group::new();
    mail.add_type::<Mailer>().add_as("order-queue", Ticker);
    let mut group = Group::new();
    group.add_group("mail", mail).add(Ticker).config_str(toml);
    group
}

#[tokio::test]
async fn a_table_in_that_of_a_group_is_for_a_service_inside() {
    let toml = "
        [services.mail]
        stop_timeout = '7s'
        schedule = 'graph'
        restart = 'on-failure'
        [services.mail.mailer]
        port = 25
        stop_timeout = '2s'
        [services.mail.mailer.smtp]
        user = 'me'
        tls = true";
    let mut group = with_mail(toml);
    let running = group.start().await.unwrap();
    let taken = running.get::<Mailer>().expect("it runs").0.clone();
    assert_eq!((taken.port, taken.smtp.user.as_str(), taken.stop_timeout.as_deref()), (25, "me", Some("2s")));
    assert!(running.stop().await.is_clean());
}

#[tokio::test]
async fn mistakes_inside_are_named_with_the_whole_key() {
    let toml = "
        [services.mail]
        schedule = 'fast'
        colour = 'red'
        [services.mail.mailer]
        port = 'x'
        [services.mail.order-queu]
        stop_timeout = '1s'
        [services.mail.order-queue]
        critical = 'x'";
    assert_eq!(
        said(&mut with_mail(toml)).await,
        [
            "config_str:7: `services.mail.order-queu` is for a service that is not in `mail`; did you mean `order-queue`?",
            "config_str:3: `services.mail.schedule` is text: expected `strict` or `graph`",
            "config_str:4: unknown key `services.mail.colour`: expected one of `start_timeout`, `stop_timeout`, `critical`, `restart`, `schedule`, `serve`",
            "config_str:6: `services.mail.mailer.port` is text: expected a whole number from 0 to 65535",
            "config_str:10: `services.mail.order-queue.critical` is text: expected `true` or `false`",
        ]
    );
}
