//! Tests the DynamoDB adapter against two implementations of DynamoDB's API: the emulator, and an in-process
//! dynoxide with a copy of the deployed table.

use std::cmp::Reverse;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::{join, join_all};
use futures_util::stream::{StreamExt, iter};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use sharelink_aws::share_table::{Creation, ShareLog, ShareTable, StatusFilter};
use sharelink_aws::{ChangeError, new_generation, new_write_id};
use sharelink_domain::access::{DownloadError, Target};
use sharelink_domain::delivery::{Bounce, DeliveryEvent, EmailId};
use sharelink_domain::expiry::RequestedExpiry;
use sharelink_domain::history::{FailedDownload, LinkUse, Usage};
use sharelink_domain::link::Link;
use sharelink_domain::log::{self, LogEntry, LogEvent};
use sharelink_domain::mail::Pending;
use sharelink_domain::notices::{GATHERED_FOR, Notice, NoticeKind, PendingNotices};
use sharelink_domain::reminder::{ReminderDays, ReminderError, ReminderState};
use sharelink_domain::sending::{Fault, MailKind, SendOutcome};
use sharelink_domain::share::{ChangeExpirationError, ExpectedVersion, Renewal, RequestedChanges};
use sharelink_domain::testing::permitted;
use sharelink_domain::{
    Item, Mail, MailReason, MailState, Share, ShareId, ShareRules, SharerKey, Title, UseSource, WriteId, mail,
};
use tokio::runtime::Handle;
use tokio::task::block_in_place;

use crate::support::fixtures::{
    RETENTION, action, index_hashes, new_item, new_share, new_share_of_files, now, share_builder,
};
use crate::support::{Aws, Proxy, Stack, address, rfc3339, table};

const DAY: TimeDelta = TimeDelta::days(1);

/// Returns one adapter for the emulator and one for dynoxide.
async fn tables(stack: &Stack) -> [ShareTable; 2] {
    let emulator = Aws::new(stack);
    let name = &stack.info.table_name;
    let dynoxide = emulator.start_dynoxide().await;
    [ShareTable::new(emulator.config(), name), ShareTable::new(&dynoxide, name)]
}

/// Returns a one-file share that expires in a day and is not stored yet.
fn unsaved_share() -> Share {
    new_share(&new_item(), &address("ann"), DAY, now())
}

/// Stores a share. Panics if the share already exists.
async fn create(table: &ShareTable, share: &Share) {
    let created = table
        .create(permitted(share), index_hashes(share), RETENTION, new_write_id().unwrap())
        .await
        .unwrap();
    assert_eq!(created, Creation::Created);
}

/// Stores and returns a one-file share that expires in a day.
async fn saved_share(table: &ShareTable) -> Share {
    let share = unsaved_share();
    create(table, &share).await;
    share
}

async fn read(table: &ShareTable, share: &Share) -> Option<Share> {
    table.get(&share.item, share.id).await.unwrap()
}

async fn revoke(
    table: &ShareTable,
    share: &Share,
    write: WriteId,
) -> Result<Share, ChangeError<ChangeExpirationError>> {
    table::revoke(table, &share.item, share.id, &action(now()), write).await
}

/// Changes a share's expiration, using a new write id.
async fn change_expiration(
    table: &ShareTable,
    share: &Share,
    expiry: RequestedExpiry,
    expected: ExpectedVersion,
) -> Result<Share, ChangeError<ChangeExpirationError>> {
    let (action, write) = (action(now()), new_write_id().unwrap());
    let change = (expiry, expected);
    table::change_expiration(table, &share.item, share.id, change, &action, write).await
}

fn expiry_in(life: TimeDelta) -> RequestedExpiry {
    rfc3339(now() + life).parse().unwrap()
}

/// Redeems a link once, and returns the share as stored afterward.
async fn redeem(table: &ShareTable, link: &Link, write: WriteId) -> Option<Share> {
    redeem_from(table, link, write, None).await
}

async fn redeem_from(
    table: &ShareTable,
    link: &Link,
    id: WriteId,
    source: Option<UseSource>,
) -> Option<Share> {
    let link_use = LinkUse { id, at: now(), source };
    table.redeem(link, Target::Link, &link_use).await.unwrap()
}

#[tokio::test]
async fn stored_share_reads_back_unchanged() {
    let stack = Stack::get().await;
    for table in tables(&stack).await {
        let mut share = new_share_of_files(&new_item(), &address("ann"), 3, DAY, now());
        share.title = Title::parse("Spring campaign");
        share.files[1].key = Some("platform/jobs/0d9f".to_owned().try_into().unwrap());
        create(&table, &share).await;
        assert_eq!(read(&table, &share).await, Some(share));
    }
}

#[tokio::test]
async fn exactly_one_concurrent_create_wins() {
    let stack = Stack::get().await;
    for table in tables(&stack).await {
        let (item, recipient) = (new_item(), address("ann"));
        let create = |_| async {
            let share = new_share(&item, &recipient, DAY, now());
            (
                share.generation,
                table
                    .create(permitted(&share), index_hashes(&share), RETENTION, new_write_id().unwrap())
                    .await
                    .unwrap(),
            )
        };

        let created = join_all((0..20).map(create)).await;

        let winners: Vec<_> = created.iter().filter(|(_, creation)| *creation == Creation::Created).collect();
        assert_eq!(winners.len(), 1);
        for (_, creation) in &created {
            if let Creation::Exists(existing) = creation {
                assert_eq!(existing.generation, winners[0].0, "losing creates return the winner's share");
            }
        }
    }
}

#[tokio::test]
async fn retried_create_recognizes_its_first_attempt() {
    let stack = Stack::get().await;
    for table in tables(&stack).await {
        let share = unsaved_share();
        let write = new_write_id().unwrap();
        assert_eq!(
            table.create(permitted(&share), index_hashes(&share), RETENTION, write).await,
            Ok(Creation::Created)
        );
        assert_eq!(
            table.create(permitted(&share), index_hashes(&share), RETENTION, write).await,
            Ok(Creation::Retried { created_at: share.created_at })
        );
        let another =
            table.create(permitted(&share), index_hashes(&share), RETENTION, new_write_id().unwrap()).await;
        assert_eq!(another, Ok(Creation::Exists(Box::new(share))));
    }
}

#[tokio::test]
async fn concurrent_revocations_revoke_once() {
    let stack = Stack::get().await;
    for table in tables(&stack).await {
        let share = unsaved_share();
        let missing = revoke(&table, &share, new_write_id().unwrap()).await;
        assert_eq!(missing, Err(ChangeError::NotFound));
        create(&table, &share).await;

        let responses = join_all((0..10).map(|_| revoke(&table, &share, new_write_id().unwrap()))).await;

        let stored = read(&table, &share).await.unwrap();
        assert_eq!(stored.version, 2);
        for response in responses {
            assert_eq!(response.as_ref(), Ok(&stored));
        }
    }
}

#[tokio::test]
async fn retried_revocation_does_not_undo_a_reactivation() {
    let stack = Stack::get().await;
    for table in tables(&stack).await {
        let share = saved_share(&table).await;
        let write = new_write_id().unwrap();
        assert_eq!(revoke(&table, &share, write).await.unwrap().version, 2);
        let reactivated =
            change_expiration(&table, &share, expiry_in(TimeDelta::days(5)), ExpectedVersion::Any).await;
        assert_eq!(reactivated.unwrap().version, 3);

        // The SDK does not get the response to the revocation, and retries the request.
        let retried = revoke(&table, &share, write).await.unwrap();

        assert_eq!(retried.version, 3);
        assert_eq!(retried.revoked_at, None);
    }
}

#[tokio::test]
async fn concurrent_change_and_revocation_do_not_mix() {
    let stack = Stack::get().await;
    for table in tables(&stack).await {
        for _ in 0..50 {
            let share = saved_share(&table).await;
            let expiry = expiry_in(TimeDelta::days(5));
            let change = change_expiration(&table, &share, expiry, ExpectedVersion::Exactly(1));
            let (changed, revoked) = join(change, revoke(&table, &share, new_write_id().unwrap())).await;

            let stored = read(&table, &share).await.unwrap();
            assert!(revoked.unwrap().revoked_at.is_some());
            assert!(stored.revoked_at.is_some());
            match changed {
                // The change came first.
                Ok(_) => {
                    assert_eq!(stored.expires_at, expiry.at());
                    assert_eq!(stored.version, 3);
                }
                // The revocation came first, so the change's expected version was stale.
                Err(error) => {
                    assert_eq!(error, ChangeError::Refused(ChangeExpirationError::StaleVersion));
                    assert_eq!(stored.expires_at, share.expires_at);
                    assert_eq!(stored.version, 2);
                }
            }
        }
    }
}

#[tokio::test]
async fn retried_use_is_counted_once() {
    let stack = Stack::get().await;
    for table in tables(&stack).await {
        let share = saved_share(&table).await;
        let (link, write) = (Link::of(&share), new_write_id().unwrap());
        for _ in 0..3 {
            let used = redeem(&table, &link, write).await.unwrap();
            assert!(used.redeem(link.generation, Target::Link, now()).is_ok());
            assert_eq!(used.usage.opens, 1);
            assert_eq!(used.usage.downloads, 1);
        }

        for _ in 0..3 {
            redeem(&table, &link, new_write_id().unwrap()).await.unwrap();
        }
        let used = redeem(&table, &link, write).await.unwrap();

        assert_eq!(used.usage.opens, 4, "a retry after other uses is not counted");
        assert_eq!(used.usage.downloads, 4, "a retry after other uses is not counted");
    }
}

#[tokio::test]
async fn use_is_counted_if_and_only_if_access_is_granted() {
    let stack = Stack::get().await;
    // Proptest cannot drive async tests, so this test draws 60 cases from proptest's generators.
    let cases = (1_usize..4, 0_usize..7, -3_000_i64..3_000, any::<bool>(), any::<bool>());
    let mut runner = TestRunner::deterministic();
    for table in tables(&stack).await {
        for _ in 0..60 {
            let case = cases.new_tree(&mut runner).unwrap().current();
            let (files, target_number, offset, is_revoked, has_other_generation) = case;
            let target = match target_number {
                0 => Target::Link,
                5 => Target::List,
                6 => Target::Archive,
                n => Target::File(NonZeroUsize::new(n).unwrap()),
            };
            let share = new_share_of_files(&new_item(), &address("ann"), files, TimeDelta::hours(1), now());
            create(&table, &share).await;
            if is_revoked {
                revoke(&table, &share, new_write_id().unwrap()).await.unwrap();
            }
            let mut link = Link::of(&share);
            if has_other_generation {
                link.generation = new_generation().unwrap();
            }
            let at = share.expires_at + TimeDelta::milliseconds(offset);

            let link_use = LinkUse { id: new_write_id().unwrap(), at, source: None };
            let used = table.redeem(&link, target, &link_use).await.unwrap().unwrap();

            let description = format!(
                "{files} files, {target:?}, {offset} ms after the expiry, revoked: {is_revoked}, \
                 other generation: {has_other_generation}"
            );
            let has_access = used.redeem(link.generation, target, at).is_ok();
            assert_eq!(used.usage.last_at.is_some(), has_access, "{description}");
            let (opens, downloads) = match target {
                Target::Link if has_access => (1, u64::from(files == 1)),
                Target::List if has_access => (1, 0),
                Target::File(_) | Target::Archive if has_access => (0, 1),
                _ => (0, 0),
            };
            assert_eq!(used.usage.opens, opens, "{description}");
            assert_eq!(used.usage.downloads, downloads, "{description}");
            let archive_downloads = u64::from(has_access && target == Target::Archive);
            assert_eq!(used.usage.archive_downloads, archive_downloads, "{description}");
        }
    }
}

#[tokio::test]
async fn failed_download_is_removed_from_the_count_once() {
    let stack = Stack::get().await;
    for table in tables(&stack).await {
        let share = saved_share(&table).await;
        let link = Link::of(&share);
        let (first, second) = (new_write_id().unwrap(), new_write_id().unwrap());
        redeem(&table, &link, first).await;
        redeem(&table, &link, second).await;

        let failed = FailedDownload {
            id: first,
            at: now(),
            error: DownloadError::Archived,
            number: Some(1),
            source: None,
        };
        for _ in 0..3 {
            table.record_failed_download(&link, &failed).await.unwrap();
        }

        let usage = read(&table, &share).await.unwrap().usage;
        assert_eq!((usage.opens, usage.downloads, usage.failed_downloads), (2, 1, 1));
        assert_eq!(usage.last_failure, Some(failed));
        assert_eq!(usage.last_id, None, "the last write was not a use");
    }
}

#[tokio::test]
async fn source_is_kept_with_the_last_use_only() {
    let stack = Stack::get().await;
    for table in tables(&stack).await {
        let share = saved_share(&table).await;
        let link = Link::of(&share);
        let source = UseSource::of("203.0.113.77".parse().ok(), "curl/8.5.0");
        let used = redeem_from(&table, &link, new_write_id().unwrap(), Some(source)).await.unwrap();
        assert_eq!(used.usage.last_source, Some(source));
        assert_eq!(used.usage.last_source.unwrap().network.unwrap().to_string(), "203.0.113.0/24");
        let used = redeem(&table, &link, new_write_id().unwrap()).await.unwrap();
        assert_eq!(used.usage.last_source, None, "the deployment no longer keeps it");
    }
}

#[tokio::test]
async fn correction_replaces_its_log_entry_in_any_order() {
    let stack = Stack::get().await;
    for table in tables(&stack).await {
        let share_log = ShareLog::beside(&table, &stack.info.log_table_name);
        for is_correction_first in [false, true] {
            let share = unsaved_share();
            let (id, at, error) = (new_write_id().unwrap(), now(), DownloadError::Archived);
            let mut used = share.clone();
            used.usage =
                Usage { opens: 1, downloads: 1, last_at: Some(at), last_id: Some(id), ..Usage::default() };
            let mut failed = used.clone();
            failed.usage = Usage {
                downloads: 0,
                last_id: None,
                failed_downloads: 1,
                last_failure: Some(FailedDownload { id, at, error, number: Some(1), source: None }),
                ..used.usage
            };
            let mut changes =
                [log::entries_for_change(&share, &used), log::entries_for_change(&used, &failed)];
            if is_correction_first {
                changes.reverse();
            }

            for entry in changes.concat() {
                share_log.append(&share.item, entry, RETENTION).await.unwrap();
            }

            let logged = share_log.list(&share.item, 10, None).await.unwrap().entries;
            let newest_first: Vec<LogEvent> = logged.into_iter().map(|entry| entry.event).collect();
            let expected = [LogEvent::DownloadFailed { reason: error }, LogEvent::Opened { number: 1 }];
            assert_eq!(newest_first, expected, "correction first: {is_correction_first}");
        }
    }
}

#[tokio::test]
async fn failed_download_makes_no_count_negative() {
    let stack = Stack::get().await;
    for table in tables(&stack).await {
        let share = saved_share(&table).await;
        let (id, error) = (new_write_id().unwrap(), DownloadError::Missing);
        let failed = FailedDownload { id, at: now(), error, number: None, source: None };
        let other_link = Link { generation: new_generation().unwrap(), ..Link::of(&share) };
        for link in [Link::of(&share), other_link, Link::of(&unsaved_share())] {
            table.record_failed_download(&link, &failed).await.unwrap();
        }
        assert_eq!(read(&table, &share).await, Some(share));
    }
}

#[tokio::test]
async fn late_use_does_not_restore_a_purged_share() {
    let stack = Stack::get().await;
    for table in tables(&stack).await {
        let share = unsaved_share();
        assert_eq!(redeem(&table, &Link::of(&share), new_write_id().unwrap()).await, None);
        assert_eq!(read(&table, &share).await, None);
    }
}

/// Claims the share's email at the given time, as a sender would.
async fn claim(table: &ShareTable, share: &Share, at: DateTime<Utc>) -> Option<(WriteId, Share)> {
    let (key, write) = ("k1".parse().unwrap(), new_write_id().unwrap());
    let claimed = table.claim_email(&share.item, share.id, Some(&key), write, at).await.unwrap();
    claimed.map(|(share, _)| (write, share))
}

#[tokio::test]
async fn email_has_one_sender_at_a_time() {
    let stack = Stack::get().await;
    // Use only dynoxide: if the share were in the deployed table, the deployed function would send the email.
    let [_, table] = tables(&stack).await;
    let mut share = unsaved_share();
    share.mail = Mail::queued(share.created_at);
    create(&table, &share).await;

    // Only one of the concurrent senders claims the email.
    let start = now();
    let claims: Vec<_> = join_all((0..10).map(|_| claim(&table, &share, start))).await;
    let winners: Vec<_> = claims.into_iter().flatten().collect();
    assert_eq!(winners.len(), 1);
    let (first, claimed) = &winners[0];
    assert_eq!(claimed.mail.pending().unwrap().tries, 1);
    assert_eq!(claimed.link_key, Some("k1".parse().unwrap()));

    // The first sender stalls. After the lease expires, a second sender claims the email, and the first
    // sender's outcome is ignored.
    let later = now() + mail::LEASE;
    let (second, claimed) = claim(&table, &share, later).await.unwrap();
    table
        .record_send_outcome(&share, *first, SendOutcome::Failed(MailReason::Rejected), later)
        .await
        .unwrap();

    // The second sender defers the email. When the email is due again, a third sender claims it.
    let until = later + TimeDelta::minutes(2);
    let deferred = SendOutcome::Deferred { until, fault: Fault::Throttled };
    table.record_send_outcome(&claimed, second, deferred, later).await.unwrap();
    assert!(claim(&table, &share, later).await.is_none(), "a deferred email is not due yet");
    let (third, claimed_again) = claim(&table, &share, until).await.unwrap();
    assert_eq!(claimed_again.mail.pending().unwrap().tries, 3);
    table.record_send_outcome(&share, third, SendOutcome::Sent, later).await.unwrap();

    let sent = read(&table, &share).await.unwrap();
    assert_eq!(sent.mail.state, MailState::Sent);
    assert_eq!(sent.version, 1);
    assert!(claim(&table, &share, later + DAY).await.is_none(), "a sent email is never due");
}

/// Returns the share ids on each page of an item's active shares.
async fn active_pages(table: &ShareTable, item: &Item, limit: usize, at: DateTime<Utc>) -> Vec<Vec<ShareId>> {
    let (mut pages, mut cursor) = (Vec::new(), None);
    loop {
        let page = table.list(item, Some(StatusFilter::Active), limit, cursor.as_ref(), at).await.unwrap();
        pages.push(page.shares.iter().map(|share| share.id).collect());
        cursor = page.next;
        if cursor.is_none() {
            return pages;
        }
    }
}

#[tokio::test]
async fn sparse_tab_has_full_pages_and_misses_no_share() {
    let stack = Stack::get().await;
    for table in tables(&stack).await {
        let (item, start) = (new_item(), now());
        let mut ids = Vec::new();
        for i in 0..40 {
            // Two days later, only every tenth share is still active.
            let life = if i % 10 == 0 { TimeDelta::days(9) } else { DAY };
            let share = new_share(&item, &address("r"), life, start + TimeDelta::milliseconds(i / 2));
            create(&table, &share).await;
            ids.push(share.id);
        }
        let later = start + TimeDelta::days(2);

        let pages = active_pages(&table, &item, 3, later).await;
        assert_eq!(pages, [vec![ids[30], ids[20], ids[10]], vec![ids[0]]]);

        let all = table.list(&item, None, 100, None, later).await.unwrap();
        assert_eq!(all.shares.len(), 40);
        assert_eq!(all.next, None);
        assert!(all.shares.is_sorted_by_key(|share| Reverse(share.created_at)));
    }
}

#[tokio::test]
async fn list_query_limits_double_while_few_shares_match() {
    let stack = Stack::get().await;
    let aws = Aws::new(&stack);
    let proxy = Proxy::start(&stack.info.aws_endpoint_url).await;
    let config = aws.config().to_builder().endpoint_url(&proxy.url).build();
    let table = ShareTable::new(&config, &stack.info.table_name);
    // The newest 20 shares fill one page. The other 600 have expired by the time of the query.
    let (item, start) = (new_item(), now());
    let create_one = |i: i64| {
        let life = if i >= 600 { TimeDelta::days(9) } else { DAY };
        let share = new_share(&item, &address("r"), life, start + TimeDelta::milliseconds(i));
        let table = &table;
        async move { create(table, &share).await }
    };
    iter(0..620).map(create_one).buffer_unordered(16).collect::<Vec<_>>().await;
    proxy.take_call_count(&[""]);

    let later = start + TimeDelta::days(2);
    let page = table.list(&item, Some(StatusFilter::Active), 20, None, later).await.unwrap();

    assert_eq!(page.shares.len(), 20);
    assert_eq!(page.next, None);
    // Five queries with limits of 21, 42, 84, 168 and 336 cover all 620 entries.
    assert_eq!(proxy.take_call_count(&["DynamoDB_20120810.Query"]), 5);
}

/// Returns a notice about a share, and the log entry that it follows from.
fn noticed(share: &Share, n: u32) -> (Notice, LogEntry) {
    let notice = Notice {
        kind: NoticeKind::EmailProblem,
        item: share.item.clone(),
        share: share.id,
        at: share.created_at,
    };
    let entry = LogEntry {
        at: share.created_at,
        sequence: format!("{}.54.{n}", share.id),
        share: share.id,
        recipient: share.recipient.clone(),
        event: LogEvent::Bounced { reason: MailReason::AddressUnknown },
        by: None,
        source: None,
    };
    (notice, entry)
}

#[tokio::test]
async fn notices_appended_while_a_digest_is_sent_are_kept() {
    let stack = Stack::get().await;
    for table in tables(&stack).await {
        let log = ShareLog::beside(&table, &stack.info.log_table_name);
        let share = unsaved_share();
        let sharer = SharerKey::from_bytes(new_write_id().unwrap().to_bytes());
        let append = async |n: u32| {
            let (notice, entry) = noticed(&share, n);
            let at = share.created_at;
            table.append_with_notice(&log, entry, RETENTION, (&notice, sharer), at).await.unwrap();
        };
        // The third is appended twice.
        for n in [1, 2, 3, 3] {
            append(n).await;
        }
        let due = share.created_at + GATHERED_FOR;
        let claim = new_write_id().unwrap();
        assert_eq!(table.claim_notices(sharer, claim, due - DAY).await.unwrap(), None, "not due");
        let claimed = table.claim_notices(sharer, claim, due).await.unwrap().unwrap();
        assert_eq!((claimed.listed.len(), claimed.count), (3, 3));
        assert_eq!(table.claim_notices(sharer, new_write_id().unwrap(), due).await.unwrap(), None, "claimed");
        append(4).await;
        table.record_digest_outcome(&claimed, claim, SendOutcome::Sent, due).await.unwrap();
        // A retry changes nothing.
        table.record_digest_outcome(&claimed, claim, SendOutcome::Sent, due).await.unwrap();

        let next = new_write_id().unwrap();
        assert_eq!(table.claim_notices(sharer, next, due + TimeDelta::minutes(5)).await.unwrap(), None);
        let rest = table.claim_notices(sharer, next, due + GATHERED_FOR).await.unwrap().unwrap();
        assert_eq!((rest.listed.len(), rest.count, rest.since), (1, 1, due));
        table.record_digest_outcome(&rest, next, SendOutcome::Sent, due).await.unwrap();
        assert_eq!(table.claim_notices(sharer, next, due + DAY).await.unwrap(), None, "all are sent");
    }
}

#[tokio::test]
async fn full_list_counts_further_notices() {
    let stack = Stack::get().await;
    for table in tables(&stack).await {
        let log = ShareLog::beside(&table, &stack.info.log_table_name);
        let share = unsaved_share();
        let sharer = SharerKey::from_bytes(new_write_id().unwrap().to_bytes());
        let append = async |n: u32| {
            let (notice, entry) = noticed(&share, n);
            let at = share.created_at;
            table.append_with_notice(&log, entry, RETENTION, (&notice, sharer), at).await.unwrap();
        };
        for n in 0..25 {
            append(n).await;
        }
        let (due, claim) = (share.created_at + GATHERED_FOR, new_write_id().unwrap());
        let claimed = table.claim_notices(sharer, claim, due).await.unwrap().unwrap();
        assert_eq!((claimed.listed.len(), claimed.count), (20, 25));
        for n in 25..50 {
            append(n).await;
        }
        table.record_digest_outcome(&claimed, claim, SendOutcome::Sent, due).await.unwrap();
        let rest = table.claim_notices(sharer, claim, due + GATHERED_FOR).await.unwrap().unwrap();
        assert_eq!((rest.listed.len(), rest.count), (20, 25));
    }
}

#[tokio::test]
async fn erased_share_leaves_its_place_in_the_list() {
    let stack = Stack::get().await;
    for table in tables(&stack).await {
        let log = ShareLog::beside(&table, &stack.info.log_table_name);
        let (share, erased) = (unsaved_share(), unsaved_share());
        let sharer = SharerKey::from_bytes(new_write_id().unwrap().to_bytes());
        let forget = || table.forget_notices(sharer, |item, id| *item == erased.item && id == erased.id);
        assert_eq!(forget().await.unwrap(), 0, "no row");
        for (n, share) in (0..).zip([&erased, &share, &erased, &share]) {
            let (notice, entry) = noticed(share, n);
            let now = share.created_at;
            table.append_with_notice(&log, entry, RETENTION, (&notice, sharer), now).await.unwrap();
        }
        assert_eq!(forget().await.unwrap(), 2);
        assert_eq!(forget().await.unwrap(), 0, "already forgotten");
        let (due, claim) = (share.created_at + GATHERED_FOR * 2, new_write_id().unwrap());
        let claimed = table.claim_notices(sharer, claim, due).await.unwrap().unwrap();
        let listed: Vec<_> = claimed.listed.iter().map(|notice| Some(notice.as_ref()?.share)).collect();
        assert_eq!(listed, [None, Some(share.id), None, Some(share.id)]);
        assert_eq!(claimed.count, 4);

        // A digest that is being sent removes the places, too, and nothing else.
        let (notice, entry) = noticed(&erased, 4);
        table.append_with_notice(&log, entry, RETENTION, (&notice, sharer), due).await.unwrap();
        table.record_digest_outcome(&claimed, claim, SendOutcome::Sent, due).await.unwrap();
        let rest = table.claim_notices(sharer, new_write_id().unwrap(), due + GATHERED_FOR).await;
        assert_eq!(rest.unwrap().unwrap().listed, [Some(notice)]);
    }
}

/// A share that was purged, and that another sharer created again, has the same id.
#[tokio::test]
async fn only_the_sharers_own_shares_are_read_for_a_digest() {
    let stack = Stack::get().await;
    for table in tables(&stack).await {
        let share = saved_share(&table).await;
        let own = index_hashes(&share).sharer;
        for sharer in [own, SharerKey::from_bytes(new_write_id().unwrap().to_bytes())] {
            let (notice, _) = noticed(&share, 0);
            let pending = Pending { due: share.created_at, tries: 1 };
            let (listed, since) = (vec![None, Some(notice)], share.created_at);
            let notices = PendingNotices { sharer, listed, count: 2, since, pending };
            let read = table.read_noticed_shares(&notices).await.unwrap();
            assert_eq!(read.len(), usize::from(sharer == own));
        }
    }
}

#[tokio::test]
async fn concurrent_notices_are_all_counted() {
    let stack = Stack::get().await;
    for table in tables(&stack).await {
        let log = ShareLog::beside(&table, &stack.info.log_table_name);
        let share = unsaved_share();
        let sharer = SharerKey::from_bytes(new_write_id().unwrap().to_bytes());
        let append = |n: u32| {
            let (table, log, share) = (&table, &log, &share);
            async move {
                let (notice, entry) = noticed(share, n / 2);
                let at = share.created_at;
                table.append_with_notice(log, entry, RETENTION, (&notice, sharer), at).await.unwrap();
            }
        };
        join_all((0..20).map(append)).await;
        let due = share.created_at + GATHERED_FOR;
        let claimed = table.claim_notices(sharer, new_write_id().unwrap(), due).await.unwrap().unwrap();
        assert_eq!((claimed.listed.len(), claimed.count), (10, 10), "each entry is appended twice");
    }
}

fn pending(share: &Share) -> Option<Pending> {
    share.queued().map(|queued| queued.pending)
}

/// Changes a share's reminder, as its sharer does.
async fn request_reminder(
    table: &ShareTable,
    share: &Share,
    days: u64,
    at: DateTime<Utc>,
) -> Result<Share, ChangeError<ChangeExpirationError>> {
    let days = ReminderDays::try_from(days).unwrap();
    let requested = RequestedChanges { reminder: Some(days), ..RequestedChanges::default() };
    let decide = |share: &Share| {
        let (action, rules) = (action(at), ShareRules::default());
        share.with_changes(requested, &action, ExpectedVersion::Any, false, &rules)
    };
    table.change(&share.item, share.id, RETENTION, new_write_id().unwrap(), decide).await
}

/// Returns only dynoxide, because the deployed function would send a pending email in the deployed table.
async fn table_without_sender(stack: &Stack) -> ShareTable {
    let [_, table] = tables(stack).await;
    table
}

/// Stores a share for ten days with a pending email, and a reminder unless `days` is 0.
async fn create_with_reminder(table: &ShareTable, days: u64, now: DateTime<Utc>) -> Share {
    let builder = share_builder(&new_item(), DAY * 10, now).recipient(&address("ann")).reminder(days);
    let share = Share { mail: Mail::queued(now), ..builder.build() };
    create(table, &share).await;
    share
}

/// Stores a share for ten days whose email was sent, and claims its reminder when it is due.
async fn claimed_reminder(table: &ShareTable, now: DateTime<Utc>) -> (WriteId, Share) {
    let share = create_with_reminder(table, 3, now).await;
    let (write, claimed) = claim(table, &share, now).await.unwrap();
    table.record_send_outcome(&claimed, write, SendOutcome::Sent, now).await.unwrap();
    let (write, claimed) = claim(table, &share, now + DAY * 7).await.unwrap();
    assert_eq!(claimed.queued().unwrap().kind, MailKind::Reminder);
    (write, claimed)
}

/// The sender has claimed the email, and the sharer changes the reminder before the outcome is recorded.
#[tokio::test]
async fn reminder_that_changes_while_the_email_is_sent_follows_the_change() {
    let stack = Stack::get().await;
    let table = table_without_sender(&stack).await;
    for (before, after, due_day) in [(3, 0, None), (0, 3, Some(7)), (3, 5, Some(5)), (5, 3, Some(7))] {
        for outcome in [SendOutcome::Sent, SendOutcome::Failed(MailReason::Rejected)] {
            let now = now();
            let share = create_with_reminder(&table, before, now).await;
            let (write, claimed) = claim(&table, &share, now).await.unwrap();
            request_reminder(&table, &share, after, now).await.unwrap();
            for _ in 0..2 {
                table.record_send_outcome(&claimed, write, outcome, now).await.unwrap();
            }
            let stored = read(&table, &share).await.unwrap();
            let is_sent = outcome == SendOutcome::Sent;
            assert_eq!(stored.mail.state == MailState::Sent, is_sent);
            let due = due_day.filter(|_| is_sent).map(|day| now + DAY * day);
            assert_eq!(pending(&stored).map(|pending| pending.due), due, "{before} to {after}");
        }
    }
}

#[tokio::test]
async fn expiration_that_changes_while_the_email_is_sent_moves_the_reminder() {
    let stack = Stack::get().await;
    let table = table_without_sender(&stack).await;
    for (expires, is_reminded) in [(20, true), (6, true), (2, false)] {
        let now = now();
        let share = create_with_reminder(&table, 3, now).await;
        let (write, claimed) = claim(&table, &share, now).await.unwrap();
        change_expiration(&table, &share, expiry_in(DAY * expires), ExpectedVersion::Any).await.unwrap();
        table.record_send_outcome(&claimed, write, SendOutcome::Sent, now).await.unwrap();
        let stored = read(&table, &share).await.unwrap();
        assert_eq!(stored.mail.state, MailState::Sent);
        let due = is_reminded.then_some(stored.expires_at - DAY * 3);
        assert_eq!(pending(&stored).map(|pending| pending.due), due, "{expires} days");
    }
}

/// SES reports on the email before its sender records the outcome, and the sharer changes the reminder.
#[tokio::test(flavor = "multi_thread")]
async fn report_follows_a_changed_reminder() {
    let stack = Stack::get().await;
    let table = table_without_sender(&stack).await;
    for (before, after) in [(3, 0), (0, 3)] {
        let now = now();
        let share = create_with_reminder(&table, before, now).await;
        let (write, claimed) = claim(&table, &share, now).await.unwrap();
        let is_first = AtomicBool::new(true);
        // The reminder changes between the first decision and its write.
        let decide = |current: &Share| {
            if is_first.swap(false, Ordering::Relaxed) {
                let change = request_reminder(&table, &share, after, now);
                block_in_place(|| Handle::current().block_on(change)).unwrap();
            }
            current.with_delivery_report(&EmailId::of(&share), DeliveryEvent::Delivered, now)
        };
        let applied = table.apply_report(&share.item, share.id, new_write_id().unwrap(), decide).await;
        assert_eq!(applied, Ok(true));
        table.record_send_outcome(&claimed, write, SendOutcome::Sent, now).await.unwrap();
        let stored = read(&table, &share).await.unwrap();
        assert_eq!(stored.mail.state, MailState::Delivered, "the report came first");
        assert_eq!(stored.queued().is_some(), after > 0);
    }
}

/// The sender has claimed the reminder. A change that ends its place in the outbox also ends the claim.
#[tokio::test]
async fn outcome_of_a_replaced_reminder_is_not_recorded() {
    let stack = Stack::get().await;
    let table = table_without_sender(&stack).await;
    for case in ["canceled", "asked again", "renewed", "renewed silently", "resent", "bounced"] {
        let now = now();
        let due = now + DAY * 7;
        let (write, claimed) = claimed_reminder(&table, now).await;
        let (item, id) = (&claimed.item, claimed.id);
        match case {
            "canceled" => drop(request_reminder(&table, &claimed, 0, due).await.unwrap()),
            "asked again" => drop(request_reminder(&table, &claimed, 2, due).await.unwrap()),
            "renewed" | "renewed silently" => {
                let notify = case == "renewed";
                let renewal = Renewal { generation: new_generation().unwrap(), expiry: None, notify };
                let change = (renewal, ExpectedVersion::Any);
                let renewed =
                    table::renew(&table, item, id, change, &action(due), new_write_id().unwrap()).await;
                drop(renewed.unwrap());
            }
            "resent" => {
                let resent = table::resend(&table, item, id, &action(due), new_write_id().unwrap()).await;
                drop(resent.unwrap());
            }
            _ => {
                let event = DeliveryEvent::Bounced(Bounce::new("Permanent", "NoEmail"));
                let decide = |share: &Share| share.with_delivery_report(&EmailId::of(&claimed), event, due);
                let applied = table.apply_report(item, id, new_write_id().unwrap(), decide).await;
                assert_eq!(applied, Ok(true));
            }
        }
        let changed = read(&table, &claimed).await;
        let deferred = SendOutcome::Deferred { until: due + DAY, fault: Fault::Throttled };
        for outcome in [SendOutcome::Sent, deferred, SendOutcome::Failed(MailReason::Rejected)] {
            table.record_send_outcome(&claimed, write, outcome, due).await.unwrap();
            assert_eq!(read(&table, &claimed).await, changed, "{case}");
        }
    }
}

/// A change that leaves the reminder in its place leaves the claim.
#[tokio::test]
async fn outcome_of_a_reminder_is_recorded_after_other_changes() {
    let stack = Stack::get().await;
    let table = table_without_sender(&stack).await;
    for case in ["extended", "shortened", "revoked", "stopped", "downloaded", "delivered"] {
        let now = now();
        let due = now + DAY * 7;
        let (write, claimed) = claimed_reminder(&table, now).await;
        match case {
            "extended" | "shortened" => {
                let life = DAY * if case == "extended" { 20 } else { 8 };
                change_expiration(&table, &claimed, expiry_in(life), ExpectedVersion::Any).await.unwrap();
            }
            "revoked" => drop(revoke(&table, &claimed, new_write_id().unwrap()).await.unwrap()),
            "stopped" => drop(table.choose_emails(&Link::of(&claimed), false, due).await.unwrap()),
            "downloaded" => {
                drop(redeem(&table, &Link::of(&claimed), new_write_id().unwrap()).await.unwrap());
            }
            _ => {
                let decide = |share: &Share| {
                    share.with_delivery_report(&EmailId::of(&claimed), DeliveryEvent::Delivered, due)
                };
                let applied =
                    table.apply_report(&claimed.item, claimed.id, new_write_id().unwrap(), decide).await;
                assert_eq!(applied, Ok(true));
            }
        }
        table.record_send_outcome(&claimed, write, SendOutcome::Sent, due).await.unwrap();
        let stored = read(&table, &claimed).await.unwrap();
        assert_eq!(stored.reminder.unwrap().state, ReminderState::Sent { at: due }, "{case}");
        assert_eq!(stored.queued(), None, "{case}");
    }
}

/// The reminder was held until the end of an extension that was undone before.
#[tokio::test]
async fn held_reminder_of_a_changed_share_is_due_at_once() {
    let stack = Stack::get().await;
    let table = table_without_sender(&stack).await;
    let now = now();
    let due = now + DAY * 7;
    let (write, claimed) = claimed_reminder(&table, now).await;
    change_expiration(&table, &claimed, expiry_in(DAY * 9), ExpectedVersion::Any).await.unwrap();
    let held = SendOutcome::Held { until: due + DAY * 10 };
    table.record_send_outcome(&claimed, write, held, due).await.unwrap();
    assert_eq!(pending(&read(&table, &claimed).await.unwrap()), Some(Pending { due, tries: 0 }));
}

/// A retry by the SDK meets a share that its first attempt has changed.
#[tokio::test]
async fn outcome_is_recorded_once() {
    let stack = Stack::get().await;
    let table = table_without_sender(&stack).await;
    let now = now();
    let share = create_with_reminder(&table, 3, now).await;
    let (write, claimed) = claim(&table, &share, now).await.unwrap();
    table.record_send_outcome(&claimed, write, SendOutcome::Sent, now).await.unwrap();
    let canceled = request_reminder(&table, &share, 0, now).await.unwrap();
    let planned = request_reminder(&table, &share, 5, now).await.unwrap();
    assert_eq!((pending(&canceled), pending(&planned).unwrap().due), (None, now + DAY * 5));
    table.record_send_outcome(&claimed, write, SendOutcome::Sent, now).await.unwrap();
    assert_eq!(read(&table, &share).await, Some(planned));
}

#[tokio::test]
async fn repeated_or_impossible_request_for_a_reminder_writes_nothing() {
    let stack = Stack::get().await;
    let table = table_without_sender(&stack).await;
    let now = now();
    let share = create_with_reminder(&table, 3, now).await;
    let planned = request_reminder(&table, &share, 5, now).await.unwrap();
    assert_eq!(request_reminder(&table, &share, 5, now).await.unwrap(), planned);
    let refused = request_reminder(&table, &share, 10, now).await;
    assert_eq!(refused, Err(ChangeError::Refused(ReminderError::TimePassed.into())));
    assert_eq!(read(&table, &share).await, Some(planned));
}

#[tokio::test]
async fn reminder_takes_the_place_of_the_email() {
    let stack = Stack::get().await;
    for table in tables(&stack).await {
        let now = now();
        let builder = share_builder(&new_item(), DAY * 10, now).recipient(&address("ann")).reminder(3);
        let queued = Share { mail: Mail::queued(now), ..builder.build() };
        let share = queued.after_sending(SendOutcome::Sent, now);
        create(&table, &share).await;
        assert_eq!(read(&table, &share).await, Some(share.clone()));
        let due = now + DAY * 7;
        let claim = new_write_id().unwrap();
        let claimed = table.claim_email(&share.item, share.id, None, claim, due).await.unwrap().unwrap().0;
        assert_eq!(claimed.queued().unwrap().kind, MailKind::Reminder);
        // An extension in between leaves the claim, so that the reminder is recorded as sent.
        let extended =
            change_expiration(&table, &share, expiry_in(DAY * 30), ExpectedVersion::Any).await.unwrap();
        assert_eq!(pending(&extended), pending(&claimed));
        table.record_send_outcome(&claimed, claim, SendOutcome::Sent, due).await.unwrap();
        let sent = read(&table, &share).await.unwrap();
        assert_eq!(sent.reminder.unwrap().state, ReminderState::Sent { at: due });
        assert_eq!((sent.queued(), sent.expires_at), (None, extended.expires_at));
        // The sharer asks again.
        let again = request_reminder(&table, &share, 1, due).await.unwrap();
        assert_eq!(again.queued().unwrap().pending.due, extended.expires_at - DAY);
        assert_eq!((again.version, again.changed), (extended.version, extended.changed));
    }
}
