//! "Copy link", and the share log.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Aws, Stack, TestItem, address};

#[tokio::test]
async fn a_copied_link_is_the_emailed_one_and_the_share_knows_who_asked() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let shared = item.share_with(&address("ann")).await;
    let path = format!("/{}/link", shared.id);
    let copy = || item.call(Method::POST, &path);
    let copied = copy().await;
    assert_eq!((copied.status, &copied.json()), (200, &json!({"link": shared.link})));
    assert_eq!(copied.header("cache-control"), "no-store");
    let row = &Aws::new(&stack).json_rows(&format!("jobs/{}", item.name)).await[0];
    assert_eq!(row["linkCopied"]["M"]["action"]["M"]["by"]["M"]["sub"], json!({"S": "test-user"}));

    // It is the same after it was revoked: it will work again when it is reactivated.
    item.revoke(&shared.id).await;
    assert_eq!(copy().await.json(), copied.json());
    let nobody = item.call(Method::POST, "/00000000000000000000000000000000/link").await;
    assert_eq!((nobody.status, nobody.problem_type().as_str()), (404, "share-not-found"));
}

#[tokio::test]
async fn the_log_is_read_newest_first_by_pages() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    assert_eq!(item.log_page("").await.json(), json!({"entries": []}));
    // As the sweeper writes it.
    let share = "877fab806afa6fcb1a85617f9ffe0709";
    let mut written = Vec::new();
    for (second, event, more) in [
        (1, "created", json!({"by": {"M": {"sub": {"S": "u1"}, "name": {"S": "Tess"}}}})),
        (2, "mailFailed", json!({"detail": {"S": "SES rejected the message"}})),
        (2, "opened", json!({})),
        (
            3,
            "expirationChanged",
            json!({
                "from": {"S": "2030-01-01T00:00:00Z"}, "to": {"S": "2030-02-01T00:00:00.250Z"},
                "by": {"M": {"sub": {"S": "u1"}}},
            }),
        ),
    ] {
        let sequence = written.len();
        let mut row = json!({
            "item": {"S": format!("LOG#jobs/{}", item.name)},
            "entry": {"S": format!("2026-03-10T12:00:0{second}.000Z#{sequence}")},
            "event": {"S": event}, "shareId": {"S": share}, "recipient": {"S": "ann@example.com"},
            "ttl": {"N": "4000000000"},
        });
        row.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let put = json!({"TableName": stack.info.table_name, "Item": row});
        Aws::new(&stack).call("dynamodb", "DynamoDB_20120810.PutItem", &put).await;
        written.insert(0, event);
    }

    let (mut cursor, mut entries) = (String::new(), Vec::new());
    loop {
        let page = item.log_page(&format!("?limit=3{cursor}")).await;
        assert_eq!(page.status, 200, "{page:?}");
        entries.extend(page.json()["entries"].as_array().unwrap().clone());
        match page.json()["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    let events: Vec<&Value> = entries.iter().map(|entry| &entry["event"]).collect();
    assert_eq!(events, written);
    assert_eq!(
        entries[0],
        json!({
            "at": "2026-03-10T12:00:03Z", "event": "expirationChanged", "shareId": share,
            "recipient": "ann@example.com", "from": "2030-01-01T00:00:00Z", "to": "2030-02-01T00:00:00.250Z",
            "by": {"sub": "u1"},
        })
    );
    assert_eq!(
        (&entries[2]["detail"], &entries[3]["by"]["name"]),
        (&json!("SES rejected the message"), &json!("Tess"))
    );

    for query in ["?limit=0", "?limit=101", "?limit=x", "?cursor=x", "?cursor=MjAyNi0wMy0xMFQxMjowMDowMFo"] {
        assert_eq!(item.log_page(query).await.status, 422, "{query}");
    }
}
