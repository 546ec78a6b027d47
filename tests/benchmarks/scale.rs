//! The API at scale, on the deployed local stack: requests with many recipients, and items with many shares.
//!
//! `cargo test --workspace --bench scale` prints the figures. Times on a local emulator do not represent AWS,
//! so compare only ratios within one run.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a benchmark"
)]
#![allow(dead_code, unused_imports, reason = "uses only part of the test support")]

#[path = "../acceptance/support/mod.rs"]
mod support;

use std::time::{Duration, Instant};

use chrono::{TimeDelta, Utc};
use futures_util::stream::{StreamExt, iter};
use serde_json::json;
use sharelink_aws::new_write_id;
use sharelink_aws::share_table::{ShareTable, StatusFilter};
use sharelink_domain::Item;
use support::fixtures::{RETENTION, new_item, now, share_builder};
use support::{Aws, Stack, TestItem, address, next_week};

const SHARES: usize = 10_000;
const PAGE: usize = 100;
const REVOKED: usize = 10;
const RUNS: usize = 20;

#[tokio::main]
async fn main() {
    let stack = Stack::get().await;
    let single = time_creates(&stack, 1).await;
    let hundred = time_creates(&stack, 100).await;
    println!("{:<58} {:>10} {:>8}", "", "median", "ratio");
    print_row("create, 1 recipient", single, single);
    print_row("create, 100 recipients", hundred, single);

    let aws = Aws::new(&stack);
    let table = &stack.info.table_name;
    println!("\nlists, on the emulator");
    print_lists(&ShareTable::new(aws.config(), table)).await;
    println!("\nlists, on dynoxide");
    print_lists(&ShareTable::new(&aws.start_dynoxide().await, table)).await;
}

/// Prints how long pages take to load: for a small item, for a large item, and for a tab with few shares.
async fn print_lists(table: &ShareTable) {
    let small = create_item(table, PAGE, 0).await;
    let mut small_pages = Vec::new();
    for _ in 0..RUNS {
        small_pages.extend(time_pages(table, &small, StatusFilter::Active).await);
    }
    let reference = median(&small_pages);
    print_row("the only page of 100 active shares", reference, reference);

    let large = create_item(table, SHARES, REVOKED).await;
    let pages = time_pages(table, &large, StatusFilter::Active).await;
    assert_eq!(pages.len(), (SHARES - REVOKED).div_ceil(PAGE), "number of pages");
    print_row(&format!("the first ten pages of {SHARES} shares"), median(&pages[..10]), reference);
    print_row(
        &format!("the last ten pages of {SHARES} shares"),
        median(&pages[pages.len() - 10..]),
        reference,
    );

    let mut sparse_tab = Vec::new();
    for _ in 0..RUNS {
        sparse_tab.extend(time_pages(table, &large, StatusFilter::Inactive).await);
    }
    print_row(&format!("all {REVOKED} inactive shares among {SHARES}"), median(&sparse_tab), reference);
}

fn print_row(name: &str, median: Duration, reference: Duration) {
    let ratio = median.as_secs_f64() / reference.as_secs_f64();
    println!("{name:<58} {:>7.1} ms {ratio:>8.2}", median.as_secs_f64() * 1000.0);
}

fn median(times: &[Duration]) -> Duration {
    let mut sorted = times.to_vec();
    sorted.sort();
    sorted[sorted.len() / 2]
}

/// Returns the median time of a create request with this number of recipients.
async fn time_creates(stack: &Stack, recipients: usize) -> Duration {
    let item = TestItem::new(stack).await;
    let mut times = Vec::new();
    for _ in 0..RUNS {
        let addresses: Vec<String> = (0..recipients).map(|_| address("r")).collect();
        let body = json!({"recipients": addresses, "expiresAt": next_week(), "notify": false});
        let request = stack.client.post(item.url("")).bearer_auth(&item.token).json(&body);
        let start = Instant::now();
        request.send().await.unwrap().error_for_status().unwrap().bytes().await.unwrap();
        times.push(start.elapsed());
    }
    median(&times)
}

/// Creates an item with this many shares. The revoked ones are spread evenly over the list.
async fn create_item(table: &ShareTable, shares: usize, revoked: usize) -> Item {
    let (item, now) = (new_item(), now());
    let create = |i: usize| {
        let item = &item;
        async move {
            let created_at = now + TimeDelta::milliseconds(i.try_into().unwrap());
            let builder = share_builder(item, TimeDelta::days(7), created_at);
            let mut share = builder.recipient(&format!("recipient-{i}@example.com")).build();
            let is_revoked = revoked > 0 && i.is_multiple_of(shares / revoked.max(1));
            share.revoked_at = is_revoked.then_some(now);
            table.create(&share, RETENTION, new_write_id().unwrap()).await.unwrap();
        }
    };
    iter(0..shares).map(create).buffer_unordered(16).collect::<Vec<()>>().await;
    item
}

/// Returns how long each page of a tab took to load.
async fn time_pages(table: &ShareTable, item: &Item, tab: StatusFilter) -> Vec<Duration> {
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
