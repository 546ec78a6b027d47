//! The lists of Manage Link Access.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{Stack, TestItem, next_week, send, unique};

async fn pages(item: &TestItem<'_>, status: &str, limit: usize) -> Vec<Vec<String>> {
    let mut pages = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = item.get(&format!("?status={status}&limit={limit}{cursor}")).await;
        assert_eq!(page.status, 200, "{page:?}");
        let page = page.json();
        let ids = page["shares"]
            .as_array()
            .unwrap()
            .iter()
            .map(|share| share["shareId"].as_str().unwrap().to_owned());
        pages.push(ids.collect());
        match page["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return pages,
        }
    }
}

#[tokio::test]
async fn every_share_is_on_exactly_one_tab_once_newest_first() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let mut created = Vec::new();
    for _ in 0..3 {
        let recipients: Vec<String> = (0..10).map(|_| format!("{}@example.com", unique("r"))).collect();
        let recipients: Vec<&str> = recipients.iter().map(String::as_str).collect();
        let response = item.share(&recipients).await.json();
        let results = response["results"].as_array().unwrap().clone();
        created.extend(results.iter().map(|result: &Value| result["shareId"].as_str().unwrap().to_owned()));
    }
    let revoked: BTreeSet<String> = created.iter().step_by(5).cloned().collect();
    for id in &revoked {
        assert_eq!(item.revoke(id).await.status, 200);
    }

    let active = pages(&item, "active", 7).await;
    let inactive = pages(&item, "inactive", 4).await;
    assert_eq!(active.iter().map(Vec::len).collect::<Vec<_>>(), [7, 7, 7, 3]);
    assert_eq!(inactive.iter().map(Vec::len).collect::<Vec<_>>(), [4, 2]);
    assert_eq!(inactive.concat().into_iter().collect::<BTreeSet<_>>(), revoked);
    let all: BTreeSet<String> = active.concat().into_iter().chain(inactive.concat()).collect();
    assert_eq!(all, created.iter().cloned().collect());
    let age = |id: &String| created.iter().position(|other| other == id).unwrap() / 10;
    assert!(active.concat().is_sorted_by_key(|id| std::cmp::Reverse(age(id))));
}

#[tokio::test]
async fn what_was_just_done_is_what_the_list_shows() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    for _ in 0..5 {
        let recipient = format!("{}@example.com", unique("r"));
        let id = item.share(&[&recipient]).await.share_id();
        assert!(item.list_recipients("active").await.contains(&recipient));
        item.revoke(&id).await;
        assert!(!item.list_recipients("active").await.contains(&recipient));
        assert!(item.list_recipients("inactive").await.contains(&recipient));
    }
}

#[tokio::test]
async fn an_item_without_shares_has_empty_tabs() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    assert_eq!(pages(&item, "active", 10).await, [Vec::<String>::new()]);
    assert_eq!(pages(&item, "inactive", 10).await, [Vec::<String>::new()]);
}

/// Hundreds of shares, of which some change tabs, appear or are used while somebody pages through them.
#[tokio::test]
async fn pages_stay_in_step_with_shares_that_change_meanwhile() {
    let (stack, proxy, _clock) = Stack::with_dynamodb_proxy().await;
    let item = TestItem::new(&stack).await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.extend(created(&item, 100).await);
    }
    // Every third is inactive, so that pages of both tabs pass over shares of the other.
    let inactive: Vec<&String> = ids.iter().step_by(3).collect();
    join_all(inactive.iter().map(|id| item.revoke(id))).await;
    let touched: BTreeSet<String> = ids.iter().skip(40).step_by(50).cloned().collect();

    for (status, expected) in [
        ("active", ids.iter().filter(|id| !inactive.contains(id)).cloned().collect::<BTreeSet<_>>()),
        ("inactive", inactive.iter().map(|id| (*id).clone()).collect()),
    ] {
        let (mut seen, mut cursor, mut costs) = (Vec::new(), String::new(), Vec::new());
        loop {
            proxy.take_call_count(&[""]);
            let page = item.get(&format!("?status={status}&limit=20{cursor}")).await.json();
            costs.push(proxy.take_call_count(&["byCreated", "DynamoDB_20120810.BatchGetItem"]));
            let shares = page["shares"].as_array().unwrap().iter();
            seen.extend(shares.map(|share| share["shareId"].as_str().unwrap().to_owned()));
            let Some(next) = page["nextCursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
            // Between the pages: somebody shares again, and some shares go to the other tab and back.
            created(&item, 1).await;
            for id in &touched {
                if item.revoke(id).await.json()["status"] == "inactive" && !inactive.contains(&id) {
                    let request = stack.client.patch(item.url(&format!("/{id}"))).bearer_auth(&item.token);
                    let body = json!({"expiresAt": next_week()});
                    send(request.header("If-Match", "*").json(&body)).await;
                }
            }
        }
        let once: BTreeSet<String> = seen.iter().cloned().collect();
        assert_eq!(once.len(), seen.len(), "a share was there twice");
        // Those that came after the first page are newer than it; of the rest, each was there.
        assert_eq!(once, expected, "{status}");
        assert!(
            seen.is_sorted_by_key(|id| std::cmp::Reverse(ids.iter().position(|i| i == id).unwrap() / 100))
        );
        // The queries that fill the page, and one read of its shares, from the first page to the last.
        assert!(costs.iter().all(|calls| (2..=4).contains(calls)), "{status}: {costs:?}");
    }
}

/// Shares the item with so many others at once, and gives their shares' ids.
async fn created(item: &TestItem<'_>, count: usize) -> Vec<String> {
    let recipients: Vec<String> = (0..count).map(|_| format!("{}@example.com", unique("r"))).collect();
    let body = json!({"recipients": recipients, "expiresAt": next_week(), "notify": false});
    let created = item.post(&body).await.json();
    let id = |result: &Value| result["shareId"].as_str().unwrap().to_owned();
    created["results"].as_array().unwrap().iter().map(id).collect()
}
