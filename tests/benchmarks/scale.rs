//! The API at scale, on the deployed local stack: requests with many recipients, items with many shares, sharers
//! with many shares, and changes of many shares.
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
use sharelink_aws::share_table::{Cursor, Selection, ShareTable, StatusFilter};
use sharelink_domain::testing::permitted;
use sharelink_domain::{Item, Sharer, SharerKey};
#[cfg(feature = "dynamodb-local")]
use support::dynamodb_local::DynamoDbLocal;
use support::fixtures::{RETENTION, action, index_hashes, new_item, now, share_builder};
use support::{Aws, Stack, TestItem, address, next_week, unique};

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
    let dynoxide = ShareTable::new(&aws.start_dynoxide().await, table);
    print_lists(&dynoxide).await;
    println!("\nlists of all items' shares, on dynoxide");
    print_all_shares(&dynoxide).await;
    #[cfg(feature = "dynamodb-local")]
    {
        let dynamodb = DynamoDbLocal::start().await;
        let local = aws.copy_tables(&dynamodb.endpoint, true).await;
        println!("\nlists of all items' shares, on DynamoDB Local");
        print_all_shares(&ShareTable::new(&local, table)).await;
    }
    println!("\nrevocations, on the deployed stack");
    print_revocations(&stack, &ShareTable::new(aws.config(), table)).await;
}

/// Prints how long a page of a sharer's shares takes to load, for a sharer with few shares and for one with
/// many, and checks that it takes as long everywhere.
async fn print_all_shares(table: &ShareTable) {
    const LIMIT: usize = 10;
    let few = create_shares_of_sharer(table, LIMIT).await;
    let many = create_shares_of_sharer(table, SHARES).await;
    let list = async |sharer, after: Option<&Cursor>| {
        let start = Instant::now();
        let page = table.list_by_sharer(sharer, &Selection::ALL, LIMIT, after, Utc::now()).await.unwrap();
        assert_eq!(page.shares.len(), LIMIT);
        (start.elapsed(), page.next)
    };
    // Positions in the list, as their distance from its beginning.
    let mut positions = vec![("first", None)];
    let mut after: Option<Cursor> = None;
    for read in 1..SHARES / PAGE {
        let page =
            table.list_by_sharer(many, &Selection::ALL, PAGE, after.as_ref(), Utc::now()).await.unwrap();
        after = page.next;
        if read == SHARES / PAGE / 2 {
            positions.push(("middle", after.clone()));
        }
    }
    positions.push(("last hundred", after));
    // Take turns, so that other load on the machine affects all of them.
    let mut times = vec![Vec::new(); positions.len() + 1];
    for _ in 0..5 * RUNS {
        times[0].push(list(few, None).await.0);
        for (times, (_, position)) in times[1..].iter_mut().zip(&positions) {
            times.push(list(many, position.as_ref()).await.0);
        }
    }
    let reference = median(&times[0]);
    print_row(&format!("the only page of {LIMIT} shares"), reference, reference);
    for (times, (name, _)) in times[1..].iter().zip(&positions) {
        let time = median(times);
        print_row(&format!("a page of {SHARES} shares, {name}"), time, reference);
        assert!(time.as_secs_f64() <= 1.5 * reference.as_secs_f64(), "{name}");
    }
}

/// Creates this many shares of one sharer, each of another item, and returns the sharer's hash.
async fn create_shares_of_sharer(table: &ShareTable, shares: usize) -> SharerKey {
    let (now, sub) = (now(), unique("sharer"));
    let user = Sharer { sub, name: None, email: None };
    let create = |i: usize| {
        let created_at = now + TimeDelta::milliseconds(i.try_into().unwrap());
        let share = share_builder(&new_item(), TimeDelta::days(7), created_at).sharer(user.clone()).build();
        async move {
            let hashes = index_hashes(&share);
            table.create(permitted(&share), hashes, RETENTION, new_write_id().unwrap()).await.unwrap();
            hashes.sharer
        }
    };
    iter(0..shares).map(create).buffer_unordered(16).collect::<Vec<_>>().await.remove(0)
}

/// Prints how long a thousand revocations take: through the API, a hundred in a request, and directly on the
/// table with the same concurrency.
async fn print_revocations(stack: &Stack, table: &ShareTable) {
    const REVOCATIONS: usize = 1_000;
    const CONCURRENCY: usize = 16;
    let token = stack.token(&["producer"]).await;
    let create = |_| async {
        let share = share_builder(&new_item(), TimeDelta::days(7), now()).build();
        table
            .create(permitted(&share), index_hashes(&share), RETENTION, new_write_id().unwrap())
            .await
            .unwrap();
        share
    };
    let create = || iter(0..REVOCATIONS).map(create).buffer_unordered(CONCURRENCY).collect::<Vec<_>>();

    let shares = create().await;
    let start = Instant::now();
    let action = action(now());
    iter(&shares)
        .for_each_concurrent(CONCURRENCY, |share| async {
            let write = new_write_id().unwrap();
            support::table::revoke(table, &share.item, share.id, &action, write).await.unwrap();
        })
        .await;
    let direct = start.elapsed();
    print_row(&format!("{REVOCATIONS} revocations on the table"), direct, direct);

    let shares = create().await;
    let start = Instant::now();
    for hundred in shares.chunks(100) {
        let body = json!({"shares": hundred.iter().map(|share| json!({
            "module": share.item.module.to_string(), "item": share.item.name.to_string(),
            "shareId": share.id.to_string(),
        })).collect::<Vec<_>>()});
        let request = stack.client.post(format!("{}/shares/revoke", stack.info.api_url));
        let response = request.bearer_auth(&token).json(&body).send().await.unwrap();
        let response: serde_json::Value = response.error_for_status().unwrap().json().await.unwrap();
        let results = response["results"].as_array().unwrap();
        assert!(results.iter().all(|result| result["outcome"] == "changed"), "{response}");
    }
    print_row(&format!("{REVOCATIONS} revocations in ten requests"), start.elapsed(), direct);
    for share in &shares {
        assert!(table.get(&share.item, share.id).await.unwrap().unwrap().revoked_at.is_some());
    }
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
            table
                .create(permitted(&share), index_hashes(&share), RETENTION, new_write_id().unwrap())
                .await
                .unwrap();
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
