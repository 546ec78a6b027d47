//! Process groups. Each child process leads a separate group, so Ctrl-C reaches only this process, which then
//! stops the child and all of the child's children.

use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::Child;
use tokio::time::sleep;

/// A process group, which is killed when this value is dropped.
pub(crate) struct ProcessGroup(Option<Pid>);

impl ProcessGroup {
    /// Returns the group of a child that was started with `process_group(0)`.
    pub(crate) fn of(child: &Child) -> Self {
        Self(child.id().and_then(|id| Pid::from_raw(id.try_into().ok()?)))
    }

    /// Drops this value without killing the group: the leader has exited, and its id may be reused.
    pub(crate) fn disarm(mut self) {
        self.0 = None;
    }

    /// Sends a signal to the group's leader.
    pub(crate) fn signal_leader(&self, signal: Signal) {
        if let Some(leader) = self.0 {
            // This fails if the leader has already exited.
            let _ = rustix::process::kill_process(leader, signal);
        }
    }

    /// Terminates every remaining process and waits until all have exited.
    pub(crate) async fn end(mut self) {
        let Some(group) = self.0.take() else { return };
        for signal in [Signal::TERM, Signal::KILL] {
            for _ in 0..20 {
                if kill_process_group(group, signal).is_err() {
                    return;
                }
                sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // This fails if every process has already exited.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}
