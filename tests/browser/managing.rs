//! Manage Link Access.

use serde_json::{Value, json};
use thirtyfour::By;

use crate::browser::DESKTOP;
use crate::page::Page;
use crate::support::{Stack, TestItem, address, eventually, next_week, unique};

#[tokio::test]
async fn a_stale_window_shows_what_has_changed_and_asks_again() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let ann = address("ann");
    let id = item.share(&[&ann]).await.share_id();
    let page = Page::open(&item, DESKTOP).await;
    let first = page.browser.driver.window().await.unwrap();
    page.manage().await;
    page.act(&ann, "Change Expiration").await;
    page.browser.set_time("Access expires", "2030-03-01T12:00").await;

    let second = page.browser.driver.new_window().await.unwrap();
    page.browser.driver.switch_to_window(second).await.unwrap();
    page.show(&item).await;
    page.manage().await;
    page.act(&ann, "Change Expiration").await;
    page.browser.set_time("Access expires", "2030-02-01T12:00").await;
    page.browser.press("Save").await;
    page.browser.see("p", &format!("{ann} has access until")).await;

    page.browser.driver.switch_to_window(first).await.unwrap();
    page.browser.press("Save").await;
    page.browser
        .see("p", "Somebody else has changed this link meanwhile: it now expires 1 Feb 2030, 12:00")
        .await;
    let expires_at = item.share_with_id(&id).await["expiresAt"].clone();
    assert_eq!(expires_at, "2030-02-01T11:00:00Z", "nothing is saved before the answer");
    page.browser.press("Save").await;
    page.browser.see("p", &format!("{ann} has access until 1 Mar 2030, 12:00")).await;
    assert_eq!(item.share_with_id(&id).await["expiresAt"], "2030-03-01T11:00:00Z");

    // A revocation counts as well, and who then gives way sees what is true.
    page.act(&ann, "Change Expiration").await;
    item.revoke(&id).await;
    page.browser.press("Save").await;
    page.browser.see("p", "Somebody else has changed this link meanwhile: access was revoked").await;
    page.browser.press("Cancel").await;
    page.browser.see("[role=tab]", "Inactive 1").await;
    page.browser.quit().await;
}

#[tokio::test]
async fn hundreds_of_links_come_as_one_scrolls() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let recipients: Vec<String> = (0..60).map(|_| address("r")).collect();
    item.post(&json!({"recipients": recipients, "expiresAt": next_week(), "notify": false})).await;
    let page = Page::open(&item, DESKTOP).await;
    page.manage().await;
    page.browser.see("[role=tab]", "Active 25+").await;
    // One that changes stays where it is.
    let row = page.browser.see("li[data-share]", "").await;
    let recipient = row.find(By::Tag("h3")).await.unwrap().text().await.unwrap();
    page.act(&recipient, "Change Expiration").await;
    page.browser.press("Save").await;
    page.browser.see("p", &format!("{recipient} has access until")).await;
    page.browser.see("li[data-share]", &recipient).await;
    page.browser.see("[role=tab]", "Active 25+").await;
    let scroll =
        "document.querySelector('link-access-dialog').shadowRoot.querySelector('.body').scrollTo(0, 1e9);";
    eventually("all of them", async || {
        page.browser.run(scroll, vec![]).await;
        page.browser.find("[role=tab]", "Active 60").await
    })
    .await;
    let shown = page
        .browser
        .run(
            "return document.querySelector('link-access-dialog').shadowRoot.querySelectorAll('[data-share]').length;",
            vec![],
        )
        .await;
    assert_eq!(shown, 60);
    page.browser.quit().await;
}

#[tokio::test]
async fn another_email_a_copy_of_the_link_and_the_log_are_a_press_away() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let ann = address("ann");
    let shared = item.shared_with(&ann).await;
    let page = Page::open(&item, DESKTOP).await;
    page.manage().await;
    page.act(&ann, "Send the email again").await;
    page.browser.see(".banner", "Another can be sent in 5 minutes.").await;

    let grant = json!({"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]});
    page.browser.cdp("Browser.grantPermissions", grant).await;
    page.act(&ann, "Copy link").await;
    page.browser.see(".banner", "Whoever has it gets the files.").await;
    let read = "navigator.clipboard.readText().then(arguments[0], (error) => arguments[0](String(error)));";
    let copied = page.browser.driver.execute_async(read, vec![]).await.unwrap();
    assert_eq!(copied.json(), &json!(shared.link));

    item.log_of(3).await;
    page.browser.press("Share log").await;
    page.browser.see("h2", "Share log").await;
    for entry in ["shared, by Tess Tester", "email sent", "link copied, by Ann Example"] {
        page.browser.see(".log li", entry).await;
    }
    page.browser.press("Back to the links").await;
    page.browser.see("li[data-share]", &ann).await;
    page.browser.quit().await;
}

#[tokio::test]
async fn a_time_earlier_today_ends_access_at_once() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let ann = address("ann");
    item.share(&[&ann]).await;
    let page = Page::open(&item, DESKTOP).await;
    page.manage().await;
    page.act(&ann, "Change Expiration").await;
    let today = page.browser.run("return new Date().toLocaleDateString('sv');", vec![]).await;
    page.browser.set_time("Access expires", &format!("{}T00:00", today.as_str().unwrap())).await;
    page.browser.see(".note", "This time has passed: access ends at once.").await;
    page.browser.press("Save").await;
    page.browser.see("p", &format!("{ann} has no access any more.")).await;
    page.browser.click("[role=tab]", "Inactive 1").await;
    page.browser.see("li[data-share]", &ann).await;
    page.browser.quit().await;
}

#[tokio::test]
async fn the_page_around_hears_what_was_done() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let page = Page::open(&item, DESKTOP).await;
    let listen = r"
        window.heard = [];
        for (const name of ['sharelink-shared', 'sharelink-changed', 'sharelink-closed'])
            document.addEventListener(name, ({ type, target, detail }) => heard.push([type, target.localName, Object.keys(detail)]));
    ";
    page.browser.run(listen, vec![]).await;
    let ann = address(&unique("ann"));
    page.share().await;
    page.browser.enter("Recipients", &ann).await;
    page.browser.press("Share").await;
    page.browser.press("Done").await;
    page.manage().await;
    page.act(&ann, "Revoke Access").await;
    page.browser.press("Yes, revoke").await;
    page.browser.see("[role=tab]", "Inactive 1").await;
    page.browser.press("Close").await;
    let heard = page.browser.run("return window.heard;", vec![]).await;
    let expected: Value = json!([
        ["sharelink-shared", "share-button", ["results"]],
        ["sharelink-closed", "share-button", []],
        ["sharelink-changed", "share-button", ["share"]],
        ["sharelink-closed", "share-button", []],
    ]);
    assert_eq!(heard, expected);
    page.browser.quit().await;
}
