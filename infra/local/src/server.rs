//! Starts and stops server processes on this machine.

use std::fs::File;
use std::net::TcpListener;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::Signal;
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

use crate::output::Step;
use crate::paths::target;
use crate::process::ProcessGroup;

/// Time allowed for a server to become ready.
const START_TIMEOUT: Duration = Duration::from_mins(1);

/// Time allowed for a server to stop after a signal, before its process group is killed.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// A running server. Dropping this value kills the server and its children.
pub(crate) struct Server {
    name: &'static str,
    log: &'static str,
    process: Child,
    group: ProcessGroup,
}

impl Server {
    /// Starts a server and waits until `is_ready` returns true. The output goes to a log in `target/local`.
    pub(crate) async fn start(
        name: &'static str,
        log: &'static str,
        command: &mut Command,
        is_ready: impl AsyncFn() -> bool,
    ) -> Result<Self> {
        let step = Step::start(format!("starting {name}"));
        let output = File::create(target(log))?;
        let process = command
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            // Use a separate process group, so that Ctrl-C reaches only this process, and the server's
            // children are stopped with the server.
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        let group = ProcessGroup::of(&process);
        let mut server = Self { name, log, process, group };
        timeout(START_TIMEOUT, server.wait_until_ready(is_ready))
            .await
            .with_context(|| format!("{name} does not respond; see target/local/{log}"))??;
        step.done();
        Ok(server)
    }

    async fn wait_until_ready(&mut self, is_ready: impl AsyncFn() -> bool) -> Result<()> {
        while !is_ready().await {
            if self.process.try_wait()?.is_some() {
                return self.wait().await;
            }
            sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    /// Waits until the server exits, which is always an error.
    pub(crate) async fn wait(&mut self) -> Result<()> {
        let status = self.process.wait().await?;
        bail!("{} stopped ({status}); see target/local/{}", self.name, self.log)
    }

    /// Stops the server with this signal, then kills any remaining children.
    pub(crate) async fn stop(mut self, signal: Signal) {
        self.group.signal_leader(signal);
        // If the server does not exit in time, `end` kills it.
        let _ = timeout(STOP_TIMEOUT, self.process.wait()).await;
        self.group.end().await;
    }
}

/// Returns a TCP port that is currently free.
pub(crate) fn free_port() -> Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}
