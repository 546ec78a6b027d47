//! The outbox under faults: how many emails were sent, what the share says, and what its log says.

use std::sync::Arc;

use chrono::TimeDelta;
use futures_util::future::join;
use serde_json::json;
use sharelink_domain::mail::{GIVE_UP_AFTER, LEASE, OVERDUE_AFTER};
use sharelink_domain::{MailState, Share};
use tokio::sync::oneshot;

use crate::support::proxy::Fault;
use crate::support::pump::SetAside;
use crate::support::{Stack, World, address, within_minutes};

/// What a request to send an email has in it.
const SEND: &str = "/v2/email/outbound-emails";

const WEEK: TimeDelta = TimeDelta::days(7);

/// How many emails were sent, what the share says, and what the log says.
async fn outcome(world: &mut World<'_>, share: &Share) -> (usize, String, Vec<String>) {
    world.run_sweep().await;
    let mail = world.read(share).await.unwrap().mail;
    let state = match mail.detail {
        Some(detail) => format!("{}: {detail}", mail.state.name()),
        None => mail.state.name().to_owned(),
    };
    (world.mails_to(share).await, state, world.log_of(share.id).await)
}

fn sent_once() -> (usize, String, Vec<String>) {
    (1, "sent".into(), vec!["created".into(), "emailed".into()])
}

/// Runs the sender on what is new in the stream, and kills it when it gets there.
async fn crash_at(world: &mut World<'_>, reached: oneshot::Receiver<()>) {
    let function = Arc::clone(&world.notify.function);
    let kill = async {
        reached.await.unwrap();
        function.kill();
    };
    within_minutes(1, join(world.run_notify(), kill)).await;
}

#[tokio::test]
async fn a_crash_before_the_sending_costs_a_lease() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let share = world.share(&address("ann"), WEEK).await;
    let (notice, reached) = oneshot::channel();
    world.ses.once(&[SEND], Fault::HoldBefore(notice));
    crash_at(&mut world, reached).await;
    // The stream came again, and found the email claimed.
    assert!(world.notify.pump.set_aside.is_empty());
    world.run_schedule().await.unwrap();
    assert_eq!(outcome(&mut world, &share).await, (0, "queued".into(), vec!["created".into()]));

    world.pass(LEASE + OVERDUE_AFTER);
    world.run_schedule().await.unwrap();
    assert_eq!(outcome(&mut world, &share).await, sent_once());
    world.minutes(10).await;
    assert_eq!(outcome(&mut world, &share).await, sent_once());
}

/// The window for a duplicate: SES has taken the email, and nobody has written it down. SES cannot tell a
/// repetition, so it is either sent again or perhaps never.
#[tokio::test]
async fn a_crash_after_the_sending_and_before_the_record_sends_once_more() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let share = world.share(&address("ann"), WEEK).await;
    let (notice, reached) = oneshot::channel();
    world.ses.once(&[SEND], Fault::HoldAfter(notice));
    crash_at(&mut world, reached).await;
    assert_eq!(outcome(&mut world, &share).await, (1, "queued".into(), vec!["created".into()]));

    world.pass(LEASE + OVERDUE_AFTER);
    world.run_schedule().await.unwrap();
    let twice = (2, "sent".into(), vec!["created".into(), "emailed".into()]);
    assert_eq!(outcome(&mut world, &share).await, twice);
    world.minutes(10).await;
    assert_eq!(outcome(&mut world, &share).await, twice);
}

#[tokio::test]
async fn an_answer_of_ses_that_is_lost_is_waited_out_and_sends_once_more() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let share = world.share(&address("ann"), WEEK).await;
    world.ses.lose(1, &[SEND]);
    world.run_notify().await;
    assert_eq!(outcome(&mut world, &share).await, (1, "queued".into(), vec!["created".into()]));
    world.minutes(3).await;
    assert_eq!(outcome(&mut world, &share).await.0, 2);
}

#[tokio::test]
async fn a_ses_that_throttles_every_second_call_sends_each_email_once() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let mut shares = Vec::new();
    for _ in 0..20 {
        shares.push(world.share(&address("ann"), WEEK).await);
    }
    let mut calls = 0;
    world.ses.ask(move |call| {
        calls += usize::from(call.contains(SEND));
        let throttled = Fault::Answer(429, "TooManyRequestsException", "Maximum sending rate exceeded.");
        (call.contains(SEND) && calls % 2 == 0).then_some(throttled)
    });
    world.run_notify().await;
    // The stream was not held up.
    assert!(world.notify.pump.set_aside.is_empty());
    let mut sent = 0;
    for share in &shares {
        sent += world.mails_to(share).await;
    }
    assert_eq!(sent, 10);

    world.minutes(130).await;
    for share in &shares {
        assert_eq!(outcome(&mut world, share).await, sent_once());
    }
}

/// Longer than the stream remembers.
#[tokio::test]
async fn a_ses_that_is_down_for_two_days_sends_each_email_once_when_it_is_back() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let (first, later) = (address("ann"), address("bob"));
    let first = world.share(&first, WEEK).await;
    world.ses.ask(|call| call.contains(SEND).then_some(Fault::Refuse));
    world.run_notify().await;
    for _ in 0..48 {
        world.pass(TimeDelta::hours(1));
        world.run_schedule().await.unwrap();
    }
    let later = world.share(&later, WEEK).await;
    world.run_notify().await;
    assert_eq!(outcome(&mut world, &first).await, (0, "queued".into(), vec!["created".into()]));
    let tries = world.read(&first).await.unwrap().mail.pending().unwrap().tries;
    // Every hour or two, in the end.
    assert!((24..60).contains(&tries), "{tries}");

    world.ses.calm();
    world.minutes(65).await;
    for share in [&first, &later] {
        assert_eq!(outcome(&mut world, share).await, sent_once());
    }
}

#[tokio::test]
async fn an_email_that_could_not_be_sent_for_days_is_given_up_and_may_be_asked_for_again() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let share = world.share(&address("ann"), TimeDelta::days(30)).await;
    world.ses.ask(|call| call.contains(SEND).then_some(Fault::Answer(500, "InternalFailure", "try again")));
    world.run_notify().await;
    for _ in 0..=GIVE_UP_AFTER.num_hours() + 1 {
        world.pass(TimeDelta::hours(1));
        world.run_schedule().await.unwrap();
    }
    let (sent, state, log) = outcome(&mut world, &share).await;
    assert_eq!(
        (sent, state.split(':').next(), log),
        (0, Some("failed"), vec!["created".into(), "mailFailed".into()])
    );
    let failed = world.read(&share).await.unwrap();

    world.ses.calm();
    world.pass(TimeDelta::days(1));
    world.run_schedule().await.unwrap();
    assert_eq!(world.read(&share).await.unwrap(), failed);
    world.resend(&share).await;
    world.run_notify().await;
    let log = ["created", "mailFailed", "resent", "emailed"].map(Into::into).to_vec();
    assert_eq!(outcome(&mut world, &share).await, (1, "sent".into(), log));
}

#[tokio::test]
async fn an_email_that_ses_refuses_for_good_fails_alone() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let mut shares = Vec::new();
    for _ in 0..5 {
        shares.push(world.share(&address("ann"), WEEK).await);
    }
    let refused = shares[2].recipient.as_str().to_owned();
    world.ses.ask(move |call| {
        let rejected = Fault::Answer(400, "MessageRejected", "Address blacklisted: <ann@example.com>");
        (call.contains(SEND) && call.contains(&refused)).then_some(rejected)
    });
    world.run_notify().await;
    world.minutes(5).await;
    for (i, share) in shares.iter().enumerate() {
        let outcome = outcome(&mut world, share).await;
        if i == 2 {
            // In words of ours: what SES says may hold an address.
            let failed = "failed: the mail service rejected the message".to_owned();
            assert_eq!(outcome, (0, failed, vec!["created".into(), "mailFailed".into()]));
        } else {
            assert_eq!(outcome, sent_once());
        }
    }
}

#[tokio::test]
async fn what_the_whole_account_may_not_send_is_not_tried_email_by_email() {
    let stack = Stack::get().await;
    for (status, code, message) in [
        (400, "SendingPausedException", "Sending is paused for this account."),
        (429, "TooManyRequestsException", "Daily message quota exceeded."),
    ] {
        let mut world = World::new(&stack).await;
        let mut shares = Vec::new();
        for _ in 0..60 {
            shares.push(world.share(&address("ann"), WEEK).await);
        }
        world.ses.ask(move |call| call.contains(SEND).then_some(Fault::Answer(status, code, message)));
        world.minutes(3).await;
        // As many as may be under way at once, each time, and not one more.
        let calls = world.ses.calls(&[SEND]);
        assert!((3..=30).contains(&calls), "{code}: {calls}");

        world.ses.calm();
        world.minutes(10).await;
        for share in &shares {
            assert_eq!(world.read(share).await.unwrap().mail.state, MailState::Sent, "{code}");
        }
        assert_eq!(world.ses.calls(&[SEND]), 60, "{code}");
    }
}

#[tokio::test]
async fn a_share_that_is_revoked_before_its_email_left_is_not_mailed() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let share = world.share(&address("ann"), WEEK).await;
    world.pass(TimeDelta::milliseconds(1));
    world.revoke(&share).await;
    world.run_notify().await;
    world.minutes(2).await;
    let state = "none: revoked before the email was sent".to_owned();
    assert_eq!(outcome(&mut world, &share).await, (0, state, vec!["created".into(), "revoked".into()]));
}

#[tokio::test]
async fn throttling_of_dynamodb_delays_an_email_and_sends_it_once() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let shares = [world.share(&address("ann"), WEEK).await, world.share(&address("bob"), WEEK).await];
    // More than the SDK waits out: the stream delivers the records again.
    world.dynamodb.throttle(10, &["if_not_exists(mailTries"]);
    // After the sending, when there is no way back: the record is tried for long.
    world.dynamodb.throttle(5, &["mailClaim = :claim"]);
    world.run_notify().await;
    assert_eq!(world.dynamodb.left(), 0);
    assert!(world.notify.pump.set_aside.is_empty());
    for share in &shares {
        assert_eq!(outcome(&mut world, share).await, sent_once());
    }
}

#[tokio::test]
async fn answers_of_dynamodb_that_are_lost_make_no_second_email() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let share = world.share(&address("ann"), WEEK).await;
    world.dynamodb.lose(2, &["if_not_exists(mailTries"]);
    world.dynamodb.lose(2, &["mailClaim = :claim"]);
    world.run_notify().await;
    assert_eq!(world.dynamodb.left(), 0);
    assert_eq!(outcome(&mut world, &share).await, sent_once());
}

#[tokio::test]
async fn a_record_that_is_delivered_twice_at_once_sends_one_email() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let another = world.another("NotifyRecipients").await;
    let mut shares = Vec::new();
    for _ in 0..10 {
        shares.push(world.share(&address("ann"), WEEK).await);
    }
    let event = json!({"Records": world.records().await});
    let (first, second) = join(world.notify.function.invoke(&event), another.invoke(&event)).await;
    let nothing_failed = json!({"batchItemFailures": []});
    assert_eq!((first.unwrap(), second.unwrap()), (nothing_failed.clone(), nothing_failed));
    // And once more, together with the schedule.
    let (again, schedule) = join(another.invoke(&event), world.run_schedule()).await;
    assert!(again.is_ok() && schedule.is_ok());
    for share in &shares {
        assert_eq!(outcome(&mut world, share).await, sent_once());
    }
}

#[tokio::test]
async fn a_record_of_the_stream_that_was_lost_is_made_up_for_by_the_schedule() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let share = world.share(&address("ann"), WEEK).await;
    // At first it is for the stream to bring it.
    world.run_schedule().await.unwrap();
    assert_eq!(world.mails_to(&share).await, 0);
    world.minutes(1).await;
    assert_eq!(outcome(&mut world, &share).await, sent_once());
}

#[tokio::test]
async fn a_poison_record_is_set_aside_and_the_good_ones_are_done() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let mut shares = Vec::new();
    for _ in 0..4 {
        shares.push(world.share(&address("ann"), WEEK).await);
    }
    let poison = world.poison("poison").await;
    for _ in 0..4 {
        shares.push(world.share(&address("ann"), WEEK).await);
    }
    world.run_notify().await;
    world.run_sweep().await;
    for worker in [&world.notify, &world.sweep] {
        let [SetAside { condition: "RetryAttemptsExhausted", sequence_numbers }] = &worker.pump.set_aside[..]
        else {
            panic!("{:?}", worker.pump.set_aside);
        };
        assert_eq!(sequence_numbers[0], poison);
    }
    for share in &shares {
        assert_eq!(outcome(&mut world, share).await, sent_once());
    }
    // Nor does it hold up the schedule.
    let overdue = world.share(&address("bob"), WEEK).await;
    world.minutes(1).await;
    assert_eq!(outcome(&mut world, &overdue).await, sent_once());
}

#[tokio::test]
async fn a_pending_email_of_a_share_that_cannot_be_read_leaves_the_outbox() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let unreadable = "00000000000000000000000000000001";
    world.poison(unreadable).await;
    let share = world.share(&address("ann"), WEEK).await;
    world.minutes(1).await;
    assert_eq!(world.mails_to(&share).await, 1);
    assert!(world.table.due_emails(world.now()).await.unwrap().is_empty());
    assert!(world.table.get(&world.item, unreadable.parse().unwrap()).await.is_err());
}

#[tokio::test]
async fn a_crash_in_a_batch_is_narrowed_down_and_costs_no_other_email() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let mut shares = Vec::new();
    for _ in 0..8 {
        shares.push(world.share(&address("ann"), WEEK).await);
    }
    let (notice, reached) = oneshot::channel();
    let last = shares[7].recipient.as_str().to_owned();
    world.ses.once(&[SEND, &last], Fault::HoldBefore(notice));
    crash_at(&mut world, reached).await;
    world.pass(LEASE + OVERDUE_AFTER);
    world.run_schedule().await.unwrap();
    for (i, share) in shares.iter().enumerate() {
        let (sent, state, log) = outcome(&mut world, share).await;
        // Those that were under way at that moment may have been sent and not recorded.
        assert!((1..=2).contains(&sent), "{i}: {sent}");
        assert_eq!((state, log), (sent_once().1, sent_once().2));
    }
    assert_eq!(world.mails_to(&shares[7]).await, 1);
}
