//! The processors on which threads may run.

use std::io;

#[cfg(all(feature = "cpus", target_os = "linux"))]
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Looks whether this process may use these processors.
///
/// # Errors
///
/// If it may not use one of them, or if threads cannot be pinned here.
#[cfg(all(feature = "cpus", target_os = "linux"))]
pub(crate) fn check(cpus: &[usize]) -> io::Result<()> {
    if cpus.is_empty() {
        return Ok(());
    }
    let allowed = sched_getaffinity(None)?;
    match cpus.iter().find(|&&cpu| cpu >= CpuSet::MAX_CPU || !allowed.is_set(cpu)) {
        None => Ok(()),
        Some(cpu) => Err(io::Error::other(format!("this process may not use the processor {cpu}"))),
    }
}

#[cfg(not(all(feature = "cpus", target_os = "linux")))]
pub(crate) fn check(cpus: &[usize]) -> io::Result<()> {
    if cpus.is_empty() {
        return Ok(());
    }
    Err(io::Error::other("threads are pinned to processors on Linux only, with the feature `cpus`"))
}

/// Pins this thread to these processors, which were [checked](check). If the system has taken them away since, the thread
/// runs on all others.
#[cfg(all(feature = "cpus", target_os = "linux"))]
pub(crate) fn pin(cpus: &[usize]) {
    let mut set = CpuSet::new();
    for &cpu in cpus {
        set.set(cpu);
    }
    if let Err(error) = sched_setaffinity(None, &set) {
        tracing::warn!(target: "group", %error, "cannot pin a thread to the processors {cpus:?}: {error}");
    }
}

#[cfg(not(all(feature = "cpus", target_os = "linux")))]
pub(crate) fn pin(_: &[usize]) {}
