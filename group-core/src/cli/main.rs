//! Applies the arguments of a program to its group.

use std::fmt::Write as _;
use std::process::ExitCode;

use clap::{Args as _, Command, Error, FromArgMatches};

use crate::base::program::Program;
use crate::cli::args::Args;
use crate::cli::chosen::Question;
use crate::group::declaration::Choice;
use crate::group::{Answer, Group};
use crate::record::console;
use crate::record::report::Outcome;

impl Group {
    /// Applies the options of a command line. They come over the environment, that over the file, and that over the
    /// code. Needs the feature `cli`.
    ///
    /// If they ask something, such as `--plan`, [`run`](Self::run) and `#[group::main]` print the answer, and start nothing.
    ///
    /// ```
    /// use clap::Parser;
    /// use group::{Group, Shutdown};
    ///
    /// #[derive(Parser)]
    /// struct Options {
    ///     #[command(flatten)]
    ///     group: group::cli::Args,
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let options = Options::parse_from(["shop", "--plan", "--only", "mailer"]);
    /// let report = Group::new()
    ///     .add_fn("mailer", |shutdown: Shutdown| async move { shutdown.requested().await })
    ///     .add_fn("ticker", |shutdown: Shutdown| async move { shutdown.requested().await })
    ///     .apply(options.group)
    ///     .run()
    ///     .await; // prints "start: mailer"
    /// assert!(report.is_clean());
    /// # }
    /// ```
    pub fn apply(&mut self, args: Args) -> &mut Self {
        let Args { question, chosen } = args;
        if let Some(filter) = &chosen.log {
            console::choose(filter.clone());
        }
        self.declared.choice = Choice {
            only: chosen.only.concat(),
            without: chosen.without.clone(),
            #[cfg(feature = "config")]
            config: chosen.config.clone(),
            #[cfg(feature = "admin")]
            admin: chosen.admin.clone(),
        };
        self.instead = question.map(|question| -> Answer {
            match question {
                Question::Check => Box::new(Group::print_check),
                Question::Plan(form) => Box::new(move |group| group.print_order(form)),
                Question::Manifest(kind) => Box::new(move |group| group.print_manifest(kind, &chosen)),
            }
        });
        self
    }
}

/// Reads the arguments of the program, and applies them to its group.
///
/// # Errors
///
/// With the exit code, if they only ask for help, or if they are wrong. That has been printed then.
pub(crate) fn read(program: Program, group: &mut Group) -> Result<(), ExitCode> {
    let matches = command(program, group).try_get_matches_from(std::env::args_os());
    let args = matches.and_then(|matches| Args::from_arg_matches(&matches)).map_err(|error| told(&error))?;
    group.apply(args);
    Ok(())
}

fn command(program: Program, group: &Group) -> Command {
    let mut command = Args::augment_args(Command::new(program.name.unwrap_or("group"))).after_help(services(group));
    if let Some(version) = program.version {
        command = command.version(version);
    }
    command.about(program.about.unwrap_or_default())
}

/// Lists the services, each with the first paragraph of its description.
fn services(group: &Group) -> String {
    let width = group.specs().map(|spec| spec.get_name().len()).max().unwrap_or_default();
    let mut text = String::from("Services:\n");
    for spec in group.specs() {
        let about = first_paragraph(spec.get_about().unwrap_or_default());
        let line = format!("  {:width$}  {about}", spec.get_name());
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text.trim_end().to_owned()
}

/// The first paragraph of a Markdown text, as one line.
fn first_paragraph(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim).take_while(|line| !line.is_empty()).collect();
    lines.join(" ")
}

/// Prints help, or what is wrong with the arguments, and returns the exit code. Wrong arguments are an invalid setup.
fn told(error: &Error) -> ExitCode {
    let is_told = error.print().is_ok();
    let outcome = if is_told && !error.use_stderr() { Outcome::Clean } else { Outcome::BadGroup };
    outcome.exit_code().into()
}
