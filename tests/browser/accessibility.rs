//! What axe-core finds, in every state, light and dark.

use thirtyfour::Key;

use crate::browser::{Browser, DESKTOP};
use crate::page::Page;
use crate::support::{Aws, Stack, TestItem, address};

#[tokio::test]
async fn the_share_dialog_has_no_barriers() {
    let stack = Stack::get().await;
    let item = TestItem::with_files(&stack, &["a.pdf", "b.pdf"]).await;
    let there = address("there");
    item.share(&[&there]).await;
    let page = Page::open(&item, DESKTOP).await;
    let browser = &page.browser;
    browser.assert_accessible("the page").await;
    page.share().await;
    browser.assert_accessible("an empty form").await;
    browser.enter("Recipients", "one, two, one@example.com, one@example.com,").await;
    browser.press("Share").await;
    browser.see(".error", "Correct or remove").await;
    browser.assert_accessible("a form with errors").await;
    for wrong in ["one", "two", "one@example.com"] {
        browser.press(&format!("Remove {wrong}")).await;
    }
    browser.enter("Recipients", &there).await;
    browser.press("Share").await;
    browser.see("h2", "Shared with 1 recipient").await;
    browser.assert_accessible("the results").await;
    page.browser.quit().await;
}

#[tokio::test]
async fn manage_link_access_has_no_barriers() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let (ann, bob) = (address("ann"), address("bob"));
    let shared = item.share(&[&ann, &bob]).await;
    item.revoke(&shared.share_id()).await;
    let page = Page::open(&item, DESKTOP).await;
    let browser = &page.browser;
    page.manage().await;
    browser.see("li[data-share]", &bob).await;
    browser.assert_accessible("the active links").await;
    page.act(&bob, "Change Expiration").await;
    browser.assert_accessible("a change").await;
    browser.press("Cancel").await;
    page.act(&bob, "Revoke Access").await;
    browser.assert_accessible("a revocation").await;
    browser.press("Cancel").await;
    page.act(&bob, "Send the email again").await;
    browser.see(".banner", "").await;
    browser.assert_accessible("a refusal").await;
    page.act(&bob, "Copy link").await;
    browser.see(".banner, label", "Whoever has it").await;
    browser.assert_accessible("a link").await;
    browser.click("[role=tab]", "Inactive 1").await;
    browser.see("li[data-share]", &ann).await;
    browser.assert_accessible("the inactive links").await;
    item.log_of(2).await;
    browser.press("Share log").await;
    browser.see(".log li", "").await;
    browser.assert_accessible("the log").await;
    browser.keys(Key::Escape).await;
    page.browser.quit().await;
}

#[tokio::test]
async fn the_pages_of_recipients_have_no_barriers() {
    let stack = Stack::get().await;
    let item = TestItem::with_files(&stack, &["a.pdf", "b.pdf"]).await;
    let shared = item.shared_with(&address("ann")).await;
    let browser = Browser::start(DESKTOP).await;
    browser.open(&shared.link).await;
    browser.see("h1", "Tess Tester shared 2 files with you").await;
    browser.assert_accessible("the files").await;
    Aws::of(&stack).delete(&item.key("a.pdf")).await;
    browser.open(&format!("{}/files/1", shared.link)).await;
    browser.see("h1", "The file is not there right now").await;
    browser.assert_accessible("a missing file").await;
    item.revoke(&shared.id).await;
    browser.open(&shared.link).await;
    browser.see("h1", "This link has ended").await;
    browser.assert_accessible("the end").await;
    browser.open(&format!("{}x", shared.link)).await;
    browser.see("h1", "This link does not work").await;
    browser.assert_accessible("an unknown link").await;
    browser.quit().await;
}
