//! `cargo local dynamodb`: runs AWS's DynamoDB Local, for tests of TTL. DynamoDB Local deletes expired items
//! every ten seconds, and the deletions appear in the table's stream as they do on AWS. Unlike AWS, it never
//! deletes an item that lacks a key attribute of one of the table's indexes.
//!
//! DynamoDB Local has a separate license, which is limited to users with an AWS account. It is downloaded on
//! first use; this project contains none of it.

use anyhow::Result;
use rustix::process::Signal;
use tokio::process::Command;

use crate::command::run as run_command;
use crate::lock::lock;
use crate::output::Step;
use crate::paths::target;
use crate::python;
use crate::server::{Server, free_port};
use crate::up::unless_stopped;

/// Runs DynamoDB Local until a signal arrives or standard input closes, so that a test cannot leave it
/// running.
pub(crate) async fn run() -> Result<()> {
    let mut started = None;
    let ended = unless_stopped(true, async {
        prepare().await?;
        let port = free_port()?;
        let endpoint = format!("http://127.0.0.1:{port}");
        let mut command = script()?;
        command.arg(port.to_string());
        // Any response means that the server is ready, even the error for this unsigned request.
        let is_ready = async || reqwest::get(&endpoint).await.is_ok();
        let running = Server::start("DynamoDB Local", "dynamodb.log", &mut command, is_ready).await?;
        let server = started.insert(running);
        // Print only this line to standard output, for the program that started this one.
        println!("{endpoint}");
        server.wait().await
    })
    .await;
    if let Some(server) = started {
        server.stop(Signal::TERM).await;
    }
    ended.unwrap_or(Ok(()))
}

/// Installs any missing files, in only one process at a time: two would delete each other's unpacked files.
async fn prepare() -> Result<()> {
    let _lock = lock("dynamodb.lock").await?;
    python::DYNAMODB.prepare().await?;
    let step = Step::start("preparing DynamoDB Local");
    run_command(&mut script()?).await?;
    step.done();
    Ok(())
}

/// Returns the command that prepares DynamoDB Local and, if a port is added as an argument, runs it.
fn script() -> Result<Command> {
    let mut command = python::DYNAMODB.script("dynamodb_local.py")?;
    command.arg(target("dynamodb"));
    Ok(command)
}
