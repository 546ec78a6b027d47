//! Tests the DynamoDB adapter against two implementations of DynamoDB's API: the emulator, and an in-process
//! dynoxide with a copy of the deployed table.

use std::cmp::Reverse;
use std::num::NonZeroUsize;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::{join, join_all};
use futures_util::stream::{StreamExt, iter};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use sharelink_aws::share_table::{Creation, ShareLog, ShareTable, StatusFilter};
use sharelink_aws::{ChangeError, new_generation, new_write_id};
use sharelink_domain::access::{DownloadError, Target};
use sharelink_domain::expiry::RequestedExpiry;
use sharelink_domain::history::{FailedDownload, LinkUse, Usage};
use sharelink_domain::link::Link;
use sharelink_domain::log::{self, LogEvent};
use sharelink_domain::sending::{Fault, SendOutcome};
use sharelink_domain::share::{ChangeExpirationError, ExpectedVersion};
use sharelink_domain::testing::permitted;
use sharelink_domain::{Item, Mail, MailState, Share, ShareId, Title, UseSource, WriteId, mail};

use crate::support::fixtures::{
    RETENTION, action, index_hashes, new_item, new_share, new_share_of_files, now,
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
    table.record_send_outcome(&share, *first, SendOutcome::Failed("x"), later).await.unwrap();

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
