//! How the API behaves at scale, on the deployed local stack: requests with many recipients, and items with many
//! shares. `cargo test --workspace --bench scale` prints the figures; ratios within one run are what counts, since
//! a local emulator's times say nothing of AWS.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a benchmark"
)]
#![allow(dead_code, unused_imports, reason = "it needs only some of what tests need")]

#[path = "../acceptance/support/mod.rs"]
mod support;

use std::time::{Duration, Instant};

use chrono::{TimeDelta, Utc};
use futures_util::stream::{StreamExt, iter};
use reqwest::RequestBuilder;
use serde_json::{Value, json};
use sharelink_aws::share_table::{ShareTable, StatusFilter};
use sharelink_aws::{new_generation, new_write_id};
use sharelink_domain::{Item, to_millis};
use support::fixtures::{new_item, share_request};
use support::{Aws, Stack, TestItem, next_week, unique};

const SHARES: usize = 10_000;
const PAGE: usize = 100;
const REVOKED: usize = 10;
const RUNS: usize = 20;

#[tokio::main]
async fn main() {
    let stack = Stack::get().await;
    let single = creates(&stack, 1).await;
    let hundred = creates(&stack, 100).await;
    println!("{:<58} {:>10} {:>8}", "", "median", "ratio");
    row("create, 1 recipient", single, single);
    row("create, 100 recipients", hundred, single);

    let aws = Aws::new(&stack);
    let name = &stack.info.table_name;
    for (where_, config) in [("emulator", aws.config().clone()), ("dynoxide", aws.start_dynoxide().await)] {
        println!("\nthe table's lists, on {where_}");
        lists(&ShareTable::new(&config, name)).await;
    }
}

/// Pages of a small item and of a large one, and a tab that is nearly empty.
async fn lists(table: &ShareTable) {
    let small = seeded(table, PAGE, 0).await;
    let mut reference = Vec::new();
    for _ in 0..RUNS {
        reference.extend(pages(table, &small, StatusFilter::Active).await);
    }
    let reference = median(&reference);
    row("a page of 100 active shares of 100", reference, reference);
    let large = seeded(table, SHARES, REVOKED).await;
    let all = pages(table, &large, StatusFilter::Active).await;
    assert_eq!(all.len(), (SHARES - REVOKED).div_ceil(PAGE));
    row(&format!("the first ten pages of {SHARES}"), median(&all[..10]), reference);
    row(&format!("the last ten pages of {SHARES}"), median(&all[all.len() - 10..]), reference);
    let mut sparse = Vec::new();
    for _ in 0..RUNS {
        sparse.extend(pages(table, &large, StatusFilter::Inactive).await);
    }
    row(&format!("the {REVOKED} inactive shares among {SHARES}, whole"), median(&sparse), reference);
}

fn row(what: &str, median: Duration, reference: Duration) {
    let ratio = median.as_secs_f64() / reference.as_secs_f64();
    println!("{what:<58} {:>7.1} ms {ratio:>8.2}", median.as_secs_f64() * 1000.0);
}

fn median(times: &[Duration]) -> Duration {
    let mut times = times.to_vec();
    times.sort();
    times[times.len() / 2]
}

/// How long a request takes, and its answer.
async fn timed(request: RequestBuilder) -> (Duration, Value) {
    let start = Instant::now();
    let answer = request.send().await.unwrap().error_for_status().unwrap().bytes().await.unwrap();
    (start.elapsed(), serde_json::from_slice(&answer).unwrap())
}

/// How long a request with so many recipients takes.
async fn creates(stack: &Stack, recipients: usize) -> Duration {
    let item = TestItem::new(stack).await;
    let mut times = Vec::new();
    for _ in 0..RUNS {
        let recipients: Vec<String> =
            (0..recipients).map(|_| format!("{}@example.com", unique("r"))).collect();
        let body = json!({"recipients": recipients, "expiresAt": next_week(), "notify": false});
        times.push(timed(stack.client.post(item.url("")).bearer_auth(&item.token).json(&body)).await.0);
    }
    median(&times)
}

/// An item with so many shares, some of which, all over the list, are revoked.
async fn seeded(table: &ShareTable, shares: usize, revoked: usize) -> Item {
    let now = Utc::now();
    let request = share_request(&new_item(), TimeDelta::days(7), now);
    let create = |i: usize| {
        let request = &request;
        async move {
            let recipient = format!("recipient-{i}@example.com").parse().unwrap();
            let created = to_millis(now) + TimeDelta::milliseconds(i.try_into().unwrap());
            let mut share = request.share_with(recipient, new_generation().unwrap(), created);
            share.revoked_at = (revoked > 0 && i.is_multiple_of(shares / revoked.max(1))).then_some(now);
            table.create(&share, TimeDelta::days(30), new_write_id().unwrap()).await.unwrap();
        }
    };
    iter(0..shares).map(create).buffer_unordered(16).collect::<Vec<()>>().await;
    request.item
}

/// How long each page of a tab takes.
async fn pages(table: &ShareTable, item: &Item, tab: StatusFilter) -> Vec<Duration> {
    let (mut times, mut cursor) = (Vec::new(), None);
    loop {
        let start = Instant::now();
        let page = table.list(item, Some(tab), PAGE, cursor.as_ref(), Utc::now()).await.unwrap();
        times.push(start.elapsed());
        match page.next {
            Some(next) => cursor = Some(next),
            None => return times,
        }
    }
}
