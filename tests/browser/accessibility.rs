//! Accessibility checks with axe-core, for every state of the pages and dialogs.

use thirtyfour::Key;

use crate::browser::{Browser, DESKTOP};
use crate::page::Page;
use crate::support::{Aws, Stack, TestItem, address};

#[tokio::test]
async fn share_dialog_is_accessible() {
    let stack = Stack::get().await;
    let item = TestItem::with_files(&stack, &["a.pdf", "b.pdf"]).await;
    let existing = address("existing");
    item.share(&[&existing]).await;
    let page = Page::open(&item, DESKTOP).await;
    let browser = &page.browser;
    browser.assert_accessible("the page").await;
    page.open_share_dialog().await;
    browser.assert_accessible("an empty form").await;
    browser.enter("Recipients", "one, two, one@example.com, one@example.com,").await;
    browser.press("Share").await;
    browser.wait_for(".error", "Correct or remove").await;
    browser.assert_accessible("a form with errors").await;
    for wrong in ["one", "two", "one@example.com"] {
        browser.press(&format!("Remove {wrong}")).await;
    }
    browser.enter("Recipients", &existing).await;
    browser.press("Share").await;
    browser.wait_for("h2", "Shared with 1 recipient").await;
    browser.assert_accessible("the results").await;
    page.browser.quit().await;
}

#[tokio::test]
async fn manage_link_access_is_accessible() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let (ann, bob) = (address("ann"), address("bob"));
    let shared = item.share(&[&ann, &bob]).await;
    item.revoke(&shared.share_id()).await;
    let page = Page::open(&item, DESKTOP).await;
    let browser = &page.browser;
    page.open_link_access().await;
    browser.wait_for("li[data-share]", &bob).await;
    browser.assert_accessible("the active links").await;
    page.press_in_row(&bob, "Change Expiration").await;
    browser.assert_accessible("the expiration form").await;
    browser.press("Cancel").await;
    page.press_in_row(&bob, "Revoke Access").await;
    browser.assert_accessible("the revoke form").await;
    browser.press("Cancel").await;
    page.press_in_row(&bob, "Replace link").await;
    browser.assert_accessible("the replace form").await;
    browser.press("Cancel").await;
    page.press_in_row(&bob, "Resend email").await;
    browser.wait_for(".banner", "").await;
    browser.assert_accessible("a refused resend").await;
    page.press_in_row(&bob, "Copy link").await;
    browser.wait_for(".banner, label", "Anyone with this link").await;
    browser.assert_accessible("a copied link").await;
    browser.click("[role=tab]", "Inactive 1").await;
    browser.wait_for("li[data-share]", &ann).await;
    page.press_in_row(&ann, "Change Expiration").await;
    browser.assert_accessible("the expiration form of a revoked link").await;
    browser.press("Cancel").await;
    browser.assert_accessible("the inactive links").await;
    item.wait_for_log(2).await;
    browser.press("Share log").await;
    browser.wait_for(".log li", "").await;
    browser.assert_accessible("the log").await;
    browser.send_keys(Key::Escape).await;
    page.browser.quit().await;
}

#[tokio::test]
async fn recipient_pages_are_accessible() {
    let stack = Stack::get().await;
    let item = TestItem::with_files(&stack, &["a.pdf", "b.pdf"]).await;
    let shared = item.share_with(&address("ann")).await;
    let browser = Browser::start(DESKTOP).await;
    browser.open(&shared.link).await;
    browser.wait_for("h1", "Tess Tester shared 2 files with you").await;
    browser.assert_accessible("the files").await;
    Aws::new(&stack).delete(&item.key("a.pdf")).await;
    browser.open(&format!("{}/files/1", shared.link)).await;
    browser.wait_for("h1", "The file is not available right now").await;
    browser.assert_accessible("a missing file").await;
    item.revoke(&shared.id).await;
    browser.open(&shared.link).await;
    browser.wait_for("h1", "This link is no longer valid").await;
    browser.assert_accessible("a revoked link").await;
    browser.open(&format!("{}x", shared.link)).await;
    browser.wait_for("h1", "This link does not work").await;
    browser.assert_accessible("an unknown link").await;
    browser.quit().await;
}
