//! Runs programs to completion. If the caller is canceled first, the program and its children are killed.

use std::process::{ExitStatus, Stdio};

use anyhow::{Context, Result, bail};
use tokio::process::{Child, Command};

use crate::process::ProcessGroup;

/// Runs a program and returns its standard output. If the program fails, the error contains all its output.
pub(crate) async fn run(command: &mut Command) -> Result<String> {
    let (child, group) = spawn(command.stdout(Stdio::piped()).stderr(Stdio::piped()))?;
    let output = child.wait_with_output().await?;
    group.disarm();
    let stdout = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        bail!("{}\n{stdout}\n{}", failure(command, output.status), String::from_utf8_lossy(&output.stderr));
    }
    Ok(stdout.into_owned())
}

/// Runs a program and shows its standard error, such as cargo's progress, on the terminal.
pub(crate) async fn run_visibly(command: &mut Command) -> Result<()> {
    let (mut child, group) = spawn(command.stdout(Stdio::null()).stderr(Stdio::inherit()))?;
    let status = child.wait().await?;
    group.disarm();
    if !status.success() {
        bail!(failure(command, status));
    }
    Ok(())
}

fn spawn(command: &mut Command) -> Result<(Child, ProcessGroup)> {
    // Use a separate process group, so that Ctrl-C reaches only this process.
    let child = command
        .stdin(Stdio::null())
        .process_group(0)
        .spawn()
        .with_context(|| format!("cannot run {}", program(command)))?;
    let group = ProcessGroup::of(&child);
    Ok((child, group))
}

fn failure(command: &Command, status: ExitStatus) -> String {
    format!("{} failed: {status}", program(command))
}

fn program(command: &Command) -> String {
    command.as_std().get_program().to_string_lossy().into_owned()
}
