//! The AWS emulator: ministack, started by this process, or an emulator that is already running.

use std::fs;

use anyhow::{Result, bail};
use rustix::process::Signal;

use crate::deployment::Host;
use crate::paths::target;
use crate::python;
use crate::server::{Server, free_port};

/// The region of the local stack.
pub(crate) const REGION: &str = "us-east-1";

/// Returns the environment variables for a program that calls the emulator, which accepts any credentials.
pub(crate) fn credentials(endpoint: &str) -> [(&'static str, &str); 6] {
    [
        ("AWS_ENDPOINT_URL", endpoint),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("AWS_REGION", REGION),
        ("AWS_DEFAULT_REGION", REGION),
        // Without this, an SDK might query an instance metadata server.
        ("AWS_EC2_METADATA_DISABLED", "true"),
    ]
}

/// A running emulator.
pub(crate) struct Emulator {
    pub(crate) endpoint: String,
    /// Whether the emulator is ministack, whose gaps `complete_deployment.py` fills.
    pub(crate) is_ministack: bool,
    /// The emulator's process, if this process started it.
    server: Option<Server>,
}

impl Emulator {
    /// Starts ministack on the given port, or on any free port.
    pub(crate) async fn start(port: Option<u16>) -> Result<Self> {
        let port = match port {
            Some(port) => port,
            None => free_port()?,
        };
        let endpoint = format!("http://127.0.0.1:{port}");
        let scratch = target("tmp");
        // An earlier run may have left its functions' unpacked code behind.
        let _ = fs::remove_dir_all(&scratch);
        fs::create_dir_all(&scratch)?;
        let mut command = python::EMULATOR.program("ministack")?;
        command
            .envs(credentials(&endpoint))
            .env("BIND_HOST", "127.0.0.1")
            .env("MINISTACK_HOST", "127.0.0.1")
            .env("GATEWAY_PORT", port.to_string())
            .env("IOT_MTLS_ENABLED", "0")
            // An AWS account's usual quota. Without this, the limit depends on this machine's memory.
            .env("LAMBDA_ACCOUNT_CONCURRENCY", "1000")
            .env("TMPDIR", scratch);
        let is_ready = async || is_healthy(&endpoint, "/_ministack/health").await;
        let server = Server::start("the emulator", "emulator.log", &mut command, is_ready).await?;
        Ok(Self { endpoint, is_ministack: true, server: Some(server) })
    }

    /// Connects to an emulator that is already running.
    pub(crate) async fn attach(endpoint: &str) -> Result<Self> {
        let endpoint = endpoint.trim_end_matches('/').to_owned();
        let is_ministack = is_healthy(&endpoint, "/_ministack/health").await;
        if !is_ministack && !is_healthy(&endpoint, "/_localstack/health").await {
            bail!("no emulator responds at {endpoint}");
        }
        Ok(Self { endpoint, is_ministack, server: None })
    }

    /// Returns where this emulator runs functions.
    pub(crate) fn host(&self) -> Host {
        if self.is_ministack { Host::ThisMachine } else { Host::Container }
    }

    /// Stops the emulator and every function process, if this process started the emulator.
    pub(crate) async fn stop(self) {
        if let Some(server) = self.server {
            // Function processes keep running after the emulator exits, so `Server::stop` kills their group.
            server.stop(Signal::INT).await;
        }
    }
}

async fn is_healthy(endpoint: &str, path: &str) -> bool {
    matches!(reqwest::get(format!("{endpoint}{path}")).await, Ok(response) if response.status().is_success())
}
