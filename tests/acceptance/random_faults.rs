//! A thousand shares, and faults of every kind at random: in the end each email was sent or is marked failed, and
//! the log has each thing once.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use chrono::TimeDelta;
use futures_util::stream::{StreamExt, iter};
use sharelink_aws::share_table::Creation;
use sharelink_domain::MailState;
use tokio::sync::oneshot;

use crate::support::proxy::Fault;
use crate::support::{Stack, World, address, all_mails};

const SHARES: usize = 1_000;

/// How many emails one instance has under way at the same time.
const UNDER_WAY: usize = 10;

/// Every so many recipients, one that SES refuses for good.
const REFUSED: usize = 50;

/// Numbers that look random, the same for the same seed (`SHARELINK_SEED`).
struct Random(u64);

impl Random {
    fn new(stream: u64) -> Self {
        let seed: u64 = std::env::var("SHARELINK_SEED").map_or(1, |seed| seed.parse().unwrap());
        Self(seed.wrapping_mul(1_000_003).wrapping_add(stream))
    }

    /// `SplitMix64`.
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }
}

#[derive(Default)]
struct Count {
    lost: AtomicUsize,
    kills: AtomicUsize,
}

fn dynamodb_faults(mut random: Random) -> impl FnMut(&str) -> Option<Fault> {
    move |_| match random.below(1_000) {
        0..8 => Some(Fault::throttled()),
        8..14 => Some(Fault::Lose),
        14..18 => Some(Fault::Refuse),
        _ => None,
    }
}

fn ses_faults(
    mut random: Random,
    refused: Vec<String>,
    count: Arc<Count>,
    kill: impl Fn(),
) -> impl FnMut(&str) -> Option<Fault> {
    move |call| {
        if refused.iter().any(|address| call.contains(address)) {
            return Some(Fault::Answer(400, "MessageRejected", "no"));
        }
        match random.below(1_000) {
            0..100 => Some(Fault::Answer(429, "TooManyRequestsException", "Maximum sending rate exceeded.")),
            100..130 => Some(Fault::Answer(500, "InternalFailure", "try again")),
            130..150 => Some(Fault::Refuse),
            150..170 => {
                count.lost.fetch_add(1, Ordering::Relaxed);
                Some(Fault::Lose)
            }
            170..180 => {
                count.kills.fetch_add(1, Ordering::Relaxed);
                kill();
                let (notice, _) = oneshot::channel();
                Some(if random.below(2) == 0 { Fault::HoldBefore(notice) } else { Fault::HoldAfter(notice) })
            }
            _ => None,
        }
    }
}

#[tokio::test]
#[expect(clippy::print_stdout, reason = "the counts are worth knowing")]
async fn a_thousand_shares_under_random_faults_are_mailed_or_marked_failed() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let recipients: Vec<String> = (0..SHARES).map(|n| address(&format!("r{n}"))).collect();
    let refused: Vec<String> = recipients.iter().step_by(REFUSED).cloned().collect();
    let count = Arc::new(Count::default());

    world.dynamodb.ask(dynamodb_faults(Random::new(1)));
    let creates = recipients.iter().map(|recipient| world.share_under_faults(recipient, TimeDelta::days(30)));
    let done: Vec<_> = iter(creates).buffer_unordered(UNDER_WAY).collect().await;
    let repeated = done.iter().filter(|(_, creation)| *creation == Creation::Retried).count();
    let shares: Vec<_> = done.into_iter().map(|(share, _)| share).collect();

    let function = Arc::clone(&world.notify.function);
    let kill = move || function.kill();
    world.ses.ask(ses_faults(Random::new(2), refused.clone(), Arc::clone(&count), kill));
    world.run_notify().await;
    for _ in 0..30 {
        world.pass(TimeDelta::minutes(3));
        // A crash is made up for by the next one.
        let _ = world.run_schedule().await;
    }
    world.run_sweep().await;
    world.ses.calm();
    world.dynamodb.calm();
    world.minutes(130).await;
    world.run_notify().await;
    world.run_sweep().await;

    assert!(world.sweep.pump.set_aside.is_empty());
    let mut mails: HashMap<String, usize> = HashMap::new();
    for mail in all_mails(&stack).await {
        *mails.entry(mail.to[0].clone()).or_default() += 1;
    }
    let log = world.log().await;
    let (mut sent, mut failed, mut duplicates) = (0, 0, 0);
    for share in &shares {
        let recipient = share.recipient.as_str();
        let state = world.read(share).await.unwrap().mail.state;
        let got = mails.get(recipient).copied().unwrap_or_default();
        let last = if refused.iter().any(|address| address == recipient) {
            assert_eq!((state, got), (MailState::Failed, 0));
            failed += 1;
            "mailFailed"
        } else {
            assert_eq!(state, MailState::Sent, "{got} emails");
            assert!(got >= 1, "marked sent, and nothing was");
            duplicates += got - 1;
            sent += 1;
            "emailed"
        };
        assert_eq!(log[&share.id], ["created", last]);
    }
    assert_eq!((sent, failed), (SHARES - SHARES / REFUSED, SHARES / REFUSED));
    let (lost, kills) = (count.lost.load(Ordering::Relaxed), count.kills.load(Ordering::Relaxed));
    println!(
        "{repeated} creates met their own first attempt; {sent} sent, {failed} failed, {duplicates} duplicates"
    );
    println!("{lost} answers of SES were lost, and the sender was killed {kills} times");
    assert!(lost > 0 && kills > 0, "no fault has happened");
    // An email is sent twice only where SES had taken it and nobody could write that down.
    assert!(duplicates <= lost + kills * UNDER_WAY);
}
