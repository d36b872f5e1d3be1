//! The numbers that Linux has of the process, under the names that Prometheus' own clients have for it. Elsewhere there is nothing.

use std::fs;
use std::path::Path;
use std::str::FromStr;

/// The times of a process are counted in hundredths of a second, on every platform that Rust knows (`USER_HZ`).
const TICKS_PER_SECOND: f64 = 100.0;

/// The numbers of the process at one moment. One that cannot be read is `None`.
#[derive(Debug)]
pub(super) struct Process {
    /// In user mode and in the system, in seconds.
    pub(super) cpu: Option<f64>,
    /// In seconds since 1970.
    pub(super) start_time: Option<f64>,
    /// In bytes.
    pub(super) virtual_memory: Option<u64>,
    /// In bytes.
    pub(super) resident_memory: Option<u64>,
    pub(super) threads: Option<u64>,
    pub(super) open_fds: Option<u64>,
    pub(super) max_fds: Option<u64>,
}

impl Process {
    pub(super) fn read() -> Self {
        Self::of(Path::new("/proc"))
    }

    fn of(proc: &Path) -> Self {
        let read = |file: &str| fs::read_to_string(proc.join(file)).unwrap_or_default();
        let (status, limits) = (read("self/status"), read("self/limits"));
        let stat = Stat(read("self/stat"));
        let ticks = |field| Some(stat.number::<f64>(field)? / TICKS_PER_SECOND);
        let booted: Option<f64> = number_after(&read("stat"), "btime ");
        Self {
            cpu: ticks(Stat::USER_TIME).zip(ticks(Stat::SYSTEM_TIME)).map(|(user, system)| user + system),
            start_time: booted.zip(ticks(Stat::START_TIME)).map(|(booted, since)| booted + since),
            virtual_memory: stat.number(Stat::VIRTUAL_MEMORY),
            resident_memory: number_after::<u64>(&status, "VmRSS:").map(|kilobytes| kilobytes * 1024),
            threads: stat.number(Stat::THREADS),
            // One of them is that of the directory itself.
            open_fds: fs::read_dir(proc.join("self/fd")).ok().map(|open| open.count().saturating_sub(1) as u64),
            max_fds: number_after(&limits, "Max open files"),
        }
    }
}

/// The content of `/proc/self/stat`. Its fields are counted from 1, as in proc(5).
struct Stat(String);

impl Stat {
    const USER_TIME: usize = 14;
    const SYSTEM_TIME: usize = 15;
    const THREADS: usize = 20;
    const START_TIME: usize = 22;
    const VIRTUAL_MEMORY: usize = 23;

    fn number<N: FromStr>(&self, field: usize) -> Option<N> {
        // The second field is the name of the program in parentheses, in which there may be spaces and parentheses.
        let (_, after_name) = self.0.rsplit_once(')')?;
        after_name.split_whitespace().nth(field - 3)?.parse().ok()
    }
}

/// The first number of the line that begins so.
fn number_after<N: FromStr>(text: &str, begin: &str) -> Option<N> {
    let line = text.lines().find_map(|line| line.strip_prefix(begin))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::time::{SystemTime, UNIX_EPOCH};

    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn the_numbers_are_those_of_this_process() {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is later").as_secs_f64();
        let before = Process::read();
        let files: Vec<File> = (0..50).map(|_| File::open("/proc/self/stat").expect("it is there")).collect();
        let begun = std::time::Instant::now();
        while begun.elapsed().as_millis() < 100 {}
        let after = Process::read();
        // Other tests open files, too, and start threads.
        assert!(after.open_fds >= before.open_fds.map(|open| open + 30), "{before:?} {after:?}");
        assert!(after.cpu > before.cpu && after.cpu < Some(600.0), "{before:?} {after:?}");
        assert!(after.start_time.is_some_and(|start| now - 600.0 < start && start <= now + 1.0), "{now} {after:?}");
        assert!(after.max_fds > after.open_fds && after.threads >= Some(2), "{after:?}");
        let megabyte = Some(1 << 20);
        assert!(after.resident_memory > megabyte && after.virtual_memory > after.resident_memory, "{after:?}");
        drop(files);
    }

    #[test]
    fn where_nothing_is_told_there_is_nothing() {
        let Process { cpu, start_time, virtual_memory, resident_memory, threads, open_fds, max_fds } =
            Process::of(Path::new("/no/such/place"));
        assert_eq!((cpu, start_time), (None, None));
        assert_eq!([virtual_memory, resident_memory, threads, open_fds, max_fds], [None; 5]);
    }

    #[test]
    fn a_program_may_have_any_name() {
        let stat = Stat("7 (a) b (c) S 1 2".to_owned());
        assert_eq!((stat.number(4), stat.number::<u64>(6)), (Some(1), None));
    }
}
