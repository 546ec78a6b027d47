//! The layout on a phone.

use crate::browser::{Browser, PHONE};
use crate::page::Page;
use crate::support::{Stack, TestItem, address};

#[tokio::test]
async fn everything_fits_a_phone_screen() {
    let stack = Stack::get().await;
    let name = format!("{}.pdf", "a-very-long-name-without-a-break-".repeat(5));
    let item = TestItem::with_files(&stack, &[&name, "b.pdf"]).await;
    let shared = item.share_with(&address(&"long-address-".repeat(3))).await;
    let page = Page::open(&item, PHONE).await;
    let browser = &page.browser;
    browser.assert_fits("the page").await;
    page.open_share_dialog().await;
    browser.enter("Recipients", &format!("{}, wrong,", address(&"long-address-".repeat(3)))).await;
    browser.wait_for(".chip.wrong", "wrong").await;
    browser.assert_fits("the Share dialog").await;
    browser.press("Remove wrong").await;
    browser.press("Share").await;
    browser.wait_for("h2", "Shared with 1 recipient").await;
    browser.assert_fits("the results").await;
    browser.press("Done").await;
    page.open_link_access().await;
    browser.wait_for("li[data-share]", "").await;
    browser.press("Change Expiration").await;
    browser.wait_for(".panel", "").await;
    browser.assert_fits("Manage Link Access").await;
    page.browser.quit().await;

    let recipient = Browser::start(PHONE).await;
    recipient.open(&shared.link).await;
    recipient.wait_for("h1", "shared 2 files with you").await;
    recipient.assert_fits("the files").await;
    recipient.quit().await;
}
