//! What a process has of the system's.

use std::fs;
use std::time::Duration;

/// At a moment.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    pub(crate) kilobytes: f64,
    pub(crate) files: f64,
    pub(crate) threads: f64,
}

impl Held {
    pub(crate) fn by(process: u32) -> Self {
        let process = format!("/proc/{process}");
        let status = fs::read_to_string(format!("{process}/status")).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
        let count = |folder: &str| {
            let entries = fs::read_dir(format!("{process}/{folder}")).expect("it runs");
            entries.count() as f64
        };
        Self {
            kilobytes: number.expect("it has memory"),
            files: count("fd"),
            threads: count("task"),
        }
    }

    /// But for what a runtime keeps for a while: threads for what blocks, a connection that is being replaced.
    pub(crate) fn is_back_at(&self, before: &Self) -> bool {
        self.files <= before.files + 4.0 && self.threads <= before.threads + 4.0
    }
}

/// Processor time that a process has used.
pub(crate) fn processor_time(process: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).expect("it runs");
    // The second field is a name in brackets, which may hold anything.
    let fields = stat.rsplit(')').next().expect("it has a name");
    let mut ticks = fields.split_whitespace().skip(11).map(|field| {
        let ticks: u64 = field.parse().expect("a number");
        ticks
    });
    let mut next = || ticks.next().expect("it is there");
    // A hundredth of a second each, on every Linux there is.
    Duration::from_millis(10 * (next() + next()))
}
