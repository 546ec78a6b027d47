//! Domain values that several suites and benchmarks need.

use chrono::{DateTime, TimeDelta, Utc};
use sharelink_aws::new_generation;
use sharelink_domain::request::ShareRequest;
use sharelink_domain::{Action, Expiry, Item, Share, SharedFile, Sharer, truncate_to_millis};

use super::{rfc3339, unique};

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

/// A request to share one file until `now + life`, without sending an email.
///
/// Tests override single fields: `ShareRequest { notify: true, ..share_request(&item, life, now) }`.
pub(crate) fn share_request(item: &Item, life: TimeDelta, now: DateTime<Utc>) -> ShareRequest {
    ShareRequest {
        item: item.clone(),
        files: vec![SharedFile { name: "brief.pdf".parse().unwrap(), size: 3 }],
        sharer: sharer(),
        message: None,
        expiry: Expiry::parse(&rfc3339(now + life), now).unwrap(),
        // The deployed function emails every pending share that it finds in the deployed table.
        notify: false,
    }
}

/// A new share of one file with a recipient, created at `now`, without an email.
pub(crate) fn new_share(item: &Item, recipient: &str, life: TimeDelta, now: DateTime<Utc>) -> Share {
    accept(&share_request(item, life, now), recipient, now)
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
    accept(&ShareRequest { files, ..share_request(item, life, now) }, recipient, now)
}

/// The share that a request creates for a recipient, with a new link.
pub(crate) fn accept(request: &ShareRequest, recipient: &str, now: DateTime<Utc>) -> Share {
    request.share_with(recipient.parse().unwrap(), new_generation().unwrap(), now)
}
