//! One contender, once: `contender NAME THREADS N REPEATS [declared|started]`. Says what it measured as a line of JSON.
//!
//! A process for each sample, so that each has the same allocator, the same caches and the same history: none.

use std::error::Error;
use std::io;

use benches::contenders::{self, Contender};
use benches::stopwatch::{Sample, Stopwatch, Until};
use tokio::runtime::{Builder, Runtime};

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [name, threads, n, repeats, until @ ..] = args.as_slice() else {
        return Err("expected: contender NAME THREADS N REPEATS [declared|started]".into());
    };
    let contender = contenders::named(name).ok_or_else(|| format!("no contender is called `{name}`"))?;
    let until = match until.first().map(String::as_str) {
        None => Until::Stopped,
        Some("declared") => Until::Declared,
        Some("started") => Until::Started,
        Some(other) => return Err(format!("cannot end when it is `{other}`").into()),
    };
    let (n, repeats) = (n.parse()?, repeats.parse()?);
    let runtime = runtime(threads.parse()?)?;
    let samples: Vec<Sample> =
        (0..repeats).map(|_| measure(&runtime, contender, n, until)).collect::<Result<_, _>>()?;
    println!("{}", serde_json::to_string(&Sample::median_of(&samples))?);
    // What is left of the services is for the system to free.
    std::process::exit(0)
}

/// With one thread, everything runs on it. With more, so many workers.
fn runtime(threads: usize) -> io::Result<Runtime> {
    match threads {
        1 => Builder::new_current_thread().enable_all().build(),
        workers => Builder::new_multi_thread().worker_threads(workers).enable_all().build(),
    }
}

/// In a spawned task: what runs inside `block_on` is on another thread than the workers.
fn measure(runtime: &Runtime, contender: &Contender, n: usize, until: Until) -> Result<Sample, Box<dyn Error>> {
    let watch = Stopwatch::begin(until)?;
    let watch = runtime.block_on(runtime.spawn((contender.run)(n, watch)))?;
    Ok(watch.sample()?)
}
