//! Domain values that several test suites and benchmarks use.

use chrono::{DateTime, TimeDelta, Utc};
use sharelink_aws::new_generation;
use sharelink_domain::index_key::IndexKey;
use sharelink_domain::testing::ShareBuilder;
use sharelink_domain::{Action, IndexHashes, Item, Share, SharedFile, Sharer, truncate_to_millis};

use super::unique;

/// Time from the end of a share's access until the share is deleted.
pub(crate) const RETENTION: TimeDelta = TimeDelta::days(30);

/// Returns the hashes for a share that no test looks for in the deployed indexes.
pub(crate) fn index_hashes(share: &Share) -> IndexHashes {
    IndexKey::new("the index key of shares that no test looks for").unwrap().hashes(share)
}

/// Returns the current time, truncated to the table's precision.
pub(crate) fn now() -> DateTime<Utc> {
    truncate_to_millis(Utc::now())
}

/// Returns the item with this name in the `jobs` module.
pub(crate) fn job(name: &str) -> Item {
    Item { module: "jobs".parse().unwrap(), name: name.parse().unwrap() }
}

/// Returns an item that no other test uses.
pub(crate) fn new_item() -> Item {
    job(&unique("item"))
}

pub(crate) fn sharer() -> Sharer {
    Sharer { sub: "tess".into(), name: Some("Tess".into()), email: Some("tess@example.com".parse().unwrap()) }
}

/// Returns an action by the test sharer at this time.
pub(crate) fn action(at: DateTime<Utc>) -> Action {
    Action { by: sharer(), at }
}

/// Returns a builder of one-file shares that expire at `now + life`, each with a new link and no email.
pub(crate) fn share_builder(item: &Item, life: TimeDelta, now: DateTime<Utc>) -> ShareBuilder {
    ShareBuilder::new()
        .item(item.clone())
        .sharer(sharer())
        .created_at(now)
        .expires_in(life)
        .generation(new_generation().unwrap())
        // A pending email in the deployed table would be sent by the deployed function.
        .notify(false)
}

/// Returns a one-file share with this recipient, created at `now` and with no email.
pub(crate) fn new_share(item: &Item, recipient: &str, life: TimeDelta, now: DateTime<Utc>) -> Share {
    share_builder(item, life, now).recipient(recipient).build()
}

/// Returns a share of this many files with this recipient, created at `now` and with no email.
pub(crate) fn new_share_of_files(
    item: &Item,
    recipient: &str,
    files: usize,
    life: TimeDelta,
    now: DateTime<Utc>,
) -> Share {
    let file = |n| SharedFile { name: format!("{n}.txt").parse().unwrap(), size: n, key: None };
    let files = (1..=files as u64).map(file).collect();
    share_builder(item, life, now).files(files).recipient(recipient).build()
}
