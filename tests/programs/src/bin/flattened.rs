//! A program with options of its own, and those of its group among them.

use clap::Parser;
use group::{Group, Shutdown};

/// Greets somebody.
#[derive(Parser)]
struct Options {
    /// Who is greeted.
    #[arg(long)]
    name: String,
    #[command(flatten)]
    group: group::cli::Args,
}

#[group::main(cli = false)]
async fn main(group: &mut Group) {
    let Options { name, group: args } = Options::parse();
    println!("hello, {name}, {:?}", args.log());
    for service in ["one", "two"] {
        group.add_fn(service, move |shutdown: Shutdown| async move {
            println!("{service} runs");
            shutdown.requested().await;
        });
    }
    group.apply(args);
}
