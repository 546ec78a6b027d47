//! Tests the outbox under faults: how many emails are sent, the email state and the share log.

use std::sync::Arc;

use chrono::TimeDelta;
use futures_util::future::join;
use serde_json::json;
use sharelink_domain::mail::{LEASE, OVERDUE_AFTER};
use sharelink_domain::sending::GIVE_UP_AFTER;
use sharelink_domain::{MailState, Share};
use tokio::sync::oneshot;

use crate::support::proxy::Fault;
use crate::support::{Stack, World, address, within_minutes};

/// The URL path of SES's `SendEmail`.
const SEND: &str = "/v2/email/outbound-emails";

const WEEK: TimeDelta = TimeDelta::days(7);

/// The observable results of sending a share's email.
#[derive(Debug, PartialEq)]
struct Observed {
    emails: usize,
    /// The email state, followed by its reason, if any.
    state: String,
    /// The share's events in the share log.
    log: Vec<String>,
}

impl Observed {
    fn new(emails: usize, state: &str, log: &[&str]) -> Self {
        Self { emails, state: state.to_owned(), log: log.iter().map(|event| (*event).to_owned()).collect() }
    }

    fn queued(emails: usize) -> Self {
        Self::new(emails, "queued", &["created"])
    }

    fn sent(emails: usize) -> Self {
        Self::new(emails, "sent", &["created", "emailed"])
    }
}

/// Runs the sweeper, then returns the results for the share.
async fn observe(world: &mut World<'_>, share: &Share) -> Observed {
    world.run_sweep().await;
    let mail = world.read(share).await.unwrap().mail;
    let state = match mail.reason {
        Some(reason) => format!("{}: {}", mail.state.name(), reason.code()),
        None => mail.state.name().to_owned(),
    };
    Observed { emails: world.email_count(share).await, state, log: world.log_events(share.id).await }
}

async fn assert_each_is_sent_once(world: &mut World<'_>, shares: &[Share]) {
    for share in shares {
        assert_eq!(observe(world, share).await, Observed::sent(1));
    }
}

/// Delivers the stream's new records to the sender, and kills the sender when the notice arrives.
async fn crash_on(notice: oneshot::Receiver<()>, world: &mut World<'_>) {
    let function = Arc::clone(&world.notify.function);
    let kill = async {
        notice.await.unwrap();
        function.kill();
    };
    within_minutes(1, join(world.run_notify(), kill)).await;
}

/// Makes every request to send an email fail with the given fault.
fn fail_sending(world: &World<'_>, fault: impl Fn() -> Fault + Send + 'static) {
    world.ses.set_fault_policy(move |call| call.contains(SEND).then(&fault));
}

#[tokio::test]
async fn crash_before_sending_delays_the_email_by_a_lease() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let share = world.share(&address("ann"), WEEK).await;
    let (notice, reached) = oneshot::channel();
    world.ses.inject_once(&[SEND], Fault::HoldRequest(notice));
    crash_on(reached, &mut world).await;
    // The stream redelivered the record, but the lease had not expired, so no email was sent.
    assert_eq!(world.notify.mapping.discarded, []);
    world.run_schedule().await.unwrap();
    assert_eq!(observe(&mut world, &share).await, Observed::queued(0));

    world.advance(LEASE + OVERDUE_AFTER);
    world.run_schedule().await.unwrap();
    assert_eq!(observe(&mut world, &share).await, Observed::sent(1));
    world.run_minutes(10).await;
    assert_eq!(observe(&mut world, &share).await, Observed::sent(1));
}

/// SES accepts the email, but the sender crashes before recording that. SES cannot recognize a retry. Sending
/// the email twice is better than risking that it is never sent.
#[tokio::test]
async fn crash_between_sending_and_recording_sends_twice() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let share = world.share(&address("ann"), WEEK).await;
    let (notice, reached) = oneshot::channel();
    world.ses.inject_once(&[SEND], Fault::HoldResponse(notice));
    crash_on(reached, &mut world).await;
    assert_eq!(observe(&mut world, &share).await, Observed::queued(1));

    world.advance(LEASE + OVERDUE_AFTER);
    world.run_schedule().await.unwrap();
    assert_eq!(observe(&mut world, &share).await, Observed::sent(2));
    world.run_minutes(10).await;
    assert_eq!(observe(&mut world, &share).await, Observed::sent(2));
}

#[tokio::test]
async fn lost_ses_response_sends_twice() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let share = world.share(&address("ann"), WEEK).await;
    world.ses.lose_responses(1, &[SEND]);
    world.run_notify().await;
    assert_eq!(observe(&mut world, &share).await, Observed::queued(1));
    world.run_minutes(3).await;
    assert_eq!(observe(&mut world, &share).await.emails, 2);
}

#[tokio::test]
async fn throttled_emails_are_each_sent_once() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let shares = world.share_many(20, WEEK).await;
    // SES throttles every other call.
    let mut calls = 0;
    world.ses.set_fault_policy(move |call| {
        calls += usize::from(call.contains(SEND));
        let throttled = Fault::Respond(429, "TooManyRequestsException", "Maximum sending rate exceeded.");
        (call.contains(SEND) && calls % 2 == 0).then_some(throttled)
    });
    world.run_notify().await;
    assert_eq!(world.notify.mapping.discarded, [], "throttling must not block the stream");
    let mut sent = 0;
    for share in &shares {
        sent += world.email_count(share).await;
    }
    assert_eq!(sent, 10);

    world.run_minutes(130).await;
    assert_each_is_sent_once(&mut world, &shares).await;
}

/// The outage lasts longer than the one day for which the stream keeps its records.
#[tokio::test]
async fn emails_are_sent_once_after_a_two_day_ses_outage() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let first = world.share(&address("ann"), WEEK).await;
    fail_sending(&world, || Fault::Disconnect);
    world.run_notify().await;
    for _ in 0..48 {
        world.advance(TimeDelta::hours(1));
        world.run_schedule().await.unwrap();
    }
    let second = world.share(&address("bob"), WEEK).await;
    world.run_notify().await;
    assert_eq!(observe(&mut world, &first).await, Observed::queued(0));
    let tries = world.read(&first).await.unwrap().mail.pending().unwrap().tries;
    assert!(
        (24..60).contains(&tries),
        "{tries} tries in two days; the backoff should grow to an hour or two"
    );

    world.ses.clear_faults();
    world.run_minutes(65).await;
    assert_each_is_sent_once(&mut world, &[first, second]).await;
}

#[tokio::test]
async fn email_fails_after_days_of_faults_and_can_be_resent() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let share = world.share(&address("ann"), TimeDelta::days(30)).await;
    fail_sending(&world, || Fault::Respond(500, "InternalFailure", "try again"));
    world.run_notify().await;
    for _ in 0..=GIVE_UP_AFTER.num_hours() + 1 {
        world.advance(TimeDelta::hours(1));
        world.run_schedule().await.unwrap();
    }
    let given_up = observe(&mut world, &share).await;
    assert_eq!(given_up.emails, 0);
    assert_eq!(given_up.state.split(':').next(), Some("failed"));
    assert_eq!(given_up.log, ["created", "mailFailed"]);
    let failed = world.read(&share).await.unwrap();

    world.ses.clear_faults();
    world.advance(TimeDelta::days(1));
    world.run_schedule().await.unwrap();
    assert_eq!(world.read(&share).await.unwrap(), failed, "a failed email is not retried");
    world.resend(&share).await;
    world.run_notify().await;
    let resent = Observed::new(1, "sent", &["created", "mailFailed", "resent", "emailed"]);
    assert_eq!(observe(&mut world, &share).await, resent);
}

#[tokio::test]
async fn rejected_email_fails_without_affecting_others() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let mut shares = world.share_many(5, WEEK).await;
    let rejected = shares.remove(2);
    let recipient = rejected.recipient.as_str().to_owned();
    world.ses.set_fault_policy(move |call| {
        let rejection = Fault::Respond(400, "MessageRejected", "Address blacklisted: <ann@example.com>");
        (call.contains(SEND) && call.contains(&recipient)).then_some(rejection)
    });

    world.run_notify().await;
    world.run_minutes(5).await;

    let failed = Observed::new(0, "failed: rejected", &["created", "mailFailed"]);
    assert_eq!(observe(&mut world, &rejected).await, failed);
    assert_each_is_sent_once(&mut world, &shares).await;
}

#[tokio::test]
async fn paused_sending_stops_all_attempts() {
    let paused = || Fault::Respond(400, "SendingPausedException", "Sending is paused for this account.");
    assert_account_wide_fault_stops_attempts(paused).await;
}

#[tokio::test]
async fn exceeded_daily_quota_stops_all_attempts() {
    let exceeded = || Fault::Respond(429, "TooManyRequestsException", "Daily message quota exceeded.");
    assert_account_wide_fault_stops_attempts(exceeded).await;
}

async fn assert_account_wide_fault_stops_attempts(fault: impl Fn() -> Fault + Send + 'static) {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let shares = world.share_many(60, WEEK).await;
    fail_sending(&world, fault);
    world.run_minutes(3).await;
    // Each of the three runs stops after at most ten emails, the number that it sends concurrently.
    let calls = world.ses.take_call_count(&[SEND]);
    assert!((3..=30).contains(&calls), "{calls} calls");

    world.ses.clear_faults();
    world.run_minutes(10).await;
    for share in &shares {
        assert_eq!(world.read(share).await.unwrap().mail.state, MailState::Sent);
    }
    assert_eq!(world.ses.take_call_count(&[SEND]), 60);
}

#[tokio::test]
async fn share_revoked_before_sending_sends_no_email() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let share = world.share(&address("ann"), WEEK).await;
    world.advance(TimeDelta::milliseconds(1));
    world.revoke(&share).await;

    world.run_notify().await;
    world.run_minutes(2).await;

    let skipped = Observed::new(0, "none: withdrawn", &["created", "revoked"]);
    assert_eq!(observe(&mut world, &share).await, skipped);
}

#[tokio::test]
async fn emails_are_sent_once_despite_dynamodb_throttling() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let shares = [world.share(&address("ann"), WEEK).await, world.share(&address("bob"), WEEK).await];
    // The throttling outlasts the SDK's retries, so claims fail and the stream redelivers the records.
    world.dynamodb.throttle(10, &["if_not_exists(mailTries"]);
    // After sending an email, the sender retries for longer to record the outcome.
    world.dynamodb.throttle(5, &["mailClaim = :claim"]);

    world.run_notify().await;

    assert_eq!(world.dynamodb.pending_faults(), 0);
    assert_eq!(world.notify.mapping.discarded, []);
    assert_each_is_sent_once(&mut world, &shares).await;
}

#[tokio::test]
async fn lost_dynamodb_responses_cause_no_second_email() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let share = world.share(&address("ann"), WEEK).await;
    world.dynamodb.lose_responses(2, &["if_not_exists(mailTries"]);
    world.dynamodb.lose_responses(2, &["mailClaim = :claim"]);

    world.run_notify().await;

    assert_eq!(world.dynamodb.pending_faults(), 0);
    assert_eq!(observe(&mut world, &share).await, Observed::sent(1));
}

#[tokio::test]
async fn concurrent_senders_send_each_email_once() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let another = world.new_function("NotifyRecipients").await;
    let shares = world.share_many(10, WEEK).await;
    let event = json!({"Records": world.records().await});

    let (first, second) = join(world.notify.function.invoke(&event), another.invoke(&event)).await;
    let (redelivered, scheduled) = join(another.invoke(&event), world.run_schedule()).await;

    assert_eq!(first.unwrap(), json!({"batchItemFailures": []}));
    assert_eq!(second.unwrap(), json!({"batchItemFailures": []}));
    assert!(redelivered.is_ok(), "{redelivered:?}");
    assert!(scheduled.is_ok(), "{scheduled:?}");
    assert_each_is_sent_once(&mut world, &shares).await;
}

#[tokio::test]
async fn schedule_sends_an_email_whose_record_was_lost() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let share = world.share(&address("ann"), WEEK).await;
    world.run_schedule().await.unwrap();
    assert_eq!(world.email_count(&share).await, 0, "the schedule leaves new emails to the stream");
    world.run_minutes(1).await;
    assert_eq!(observe(&mut world, &share).await, Observed::sent(1));
}

#[tokio::test]
async fn poison_record_is_discarded_without_blocking_others() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let mut shares = world.share_many(4, WEEK).await;
    let poison = world.insert_poison_row("poison").await;
    shares.extend(world.share_many(4, WEEK).await);

    world.run_notify().await;
    world.run_sweep().await;

    for consumer in [&world.notify, &world.sweep] {
        let discarded = &consumer.mapping.discarded;
        assert_eq!(discarded.len(), 1, "{discarded:?}");
        assert_eq!(discarded[0].condition, "RetryAttemptsExhausted");
        assert_eq!(discarded[0].sequence_numbers[0], poison);
    }
    assert_each_is_sent_once(&mut world, &shares).await;
    // The poison row does not block the schedule either.
    let overdue = world.share(&address("bob"), WEEK).await;
    world.run_minutes(1).await;
    assert_eq!(observe(&mut world, &overdue).await, Observed::sent(1));
}

#[tokio::test]
async fn unreadable_share_is_removed_from_the_outbox() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let unreadable = "00000000000000000000000000000001";
    world.insert_poison_row(unreadable).await;
    let share = world.share(&address("ann"), WEEK).await;

    world.run_minutes(1).await;

    assert_eq!(world.email_count(&share).await, 1);
    assert_eq!(world.table.due_emails(world.now()).await.unwrap().len(), 0);
    assert!(world.table.get(&world.item, unreadable.parse().unwrap()).await.is_err());
}

#[tokio::test]
async fn crash_during_a_batch_loses_no_email() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let shares = world.share_many(8, WEEK).await;
    let (notice, reached) = oneshot::channel();
    let last = shares[7].recipient.as_str().to_owned();
    world.ses.inject_once(&[SEND, &last], Fault::HoldRequest(notice));

    crash_on(reached, &mut world).await;
    world.advance(LEASE + OVERDUE_AFTER);
    world.run_schedule().await.unwrap();

    for (i, share) in shares.iter().enumerate() {
        let observed = observe(&mut world, share).await;
        // An email that was sent but not recorded as sent before the crash is sent again.
        assert!((1..=2).contains(&observed.emails), "share {i}: {observed:?}");
        assert_eq!(observed.state, "sent", "share {i}");
        assert_eq!(observed.log, ["created", "emailed"], "share {i}");
    }
    assert_eq!(world.email_count(&shares[7]).await, 1);
}
