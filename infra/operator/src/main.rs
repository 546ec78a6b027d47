//! Commands for the people who operate a deployment (`cargo operator`).
//!
//! The credentials and the region come from the same environment variables as in Lambda. The page
//! `infra/operations.md` describes when to use each command.

#![allow(clippy::print_stderr, clippy::print_stdout, reason = "a command-line program prints")]

mod change;
mod deployment;
mod erase;
mod export;
mod extend;
mod list;
mod restore;
mod revoke;
mod selection;
mod switch;

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
    /// Lists shares by recipient, by sharer or by item
    List(list::Options),
    /// Revokes shares, so that their links stop working
    Revoke(revoke::Options),
    /// Sets a later expiry for shares, whatever the deployment's rules for sharers say
    Extend(extend::Options),
    /// Erases people: deletes a recipient's shares and their history, and makes a sharer anonymous
    Erase(erase::Options),
    /// Exports everything that is kept about a recipient, as JSON
    Export(export::Options),
    /// Restores lost and damaged shares and log entries from backups of the tables, without reviving revoked
    /// links
    Restore(restore::Options),
    /// Pauses all sharing, a module, a sharer or a recipient domain, and ends the pause
    #[command(subcommand)]
    Switch(switch::Command),
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    match Arguments::parse().command {
        Command::List(options) => list::run(options).await,
        Command::Revoke(options) => revoke::run(options).await,
        Command::Extend(options) => extend::run(options).await,
        Command::Erase(options) => erase::run(options).await,
        Command::Export(options) => export::run(options).await,
        Command::Restore(options) => restore::run(options).await,
        Command::Switch(command) => switch::run(command).await,
    }
}

/// Describes a command's result: a title, then one line for each number.
fn describe(title: &str, numbers: &[(&str, u64)]) -> String {
    numbers.iter().fold(title.to_owned(), |text, (label, count)| format!("{text}\n{count:>10}  {label}"))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn arguments_are_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn description_has_a_line_for_each_number() {
        let text = describe("Dry run: nothing was written", &[("shares", 12), ("log entries", 3)]);
        assert_eq!(text, "Dry run: nothing was written\n        12  shares\n         3  log entries");
    }
}
