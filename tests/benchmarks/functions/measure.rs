//! Distributions of durations, and a process's resource usage from `/proc`.

use std::fs;
use std::time::Duration;

/// The durations of many runs, shortest first.
#[derive(Default)]
pub(crate) struct Times(Vec<Duration>);

impl Times {
    pub(crate) fn new(mut times: Vec<Duration>) -> Self {
        times.sort();
        Self(times)
    }

    pub(crate) fn median(&self) -> Duration {
        self.0[self.0.len() / 2]
    }

    pub(crate) fn p99(&self) -> Duration {
        self.0[(self.0.len() * 99).div_ceil(100) - 1]
    }

    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }
}

pub(crate) fn ratio(a: Duration, b: Duration) -> f64 {
    a.as_secs_f64() / b.as_secs_f64()
}

pub(crate) fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1_000_000.0
}

/// Returns the CPU time that a process's current threads have used so far.
pub(crate) fn cpu_time(pid: u32) -> Duration {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let thread_time = |thread: std::io::Result<fs::DirEntry>| {
        // The first field is the thread's CPU time in nanoseconds.
        let text = fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<u64>().ok()
    };
    Duration::from_nanos(threads.filter_map(thread_time).sum())
}

/// Returns the CPU time that a process has used so far, including the threads that have ended, to 10 ms.
pub(crate) fn total_cpu_time(pid: u32) -> Duration {
    /// Linux reports CPU time in hundredths of a second on all platforms that Lambda has.
    const TICK: Duration = Duration::from_millis(10);
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    // The program's name, in parentheses, may contain spaces. User and system time are fields 14 and 15.
    let fields = stat.rsplit_once(')').unwrap().1.split_whitespace();
    TICK * fields.skip(11).take(2).map(|ticks| ticks.parse::<u32>().unwrap()).sum::<u32>()
}

/// Returns a process's peak resident memory, in bytes.
pub(crate) fn peak_memory(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").trim().parse::<u64>().unwrap() * 1024
}
