//! The adapter to DynamoDB, against two implementations of its protocol: the emulator, and dynoxide in
//! process, whose table is made like the deployed one.

use std::convert::Infallible;
use std::num::NonZeroUsize;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::{join, join_all};
use futures_util::stream::{StreamExt, iter};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use sharelink_aws::share_table::{Creation, ShareTable, StatusFilter};
use sharelink_aws::{new_generation, new_write_id};
use sharelink_domain::expiry::RequestedExpiry;
use sharelink_domain::link::Link;
use sharelink_domain::mail::{Fault, SendOutcome};
use sharelink_domain::request::ShareRequest;
use sharelink_domain::share::{ChangeError, ExpectedVersion, Target, WriteId};
use sharelink_domain::{Action, Expiry, Item, MailState, Share, SharedFile, Sharer, mail};

use crate::support::{Aws, Proxy, Stack, address, rfc3339, unique};

pub(crate) const RETENTION: TimeDelta = TimeDelta::days(30);

/// The same table twice.
async fn tables(stack: &Stack) -> [ShareTable; 2] {
    let emulator = Aws::of(stack);
    let name = &stack.info.table_name;
    let dynoxide = emulator.dynoxide().await;
    [ShareTable::new(emulator.config(), name), ShareTable::new(&dynoxide, name)]
}

pub(crate) fn new_item() -> Item {
    Item { module: "jobs".parse().unwrap(), name: unique("row").parse().unwrap() }
}

fn sharer() -> Sharer {
    Sharer { sub: "u1".into(), name: Some("Ann".into()), email: Some("ann@example.com".parse().unwrap()) }
}

fn action() -> Action {
    Action { by: sharer(), at: now() }
}

fn now() -> DateTime<Utc> {
    sharelink_domain::to_millis(Utc::now())
}

pub(crate) fn share(
    item: &Item,
    recipient: &str,
    files: usize,
    expires_in: TimeDelta,
    now: DateTime<Utc>,
) -> Share {
    let file = |n| SharedFile { name: format!("{n}.txt").parse().unwrap(), size: n };
    ShareRequest {
        item: item.clone(),
        files: (1..=files as u64).map(file).collect(),
        sharer: sharer(),
        message: None,
        expiry: Expiry::parse(&rfc3339(now + expires_in), now).unwrap(),
        // Written straight to the table: the deployed function must not mail these.
        notify: false,
    }
    .share_with(recipient.parse().unwrap(), new_generation().unwrap(), now)
}

#[tokio::test]
async fn a_share_reads_back_as_it_was_written() {
    let stack = Stack::get().await;
    for table in tables(&stack).await {
        let share = share(&new_item(), &address("ann"), 3, TimeDelta::days(1), now());
        assert_eq!(table.create(&share, RETENTION, new_write_id().unwrap()).await, Ok(Creation::Created));
        assert_eq!(table.get(&share.item, share.id).await, Ok(Some(share)));
    }
}

#[tokio::test]
async fn of_racing_creates_one_wins_and_the_others_meet_it() {
    let stack = Stack::get().await;
    for table in tables(&stack).await {
        let (item, recipient) = (new_item(), address("ann"));
        let create = |_| async {
            let share = share(&item, &recipient, 1, TimeDelta::days(1), now());
            (share.generation, table.create(&share, RETENTION, new_write_id().unwrap()).await.unwrap())
        };
        let created = join_all((0..20).map(create)).await;
        let winners: Vec<_> = created.iter().filter(|(_, creation)| *creation == Creation::Created).collect();
        assert_eq!(winners.len(), 1);
        for (_, creation) in &created {
            if let Creation::Exists(existing) = creation {
                assert_eq!(existing.generation, winners[0].0);
            }
        }
    }
}

#[tokio::test]
async fn a_create_that_meets_its_own_first_attempt_has_succeeded() {
    let stack = Stack::get().await;
    for table in tables(&stack).await {
        let share = share(&new_item(), &address("ann"), 1, TimeDelta::days(1), now());
        let write = new_write_id().unwrap();
        assert_eq!(table.create(&share, RETENTION, write).await, Ok(Creation::Created));
        assert_eq!(table.create(&share, RETENTION, write).await, Ok(Creation::Retried));
        let another = table.create(&share, RETENTION, new_write_id().unwrap()).await;
        assert_eq!(another, Ok(Creation::Exists(Box::new(share))));
    }
}

async fn revoke(table: &ShareTable, share: &Share, write: WriteId) -> Option<Share> {
    let revoke = |share: &Share| Ok::<_, Infallible>(share.revoked(&action()));
    let revoked = table.change(&share.item, share.id, RETENTION, write, revoke).await.unwrap();
    revoked.map(|Ok(share)| share)
}

#[tokio::test]
async fn racing_revocations_leave_one_revocation() {
    let stack = Stack::get().await;
    for table in tables(&stack).await {
        let share = share(&new_item(), &address("ann"), 1, TimeDelta::days(1), now());
        assert_eq!(revoke(&table, &share, new_write_id().unwrap()).await, None);
        table.create(&share, RETENTION, new_write_id().unwrap()).await.unwrap();
        let revoked = join_all((0..10).map(|_| revoke(&table, &share, new_write_id().unwrap()))).await;
        let stored = table.get(&share.item, share.id).await.unwrap();
        assert_eq!(stored.as_ref().unwrap().version, 2);
        for answer in revoked {
            assert_eq!(answer, stored);
        }
    }
}

#[tokio::test]
async fn a_change_whose_answer_was_lost_is_made_once_whatever_came_after_it() {
    let stack = Stack::get().await;
    for table in tables(&stack).await {
        let share = share(&new_item(), &address("ann"), 1, TimeDelta::days(1), now());
        table.create(&share, RETENTION, new_write_id().unwrap()).await.unwrap();
        let write = new_write_id().unwrap();
        assert_eq!(revoke(&table, &share, write).await.unwrap().version, 2);
        let expiry: RequestedExpiry = rfc3339(now() + TimeDelta::days(5)).parse().unwrap();
        let reactivate = |share: &Share| share.with_expiration(expiry, &action(), ExpectedVersion::Any);
        let reactivated =
            table.change(&share.item, share.id, RETENTION, new_write_id().unwrap(), reactivate).await;
        assert_eq!(reactivated.unwrap().unwrap().unwrap().version, 3);
        // The SDK sends the revocation again: it was made, and undone since.
        let again = revoke(&table, &share, write).await.unwrap();
        assert_eq!((again.version, again.revoked_at), (3, None));
    }
}

#[tokio::test]
async fn a_change_and_a_revocation_at_once_are_never_half_of_each() {
    let stack = Stack::get().await;
    for table in tables(&stack).await {
        for _ in 0..50 {
            let share = share(&new_item(), &address("ann"), 1, TimeDelta::days(1), now());
            table.create(&share, RETENTION, new_write_id().unwrap()).await.unwrap();
            let expiry: RequestedExpiry = rfc3339(now() + TimeDelta::days(5)).parse().unwrap();
            let change =
                |share: &Share| share.with_expiration(expiry, &action(), ExpectedVersion::Exactly(1));
            let change = table.change(&share.item, share.id, RETENTION, new_write_id().unwrap(), change);
            let (changed, revoked) = join(change, revoke(&table, &share, new_write_id().unwrap())).await;

            let stored = table.get(&share.item, share.id).await.unwrap().unwrap();
            assert!(revoked.unwrap().revoked_at.is_some() && stored.revoked_at.is_some());
            match changed.unwrap().unwrap() {
                // Changed, then revoked.
                Ok(_) => assert_eq!((stored.expires_at, stored.version), (expiry.at(), 3)),
                // Revoked; the change had been decided on another version.
                Err(error) => {
                    assert_eq!(error, ChangeError::Stale);
                    assert_eq!((stored.expires_at, stored.version), (share.expires_at, 2));
                }
            }
        }
    }
}

#[tokio::test]
async fn a_use_is_counted_once_even_when_its_answer_was_lost() {
    let stack = Stack::get().await;
    for table in tables(&stack).await {
        let share = share(&new_item(), &address("ann"), 1, TimeDelta::days(1), now());
        table.create(&share, RETENTION, new_write_id().unwrap()).await.unwrap();
        let (link, write) = (Link::of(&share), new_write_id().unwrap());
        for _ in 0..3 {
            let used = table.redeem(&link, Target::Link, write, now()).await.unwrap().unwrap();
            assert!(used.redeem(link.generation, Target::Link, now()).is_ok());
            assert_eq!((used.usage.opens, used.usage.downloads), (1, 1));
        }
        // Not even when others came in between.
        for _ in 0..3 {
            table.redeem(&link, Target::Link, new_write_id().unwrap(), now()).await.unwrap();
        }
        let used = table.redeem(&link, Target::Link, write, now()).await.unwrap().unwrap();
        assert_eq!((used.usage.opens, used.usage.downloads), (4, 4));
    }
}

#[tokio::test]
async fn the_table_counts_a_use_exactly_where_the_domain_gives_access() {
    let stack = Stack::get().await;
    // 60 cases from proptest's generators, which cannot drive async tests themselves.
    let cases = (1_usize..4, 0_usize..5, -3_000_i64..3_000, any::<bool>(), any::<bool>());
    let mut runner = TestRunner::deterministic();
    for table in tables(&stack).await {
        for _ in 0..60 {
            let (files, target, offset, revoked, other_generation) =
                cases.new_tree(&mut runner).unwrap().current();
            let target = NonZeroUsize::new(target).map_or(Target::Link, Target::File);
            let share = share(&new_item(), &address("ann"), files, TimeDelta::hours(1), now());
            table.create(&share, RETENTION, new_write_id().unwrap()).await.unwrap();
            if revoked {
                revoke(&table, &share, new_write_id().unwrap()).await.unwrap();
            }
            let mut link = Link::of(&share);
            if other_generation {
                link.generation = new_generation().unwrap();
            }
            let at = share.expires_at + TimeDelta::milliseconds(offset);
            let used = table.redeem(&link, target, new_write_id().unwrap(), at).await.unwrap().unwrap();

            let given = used.redeem(link.generation, target, at).is_ok();
            let counted = used.usage.last_at.is_some();
            assert_eq!(
                given, counted,
                "{files} files, {target:?}, {offset} ms, {revoked}, {other_generation}"
            );
            let expected = match target {
                Target::Link if given => (1, u64::from(files == 1)),
                Target::File(_) if given => (0, 1),
                _ => (0, 0),
            };
            assert_eq!((used.usage.opens, used.usage.downloads), expected);
        }
    }
}

#[tokio::test]
async fn a_late_use_does_not_bring_a_purged_share_back() {
    let stack = Stack::get().await;
    for table in tables(&stack).await {
        let share = share(&new_item(), &address("ann"), 1, TimeDelta::days(1), now());
        let used = table.redeem(&Link::of(&share), Target::Link, new_write_id().unwrap(), now()).await;
        assert_eq!(used, Ok(None));
        assert_eq!(table.get(&share.item, share.id).await, Ok(None));
    }
}

#[tokio::test]
async fn an_email_has_one_sender_at_a_time() {
    let stack = Stack::get().await;
    // Not in the deployed table, whose own sender would join in.
    let [_, table] = tables(&stack).await;
    let mut share = share(&new_item(), &address("ann"), 1, TimeDelta::days(1), now());
    share.mail = sharelink_domain::Mail::queued(share.created_at);
    table.create(&share, RETENTION, new_write_id().unwrap()).await.unwrap();
    let key = "k1".parse().unwrap();
    let claim = |at| {
        let (table, share, key) = (&table, &share, &key);
        async move {
            let write = new_write_id().unwrap();
            table
                .claim_email(&share.item, share.id, Some(key), write, at)
                .await
                .unwrap()
                .map(|claimed| (write, claimed))
        }
    };

    let claims: Vec<_> = join_all((0..10).map(|_| claim(now()))).await.into_iter().flatten().collect();
    assert_eq!(claims.len(), 1);
    let (first, claimed) = &claims[0];
    assert_eq!((claimed.mail.pending().unwrap().tries, claimed.link_key.as_ref()), (1, Some(&key)));
    // It crashed: once its lease is over, the next one has it, and the first one's word counts no more.
    let later = now() + mail::LEASE;
    let (second, _) = claim(later).await.unwrap();
    table.record_send_outcome(&share, *first, SendOutcome::Failed("x"), later).await.unwrap();
    let until = later + TimeDelta::minutes(2);
    table
        .record_send_outcome(&share, second, SendOutcome::Deferred { until, fault: Fault::Throttled }, later)
        .await
        .unwrap();
    assert!(claim(later).await.is_none());
    let (third, claimed) = claim(until).await.unwrap();
    assert_eq!(claimed.mail.pending().unwrap().tries, 3);
    table.record_send_outcome(&share, third, SendOutcome::Sent, later).await.unwrap();

    let sent = table.get(&share.item, share.id).await.unwrap().unwrap();
    assert_eq!(sent.mail.state, MailState::Sent);
    assert_eq!(sent.version, 1);
    assert!(claim(later + TimeDelta::days(1)).await.is_none());
}

#[tokio::test]
async fn pages_are_full_and_complete_however_the_tabs_mix() {
    let stack = Stack::get().await;
    for table in tables(&stack).await {
        let (item, start) = (new_item(), now());
        let mut ids = Vec::new();
        for i in 0..40 {
            // Every tenth is active; all the others have expired by then.
            let life = if i % 10 == 0 { TimeDelta::days(9) } else { TimeDelta::days(1) };
            let share = share(&item, &address("r"), 1, life, start + TimeDelta::milliseconds(i / 2));
            table.create(&share, RETENTION, new_write_id().unwrap()).await.unwrap();
            ids.push(share.id);
        }
        let then = start + TimeDelta::days(2);
        let (mut cursor, mut seen, mut sizes) = (None, Vec::new(), Vec::new());
        loop {
            let page = table.list(&item, Some(StatusFilter::Active), 3, cursor.as_ref(), then).await.unwrap();
            sizes.push(page.shares.len());
            seen.extend(page.shares.iter().map(|share| share.id));
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(sizes, [3, 1]);
        assert_eq!(seen, [ids[30], ids[20], ids[10], ids[0]]);
        let all = table.list(&item, None, 100, None, then).await.unwrap();
        assert_eq!((all.shares.len(), all.next), (40, None));
        assert!(all.shares.is_sorted_by_key(|share| std::cmp::Reverse(share.created_at)));
    }
}

#[tokio::test]
async fn a_page_that_lacks_one_share_does_not_look_for_it_in_small_steps() {
    let stack = Stack::get().await;
    let aws = Aws::of(&stack);
    let proxy = Proxy::before(&stack.info.aws_endpoint_url).await;
    let config = aws.config().to_builder().endpoint_url(&proxy.url).build();
    let table = ShareTable::new(&config, &stack.info.table_name);
    // The newest fill a page exactly, and all the older ones are on the other tab.
    let (item, start) = (new_item(), now());
    let create = |i: i64| {
        let life = if i >= 600 { TimeDelta::days(9) } else { TimeDelta::days(1) };
        let share = share(&item, &address("r"), 1, life, start + TimeDelta::milliseconds(i));
        let table = &table;
        async move { table.create(&share, RETENTION, new_write_id().unwrap()).await.unwrap() }
    };
    iter(0..620).map(create).buffer_unordered(16).collect::<Vec<_>>().await;
    proxy.calls(&[""]);
    let page =
        table.list(&item, Some(StatusFilter::Active), 20, None, start + TimeDelta::days(2)).await.unwrap();
    assert_eq!((page.shares.len(), page.next), (20, None));
    // 21, 42, 84, 168, 336: five queries pass over 620 entries.
    assert_eq!(proxy.calls(&["DynamoDB_20120810.Query"]), 5);
}
