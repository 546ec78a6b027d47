//! Copying a link, and reading the share log.

use reqwest::Method;
use serde_json::{Value, json};

use crate::api::{UNKNOWN_SHARE_ID, read_pages};
use crate::support::{Aws, Stack, TestItem, address};

#[tokio::test]
async fn copying_returns_the_emailed_link_and_records_the_caller() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let shared = item.share_with(&address("ann")).await;
    let path = format!("/{}/link", shared.id);
    let copy = || item.call(Method::POST, &path);

    let copied = copy().await;
    copied.assert_status(200);
    assert_eq!(copied.json(), json!({"link": shared.link}));
    assert_eq!(copied.header("cache-control"), "no-store");
    let row = &Aws::new(&stack).json_rows(&item.path()).await[0];
    assert_eq!(row["linkCopied"]["M"]["action"]["M"]["by"]["M"]["sub"], json!({"S": "test-user"}));

    // A revoked share keeps its link, which works again after a reactivation.
    item.revoke(&shared.id).await;
    assert_eq!(copy().await.json(), copied.json());

    let unknown_share = item.call(Method::POST, &format!("/{UNKNOWN_SHARE_ID}/link")).await;
    unknown_share.assert_problem(404, "share-not-found");
}

#[tokio::test]
async fn share_log_is_paginated_newest_first() {
    const SHARE_ID: &str = "877fab806afa6fcb1a85617f9ffe0709";

    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    assert_eq!(item.log_page("").await.json(), json!({"entries": []}));

    // Write the rows that sweep-shares would write, oldest first.
    let rows = [
        (1, "created", json!({"by": {"M": {"sub": {"S": "u1"}, "name": {"S": "Tess"}}}})),
        (2, "mailFailed", json!({"detail": {"S": "rejected"}})),
        (2, "opened", json!({"number": {"N": "128"}})),
        (
            3,
            "expirationChanged",
            json!({
                "from": {"S": "2030-01-01T00:00:00Z"}, "to": {"S": "2030-02-01T00:00:00.250Z"},
                "by": {"M": {"sub": {"S": "u1"}}},
            }),
        ),
    ];
    for (sequence, (second, event, details)) in rows.iter().enumerate() {
        let mut row = json!({
            "item": {"S": item.path()},
            "entry": {"S": format!("2026-03-10T12:00:0{second}.000Z#{sequence}")},
            "event": {"S": event}, "shareId": {"S": SHARE_ID}, "recipient": {"S": "ann@example.com"},
            "ttl": {"N": "4000000000"},
        });
        row.as_object_mut().unwrap().extend(details.as_object().unwrap().clone());
        let put = json!({"TableName": stack.info.log_table_name, "Item": row});
        Aws::new(&stack).call("dynamodb", "DynamoDB_20120810.PutItem", &put).await;
    }

    let pages = read_pages(async |cursor: Option<&str>| {
        let cursor = cursor.map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
        item.log_page(&format!("?limit=3{cursor}")).await
    })
    .await;

    let entries: Vec<&Value> = pages.iter().flat_map(|page| page["entries"].as_array().unwrap()).collect();
    let events: Vec<&str> = entries.iter().map(|entry| entry["event"].as_str().unwrap()).collect();
    let newest_first: Vec<&str> = rows.iter().rev().map(|(_, event, _)| *event).collect();
    assert_eq!(events, newest_first);
    assert_eq!(
        *entries[0],
        json!({
            "at": "2026-03-10T12:00:03Z", "event": "expirationChanged", "shareId": SHARE_ID,
            "recipient": "ann@example.com", "from": "2030-01-01T00:00:00Z", "to": "2030-02-01T00:00:00.250Z",
            "by": {"sub": "u1"},
        })
    );
    assert_eq!(entries[2]["reason"], "rejected");
    assert_eq!(entries[2]["detail"], "the mail service rejected the message");
    assert_eq!(entries[3]["by"]["name"], "Tess");
}

#[tokio::test]
async fn invalid_share_log_parameter_is_rejected() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    for query in ["?limit=0", "?limit=101", "?limit=x", "?cursor=x", "?cursor=MjAyNi0wMy0xMFQxMjowMDowMFo"] {
        let response = item.log_page(query).await;
        assert_eq!(response.status, 422, "{query}: {response:?}");
    }
}
