//! The options, read with clap.

#[cfg(feature = "config")]
use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgGroup, ArgMatches, Command, Error, FromArgMatches};

use crate::cli::chosen::{Chosen, Question};
use crate::cli::manifest::kind::Kind;
use crate::group::order::Form;
use crate::record::console;

/// The options of a group, to be flattened into those of a program, and given to [`Group::apply`](crate::Group::apply).
///
/// `#[group::main]` reads them by itself, unless it says `cli = false`.
///
/// ```no_run
/// use clap::Parser;
/// use group::Group;
///
/// #[derive(Parser)]
/// struct Options {
///     /// Who is greeted.
///     #[arg(long, default_value = "world")]
///     name: String,
///     #[command(flatten)]
///     group: group::cli::Args,
/// }
///
/// #[group::main(cli = false)]
/// async fn main(group: &mut Group) {
///     let options = Options::parse();
///     group.apply(options.group).provide(options.name);
/// }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Args {
    pub(super) question: Option<Question>,
    pub(super) chosen: Chosen,
}

const CHECK: &str = "check";
const PLAN: &str = "plan";
const MANIFEST: &str = "manifest";
const ONLY: &str = "only";
const WITHOUT: &str = "without";
#[cfg(feature = "config")]
const CONFIG: &str = "config";
#[cfg(feature = "admin")]
const ADMIN: &str = "admin";
const LOG: &str = "log";

impl Args {
    /// Returns the filter of `--log`, for a program that installs a subscriber of its own. The group's own subscriber
    /// follows it without that.
    #[must_use]
    pub fn log(&self) -> Option<&str> {
        self.chosen.log.as_deref()
    }
}

impl clap::Args for Args {
    fn augment_args(command: Command) -> Command {
        let service_list = |arg: Arg| arg.value_name("SERVICES").value_delimiter(',').action(ArgAction::Append);
        let command = command
            .arg(service_list(Arg::new(ONLY).long(ONLY)).help("Run only these services, and those that they need"))
            .arg(service_list(Arg::new(WITHOUT).long(WITHOUT)).help("Run all services but these"));
        #[cfg(feature = "config")]
        let command = command.arg(
            Arg::new(CONFIG)
                .long(CONFIG)
                .value_name("FILE")
                .value_parser(clap::value_parser!(PathBuf))
                .help("Read the settings from this file"),
        );
        #[cfg(feature = "admin")]
        let command = command.arg(
            Arg::new(ADMIN).long(ADMIN).value_name("ADDRESS").help("Answer probes on this address, or nowhere: `off`"),
        );
        command
            .arg(
                Arg::new(LOG)
                    .long(LOG)
                    .value_name("FILTER")
                    .value_parser(|text: &str| console::check_filter(text).map(|()| text.to_owned()))
                    .help("Log this, as in `info,hyper=warn`"),
            )
            .arg(
                Arg::new(CHECK)
                    .long(CHECK)
                    .action(ArgAction::SetTrue)
                    .help("Check the settings, the order and the addresses, and start nothing"),
            )
            .arg(
                Arg::new(PLAN)
                    .long(PLAN)
                    .value_name("FORM")
                    .num_args(0..=1)
                    .default_missing_value("text")
                    .value_parser(PossibleValuesParser::new(Form::names()))
                    .help("Print the order of start and stop, and start nothing"),
            )
            .arg(
                Arg::new(MANIFEST)
                    .long(MANIFEST)
                    .value_name("KIND")
                    .value_parser(PossibleValuesParser::new(Kind::NAMES))
                    .help("Print the files with which it is deployed, and start nothing"),
            )
            // Only one of them can be answered.
            .group(ArgGroup::new("question").args([CHECK, PLAN, MANIFEST]))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Args {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let text = |id: &str| matches.get_one::<String>(id).cloned();
        let question = if matches.get_flag(CHECK) {
            Some(Question::Check)
        } else if let Some(form) = text(PLAN) {
            Form::named(&form).map(Question::Plan)
        } else {
            text(MANIFEST).and_then(|kind| Kind::named(&kind)).map(Question::Manifest)
        };
        let only = matches.get_occurrences::<String>(ONLY).into_iter().flatten();
        let chosen = Chosen {
            only: only.map(|list| list.cloned().collect()).collect(),
            without: matches.get_many::<String>(WITHOUT).into_iter().flatten().cloned().collect(),
            #[cfg(feature = "config")]
            config: matches.get_one::<PathBuf>(CONFIG).cloned(),
            #[cfg(feature = "admin")]
            admin: text(ADMIN),
            log: text(LOG),
        };
        Ok(Self { question, chosen })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}
