//! The AWS emulator: ministack, or one that runs already.

use std::fs::{self, File};
use std::net::TcpListener;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::Signal;
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

use crate::output::Step;
use crate::paths::made;
use crate::process::ProcessGroup;
use crate::python;

/// The region that everything local is in.
pub(crate) const REGION: &str = "us-east-1";

/// What a program needs to talk to the emulator: it takes any credentials.
pub(crate) fn credentials(endpoint: &str) -> [(&'static str, &str); 6] {
    [
        ("AWS_ENDPOINT_URL", endpoint),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("AWS_REGION", REGION),
        ("AWS_DEFAULT_REGION", REGION),
        // Or an SDK looks for a machine's metadata server.
        ("AWS_EC2_METADATA_DISABLED", "true"),
    ]
}

/// An emulator that answers.
pub(crate) struct Emulator {
    pub(crate) endpoint: String,
    /// Whether it is ministack, whose gaps we know and whose functions run on this machine.
    pub(crate) is_ministack: bool,
    /// The emulator's process, where it is ours.
    process: Option<(Child, ProcessGroup)>,
}

impl Emulator {
    /// Starts ministack on this port, or on a free one.
    pub(crate) async fn start(port: Option<u16>) -> Result<Self> {
        let port = match port {
            Some(port) => port,
            None => TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port(),
        };
        let endpoint = format!("http://127.0.0.1:{port}");
        let step = Step::start(format!("starting the emulator at {endpoint}"));
        let scratch = made("tmp");
        // The functions' unpacked code, of which an earlier run may have left its own.
        let _ = fs::remove_dir_all(&scratch);
        fs::create_dir_all(&scratch)?;
        let log = File::create(made("emulator.log"))?;
        let mut command: Command = python::EMULATOR.program("ministack")?;
        let process = command
            .envs(credentials(&endpoint))
            .env("BIND_HOST", "127.0.0.1")
            .env("MINISTACK_HOST", "127.0.0.1")
            .env("GATEWAY_PORT", port.to_string())
            .env("IOT_MTLS_ENABLED", "0")
            // As many functions at once as an AWS account's usual quota; otherwise the memory decides.
            .env("LAMBDA_ACCOUNT_CONCURRENCY", "1000")
            .env("TMPDIR", scratch)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            // A group of its own: Ctrl-C reaches us alone, and its functions are stopped with it.
            .process_group(0)
            .spawn()
            .context("cannot start the emulator")?;
        let group = ProcessGroup::of(&process);
        let mut emulator = Self { endpoint, is_ministack: true, process: Some((process, group)) };
        timeout(Duration::from_mins(1), emulator.answers())
            .await
            .context("the emulator does not answer")??;
        step.done();
        Ok(emulator)
    }

    async fn answers(&mut self) -> Result<()> {
        while !answers(&self.endpoint, "/_ministack/health").await {
            if let Some((process, _)) = &mut self.process
                && let Some(status) = process.try_wait()?
            {
                bail!("the emulator stopped ({status}); see target/local/emulator.log");
            }
            sleep(Duration::from_millis(100)).await;
        }
        Ok(())
    }

    /// Takes an emulator that runs already.
    pub(crate) async fn attach(endpoint: &str) -> Result<Self> {
        let endpoint = endpoint.trim_end_matches('/').to_owned();
        let is_ministack = answers(&endpoint, "/_ministack/health").await;
        if !is_ministack && !answers(&endpoint, "/_localstack/health").await {
            bail!("no emulator answers at {endpoint}");
        }
        Ok(Self { endpoint, is_ministack, process: None })
    }

    /// Stops it if it is ours, with every function's process.
    pub(crate) async fn stop(mut self) {
        if let Some((mut process, group)) = self.process.take() {
            group.signal_leader(Signal::INT);
            // It ends by itself within moments, or with the others.
            let _ = timeout(Duration::from_secs(5), process.wait()).await;
            // A function that waits for its next event does not notice that nobody will send one.
            group.end().await;
        }
    }
}

async fn answers(endpoint: &str, path: &str) -> bool {
    matches!(reqwest::get(format!("{endpoint}{path}")).await, Ok(answer) if answer.status().is_success())
}
