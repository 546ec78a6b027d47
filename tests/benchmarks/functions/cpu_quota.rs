//! A control group that limits processes to the share of a CPU that Lambda gives a function of some memory
//! size.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The memory size for which Lambda provides one CPU
/// (<https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html>). Smaller sizes get a
/// proportional share.
pub(crate) const FULL_CPU_MEGABYTES: u32 = 1769;

/// The period for which a share is granted. AWS does not document it. Measurements inside Lambda functions
/// found pauses every 20 ms (<https://github.com/pwrdrvr/lambda-throttling>). A shorter burst of work than the
/// share of one period is not slowed down at all, so the period matters: Linux's default is 100 ms, and would
/// make a small function look faster.
pub(crate) const PERIOD: Duration = Duration::from_millis(20);

/// Returns the CPU time that a memory size gets in each [`PERIOD`].
pub(crate) fn share(megabytes: u32) -> Duration {
    PERIOD * megabytes / FULL_CPU_MEGABYTES
}

/// A control group. It is removed on drop.
pub(crate) struct CpuQuota {
    directory: PathBuf,
    parent: PathBuf,
}

impl CpuQuota {
    /// Creates the control group for a memory size. Fails where the file system of control groups is not
    /// writable.
    pub(crate) fn new(megabytes: u32) -> io::Result<Self> {
        let parent = parent()?;
        let directory = parent.join(format!("sharelink-benchmark-{}-{megabytes}", std::process::id()));
        fs::create_dir(&directory)?;
        let quota = Self { directory, parent };
        let (period, microseconds) = (PERIOD.as_micros(), share(megabytes).as_micros());
        if quota.directory.join("cpu.max").exists() {
            quota.write("cpu.max", &format!("{microseconds} {period}"))?;
        } else {
            quota.write("cpu.cfs_period_us", &period.to_string())?;
            quota.write("cpu.cfs_quota_us", &microseconds.to_string())?;
        }
        Ok(quota)
    }

    /// Limits a process. Until it ends, it shares the quota with the group's other processes.
    pub(crate) fn limit(&self, pid: u32) {
        self.write("cgroup.procs", &pid.to_string()).unwrap();
    }

    fn write(&self, file: &str, value: &str) -> io::Result<()> {
        fs::write(self.directory.join(file), value)
    }
}

impl Drop for CpuQuota {
    fn drop(&mut self) {
        // A group with processes cannot be removed.
        let processes = fs::read_to_string(self.directory.join("cgroup.procs")).unwrap_or_default();
        for process in processes.lines() {
            let _ = fs::write(self.parent.join("cgroup.procs"), process);
        }
        let _ = fs::remove_dir(&self.directory);
    }
}

/// Returns the group of this process, or the top group, in which the CPU controller is available: version 1
/// has a directory for it, version 2 does not.
fn parent() -> io::Result<PathBuf> {
    let (v1, v2) = (Path::new("/sys/fs/cgroup/cpu"), Path::new("/sys/fs/cgroup"));
    if v1.join("cpu.cfs_quota_us").exists() {
        return Ok(v1.to_owned());
    }
    if v2.join("cgroup.controllers").exists() {
        // Groups get the controller only if their parent passes it on.
        fs::write(v2.join("cgroup.subtree_control"), "+cpu")?;
        return Ok(v2.to_owned());
    }
    Err(ErrorKind::NotFound.into())
}
