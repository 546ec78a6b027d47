//! Support for black-box tests: the stack, its emulated AWS, fault injection and fixtures.

mod aws;
pub(crate) mod contract;
#[cfg(feature = "dynamodb-local")]
pub(crate) mod dynamodb_local;
pub(crate) mod event_source_mapping;
pub(crate) mod events;
pub(crate) mod fixtures;
pub(crate) mod function;
mod item;
pub(crate) mod leaks;
pub(crate) mod manager;
pub(crate) mod operator;
pub(crate) mod proxy;
#[path = "../../../infra/local/src/signature.rs"]
mod signature;
mod stack;
pub(crate) mod table;
pub(crate) mod world;

pub(crate) use aws::{Aws, config as aws_config};
pub(crate) use item::{Email, Response, TestItem, all_emails, emails_to, send};
pub(crate) use proxy::Proxy;
pub(crate) use stack::Stack;
pub(crate) use stack::root;
pub(crate) use world::World;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

/// Returns a name that is unique across tests and runs.
pub(crate) fn unique(prefix: &str) -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros();
    format!("{prefix}-{now}-{}", COUNT.fetch_add(1, Ordering::Relaxed))
}

/// Returns an email address that is unique across tests and runs.
pub(crate) fn address(name: &str) -> String {
    format!("{}@example.com", unique(name))
}

/// Formats a time the way a frontend sends it.
pub(crate) fn rfc3339(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// Returns the time one week from now, formatted the way a frontend sends it.
pub(crate) fn next_week() -> String {
    rfc3339(Utc::now() + TimeDelta::days(7))
}

/// Calls `poll` until it returns a value. Panics after two minutes: asynchronous work is slow on a busy
/// machine, so the limit is generous.
pub(crate) async fn eventually<T, F: Future<Output = Option<T>>>(
    what: &str,
    mut poll: impl FnMut() -> F,
) -> T {
    let polling = async {
        loop {
            if let Some(value) = poll().await {
                return value;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(2), polling)
        .await
        .unwrap_or_else(|_| panic!("timed out waiting for {what}"))
}

/// Awaits `work`. Panics if it takes longer than this many minutes.
pub(crate) async fn within_minutes<T>(minutes: u64, work: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_mins(minutes), work).await.expect("timed out")
}
