//! The files that the Share dialog offers.

use serde_json::{Value, json};

use crate::support::{Response, Stack, TestItem, send};

async fn files(item: &TestItem<'_>, query: &str) -> Response {
    let url = item.url("").replace("/shares", &format!("/files{query}"));
    send(item.stack.client.get(url).bearer_auth(&item.token)).await
}

fn names(page: &Value) -> Vec<&str> {
    page["files"].as_array().unwrap().iter().map(|file| file["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn an_items_files_are_listed_with_their_sizes_and_what_is_below_folders_is_not() {
    let stack = Stack::get().await;
    let item = TestItem::with_files(&stack, &["b.pdf", "Ünï \"a\";b.pdf", "folder/c.pdf", "a.pdf"]).await;
    let page = files(&item, "").await;
    assert_eq!(page.status, 200, "{page:?}");
    let file = |name: &str| json!({"name": name, "size": name.len()});
    assert_eq!(
        page.json(),
        json!({"files": [file("a.pdf"), file("b.pdf"), file("Ünï \"a\";b.pdf")], "leftOut": false})
    );
    assert_eq!(page.header("cache-control"), "no-store");
}

#[tokio::test]
async fn many_files_come_by_pages_each_once_and_whatever_a_page_offers_can_be_shared() {
    let stack = Stack::get().await;
    let expected: Vec<String> = (0..205).map(|n| format!("proof-{n:03}.pdf")).collect();
    let item = TestItem::with_files(&stack, &expected.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let (mut found, mut cursor, mut sizes) = (Vec::new(), String::new(), Vec::new());
    loop {
        let page = files(&item, &cursor).await.json();
        found.extend(names(&page).into_iter().map(str::to_owned));
        sizes.push(names(&page).len());
        let Some(next) = page["nextCursor"].as_str() else { break };
        cursor = format!("?cursor={next}");
    }
    assert_eq!((found, sizes), (expected.clone(), vec![100, 100, 5]));
    let body = json!({
        "recipients": ["ann@example.com"], "expiresAt": crate::support::next_week(), "files": expected[100..200],
    });
    assert_eq!(item.post(&body).await.status, 201);
}

#[tokio::test]
async fn an_item_without_files_has_none_and_a_made_up_cursor_is_refused() {
    let stack = Stack::get().await;
    let item = TestItem::with_files(&stack, &[]).await;
    assert_eq!(files(&item, "").await.json(), json!({"files": [], "leftOut": false}));
    for cursor in ["!", "Li4", "L2E", ""] {
        let refused = files(&item, &format!("?cursor={cursor}")).await;
        assert_eq!((refused.status, refused.error_locations()), (422, vec!["cursor".to_owned()]), "{cursor}");
    }
}
