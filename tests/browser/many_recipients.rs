//! Manage Link Access with hundreds of recipients.

use chrono::{TimeDelta, Utc};
use serde_json::{Value, json};

use crate::browser::{Browser, DESKTOP, PHONE};
use crate::page::Page;
use crate::site::evaluate;
use crate::support::{Stack, TestItem, address, eventually, next_week, rfc3339};

const ROOT: &str = "document.querySelector('link-access-dialog').shadowRoot";

/// Returns the visible recipients in the selected tab.
async fn shown(browser: &Browser) -> Vec<String> {
    let script = format!(
        "[...{ROOT}.querySelectorAll('[role=tabpanel]:not([hidden]) li[data-share]:not([hidden]) h3')]
        .map(({{ textContent }}) => textContent)"
    );
    let shown = evaluate(browser, &script.replace('\n', "")).await;
    shown.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
}

/// Changes a field of the dialog.
async fn change(browser: &Browser, selector: &str, value: &str, event: &str) {
    let script = format!(
        "const field = {ROOT}.querySelector(arguments[0]);
        field.value = arguments[1];
        field.dispatchEvent(new Event(arguments[2]));"
    );
    browser.run(&script, [selector, value, event].map(Value::from).to_vec()).await;
}

#[tokio::test]
async fn recipient_among_500_is_found_and_changed() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let oldest = address("oldest");
    let soon = rfc3339(Utc::now() + TimeDelta::hours(3));
    item.post(&json!({"recipients": [oldest], "expiresAt": soon, "notify": false})).await.assert_status(201);
    for _ in 0..5 {
        let recipients: Vec<_> = (0..100).map(|_| address("r")).collect();
        let body = json!({"recipients": recipients, "expiresAt": next_week(), "notify": false});
        item.post(&body).await.assert_status(201);
    }
    let page = Page::open(&item, DESKTOP).await;
    let browser = &page.browser;
    page.open_link_access().await;
    browser.wait_for("[role=tab]", "Active 25+").await;

    // A search loads the pages that have not been shown yet.
    browser.enter("Search recipients", "OLDEST").await;
    browser.wait_for("li[data-share]", &oldest).await;
    browser.wait_for("[role=tab]", "Active 501").await;
    assert_eq!(shown(browser).await, [&*oldest]);
    browser.wait_for("[role=status]", "1 matching link").await;
    browser.assert_accessible("a search").await;

    for (selector, value, event) in [
        ("#search", "", "input"),
        ("#search", "r-1", "input"),
        ("#search", "", "input"),
        ("#sort", "lastUse", "change"),
        ("#sort", "expiry", "change"),
    ] {
        change(browser, selector, value, event).await;
    }
    assert_eq!(shown(browser).await.first(), Some(&oldest), "the next to expire is first");
    assert_eq!(shown(browser).await.len(), 501);

    // A change moves the link to where it belongs in this order.
    page.press_in_row(&oldest, "Change Expiration").await;
    browser.press("1 month").await;
    browser.press("Save").await;
    browser.wait_for("p", &format!("{oldest} has access until")).await;
    eventually("the order", async || (shown(browser).await.last() == Some(&oldest)).then_some(())).await;
    page.press_in_row(&oldest, "Revoke Access").await;
    browser.press("Yes, revoke").await;
    browser.wait_for("[role=tab]", "Active 500").await;
    browser.wait_for("[role=tab]", "Inactive 1").await;

    browser.enter("Search recipients", "no-such-recipient").await;
    browser.wait_for("p", "No matching links.").await;
    page.browser.quit().await;
}

#[tokio::test]
async fn search_fits_a_phone_and_is_absent_for_few_links() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let recipients: Vec<_> = (0..11).map(|_| address("r")).collect();
    let page = Page::open(&item, PHONE).await;
    let browser = &page.browser;
    item.post(&json!({"recipients": recipients[..10], "expiresAt": next_week(), "notify": false})).await;
    page.open_link_access().await;
    browser.wait_for("[role=tab]", "Active 10").await;
    assert!(browser.find("input[type=search]", "Search recipients").await.is_none());
    browser.press("Close").await;
    item.post(&json!({"recipients": recipients[10..], "expiresAt": next_week(), "notify": false})).await;
    page.open_link_access().await;
    browser.wait_for("input[type=search]", "Search recipients").await;
    browser.assert_fits("Manage Link Access with a search").await;
    page.browser.quit().await;
}
