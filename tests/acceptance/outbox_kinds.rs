//! The faults of `outbox.rs`, for reminders and digests: how often each is sent. One outbox sends every kind.

use std::sync::Arc;

use chrono::TimeDelta;
use futures_util::future::join;
use serde_json::json;
use sharelink_domain::mail::{LEASE, OVERDUE_AFTER};
use sharelink_domain::sending::GIVE_UP_AFTER;
use tokio::sync::oneshot;

use crate::notices::{bounce, new_sharer, shared_by};
use crate::support::fixtures::share_builder;
use crate::support::proxy::Fault;
use crate::support::{Stack, World, address, emails_to, within_minutes};

/// The URL path of SES's `SendEmail`.
const SEND: &str = "/v2/email/outbound-emails";

/// Something that is overdue in the outbox.
struct Due {
    kind: Kind,
    to: String,
    /// The number of emails that the address got before.
    before: usize,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Reminder,
    Digest,
}

const KINDS: [Kind; 2] = [Kind::Reminder, Kind::Digest];

impl Due {
    async fn new(kind: Kind, world: &mut World<'_>) -> Self {
        Self::batch(kind, 1, world).await.remove(0)
    }

    /// Returns `count` of a kind, each to another address.
    async fn batch(kind: Kind, count: usize, world: &mut World<'_>) -> Vec<Self> {
        let mut batch = Vec::new();
        match kind {
            Kind::Reminder => {
                for _ in 0..count {
                    let life = TimeDelta::days(30);
                    let builder = share_builder(&world.item, life, world.now()).notify(true).reminder(10);
                    let share = world.store(builder.recipient(&address("ann")).build()).await;
                    batch.push(Self { kind, to: share.recipient.to_string(), before: 1 });
                }
                world.run_notify().await;
                world.advance(TimeDelta::days(20) + OVERDUE_AFTER);
            }
            Kind::Digest => {
                let mut bounces = Vec::new();
                for _ in 0..count {
                    let sharer = new_sharer();
                    bounces.push(shared_by(world, &sharer).await);
                    batch.push(Self { kind, to: sharer.email.unwrap().to_string(), before: 0 });
                }
                world.run_notify().await;
                for share in &bounces {
                    bounce(world, share).await;
                }
                world.run_sweep().await;
                world.advance(TimeDelta::minutes(10) + OVERDUE_AFTER);
            }
        }
        batch
    }

    #[track_caller]
    fn assert_sent(&self, sent: usize, expected: usize) {
        assert_eq!(sent, expected, "{:?}", self.kind);
    }

    async fn sent(&self, world: &World<'_>) -> usize {
        emails_to(world.stack, &self.to).await.len() - self.before
    }
}

/// Runs the schedule, and kills the sender when the notice arrives.
async fn crash_on(notice: oneshot::Receiver<()>, world: &World<'_>) {
    let function = Arc::clone(&world.notify.function);
    let kill = async {
        notice.await.unwrap();
        function.kill();
    };
    let _ = within_minutes(1, join(world.run_schedule(), kill)).await;
}

#[tokio::test]
async fn crash_before_sending_delays_by_a_lease() {
    let stack = Stack::get().await;
    for kind in KINDS {
        let mut world = World::new(&stack).await;
        let due = Due::new(kind, &mut world).await;
        let (notice, reached) = oneshot::channel();
        world.ses.inject_once(&[SEND], Fault::HoldRequest(notice));
        crash_on(reached, &world).await;
        world.run_minutes(1).await;
        due.assert_sent(due.sent(&world).await, 0);
        world.advance(LEASE);
        world.run_minutes(10).await;
        due.assert_sent(due.sent(&world).await, 1);
    }
}

#[tokio::test]
async fn crash_between_sending_and_recording_sends_twice() {
    let stack = Stack::get().await;
    for kind in KINDS {
        let mut world = World::new(&stack).await;
        let due = Due::new(kind, &mut world).await;
        let (notice, reached) = oneshot::channel();
        world.ses.inject_once(&[SEND], Fault::HoldResponse(notice));
        crash_on(reached, &world).await;
        due.assert_sent(due.sent(&world).await, 1);
        world.advance(LEASE);
        world.run_minutes(15).await;
        due.assert_sent(due.sent(&world).await, 2);
    }
}

#[tokio::test]
async fn lost_ses_response_sends_twice() {
    let stack = Stack::get().await;
    for kind in KINDS {
        let mut world = World::new(&stack).await;
        let due = Due::new(kind, &mut world).await;
        world.ses.lose_responses(1, &[SEND]);
        world.run_minutes(15).await;
        due.assert_sent(due.sent(&world).await, 2);
    }
}

#[tokio::test]
async fn transient_faults_of_ses_defer() {
    let stack = Stack::get().await;
    let faults: [fn() -> Fault; 4] = [
        || Fault::Respond(429, "TooManyRequestsException", "Maximum sending rate exceeded."),
        || Fault::Respond(429, "TooManyRequestsException", "Daily message quota exceeded."),
        || Fault::Respond(400, "SendingPausedException", "Sending is paused for this account."),
        || Fault::Disconnect,
    ];
    for kind in KINDS {
        for fault in faults {
            let mut world = World::new(&stack).await;
            let due = Due::new(kind, &mut world).await;
            world.ses.set_fault_policy(move |call| call.contains(SEND).then(fault));
            world.run_minutes(5).await;
            due.assert_sent(due.sent(&world).await, 0);
            world.ses.clear_faults();
            world.run_minutes(20).await;
            due.assert_sent(due.sent(&world).await, 1);
        }
    }
}

#[tokio::test]
async fn outage_of_two_days_loses_nothing() {
    let stack = Stack::get().await;
    for kind in KINDS {
        let mut world = World::new(&stack).await;
        let due = Due::new(kind, &mut world).await;
        world.ses.set_fault_policy(|call| call.contains(SEND).then_some(Fault::Disconnect));
        for _ in 0..48 {
            world.advance(TimeDelta::hours(1));
            world.run_schedule().await.unwrap();
        }
        due.assert_sent(due.sent(&world).await, 0);
        world.ses.clear_faults();
        world.run_minutes(70).await;
        due.assert_sent(due.sent(&world).await, 1);
    }
}

#[tokio::test]
async fn sender_gives_up_after_days() {
    let stack = Stack::get().await;
    for kind in KINDS {
        let mut world = World::new(&stack).await;
        let due = Due::new(kind, &mut world).await;
        world.ses.set_fault_policy(|call| {
            call.contains(SEND).then_some(Fault::Respond(500, "InternalFailure", "try again"))
        });
        for _ in 0..=GIVE_UP_AFTER.num_hours() + 1 {
            world.advance(TimeDelta::hours(1));
            world.run_schedule().await.unwrap();
        }
        world.ses.clear_faults();
        world.run_minutes(70).await;
        due.assert_sent(due.sent(&world).await, 0);
        let left = world.table.due_emails(world.now() + TimeDelta::days(1)).await.unwrap();
        assert_eq!(left.len(), 0, "{kind:?}");
    }
}

#[tokio::test]
async fn rejected_message_is_not_tried_again() {
    let stack = Stack::get().await;
    for kind in KINDS {
        let mut world = World::new(&stack).await;
        let due = Due::new(kind, &mut world).await;
        world.ses.set_fault_policy(|call| {
            call.contains(SEND).then_some(Fault::Respond(400, "MessageRejected", "no"))
        });
        world.run_minutes(3).await;
        // The share's email was sent before.
        assert_eq!(world.ses.take_call_count(&[SEND]), 2, "{kind:?}");
        world.ses.clear_faults();
        world.run_minutes(20).await;
        due.assert_sent(due.sent(&world).await, 0);
    }
}

#[tokio::test]
async fn faults_of_dynamodb_send_once() {
    let stack = Stack::get().await;
    for kind in KINDS {
        let mut world = World::new(&stack).await;
        let due = Due::new(kind, &mut world).await;
        world.dynamodb.lose_responses(2, &["if_not_exists(mailTries"]);
        world.dynamodb.lose_responses(2, &["mailClaim = :claim"]);
        world.dynamodb.throttle(5, &["mailClaim = :claim"]);
        world.run_minutes(15).await;
        assert_eq!(world.dynamodb.pending_faults(), 0, "{kind:?}");
        due.assert_sent(due.sent(&world).await, 1);
    }
}

/// DynamoDB refuses a plain write while a transaction writes the same row.
#[tokio::test]
async fn conflicts_with_transactions_send_once() {
    let stack = Stack::get().await;
    let conflict = || Some(Fault::Respond(400, "TransactionConflictException", "ongoing"));
    for kind in KINDS {
        let mut world = World::new(&stack).await;
        let due = Due::new(kind, &mut world).await;
        world.dynamodb.inject(3, &["if_not_exists(mailTries"], conflict);
        world.dynamodb.inject(5, &["mailClaim = :claim"], conflict);
        world.run_schedule().await.unwrap();
        assert_eq!(world.dynamodb.pending_faults(), 0, "{kind:?}");
        due.assert_sent(due.sent(&world).await, 1);
        world.run_minutes(15).await;
        due.assert_sent(due.sent(&world).await, 1);
    }
}

/// The conflict outlasts the SDK's retries, so the claim fails, and the next run of the schedule claims
/// again.
#[tokio::test]
async fn long_conflict_delays_by_a_minute() {
    let stack = Stack::get().await;
    let conflict = || Some(Fault::Respond(400, "TransactionConflictException", "ongoing"));
    for kind in KINDS {
        let mut world = World::new(&stack).await;
        let due = Due::new(kind, &mut world).await;
        world.dynamodb.inject(4, &["if_not_exists(mailTries"], conflict);
        world.run_schedule().await.unwrap();
        assert_eq!(world.dynamodb.pending_faults(), 0, "{kind:?}");
        due.assert_sent(due.sent(&world).await, 0);
        world.run_minutes(1).await;
        due.assert_sent(due.sent(&world).await, 1);
    }
}

#[tokio::test]
async fn crash_during_a_batch_loses_nothing() {
    let stack = Stack::get().await;
    for kind in KINDS {
        let mut world = World::new(&stack).await;
        let batch = Due::batch(kind, 8, &mut world).await;
        let (notice, reached) = oneshot::channel();
        world.ses.inject_once(&[SEND, &batch[7].to], Fault::HoldRequest(notice));
        crash_on(reached, &world).await;
        world.advance(LEASE);
        world.run_minutes(10).await;
        for due in &batch {
            let sent = due.sent(&world).await;
            // What was sent but not recorded before the crash is sent again.
            assert!((1..=2).contains(&sent), "{kind:?}: {sent}");
        }
        batch[7].assert_sent(batch[7].sent(&world).await, 1);
    }
}

#[tokio::test]
async fn throttled_emails_are_each_sent_once() {
    let stack = Stack::get().await;
    for kind in KINDS {
        let mut world = World::new(&stack).await;
        let batch = Due::batch(kind, 10, &mut world).await;
        // SES throttles every other call.
        let mut calls = 0;
        world.ses.set_fault_policy(move |call| {
            calls += usize::from(call.contains(SEND));
            let throttled = Fault::Respond(429, "TooManyRequestsException", "Maximum sending rate exceeded.");
            (call.contains(SEND) && calls % 2 == 0).then_some(throttled)
        });
        world.run_schedule().await.unwrap();
        let mut sent = 0;
        for due in &batch {
            sent += due.sent(&world).await;
        }
        assert_eq!(sent, 5, "{kind:?}");
        world.run_minutes(130).await;
        for due in &batch {
            due.assert_sent(due.sent(&world).await, 1);
        }
    }
}

#[tokio::test]
async fn account_wide_fault_stops_all_attempts() {
    let stack = Stack::get().await;
    let faults: [fn() -> Fault; 2] = [
        || Fault::Respond(400, "SendingPausedException", "Sending is paused for this account."),
        || Fault::Respond(429, "TooManyRequestsException", "Daily message quota exceeded."),
    ];
    for kind in KINDS {
        for fault in faults {
            let mut world = World::new(&stack).await;
            let batch = Due::batch(kind, 30, &mut world).await;
            world.ses.take_calls(&[]);
            world.ses.set_fault_policy(move |call| call.contains(SEND).then(fault));
            world.run_schedule().await.unwrap();
            // At most ten, the number that is sent concurrently.
            let calls = world.ses.take_call_count(&[SEND]);
            assert!((1..=10).contains(&calls), "{kind:?}: {calls} calls");
            world.ses.clear_faults();
            world.run_minutes(10).await;
            for due in &batch {
                due.assert_sent(due.sent(&world).await, 1);
            }
            assert_eq!(world.ses.take_call_count(&[SEND]), 30, "{kind:?}");
        }
    }
}

#[tokio::test]
async fn concurrent_senders_send_once() {
    let stack = Stack::get().await;
    for kind in KINDS {
        let mut world = World::new(&stack).await;
        let due = Due::new(kind, &mut world).await;
        let another = world.new_function("NotifyRecipients").await;
        let event = json!({"detail-type": "Scheduled Event"});
        let (first, second) = join(world.run_schedule(), another.invoke(&event)).await;
        assert!(first.is_ok() && second.is_ok(), "{first:?}, {second:?}");
        due.assert_sent(due.sent(&world).await, 1);
    }
}
