//! Changes of shares through the adapter, as the functions make them.

use sharelink_aws::share_table::ShareTable;
use sharelink_domain::expiry::RequestedExpiry;
use sharelink_domain::share::{ChangeError, ExpectedVersion, ResendError, WriteId};
use sharelink_domain::{Action, Item, Share, ShareId};

use super::fixtures::RETENTION;

/// Revokes a share. None: the share does not exist.
pub(crate) async fn revoke(
    table: &ShareTable,
    item: &Item,
    id: ShareId,
    action: &Action,
    write: WriteId,
) -> Option<Share> {
    let revoke = |share: &Share| Ok::<_, std::convert::Infallible>(share.revoked(action));
    let revoked = table.change(item, id, RETENTION, write, revoke).await.unwrap();
    revoked.map(|Ok(share)| share)
}

/// Changes a share's expiration. None: the share does not exist.
pub(crate) async fn change_expiration(
    table: &ShareTable,
    item: &Item,
    id: ShareId,
    (expiry, expected): (RequestedExpiry, ExpectedVersion),
    action: &Action,
    write: WriteId,
) -> Option<Result<Share, ChangeError>> {
    let change = |share: &Share| share.with_expiration(expiry, action, expected);
    table.change(item, id, RETENTION, write, change).await.unwrap()
}

/// Queues another email for a share. None: the share does not exist.
pub(crate) async fn resend(
    table: &ShareTable,
    item: &Item,
    id: ShareId,
    action: &Action,
    write: WriteId,
) -> Option<Result<Share, ResendError>> {
    let resend = |share: &Share| share.resent(action).map(Some);
    table.resend(item, id, write, resend).await.unwrap()
}
