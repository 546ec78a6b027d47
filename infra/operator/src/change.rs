//! Changing many shares.

use std::cell::Cell;

use anyhow::{Result, bail, ensure};
use clap::Args;
use futures_util::{StreamExt, stream};
use sharelink_aws::share_table::ShareTable;
use sharelink_aws::{ChangeError, new_write_id};
use sharelink_domain::share::ChangeExpirationError;
use sharelink_domain::{Action, Share, Sharer, Timestamp};

use crate::describe;
use crate::selection::Selection;

/// The maximum number of shares that are changed concurrently.
const CONCURRENCY: usize = 16;

/// The maximum length of an operator's name, in characters.
const NAME_LIMIT: usize = 64;

/// Who makes a change.
#[derive(Args)]
pub(crate) struct Operator {
    /// Your name, which the share log shows as operator:NAME. The default is the user's name (USER)
    #[arg(long = "by", value_name = "NAME")]
    name: Option<String>,
}

impl Operator {
    /// Returns the operator as the actor of a change.
    pub(crate) fn action(&self, at: Timestamp) -> Result<Action> {
        let Some(name) = self.name.clone().or_else(|| std::env::var("USER").ok()) else {
            bail!("--by is required, because the environment has no USER");
        };
        let is_name = (1..=NAME_LIMIT).contains(&name.chars().count()) && !name.contains(char::is_control);
        ensure!(is_name, "--by must have 1 to {NAME_LIMIT} characters, without control characters");
        Ok(Action { by: Sharer::operator(&name), at })
    }
}

/// A change to a share: the changed share, `None` if there is nothing to change, or the reason to refuse it.
pub(crate) type Decision = Result<Option<Share>, ChangeExpirationError>;

/// The number of shares with each result. A dry run counts what it would change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Summary {
    pub(crate) changed: u64,
    pub(crate) unchanged: u64,
    pub(crate) refused: u64,
    pub(crate) failed: u64,
}

enum Outcome {
    Changed,
    Unchanged,
    Refused,
    Failed,
}

/// Changes the selected shares, and prints a summary. Fails if a share could not be changed.
pub(crate) async fn change_all(
    selection: &Selection,
    is_dry_run: bool,
    done: &str,
    decide: impl Fn(&Share) -> Decision,
) -> Result<()> {
    let mut summary = Summary::default();
    let changed = selection
        .for_each_page(async |shares| {
            let (table, decide) = (&selection.table, &decide);
            let change = |share: Share| async move {
                if is_dry_run { dry_run(&share, decide) } else { change(table, &share, decide).await }
            };
            let mut outcomes = stream::iter(shares).map(change).buffer_unordered(CONCURRENCY);
            while let Some(outcome) = outcomes.next().await {
                *match outcome {
                    Outcome::Changed => &mut summary.changed,
                    Outcome::Unchanged => &mut summary.unchanged,
                    Outcome::Refused => &mut summary.refused,
                    Outcome::Failed => &mut summary.failed,
                } += 1;
            }
            eprintln!("so far: {} shares", summary.changed);
            Ok(())
        })
        .await;
    let title = if is_dry_run { "Dry run: nothing was written" } else { "Done" };
    let numbers = [
        (done, summary.changed),
        ("shares left as they are", summary.unchanged),
        ("shares whose change the rules refuse", summary.refused),
        ("shares not changed because of an error; run the command again", summary.failed),
    ];
    println!("{}", describe(title, &numbers));
    changed?;
    ensure!(summary.failed == 0, "{} shares could not be changed; run the command again", summary.failed);
    Ok(())
}

fn dry_run(share: &Share, decide: impl Fn(&Share) -> Decision) -> Outcome {
    match decide(share) {
        Ok(Some(_)) => Outcome::Changed,
        Ok(None) => Outcome::Unchanged,
        Err(_) => Outcome::Refused,
    }
}

async fn change(table: &ShareTable, share: &Share, decide: impl Fn(&Share) -> Decision) -> Outcome {
    let Ok(write) = new_write_id() else { return Outcome::Failed };
    let is_changed = Cell::new(false);
    let decide_and_note = |current: &Share| {
        let decision = decide(current);
        is_changed.set(matches!(decision, Ok(Some(_))));
        decision
    };
    match table.change_and_keep_retention(&share.item, share.id, write, decide_and_note).await {
        Ok(_) if is_changed.get() => Outcome::Changed,
        // A share that was purged in between needs no change.
        Ok(_) | Err(ChangeError::NotFound) => Outcome::Unchanged,
        Err(ChangeError::Refused(_)) => Outcome::Refused,
        Err(ChangeError::Failed(error)) => {
            eprintln!("a share could not be changed: {error}");
            Outcome::Failed
        }
    }
}
