//! The local stack: `cargo local up`, `demo`, `fuzz`, `token` and `clock`; and `check-template`.
//!
//! Starts an AWS emulator, deploys the real template to it with SAM, and mends what the emulator leaves
//! undone. No Docker; everything that listens binds 127.0.0.1.

#![allow(clippy::print_stderr, clippy::print_stdout, reason = "it is a program for people to read")]
#![allow(clippy::unused_async, reason = "a route's handler must be async")]

mod check;
mod clock;
mod demo;
mod deployment;
mod dynamodb;
mod emulator;
mod files;
mod fuzz;
mod issuer;
mod mailbox;
mod node;
mod output;
mod page;
mod paths;
mod process;
mod python;
mod references;
mod release;
mod stack;
mod ticker;
mod up;

use anyhow::Result;
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo local", about = "Sharelink on this machine")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Starts the stack, shows incoming mail, and stops everything on Ctrl-C
    Up(up::Options),
    /// Plays the whole journey, on the running stack or on one that it starts and stops
    Demo(up::Options),
    /// Holds the API to its document, with made-up requests, on the running stack or on one that it starts
    Fuzz(fuzz::FuzzOptions),
    /// Checks the template with SAM, cfn-lint and checkov, without deploying it
    CheckTemplate,
    /// Prints a token for the running stack
    Token(issuer::Claims),
    /// Installs sam and cargo-lambda under target/, and prints the directory that has them
    Tools,
    /// Builds the functions as a deployment does, into target/local/release
    Release,
    /// Builds what the benchmark compares a redemption with, and prints how it is started
    #[command(hide = true)]
    References,
    /// Installs axe-core for the tests in a browser, and prints where it is
    #[command(hide = true)]
    Axe,
    /// Runs DynamoDB Local for a test, and prints its endpoint
    #[command(hide = true)]
    Dynamodb,
    /// Moves the functions' clock: +2d, -3h, a moment to stand still at, or reset
    Clock {
        #[arg(allow_hyphen_values = true)]
        change: Option<String>,
    },
}

#[tokio::main]
async fn main() -> Result<()> {
    match Arguments::parse().command {
        Command::Up(options) => up::run(&options).await,
        Command::Demo(options) => demo::run(&options).await,
        Command::Fuzz(options) => fuzz::run(&options).await,
        Command::CheckTemplate => check::run().await,
        Command::Token(claims) => issuer::print_token(&claims).await,
        Command::Tools => python::print_directory().await,
        Command::Release => release::build().await,
        Command::References => references::run_commands().await,
        Command::Axe => node::print_axe().await,
        Command::Dynamodb => dynamodb::run().await,
        Command::Clock { change } => clock::run(change.as_deref()),
    }
}
