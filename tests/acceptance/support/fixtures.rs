//! Domain values that several suites and benchmarks need.

use chrono::{DateTime, TimeDelta, Utc};
use sharelink_aws::new_generation;
use sharelink_domain::testing::ShareBuilder;
use sharelink_domain::{Action, Item, Share, SharedFile, Sharer, truncate_to_millis};

use super::unique;

/// Time between the end of a share's access and its deletion.
pub(crate) const RETENTION: TimeDelta = TimeDelta::days(30);

/// The current time at the resolution of the table.
pub(crate) fn now() -> DateTime<Utc> {
    truncate_to_millis(Utc::now())
}

/// The item with this name in the module `jobs`.
pub(crate) fn job(name: &str) -> Item {
    Item { module: "jobs".parse().unwrap(), name: name.parse().unwrap() }
}

/// An item that no other test uses.
pub(crate) fn new_item() -> Item {
    job(&unique("item"))
}

pub(crate) fn sharer() -> Sharer {
    Sharer { sub: "tess".into(), name: Some("Tess".into()), email: Some("tess@example.com".parse().unwrap()) }
}

/// The sharer's action at a time.
pub(crate) fn action(at: DateTime<Utc>) -> Action {
    Action { by: sharer(), at }
}

/// A builder of shares of one file until `now + life`, each with a new link and without an email.
pub(crate) fn share_builder(item: &Item, life: TimeDelta, now: DateTime<Utc>) -> ShareBuilder {
    ShareBuilder::new()
        .item(item.clone())
        .sharer(sharer())
        .created_at(now)
        .expires_in(life)
        .generation(new_generation().unwrap())
        // The deployed function emails every pending share that it finds in the deployed table.
        .notify(false)
}

/// A new share of one file with a recipient, created at `now`, without an email.
pub(crate) fn new_share(item: &Item, recipient: &str, life: TimeDelta, now: DateTime<Utc>) -> Share {
    share_builder(item, life, now).recipient(recipient).build()
}

/// A new share of this many files with a recipient, created at `now`, without an email.
pub(crate) fn new_share_of_files(
    item: &Item,
    recipient: &str,
    files: usize,
    life: TimeDelta,
    now: DateTime<Utc>,
) -> Share {
    let file = |n| SharedFile { name: format!("{n}.txt").parse().unwrap(), size: n };
    let files = (1..=files as u64).map(file).collect();
    share_builder(item, life, now).files(files).recipient(recipient).build()
}
