//! The list of files that the Share dialog offers.

use serde_json::{Value, json};

use crate::api::{create_body_with, read_pages};
use crate::support::{Aws, Response, Stack, TestItem, address, send, unique};

async fn list_files(item: &TestItem<'_>, query: &str) -> Response {
    let url = item.item_url(&format!("/files{query}"));
    send(item.stack.client.get(url).bearer_auth(&item.token)).await
}

fn names(page: &Value) -> Vec<String> {
    page["files"].as_array().unwrap().iter().map(|file| file["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn files_are_listed_with_sizes_and_without_subfolders() {
    let stack = Stack::get().await;
    let item = TestItem::with_files(&stack, &["b.pdf", "Ünï \"a\";b.pdf", "folder/c.pdf", "a.pdf"]).await;

    let response = list_files(&item, "").await;

    response.assert_status(200);
    let file = |name: &str| json!({"name": name, "size": name.len(), "archived": false});
    assert_eq!(
        response.json(),
        json!({"files": [file("a.pdf"), file("b.pdf"), file("Ünï \"a\";b.pdf")], "leftOut": false})
    );
    assert_eq!(response.header("cache-control"), "no-store");
}

#[tokio::test]
async fn files_are_paginated_and_a_full_page_can_be_shared() {
    let stack = Stack::get().await;
    let expected: Vec<String> = (0..205).map(|n| format!("proof-{n:03}.pdf")).collect();
    let item = TestItem::with_files(&stack, &expected.iter().map(String::as_str).collect::<Vec<_>>()).await;

    let pages = read_pages(async |cursor: Option<&str>| {
        let query = cursor.map(|cursor| format!("?cursor={cursor}")).unwrap_or_default();
        list_files(&item, &query).await
    })
    .await;

    let names_by_page: Vec<Vec<String>> = pages.iter().map(names).collect();
    assert_eq!(names_by_page.concat(), expected);
    assert_eq!(names_by_page.iter().map(Vec::len).collect::<Vec<_>>(), [100, 100, 5]);

    let body = create_body_with(&[address("ann")], &json!({"files": names_by_page[1]}));
    item.post(&body).await.assert_status(201);
}

#[tokio::test]
async fn item_without_files_has_an_empty_list() {
    let stack = Stack::get().await;
    let item = TestItem::with_files(&stack, &[]).await;
    assert_eq!(list_files(&item, "").await.json(), json!({"files": [], "leftOut": false}));
}

#[tokio::test]
async fn invalid_cursor_for_files_is_rejected() {
    let stack = Stack::get().await;
    let item = TestItem::with_files(&stack, &[]).await;
    for cursor in ["!", "Li4", "L2E", ""] {
        let response = list_files(&item, &format!("?cursor={cursor}")).await;
        assert_eq!(response.status, 422, "{cursor}: {response:?}");
        assert_eq!(response.error_locations(), ["cursor"], "{cursor}: {response:?}");
    }
}

#[tokio::test]
async fn archived_files_are_marked_and_cause_a_warning() {
    let stack = Stack::get().await;
    let item = TestItem::with_files(&stack, &["a.pdf"]).await;
    Aws::new(&stack).upload_archived(&item.key("b.pdf"), b"b.pdf").await;

    let listed = list_files(&item, "").await.json();
    let file = |name: &str, archived: bool| json!({"name": name, "size": 5, "archived": archived});
    assert_eq!(listed["files"], json!([file("a.pdf", false), file("b.pdf", true)]));

    for (fields, expected) in [
        (json!({}), json!("filesArchived")),
        (json!({"files": ["b.pdf"]}), json!("filesArchived")),
        (json!({"files": ["a.pdf"]}), Value::Null),
    ] {
        let created = item.post(&create_body_with(&[address("ann")], &fields)).await;
        created.assert_status(201);
        assert_eq!(created.json()["warnings"][0]["code"], expected, "{fields}");
    }
}

#[tokio::test]
async fn retry_repeats_the_warning_about_archived_files() {
    let stack = Stack::get().await;
    let item = TestItem::with_files(&stack, &[]).await;
    Aws::new(&stack).upload_archived(&item.key("b.pdf"), b"b.pdf").await;
    let (body, key) = (create_body_with(&[address("ann")], &json!({})), unique("key"));
    let first = item.post_with_key(&key, &body).await;
    first.assert_status(201);
    item.upload("b.pdf").await;

    let retry = item.post_with_key(&key, &body).await;

    assert_eq!(retry.json(), first.json());
    assert_eq!(retry.json()["warnings"][0]["code"], "filesArchived");
}
