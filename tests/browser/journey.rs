//! The life of a link: shared, used, revoked and reactivated.

use thirtyfour::Key;

use crate::browser::{Browser, DESKTOP};
use crate::page::{Page, downloaded_file};
use crate::support::{Stack, TestItem, address, all_emails, emails_to, eventually};

#[tokio::test]
async fn link_works_until_revoked_and_after_reactivation() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let (ann, bob) = (address("ann"), address("bob"));

    let sharer = Page::open(&item, DESKTOP).await;
    sharer.open_share_dialog().await;
    sharer.browser.enter("Recipients", &format!("{ann}, {bob},")).await;
    sharer.browser.press("1 month").await;
    sharer.browser.enter("Message", "Here it is.").await;
    sharer.browser.press("Share").await;
    sharer.browser.wait_for("h2", "Shared with 2 recipients").await;
    assert_eq!(sharer.browser.visible_text().await.matches("A link is on its way by email").count(), 2);
    sharer.browser.press("Done").await;

    // Use a separate browser, because the recipient has no session.
    let email = item.wait_for_email(&ann).await;
    assert!(email.text.contains("Here it is."));
    let recipient = Browser::start(DESKTOP).await;
    recipient.open(&email.link()).await;
    assert_eq!(recipient.downloaded().await, downloaded_file("brief.pdf"));

    sharer.open_link_access().await;
    sharer.browser.wait_for("[role=tab]", "Active 2").await;
    let row = sharer.browser.wait_for("li[data-share]", &ann).await;
    assert!(row.text().await.unwrap().contains("Opened once, 1 download"));
    sharer.browser.wait_for("p", "Mail scanners also open links, and a resumed download counts again.").await;
    sharer.press_in_row(&ann, "Revoke Access").await;
    sharer.browser.press("Yes, revoke").await;
    sharer.browser.wait_for("p", &format!("{ann} no longer has access.")).await;
    sharer.browser.wait_for("[role=tab]", "Active 1").await;
    recipient.open(&email.link()).await;
    recipient.wait_for("h1", "This link is no longer valid").await;

    sharer.browser.click("[role=tab]", "Inactive 1").await;
    sharer.press_in_row(&ann, "Change Expiration").await;
    // The link may have leaked, so the form offers a new one first.
    sharer.browser.click("label", "Replace the link.").await;
    sharer.browser.wait_for("p", "makes the same link work again. No email is sent.").await;
    sharer.browser.press("Save").await;
    sharer.browser.wait_for("p", &format!("{ann} has access until")).await;
    sharer.browser.wait_for("[role=tab]", "Inactive 0").await;
    let again = Browser::start(DESKTOP).await;
    again.open(&email.link()).await;
    assert_eq!(again.downloaded().await, downloaded_file("brief.pdf"));
    assert_eq!(emails_to(&stack, &ann).await.len(), 1);
    for browser in [sharer.browser, recipient, again] {
        browser.quit().await;
    }
}

#[tokio::test]
async fn demo_page_offers_sharing_only_with_permission() {
    const PERMISSIONS: &str = "/share-permissions";
    let stack = Stack::get().await;
    let browser = Browser::start(DESKTOP).await;
    browser.open(&stack.info.issuer).await;
    browser.wait_for("share-button", "Share").await;
    assert_eq!(browser.count_requests(PERMISSIONS, 1).await, 1, "one request covers all buttons on the page");
    for (opener, place) in [("#widget .opener", "Workspace"), ("#results .opener", "Search")] {
        browser.click(opener, "Actions for Spring campaign").await;
        browser.click(".menu share-button", "Share").await;
        browser.wait_for("h2", "Share").await;
        browser.wait_for("label", "brief.pdf").await;
        browser.press("Cancel").await;
        browser.wait_until_gone("dialog", "Share").await;
        browser.wait_for_focus("Actions for Spring campaign").await;
        // Ann does not have permission in the logo's module.
        browser.click(opener, "Actions for Logo").await;
        browser.wait_for(".menu button", "Open").await;
        assert!(browser.find(".menu share-button", "Share").await.is_none(), "{place}");
        browser.send_keys(Key::Escape).await;
    }
    browser.run("user.value = 'max'; user.dispatchEvent(new Event('change'));", vec![]).await;
    browser.click("#widget .opener", "Actions for Logo").await;
    browser.wait_for(".menu share-button", "Share").await;
    browser.send_keys(Key::Escape).await;
    browser.count_requests(PERMISSIONS, 2).await;
    browser.run("user.value = 'carl'; user.dispatchEvent(new Event('change'));", vec![]).await;
    // Carl's permissions have arrived.
    browser.count_requests(PERMISSIONS, 3).await;
    browser.wait_until_gone("share-button", "").await;
    browser.quit().await;
}

#[tokio::test]
async fn link_in_html_email_downloads_the_file() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let ann = address("ann");
    item.share_with(&ann).await;
    let emails = all_emails(&stack).await;
    let n = emails.iter().position(|email| email.to == [ann.clone()]).unwrap();
    let browser = Browser::start(DESKTOP).await;
    browser.open(&format!("{}/mail/{n}", stack.info.issuer)).await;
    browser.click("a", "Download").await;
    assert_eq!(browser.downloaded().await, downloaded_file("brief.pdf"));
    browser.quit().await;
}
