//! What makes a test short.

mod aws;
pub(crate) mod contract;
pub(crate) mod events;
pub(crate) mod function;
mod item;
pub(crate) mod leaks;
pub(crate) mod proxy;
pub(crate) mod pump;
mod stack;
pub(crate) mod world;

pub(crate) use aws::{Aws, config as aws_config};
pub(crate) use item::{Answer, Mail, TestItem, all_mails, mails_to};
pub(crate) use proxy::Proxy;
pub(crate) use stack::Stack;
pub(crate) use stack::root;
pub(crate) use world::World;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

/// A text that no other test has, nor an earlier run.
pub(crate) fn unique(prefix: &str) -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros();
    format!("{prefix}-{now}-{}", COUNT.fetch_add(1, Ordering::Relaxed))
}

/// An address that nobody else has.
pub(crate) fn address(name: &str) -> String {
    format!("{}@example.com", unique(name))
}

/// A time as a frontend sends it.
pub(crate) fn rfc3339(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// A week from now.
pub(crate) fn next_week() -> String {
    rfc3339(Utc::now() + TimeDelta::days(7))
}

/// Asks again and again until there is an answer: what is asynchronous takes its time on a busy machine.
pub(crate) async fn eventually<T, F: Future<Output = Option<T>>>(
    what: &str,
    mut ask: impl FnMut() -> F,
) -> T {
    let answered = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(2), answered).await.unwrap_or_else(|_| panic!("{what}: never"))
}

/// Waits for what comes soon or never, so that a test that waits in vain fails.
pub(crate) async fn within_minutes<T>(minutes: u64, work: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_mins(minutes), work).await.expect("it never came")
}
