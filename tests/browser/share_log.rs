//! What the share log shows of the uses of a link.

use serde_json::json;

use crate::browser::{DESKTOP, PHONE};
use crate::page::Page;
use crate::support::{Aws, Stack, TestItem, address};

#[tokio::test]
async fn log_shows_how_often_and_from_where_a_link_was_used() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let ann = address("ann");
    let id = item.share(&[&ann]).await.share_id();
    let source =
        |network: &str, client: &str| json!({"M": {"network": {"S": network}, "client": {"S": client}}});
    let uses = [
        (1, "opened", json!(100), source("203.0.113.0/24", "firefox")),
        (2, "opened", json!(1024), source("2001:db8:85a3::/48", "tool")),
        (3, "downloaded", json!(2_097_152), json!({"M": {"client": {"S": "bot"}}})),
        (4, "downloadedAll", json!(1), json!({"M": {"client": {"S": "edge"}}})),
    ];
    for (second, event, number, source) in uses {
        let row = json!({
            "item": {"S": item.path()}, "entry": {"S": format!("2030-03-10T12:00:0{second}.000Z#{second}")},
            "event": {"S": event}, "number": {"N": number.to_string()}, "source": source,
            "shareId": {"S": id}, "recipient": {"S": ann}, "ttl": {"N": "4000000000"},
        });
        let put = json!({"TableName": stack.info.log_table_name, "Item": row});
        Aws::new(&stack).call("dynamodb", "DynamoDB_20120810.PutItem", &put).await;
    }
    for device in [DESKTOP, PHONE] {
        let page = Page::open(&item, device).await;
        let browser = &page.browser;
        page.open_link_access().await;
        browser.press("Share log").await;
        for entry in [
            "link opened, Firefox, 203.0.113.0/24",
            "link opened, 1024 in all, download program, 2001:db8:85a3::/48",
            "file downloaded, 2097152 in all, automatic program",
            "all files downloaded, Edge",
        ] {
            browser.wait_for(".log li", &format!(": {entry}")).await;
        }
        assert!(!browser.visible_text().await.contains("100 times"), "each of these uses has an entry");
        browser.assert_accessible("share log with sources").await;
        browser.assert_fits("share log with sources").await;
        page.browser.quit().await;
    }
}
