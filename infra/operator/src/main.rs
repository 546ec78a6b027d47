//! Commands for the people who operate a deployment (`cargo operator`).
//!
//! The credentials and the region come from the same environment variables as in Lambda. The page
//! `infra/operations.md` describes when to use each command.

#![allow(clippy::print_stderr, clippy::print_stdout, reason = "a command-line program prints")]

mod restore;

use anyhow::Result;
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo operator", about = "Operates a Sharelink deployment")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Restores lost and damaged shares and log entries from backups of the tables, without reviving revoked
    /// links
    Restore(restore::Options),
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    match Arguments::parse().command {
        Command::Restore(options) => restore::run(options).await,
    }
}
