//! The local stack (`cargo local up`, `demo`, `fuzz`, `token`, `clock`) and the project's developer tools.
//!
//! Starts an AWS emulator, deploys the real template to it with SAM, and completes the parts of the
//! deployment that the emulator does not support. Does not use Docker, and binds every listener to 127.0.0.1.

#![allow(clippy::print_stderr, clippy::print_stdout, reason = "a command-line program prints")]
#![allow(clippy::unused_async, reason = "axum requires async handlers")]

mod check;
mod clock;
mod command;
mod demo;
mod deployment;
mod dynamodb;
mod emulator;
mod files;
mod functions;
mod fuzz;
mod issuer;
mod lock;
mod mailbox;
mod node;
mod output;
mod page;
mod paths;
mod process;
mod python;
mod references;
mod release;
mod server;
mod signature;
mod stack;
mod ttl;
mod up;

use anyhow::Result;
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo local", about = "Runs Sharelink on this machine")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Starts the stack, prints emails as they arrive, and stops everything on Ctrl-C
    Up(up::Options),
    /// Demonstrates the life of a link, on the running stack or a temporary one
    Demo(up::Options),
    /// Fuzzes the API against its `OpenAPI` document, on the running stack or a temporary one
    Fuzz(fuzz::FuzzOptions),
    /// Checks the template with SAM, cfn-lint and checkov, without deploying it
    CheckTemplate,
    /// Compares a deployed stack with its template, and says what is missing
    CheckDeployment(check::DeploymentOptions),
    /// Prints a token for the running stack
    Token(issuer::Claims),
    /// Installs sam and cargo-lambda under target/, and prints their directory
    Tools,
    /// Builds the functions as a deployment does, into target/local/release
    Release(release::ReleaseOptions),
    /// Builds the benchmark's reference programs, and prints the commands that start them
    #[command(hide = true)]
    References,
    /// Installs axe-core for the browser tests, and prints its path
    #[command(hide = true)]
    Axe,
    /// Installs Node and npm packages for the components' unit tests, and prints Node's path
    #[command(hide = true)]
    Node,
    /// Builds the pages that use the web components in frameworks, and prints their directory
    #[command(hide = true)]
    Frameworks,
    /// Runs DynamoDB Local for a test, and prints its endpoint
    #[command(hide = true)]
    Dynamodb,
    /// Changes the functions' clock (+2d, -3h, a fixed time, or reset), and prints its time
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
        Command::CheckTemplate => check::run_checks().await,
        Command::CheckDeployment(options) => check::check_deployment(&options).await,
        Command::Token(claims) => issuer::print_token(&claims).await,
        Command::Tools => python::print_tools().await,
        Command::Release(options) => release::run(&options).await,
        Command::References => references::print_commands().await,
        Command::Axe => node::print_axe().await,
        Command::Node => node::print_node().await,
        Command::Frameworks => node::print_frameworks().await,
        Command::Dynamodb => dynamodb::run().await,
        Command::Clock { change } => clock::run(change.as_deref()),
    }
}
