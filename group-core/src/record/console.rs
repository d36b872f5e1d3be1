//! A plain subscriber: one line on stderr for each event, for a person to read.

use std::fmt;
use std::fmt::Write as _;
use std::io::{IsTerminal as _, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::{Instant, SystemTime};

use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_core::span::Current;

use crate::base::lock;
use crate::base::time_of_day::TimeOfDay;
use crate::record::spans::Spans;

/// The filter of the command line. A process has one subscriber, and so one filter.
static CHOSEN: OnceLock<String> = OnceLock::new();

/// True if this is the subscriber of the process.
static IS_INSTALLED: AtomicBool = AtomicBool::new(false);

/// Sets the filter of the subscriber that is installed later. The first one counts.
#[cfg(feature = "cli")]
pub(crate) fn choose(filter: String) {
    let _ = CHOSEN.set(filter);
}

/// Checks the text of a filter.
///
/// # Errors
///
/// With what is wrong with it.
#[cfg(feature = "cli")]
pub(crate) fn check_filter(text: &str) -> Result<(), String> {
    match Filter::parse(text).1.first() {
        Some(directive) => Err(cannot_read(directive)),
        None => Ok(()),
    }
}

fn cannot_read(directive: &str) -> String {
    format!("cannot read {directive:?}: expected a level, or target=level")
}

/// Prints the events of `tracing` on stderr, unless the program has a subscriber already.
///
/// The environment variable `RUST_LOG` chooses the events: a level (`off`, `error`, `warn`, `info`, `debug`,
/// `trace`), or levels by target, as in `info,hyper=warn`. Without it, everything from `info` up is printed.
///
/// A line begins with the time of day, in UTC; on a terminal, with the seconds since the start. A line that a service
/// logs bears its name: `shop::mail [mailer]: 3 letters sent`. Other spans are not shown; for those, and for other
/// formats, install a subscriber such as `tracing-subscriber`'s.
///
/// `#[group::main]` calls it after the body of `main`.
pub fn install() {
    install_with("info");
}

/// As [`log_to_stderr`](crate::log_to_stderr), but with a default of the program's own for when `RUST_LOG` is not
/// set: text of the same form.
///
/// Call it in the body of `main`, which runs before `#[group::main]` installs its own:
///
/// ```no_run
/// #[group::main]
/// async fn main() {
///     group::log_to_stderr_with("info,hyper=warn");
/// }
/// ```
pub fn install_with(default: &str) {
    if tracing::dispatcher::has_been_set() {
        return;
    }
    let environment = std::env::var("RUST_LOG").ok().filter(|text| !text.trim().is_empty());
    let chosen = CHOSEN.get().or(environment.as_ref());
    let (filter, unreadable) = Filter::parse(chosen.map_or(default, String::as_str));
    // Fails if another thread has set a subscriber meanwhile; then that one is used.
    if tracing::subscriber::set_global_default(Console::new(filter)).is_ok() {
        IS_INSTALLED.store(true, Ordering::Relaxed);
    }
    for directive in unreadable {
        let from = if environment.is_some() { "RUST_LOG" } else { "log_to_stderr_with" };
        // As an error, it is shown under every filter but `off`.
        tracing::error!(target: "group", "{from}: {}", cannot_read(&directive));
    }
}

/// Writes an error to stderr, unless the log goes there: the log of a program may be what is blocked or gone.
pub(crate) fn say_besides(message: &str) {
    if !IS_INSTALLED.load(Ordering::Relaxed) {
        // Fails when stderr is closed; there is no other place to report that.
        let _ = std::io::stderr().write_all(format!("{} ERROR group: {message}\n", Clock::TimeOfDay).as_bytes());
    }
}

/// Returns true if lines of the log are written at once, by the thread that logs them.
pub(crate) fn writes_at_once() -> bool {
    IS_INSTALLED.load(Ordering::Relaxed)
}

/// Logs a line at info. If no subscriber is there yet, it goes to stderr by itself: the program may be about to set one.
pub(crate) fn say(message: &str) {
    if tracing::dispatcher::has_been_set() {
        tracing::info!(target: "group", "{message}");
        return;
    }
    let line = format!("{} INFO  group: {message}\n", Clock::TimeOfDay);
    // Fails when stderr is closed; there is no other place to report that.
    let _ = std::io::stderr().write_all(line.as_bytes());
}

struct Console {
    filter: Filter,
    clock: Clock,
    spans: Spans,
    /// The text of the last line, so that its memory is used again.
    line: Mutex<String>,
}

/// The clock that a line begins with.
enum Clock {
    /// A person who looks on sees how long things take.
    SinceStart(Instant),
    TimeOfDay,
}

impl fmt::Display for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SinceStart(begun) => write!(f, "{:9.3}s", begun.elapsed().as_secs_f64()),
            Self::TimeOfDay => TimeOfDay(SystemTime::now()).fmt(f),
        }
    }
}

impl Console {
    fn new(filter: Filter) -> Self {
        let clock = if std::io::stderr().is_terminal() { Clock::SinceStart(Instant::now()) } else { Clock::TimeOfDay };
        Self { filter, clock, spans: Spans::default(), line: Mutex::default() }
    }
}

impl Subscriber for Console {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        if metadata.is_span() {
            return Spans::want(metadata);
        }
        self.filter.lets_through(metadata.target(), *metadata.level())
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        self.filter.levels.iter().map(|(_, level)| *level).max()
    }

    fn event(&self, event: &Event<'_>) {
        // The text of an error may log a line itself, so nothing is locked while it is asked for.
        let mut line = std::mem::take(&mut *lock(&self.line));
        line.clear();
        let metadata = event.metadata();
        let _ = write!(line, "{} {:5} {}", self.clock, metadata.level(), metadata.target());
        // The group's own messages contain all that their fields say, and the service of which they speak. One of its
        // targets has another below it: `group::requests`.
        let own = metadata.target() == "group" || metadata.target().starts_with("group::");
        if !own {
            self.spans.name_service(&mut Line { text: &mut line, fields: true });
        }
        line.push_str(": ");
        event.record(&mut Line { text: &mut line, fields: !own });
        line.push('\n');
        // Fails when stderr is closed; there is no other place to report that. Its own lock keeps lines from mixing.
        let _ = std::io::stderr().write_all(line.as_bytes());
        *lock(&self.line) = line;
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        self.spans.add(span)
    }

    fn clone_span(&self, id: &Id) -> Id {
        self.spans.share(id);
        id.clone()
    }

    fn try_close(&self, id: Id) -> bool {
        self.spans.drop_one(&id)
    }

    fn enter(&self, id: &Id) {
        Spans::enter(id);
    }

    fn exit(&self, id: &Id) {
        Spans::exit(id);
    }

    fn current_span(&self) -> Current {
        self.spans.current()
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
}

struct Line<'a> {
    text: &'a mut String,
    fields: bool,
}

impl Visit for Line<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let _ = match field.name() {
            "message" => write!(self, "{value:?}"),
            name if self.fields => write!(self, " {name}={value:?}"),
            _ => Ok(()),
        };
    }
}

/// Escapes control characters. A message may contain text from outside, which must neither begin a new line nor send
/// commands to the terminal.
impl fmt::Write for Line<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for part in text.split_inclusive(char::is_control) {
            match part.char_indices().next_back() {
                Some((at, last)) if last.is_control() => {
                    self.text.push_str(&part[..at]);
                    self.text.extend(last.escape_default());
                }
                _ => self.text.push_str(part),
            }
        }
        Ok(())
    }
}

/// The level of each target. The longest prefix of an event's target decides.
#[derive(Debug, PartialEq)]
struct Filter {
    levels: Vec<(String, LevelFilter)>,
}

impl Filter {
    /// Reads `level` and `target=level`, separated by commas, and returns the parts that it cannot read. Errors are
    /// shown unless the text sets another level for their target, as with `tracing-subscriber`'s `EnvFilter`.
    fn parse(text: &str) -> (Self, Vec<String>) {
        let mut levels = vec![(String::new(), LevelFilter::ERROR)];
        let mut unreadable = Vec::new();
        for directive in text.split(',').map(str::trim).filter(|directive| !directive.is_empty()) {
            let (target, level) = match directive.split_once('=') {
                Some((target, level)) => (target.trim(), level.trim().parse()),
                None => match directive.parse() {
                    Ok(level) => ("", Ok(level)),
                    // A target alone shows all of it.
                    Err(_) => (directive, Ok(LevelFilter::TRACE)),
                },
            };
            match level {
                Ok(level) => {
                    levels.retain(|(known, _)| known != target);
                    levels.push((target.to_owned(), level));
                }
                Err(_) => unreadable.push(directive.to_owned()),
            }
        }
        levels.sort_by_key(|(target, _)| std::cmp::Reverse(target.len()));
        (Self { levels }, unreadable)
    }

    fn lets_through(&self, target: &str, level: Level) -> bool {
        let fits = |prefix: &str| {
            let rest = target.strip_prefix(prefix);
            rest.is_some_and(|rest| prefix.is_empty() || rest.is_empty() || rest.starts_with("::"))
        };
        self.levels.iter().find(|(prefix, _)| fits(prefix)).is_some_and(|(_, allowed)| level <= *allowed)
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::Filter;
    use super::Line;
    use tracing::Level;

    #[test]
    fn the_longest_target_decides() {
        let (filter, unreadable) = Filter::parse("warn, app=debug,app::noisy=off");
        assert!(unreadable.is_empty());
        assert!(filter.lets_through("group", Level::WARN));
        assert!(!filter.lets_through("group", Level::INFO));
        assert!(filter.lets_through("app::http", Level::DEBUG));
        assert!(!filter.lets_through("app::noisy", Level::ERROR));
        assert!(!filter.lets_through("application", Level::INFO));
    }

    #[test]
    fn a_target_alone_shows_all_of_it_and_the_errors_of_others() {
        let (filter, _) = Filter::parse("app");
        assert!(filter.lets_through("app", Level::TRACE));
        assert!(filter.lets_through("group", Level::ERROR));
        assert!(!filter.lets_through("group", Level::WARN));
    }

    #[test]
    fn what_cannot_be_read_is_said() {
        let (filter, unreadable) = Filter::parse("info,app=loud");
        assert_eq!(unreadable, ["app=loud"]);
        assert!(filter.lets_through("app", Level::INFO));
    }

    #[test]
    fn an_event_is_one_line_and_does_not_speak_to_the_terminal() {
        let mut text = String::new();
        let mut line = Line { text: &mut text, fields: true };
        line.write_str("a\nb\tc\u{1b}[31md\r\né \u{7}").unwrap();
        assert_eq!(text, r"a\nb\tc\u{1b}[31md\r\né \u{7}");
    }

    #[test]
    fn off_is_silent() {
        assert!(!Filter::parse("off").0.lets_through("group", Level::ERROR));
    }
}
