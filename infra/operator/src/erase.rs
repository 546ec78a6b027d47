//! `cargo operator erase`.

use anyhow::{Context, Result, ensure};
use clap::Args;
use sharelink_aws::share_table::{Erasure, ErasureOptions, ErasureSummary, PersonKeys};
use sharelink_domain::EmailAddress;
use sharelink_domain::erasure::People;
use sharelink_runtime::Clock;

use crate::change::{Operator, change_all};
use crate::deployment::{self, Deployment};
use crate::describe;
use crate::selection::{self, Selection};

#[derive(Args)]
pub(crate) struct Options {
    #[command(flatten)]
    deployment: deployment::Options,
    /// Deletes all shares with this recipient, with their history; may be repeated
    #[arg(long = "recipient", value_name = "ADDRESS")]
    recipients: Vec<EmailAddress>,
    /// Removes the name and the address of the user with this claim sub from shares and from the share log;
    /// may be repeated
    #[arg(long = "sharer", value_name = "SUB")]
    sharers: Vec<String>,
    /// First revokes the sharers' shares, which otherwise keep working. Required for a sharer who is switched
    /// off
    #[arg(long, requires = "sharers")]
    revoke: bool,
    #[command(flatten)]
    operator: Operator,
    /// Also removes the messages and titles of other shares that mention a recipient
    #[arg(long)]
    deep: bool,
    /// Counts what would be erased, and writes nothing
    #[arg(long)]
    dry_run: bool,
}

pub(crate) async fn run(options: Options) -> Result<()> {
    ensure!(!options.recipients.is_empty() || !options.sharers.is_empty(), "name --recipient or --sharer");
    ensure!(options.sharers.iter().all(|sub| !sub.is_empty()), "--sharer must not be empty");
    let clock = Clock::from_env();
    if options.revoke {
        let action = options.operator.action(clock.now())?;
        let deployment::Options { table, index_key, .. } = &options.deployment;
        for sub in &options.sharers {
            let shares = selection::Options::of_sharer(table, index_key, sub);
            let shares = Selection::open(shares).await?;
            change_all(&shares, options.dry_run, "shares revoked", |share| Ok(share.revoked(&action)))
                .await?;
        }
    }
    let deployment = Deployment::open(options.deployment).await?;
    let keys = PersonKeys {
        index: deployment.index_key.get_or_fetch().await?,
        counters: deployment.hash_key.get_or_fetch().await?,
    };
    let people = People::new(options.recipients, options.sharers);
    if !options.revoke {
        require_switched_on(&people, &deployment).await?;
    }
    // Revoking may take long. Shares that were created in the meantime are erased, too.
    let now = clock.now();
    let settings = ErasureOptions { now, is_deep: options.deep, is_dry_run: options.dry_run };
    let mut erasure = Erasure::new(&deployment.shares, &deployment.log, keys, &people, settings);
    let erased = erasure.run(&deployment.reports, print_progress).await;
    erased.context("the erasure stopped and is incomplete; run the command again")?;
    let summary = erasure.summary();
    println!("{}", describe_erasure(&summary, options.dry_run));
    if !options.dry_run {
        println!("{LATE_ENTRIES}");
    }
    let is_complete = summary.not_edited == 0 && summary.reports_in_flight == 0;
    ensure!(is_complete, "the erasure is incomplete; run the command again in a few minutes");
    Ok(())
}

/// `sweep-shares` logs nothing late about an erased recipient, but does not look for erased sharers. The time
/// is longer than its lag can be before `SweepBehindAlarm` fires.
const LATE_ENTRIES: &str = "Changes that are not logged yet can still put a sharer's name or address into the \
    share log. If one of these people has shared files, run the command again after 90 minutes; see \
    operations.md";

/// Fails if one of the sharers is switched off. The erasure removes the hash by which the switch finds their
/// shares, so the paused links would work again.
async fn require_switched_on(people: &People, deployment: &Deployment) -> Result<()> {
    let switches = deployment.shares.read_switches().await?;
    let key = deployment.index_key.get_or_fetch().await?;
    let is_off = people.sharers().any(|sub| switches.is_sharer_off(key.sharer(sub)));
    ensure!(!is_off, "the sharer is switched off: erase with --revoke, or switch the sharer on first");
    Ok(())
}

fn print_progress(summary: &ErasureSummary) {
    eprintln!("so far: {} shares and {} log entries", summary.shares, summary.log_entries);
}

fn describe_erasure(summary: &ErasureSummary, is_dry_run: bool) -> String {
    let title = if is_dry_run { "Dry run: nothing was written" } else { "Erased" };
    let numbers = [
        ("shares deleted", summary.shares),
        ("log entries deleted", summary.log_entries),
        ("counters of emails deleted", summary.counters),
        ("rows of notices and settings deleted", summary.notices),
        ("notices that no longer name their share", summary.notices_edited),
        ("remembered requests deleted", summary.requests),
        ("expiry alarms without a share deleted", summary.alarms),
        ("failed SES reports deleted", summary.reports),
        ("other shares without their sharer's name or address", summary.shares_edited),
        ("other log entries without their sharer's name or address", summary.log_entries_edited),
        ("messages and titles of other shares removed", summary.texts),
        ("texts that mention the address and remain; see operations.md", summary.texts_left),
        ("rows not edited, because they kept changing; run the command again", summary.not_edited),
        ("failed SES reports in use elsewhere; run the command again", summary.reports_in_flight),
    ];
    describe(title, &numbers)
}
