//! Creates a thousand shares under random faults. Eventually, every email and every reminder is sent or
//! marked as failed, every event is logged once, and every sharer gets a notice of each failure.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use chrono::TimeDelta;
use futures_util::stream::{StreamExt, iter};
use sharelink_aws::share_table::Creation;
use sharelink_domain::MailState;
use sharelink_domain::reminder::ReminderState;
use tokio::sync::oneshot;

use crate::notices::new_sharer;
use crate::support::fixtures::share_builder;
use crate::support::proxy::Fault;
use crate::support::{Stack, World, address, all_emails};

const SHARES: usize = 1_000;

/// The number of emails that one function instance sends concurrently.
const CONCURRENCY: usize = 10;

/// The number of sharers, each of whom gets digests.
const SHARERS: usize = 5;

/// SES rejects every email to one out of this many recipients.
const REJECTED_EVERY: usize = 50;

/// A reproducible random number generator. The environment variable `SHARELINK_SEED` sets the seed.
struct Random(u64);

impl Random {
    fn new(stream: u64) -> Self {
        let seed: u64 = std::env::var("SHARELINK_SEED").map_or(1, |seed| seed.parse().unwrap());
        Self(seed.wrapping_mul(1_000_003).wrapping_add(stream))
    }

    /// Returns a random number below `limit`, using `SplitMix64`.
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }
}

/// Counts the faults that can cause an email to be sent twice.
#[derive(Default)]
struct FaultCounts {
    lost_responses: AtomicUsize,
    kills: AtomicUsize,
}

fn dynamodb_faults(mut random: Random) -> impl FnMut(&str) -> Option<Fault> {
    move |_| match random.below(1_000) {
        0..8 => Some(Fault::throttled()),
        8..14 => Some(Fault::LoseResponse),
        14..18 => Some(Fault::Disconnect),
        _ => None,
    }
}

fn ses_faults(
    mut random: Random,
    rejected: HashSet<String>,
    counts: Arc<FaultCounts>,
    kill: impl Fn(),
) -> impl FnMut(&str) -> Option<Fault> {
    move |call| {
        if rejected.iter().any(|address| call.contains(&format!("[\"{address}\"]"))) {
            return Some(Fault::Respond(400, "MessageRejected", "no"));
        }
        match random.below(1_000) {
            0..100 => Some(Fault::Respond(429, "TooManyRequestsException", "Maximum sending rate exceeded.")),
            100..130 => Some(Fault::Respond(500, "InternalFailure", "try again")),
            130..150 => Some(Fault::Disconnect),
            150..170 => {
                counts.lost_responses.fetch_add(1, Ordering::Relaxed);
                Some(Fault::LoseResponse)
            }
            170..180 => {
                counts.kills.fetch_add(1, Ordering::Relaxed);
                kill();
                let (notice, _) = oneshot::channel();
                let holds_request = random.below(2) == 0;
                Some(if holds_request { Fault::HoldRequest(notice) } else { Fault::HoldResponse(notice) })
            }
            _ => None,
        }
    }
}

/// Returns the number of emails sent to each recipient.
async fn count_emails(stack: &Stack) -> HashMap<String, usize> {
    let mut counts: HashMap<String, usize> = HashMap::new();
    for email in all_emails(stack).await {
        *counts.entry(email.to[0].clone()).or_default() += 1;
    }
    counts
}

#[tokio::test]
#[expect(clippy::print_stdout, reason = "the counts show how much the run tested")]
async fn every_email_is_sent_or_marked_failed_under_random_faults() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let recipients: Vec<String> = (0..SHARES).map(|n| address(&format!("r{n}"))).collect();
    let rejected: HashSet<String> = recipients.iter().step_by(REJECTED_EVERY).cloned().collect();
    let counts = Arc::new(FaultCounts::default());

    world.dynamodb.set_fault_policy(dynamodb_faults(Random::new(1)));
    // Each reminder is due half an hour after its email.
    let life = TimeDelta::days(1) + TimeDelta::minutes(30);
    let sharers: Vec<_> = (0..SHARERS).map(|_| new_sharer()).collect();
    let attempts = recipients.iter().enumerate().map(|(n, recipient)| {
        let builder = share_builder(&world.item, life, world.now())
            .sharer(sharers[n / REJECTED_EVERY % SHARERS].clone());
        world.store_under_faults(builder.notify(true).reminder(1).recipient(recipient).build())
    });
    let created: Vec<_> = iter(attempts).buffer_unordered(CONCURRENCY).collect().await;
    let is_retried = |creation: &Creation| matches!(creation, Creation::Retried { .. });
    let retried = created.iter().filter(|(_, creation)| is_retried(creation)).count();

    let function = Arc::clone(&world.notify.function);
    let kill = move || function.kill();
    world.ses.set_fault_policy(ses_faults(Random::new(2), rejected.clone(), Arc::clone(&counts), kill));
    world.run_notify().await;
    for _ in 0..30 {
        world.advance(TimeDelta::minutes(3));
        // The function may crash. A later run sends the remaining emails.
        let _ = world.run_schedule().await;
    }
    world.run_sweep().await;
    world.ses.clear_faults();
    world.dynamodb.clear_faults();
    world.run_minutes(130).await;
    world.run_notify().await;
    world.run_sweep().await;
    world.run_minutes(12).await;
    world.run_sweep().await;

    assert_eq!(world.sweep.mapping.discarded, []);
    let emails = count_emails(&stack).await;
    let log = world.all_log_events().await;
    let (mut sent, mut reminded, mut failed, mut duplicates) = (0, 0, 0, 0);
    for (share, _) in &created {
        let recipient = share.recipient.as_str();
        let stored = world.read(share).await.unwrap();
        let state = stored.mail.state;
        let received = emails.get(recipient).copied().unwrap_or_default();
        if rejected.contains(recipient) {
            assert_eq!(state, MailState::Failed);
            assert_eq!(received, 0);
            assert_eq!(log[&share.id], ["created", "mailFailed"]);
            failed += 1;
        } else {
            assert_eq!(state, MailState::Sent, "{received} emails");
            assert!(received >= 1, "the email is marked as sent, but none was received");
            // A reminder whose email left too late is not sent.
            let expected: &[&str] = match stored.reminder.unwrap().state {
                ReminderState::Sent { .. } => &["created", "emailed", "reminded"],
                ReminderState::Idle => &["created", "emailed"],
                state => panic!("{state:?}"),
            };
            assert_eq!(log[&share.id], expected);
            let emails = expected.len() - 1;
            assert!(received >= emails, "{received} of {emails} emails");
            duplicates += received - emails;
            reminded += emails - 1;
            sent += 1;
        }
    }
    assert_eq!(sent, SHARES - SHARES / REJECTED_EVERY);
    assert_eq!(failed, SHARES / REJECTED_EVERY);
    assert!(reminded > SHARES / 2, "{reminded} reminders");
    let all = all_emails(&stack).await;
    let mut digests = 0;
    for sharer in &sharers {
        let address = sharer.email.as_ref().unwrap().as_str();
        let received: Vec<_> = all.iter().filter(|email| email.to[0] == address).collect();
        for (share, _) in created.iter().filter(|(share, _)| share.created_by.sub == sharer.sub) {
            let recipient = share.recipient.as_str();
            let is_noticed = received.iter().any(|email| email.text.contains(recipient));
            assert_eq!(is_noticed, rejected.contains(recipient), "{recipient}");
        }
        digests += received.len();
    }
    let lost_responses = counts.lost_responses.load(Ordering::Relaxed);
    let kills = counts.kills.load(Ordering::Relaxed);
    println!("{retried} creates retried; {sent} emails and {reminded} reminders sent, {failed} failed");
    println!("{duplicates} duplicates; {digests} digests");
    println!("{lost_responses} SES responses were lost, and the sender was killed {kills} times");
    assert!(lost_responses > 0, "no response was lost in this run");
    assert!(kills > 0, "no instance was killed in this run");
    // An email is sent twice only if SES accepts it but the sender does not record it as sent.
    let bound = lost_responses + kills * CONCURRENCY;
    assert!(duplicates <= bound, "{duplicates} duplicates");
    // The failures of a sharer's shares are logged in two runs of the sweeper at most.
    assert!(digests <= 2 * SHARERS + bound, "{digests} digests");
}
