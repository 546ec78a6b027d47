//! Processes that lead a group of their own, so that a Ctrl-C reaches us alone and we stop them, with all that
//! they have started.

use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::Child;
use tokio::time::sleep;

/// A group of processes, killed when it is dropped.
pub(crate) struct ProcessGroup(Option<Pid>);

impl ProcessGroup {
    /// The group that a child leads, having been started with `process_group(0)`.
    pub(crate) fn of(child: &Child) -> Self {
        Self(child.id().and_then(|id| Pid::from_raw(id.try_into().ok()?)))
    }

    /// Takes note that its leader has ended by itself: nothing is left to kill.
    pub(crate) fn disarm(mut self) {
        self.0 = None;
    }

    /// Sends a signal to its leader.
    pub(crate) fn signal_leader(&self, signal: Signal) {
        if let Some(leader) = self.0 {
            // It may have ended already.
            let _ = rustix::process::kill_process(leader, signal);
        }
    }

    /// Ends every process that is left, and waits until they are gone.
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
            // It may have ended already.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}
