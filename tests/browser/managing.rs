//! The Manage Link Access dialog.

use serde_json::{Value, json};
use thirtyfour::By;

use crate::browser::DESKTOP;
use crate::page::Page;
use crate::support::{Stack, TestItem, address, eventually, next_week};

#[tokio::test]
async fn stale_change_needs_confirmation() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let ann = address("ann");
    let id = item.share(&[&ann]).await.share_id();
    let page = Page::open(&item, DESKTOP).await;
    let first = page.browser.driver.window().await.unwrap();
    page.open_link_access().await;
    page.press_in_row(&ann, "Change Expiration").await;
    page.browser.set_time("Access expires", "2030-03-01T12:00").await;

    let second = page.browser.driver.new_window().await.unwrap();
    page.browser.driver.switch_to_window(second).await.unwrap();
    page.show(&item).await;
    page.open_link_access().await;
    page.press_in_row(&ann, "Change Expiration").await;
    page.browser.set_time("Access expires", "2030-02-01T12:00").await;
    page.browser.press("Save").await;
    page.browser.wait_for("p", &format!("{ann} has access until")).await;

    page.browser.driver.switch_to_window(first).await.unwrap();
    page.browser.press("Save").await;
    page.browser.wait_for("p", "Someone else has changed this link: it now expires 1 Feb 2030, 12:00").await;
    let expires_at = item.get_share(&id).await["expiresAt"].clone();
    assert_eq!(expires_at, "2030-02-01T11:00:00Z", "nothing should be saved before the user confirms");
    page.browser.press("Save").await;
    page.browser.wait_for("p", &format!("{ann} has access until 1 Mar 2030, 12:00")).await;
    assert_eq!(item.get_share(&id).await["expiresAt"], "2030-03-01T11:00:00Z");

    // A revocation also makes the change stale. Canceling the change shows the revoked share.
    page.press_in_row(&ann, "Change Expiration").await;
    item.revoke(&id).await;
    page.browser.press("Save").await;
    page.browser.wait_for("p", "Someone else has changed this link: access was revoked").await;
    page.browser.press("Cancel").await;
    page.browser.wait_for("[role=tab]", "Inactive 1").await;
    page.browser.quit().await;
}

#[tokio::test]
async fn scrolling_loads_all_links() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let recipients: Vec<String> = (0..60).map(|_| address("r")).collect();
    item.post(&json!({"recipients": recipients, "expiresAt": next_week(), "notify": false})).await;
    let page = Page::open(&item, DESKTOP).await;
    page.open_link_access().await;
    page.browser.wait_for("[role=tab]", "Active 25+").await;
    // A changed link keeps its place in the list.
    let row = page.browser.wait_for("li[data-share]", "").await;
    let recipient = row.find(By::Tag("h3")).await.unwrap().text().await.unwrap();
    page.press_in_row(&recipient, "Change Expiration").await;
    page.browser.press("Save").await;
    page.browser.wait_for("p", &format!("{recipient} has access until")).await;
    page.browser.wait_for("li[data-share]", &recipient).await;
    page.browser.wait_for("[role=tab]", "Active 25+").await;
    let scroll =
        "document.querySelector('link-access-dialog').shadowRoot.querySelector('.body').scrollTo(0, 1e9);";
    eventually("all links", async || {
        page.browser.run(scroll, vec![]).await;
        page.browser.find("[role=tab]", "Active 60").await
    })
    .await;
    let count_rows = r"
        const { shadowRoot } = document.querySelector('link-access-dialog');
        return shadowRoot.querySelectorAll('[data-share]').length;
    ";
    let shown = page.browser.run(count_rows, vec![]).await;
    assert_eq!(shown, 60);
    page.browser.quit().await;
}

#[tokio::test]
async fn resend_is_limited_and_a_copied_link_is_logged() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let ann = address("ann");
    let shared = item.share_with(&ann).await;
    let page = Page::open(&item, DESKTOP).await;
    page.open_link_access().await;
    page.press_in_row(&ann, "Resend email").await;
    page.browser.wait_for(".banner", "Another can be sent in 5 minutes.").await;

    let grant = json!({"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]});
    page.browser.cdp("Browser.grantPermissions", grant).await;
    page.press_in_row(&ann, "Copy link").await;
    page.browser.wait_for(".banner", "Anyone with this link can download the files.").await;
    let read = "navigator.clipboard.readText().then(arguments[0], (error) => arguments[0](String(error)));";
    let copied = page.browser.driver.execute_async(read, vec![]).await.unwrap();
    assert_eq!(copied.json(), &json!(shared.link));

    item.wait_for_log(3).await;
    page.browser.press("Share log").await;
    page.browser.wait_for("h2", "Share log").await;
    for entry in ["shared, by Tess Tester", "email sent", "link copied, by Ann Example"] {
        page.browser.wait_for(".log li", entry).await;
    }
    page.browser.press("Back to the links").await;
    page.browser.wait_for("li[data-share]", &ann).await;
    page.browser.quit().await;
}

#[tokio::test]
async fn expiration_earlier_today_ends_access() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let ann = address("ann");
    item.share(&[&ann]).await;
    let page = Page::open(&item, DESKTOP).await;
    page.open_link_access().await;
    page.press_in_row(&ann, "Change Expiration").await;
    page.browser.set_time_to_midnight("Access expires").await;
    page.browser.wait_for(".note", "This time has passed: access ends immediately.").await;
    page.browser.press("Save").await;
    page.browser.wait_for("p", &format!("{ann} no longer has access.")).await;
    page.browser.click("[role=tab]", "Inactive 1").await;
    page.browser.wait_for("li[data-share]", &ann).await;
    page.browser.quit().await;
}

#[tokio::test]
async fn dialog_events_reach_the_page() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let page = Page::open(&item, DESKTOP).await;
    let listen = r"
        window.events = [];
        for (const name of ['sharelink-shared', 'sharelink-changed', 'sharelink-closed'])
            document.addEventListener(name, ({ type, target, detail }) =>
                events.push([type, target.localName, Object.keys(detail)]));
    ";
    page.browser.run(listen, vec![]).await;
    let ann = address("ann");
    page.open_share_dialog().await;
    page.browser.enter("Recipients", &ann).await;
    page.browser.press("Share").await;
    page.browser.press("Done").await;
    page.open_link_access().await;
    page.press_in_row(&ann, "Revoke Access").await;
    page.browser.press("Yes, revoke").await;
    page.browser.wait_for("[role=tab]", "Inactive 1").await;
    page.browser.press("Close").await;
    let events = page.browser.run("return window.events;", vec![]).await;
    let expected: Value = json!([
        ["sharelink-shared", "share-button", ["results"]],
        ["sharelink-closed", "share-button", []],
        ["sharelink-changed", "share-button", ["share"]],
        ["sharelink-closed", "share-button", []],
    ]);
    assert_eq!(events, expected);
    page.browser.quit().await;
}
