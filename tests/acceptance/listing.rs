//! The lists of Manage Link Access.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::{Stack, TestItem, unique};

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
        let answer = item.share(&recipients).await.json();
        let results = answer["results"].as_array().unwrap().clone();
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
        let id = item.share(&[&recipient]).await.json()["results"][0]["shareId"].as_str().unwrap().to_owned();
        assert!(item.tab("active").await.contains(&recipient));
        item.revoke(&id).await;
        assert!(!item.tab("active").await.contains(&recipient));
        assert!(item.tab("inactive").await.contains(&recipient));
    }
}

#[tokio::test]
async fn an_item_without_shares_has_empty_tabs() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    assert_eq!(pages(&item, "active", 10).await, [Vec::<String>::new()]);
    assert_eq!(pages(&item, "inactive", 10).await, [Vec::<String>::new()]);
}
