//! The AWS emulator: ministack, started by this process, or an emulator that is already running.

use std::fs;

use anyhow::{Result, bail};
use aws_lc_rs::rand::fill;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustix::process::Signal;

use crate::deployment::Host;
use crate::mailbox::{Mailbox, Source};
use crate::paths::target;
use crate::python;
use crate::server::{Server, free_port};
use crate::signature::Credentials;

/// The region of the local stack.
pub(crate) const REGION: &str = "us-east-1";

/// A running emulator.
pub(crate) struct Emulator {
    pub(crate) endpoint: String,
    pub(crate) credentials: Credentials,
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
        let credentials =
            Credentials { aws_access_key_id: "test".to_owned(), aws_secret_access_key: random_secret()? };
        let mut command = python::EMULATOR.script("emulator.py")?;
        command
            .envs(environment(&endpoint, &credentials))
            // The emulator runs uploaded code, and every web page in this machine's browsers can send
            // requests to it, so it must check signatures.
            .env("AUTH", "true")
            .env("BIND_HOST", "127.0.0.1")
            .env("MINISTACK_HOST", "127.0.0.1")
            .env("GATEWAY_PORT", port.to_string())
            .env("IOT_MTLS_ENABLED", "0")
            // An AWS account's usual quota. Without this, the limit depends on this machine's memory.
            .env("LAMBDA_ACCOUNT_CONCURRENCY", "1000")
            .env("TMPDIR", scratch);
        let is_ready = async || is_healthy(&endpoint, "/_ministack/health").await;
        let server = Server::start("the emulator", "emulator.log", &mut command, is_ready).await?;
        Ok(Self { endpoint, credentials, is_ministack: true, server: Some(server) })
    }

    /// Connects to an emulator that is already running.
    pub(crate) async fn attach(endpoint: &str) -> Result<Self> {
        let endpoint = endpoint.trim_end_matches('/').to_owned();
        let is_ministack = is_healthy(&endpoint, "/_ministack/health").await;
        if !is_ministack && !is_healthy(&endpoint, "/_localstack/health").await {
            bail!("no emulator responds at {endpoint}");
        }
        // LocalStack accepts any credentials.
        let credentials =
            Credentials { aws_access_key_id: "test".to_owned(), aws_secret_access_key: "test".to_owned() };
        Ok(Self { endpoint, credentials, is_ministack, server: None })
    }

    /// Returns the environment variables for a program that calls the emulator.
    pub(crate) fn environment(&self) -> [(&'static str, &str); 6] {
        environment(&self.endpoint, &self.credentials)
    }

    /// Returns the emails that this emulator's SES has sent.
    pub(crate) fn mailbox(&self) -> Result<Mailbox> {
        Mailbox::new(if self.is_ministack {
            Source::Ministack(self.endpoint.clone(), self.credentials.aws_secret_access_key.clone())
        } else {
            Source::LocalStack(self.endpoint.clone())
        })
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

fn environment<'a>(endpoint: &'a str, credentials: &'a Credentials) -> [(&'static str, &'a str); 6] {
    [
        ("AWS_ENDPOINT_URL", endpoint),
        ("AWS_ACCESS_KEY_ID", &credentials.aws_access_key_id),
        ("AWS_SECRET_ACCESS_KEY", &credentials.aws_secret_access_key),
        ("AWS_REGION", REGION),
        ("AWS_DEFAULT_REGION", REGION),
        // Without this, an SDK might query an instance metadata server.
        ("AWS_EC2_METADATA_DISABLED", "true"),
    ]
}

/// Returns a new secret access key.
fn random_secret() -> Result<String> {
    let mut bytes = [0; 30];
    fill(&mut bytes)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

async fn is_healthy(endpoint: &str, path: &str) -> bool {
    matches!(reqwest::get(format!("{endpoint}{path}")).await, Ok(response) if response.status().is_success())
}
