//! The lists of active and inactive shares in the Manage Link Access dialog.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::api::{create_body, create_body_with, read_pages};
use crate::support::{Response, Stack, TestItem, address, next_week};

fn share_ids(page: &Value) -> Vec<String> {
    let shares = page["shares"].as_array().unwrap().iter();
    shares.map(|share| share["shareId"].as_str().unwrap().to_owned()).collect()
}

fn created_ids(response: &Response) -> Vec<String> {
    let results = response.json()["results"].as_array().unwrap().clone();
    results.iter().map(|result| result["shareId"].as_str().unwrap().to_owned()).collect()
}

/// Shares the item with new recipients without sending emails, and returns the share IDs.
async fn create_shares(item: &TestItem<'_>, count: usize) -> Vec<String> {
    let recipients: Vec<String> = (0..count).map(|_| address("r")).collect();
    created_ids(&item.post(&create_body_with(&recipients, &json!({"notify": false}))).await)
}

/// Returns the share IDs on each page of a list.
async fn list_pages(item: &TestItem<'_>, status: &str, limit: usize) -> Vec<Vec<String>> {
    let pages = read_pages(async |cursor: Option<&str>| {
        let cursor = cursor.map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
        item.get(&format!("?status={status}&limit={limit}{cursor}")).await
    })
    .await;
    pages.iter().map(share_ids).collect()
}

#[tokio::test]
async fn tabs_list_each_share_once_newest_first() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let mut created = Vec::new();
    for _ in 0..3 {
        let recipients: Vec<String> = (0..10).map(|_| address("r")).collect();
        created.extend(created_ids(&item.post(&create_body(&recipients)).await));
    }
    let revoked: BTreeSet<String> = created.iter().step_by(5).cloned().collect();
    for id in &revoked {
        item.revoke(id).await.assert_status(200);
    }

    let active = list_pages(&item, "active", 7).await;
    let inactive = list_pages(&item, "inactive", 4).await;

    assert_eq!(active.iter().map(Vec::len).collect::<Vec<_>>(), [7, 7, 7, 3]);
    assert_eq!(inactive.iter().map(Vec::len).collect::<Vec<_>>(), [4, 2]);
    assert_eq!(inactive.concat().into_iter().collect::<BTreeSet<_>>(), revoked);
    let all: BTreeSet<String> = active.concat().into_iter().chain(inactive.concat()).collect();
    assert_eq!(all, created.iter().cloned().collect());
    let batch = |id: &String| created.iter().position(|other| other == id).unwrap() / 10;
    assert!(active.concat().is_sorted_by_key(|id| Reverse(batch(id))), "{active:?}");
}

#[tokio::test]
async fn lists_reflect_changes_immediately() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    for _ in 0..5 {
        let recipient = address("r");
        let id = item.share(&[&recipient]).await.share_id();
        assert!(item.list_recipients("active").await.contains(&recipient));
        item.revoke(&id).await;
        assert!(!item.list_recipients("active").await.contains(&recipient));
        assert!(item.list_recipients("inactive").await.contains(&recipient));
    }
}

#[tokio::test]
async fn item_without_shares_has_empty_lists() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    assert_eq!(list_pages(&item, "active", 10).await, [Vec::<String>::new()]);
    assert_eq!(list_pages(&item, "inactive", 10).await, [Vec::<String>::new()]);
}

/// Creates, revokes and reactivates shares between page reads.
#[tokio::test]
async fn pagination_is_consistent_while_shares_change() {
    let (stack, proxy, _clock) = Stack::with_dynamodb_proxy().await;
    let item = TestItem::new(&stack).await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.extend(create_shares(&item, 100).await);
    }
    // Every third share is inactive, so each list must skip the other list's shares.
    let inactive: BTreeSet<String> = ids.iter().step_by(3).cloned().collect();
    join_all(inactive.iter().map(|id| item.revoke(id))).await;
    let active: BTreeSet<String> = ids.iter().filter(|id| !inactive.contains(*id)).cloned().collect();
    let changing: BTreeSet<String> = ids.iter().skip(40).step_by(50).cloned().collect();

    for (status, expected) in [("active", &active), ("inactive", &inactive)] {
        let mut seen = Vec::new();
        let mut cursor = String::new();
        let mut calls_by_page = Vec::new();
        loop {
            // Reset the call counter.
            proxy.take_call_count(&[""]);
            let page = item.get(&format!("?status={status}&limit=20{cursor}")).await.json();
            calls_by_page.push(proxy.take_call_count(&["byCreated", "DynamoDB_20120810.BatchGetItem"]));
            seen.extend(share_ids(&page));
            let Some(next) = page["nextCursor"].as_str() else { break };
            cursor = format!("&cursor={next}");

            // Between pages, create a share, then revoke and reactivate some of the active shares.
            create_shares(&item, 1).await;
            for id in &changing {
                let revoked = item.revoke(id).await.json();
                if revoked["status"] == "inactive" && !inactive.contains(id) {
                    item.patch(id, Some("*"), &json!({"expiresAt": next_week()})).await;
                }
            }
        }
        let distinct: BTreeSet<String> = seen.iter().cloned().collect();
        assert_eq!(distinct.len(), seen.len(), "{status}: a share was listed twice");
        // Shares created after the first page was read are newer than its cursor, and are not listed. Every
        // earlier share is listed.
        assert_eq!(distinct, *expected, "{status}");
        let batch = |id: &String| ids.iter().position(|other| other == id).unwrap() / 100;
        assert!(seen.is_sorted_by_key(|id| Reverse(batch(id))), "{status}: the list is not newest first");
        // Each page takes one or more queries to fill, plus one batch read of its shares.
        assert!(calls_by_page.iter().all(|calls| (2..=4).contains(calls)), "{status}: {calls_by_page:?}");
    }
}
