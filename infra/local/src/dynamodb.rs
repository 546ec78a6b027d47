//! `cargo local dynamodb`: DynamoDB Local, AWS's own, for tests of the time to live. Every ten seconds it
//! deletes what has expired, and the deletions reach the table's stream as AWS's do. One gap: it keeps an
//! item that lacks a key of any of its table's indexes.
//!
//! It has a licence of its own, for those who have an AWS account. It is fetched when it is first wanted;
//! nothing of it is part of the project.

use std::fs::{self, File, TryLockError};
use std::net::TcpListener;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::Signal;
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

use crate::output::Step;
use crate::paths::{made, source};
use crate::process::ProcessGroup;
use crate::python;
use crate::up::until_stopped;

/// Runs until it is stopped, or standard input closes: whoever starts it cannot leave it behind.
pub(crate) async fn run() -> Result<()> {
    let mut started = None;
    let ended = until_stopped(true, async {
        let dynamodb = DynamoDb::start().await?;
        let dynamodb = started.insert(dynamodb);
        // The one line of standard output, for the program that started this.
        println!("{}", dynamodb.endpoint);
        dynamodb.ends().await
    })
    .await;
    if let Some(dynamodb) = started {
        dynamodb.stop().await;
    }
    ended.unwrap_or(Ok(()))
}

struct DynamoDb {
    endpoint: String,
    process: Child,
    group: ProcessGroup,
}

impl DynamoDb {
    async fn start() -> Result<Self> {
        prepare().await?;
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let endpoint = format!("http://127.0.0.1:{port}");
        let step = Step::start(format!("starting DynamoDB Local at {endpoint}"));
        let log = File::create(made("dynamodb.log"))?;
        let process = script()?
            .arg(port.to_string())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            // A group of its own: Ctrl-C reaches us alone.
            .process_group(0)
            .spawn()
            .context("cannot start DynamoDB Local")?;
        let group = ProcessGroup::of(&process);
        let mut dynamodb = Self { endpoint, process, group };
        timeout(Duration::from_mins(1), dynamodb.answers())
            .await
            .context("DynamoDB Local does not answer")??;
        step.done();
        Ok(dynamodb)
    }

    /// Waits until it answers anything: that it misses a signature is an answer.
    async fn answers(&mut self) -> Result<()> {
        while reqwest::get(&self.endpoint).await.is_err() {
            if let Some(status) = self.process.try_wait()? {
                bail!("DynamoDB Local stopped ({status}); see target/local/dynamodb.log");
            }
            sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    /// Waits for what should not happen.
    async fn ends(&mut self) -> Result<()> {
        let status = self.process.wait().await?;
        bail!("DynamoDB Local stopped ({status}); see target/local/dynamodb.log")
    }

    async fn stop(mut self) {
        self.group.signal_leader(Signal::TERM);
        // It ends by itself within moments, or is killed.
        let _ = timeout(Duration::from_secs(5), self.process.wait()).await;
        self.group.end().await;
    }
}

/// Installs what is missing, one process at a time: two would remove what the other has just unpacked.
async fn prepare() -> Result<()> {
    fs::create_dir_all(made(""))?;
    let lock = File::create(made("dynamodb.lock"))?;
    // Tried, not waited for, so that a signal still stops us. The first one may take its minutes.
    while let Err(error) = lock.try_lock() {
        match error {
            TryLockError::WouldBlock => sleep(Duration::from_millis(200)).await,
            TryLockError::Error(error) => return Err(error.into()),
        }
    }
    python::DYNAMODB.prepare().await?;
    let step = Step::start("preparing DynamoDB Local");
    python::run(&mut script()?).await?;
    step.done();
    Ok(())
}

/// What prepares DynamoDB Local and, given a port, becomes it.
fn script() -> Result<Command> {
    let mut command = python::DYNAMODB.program("python")?;
    command.arg(source("dynamodb_local.py")).arg(made("dynamodb"));
    Ok(command)
}
