//! Replacing links in Manage Link Access.

use serde_json::json;

use crate::browser::{DESKTOP, Device, PHONE};
use crate::page::{Page, wait_for_event};
use crate::support::{Stack, TestItem, address, emails_to, next_week};

#[tokio::test]
async fn leaked_link_is_replaced_by_email() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let ann = address("ann");
    let body = json!({"recipients": [ann], "expiresAt": next_week(), "notify": false});
    let id = item.post(&body).await.share_id();
    let leaked = item.copy_link(&id).await;
    let page = Page::open(&item, DESKTOP).await;
    let browser = &page.browser;
    page.open_link_access().await;

    page.press_in_row(&ann, "Replace link").await;
    browser.wait_for("p", "The current link stops working immediately and for good.").await;
    // The safe choice has focus.
    browser.wait_for_focus("Cancel").await;
    stack.open(&leaked).await.assert_status(302);
    browser.press("Yes, replace").await;
    browser.wait_for(".status", "The link was replaced. The new one will be emailed.").await;

    stack.open(&leaked).await.assert_status(404);
    let new_link = item.wait_for_email(&ann).await.link();
    assert_eq!(stack.download(&new_link).await.0, b"brief.pdf");
    browser.wait_for("li[data-share]", "Link replaced").await;
    assert!(browser.find("button", "Undo").await.is_none(), "a replaced link cannot be brought back");
    wait_for_event(&item, "linkRenewed").await;
    browser.press("Share log").await;
    browser.wait_for(".log li", "link replaced, by Ann Example").await;
    page.browser.quit().await;
}

#[tokio::test]
async fn link_is_replaced_without_an_email_on_request() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let ann = address("ann");
    let shared = item.share_with(&ann).await;
    let page = Page::open(&item, Device { languages: "de", ..PHONE }).await;
    let browser = &page.browser;
    browser.run("document.documentElement.lang = 'de';", vec![]).await;
    browser.click(".toolbar share-button", "Manage Link Access").await;
    page.press_in_row(&ann, "Link ersetzen").await;
    browser.click("label", "Neuen Link per E-Mail senden").await;
    browser.press("Ja, ersetzen").await;
    let status = "Der Link wurde ersetzt. Kopieren Sie den neuen und senden Sie ihn selbst.";
    browser.wait_for(".status", status).await;
    browser.assert_fits("the result").await;

    stack.open(&shared.link).await.assert_status(404);
    stack.open(&item.copy_link(&shared.id).await).await.assert_status(302);
    assert_eq!(emails_to(&stack, &ann).await.len(), 1);
    page.browser.quit().await;
}

#[tokio::test]
async fn reactivating_a_revoked_link_offers_a_new_one_first() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let ann = address("ann");
    let shared = item.share_with(&ann).await;
    item.revoke(&shared.id).await;
    let page = Page::open(&item, DESKTOP).await;
    let browser = &page.browser;
    page.open_link_access().await;
    browser.click("[role=tab]", "Inactive 1").await;
    page.press_in_row(&ann, "Change Expiration").await;
    browser.wait_for("label", "Replace the link.").await;
    browser.wait_for("label", "Send the new link by email").await;
    assert!(browser.find(".panel .note", "the same link").await.is_none());

    // A time in the past leaves the link inactive, so there is nothing to choose.
    browser.set_time_to_midnight("Access expires").await;
    browser.wait_until_gone("label", "Replace the link.").await;
    browser.press("1 day").await;

    browser.click("label", "Replace the link.").await;
    browser.wait_for(".panel .note", "makes the same link work again").await;
    browser.wait_until_gone("label", "Send the new link by email").await;
    browser.click("label", "Replace the link.").await;
    browser.click("label", "Send the new link by email").await;
    browser.press("Save").await;
    browser.wait_for(".status", &format!("{ann} has access until")).await;
    browser.wait_for(".status", "The link was replaced.").await;
    stack.open(&shared.link).await.assert_status(404);
    stack.open(&item.copy_link(&shared.id).await).await.assert_status(302);
    page.browser.quit().await;
}

#[tokio::test]
async fn expired_link_keeps_working_by_default() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let ann = address("ann");
    let shared = item.share_with(&ann).await;
    let page = Page::open(&item, DESKTOP).await;
    let browser = &page.browser;
    page.open_link_access().await;
    page.press_in_row(&ann, "Change Expiration").await;
    browser.set_time_to_midnight("Access expires").await;
    browser.press("Save").await;
    browser.click("[role=tab]", "Inactive 1").await;
    page.press_in_row(&ann, "Change Expiration").await;
    browser.wait_for(".panel .note", "makes the same link work again").await;
    assert!(browser.find("label", "Replace the link.").await.is_none());
    browser.press("Save").await;
    browser.wait_for("[role=tab]", "Active 1").await;
    stack.open(&shared.link).await.assert_status(302);
    page.browser.quit().await;
}

#[tokio::test]
async fn replacing_a_changed_link_asks_again() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let ann = address("ann");
    let shared = item.share_with(&ann).await;
    let page = Page::open(&item, DESKTOP).await;
    let browser = &page.browser;
    page.open_link_access().await;
    page.press_in_row(&ann, "Replace link").await;
    item.change_expiration(&shared.id, 1, "2030-03-01T11:00:00Z").await.assert_status(200);
    browser.press("Yes, replace").await;
    browser.wait_for(".banner", "Someone else has changed this link: it now expires 1 Mar 2030, 12:00").await;
    stack.open(&shared.link).await.assert_status(302);
    browser.press("Yes, replace").await;
    browser.wait_for(".status", "The link was replaced.").await;
    stack.open(&shared.link).await.assert_status(404);

    // A form that was opened before another user revoked the share offers a new link, too.
    page.press_in_row(&ann, "Change Expiration").await;
    assert!(browser.find("label", "Replace the link.").await.is_none());
    item.revoke(&shared.id).await;
    browser.press("Save").await;
    browser.wait_for(".banner", "access was revoked").await;
    browser.wait_for("label", "Replace the link.").await;
    browser.press("Save").await;
    browser.wait_until_gone(".panel", "").await;

    // Another user has revoked it.
    page.press_in_row(&ann, "Replace link").await;
    item.revoke(&shared.id).await;
    browser.press("Yes, replace").await;
    browser.wait_for(".banner", "access was revoked").await;
    browser.press("Yes, replace").await;
    browser.wait_for(".banner", "This link is inactive: change its expiration first.").await;
    browser.press("Cancel").await;
    browser.wait_until_gone(".panel", "").await;
    page.browser.quit().await;
}
