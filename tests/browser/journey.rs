//! The whole of it: a link is shared, used, revoked, and works again.

use thirtyfour::Key;

use crate::browser::{Browser, DESKTOP};
use crate::page::{Page, whole};
use crate::support::{Stack, TestItem, address, all_mails, eventually};

#[tokio::test]
async fn a_shared_link_opens_for_its_recipient_until_it_is_revoked_and_again_once_it_is_reactivated() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let (ann, bob) = (address("ann"), address("bob"));

    let sharer = Page::open(&item, DESKTOP).await;
    sharer.share().await;
    sharer.browser.enter("Recipients", &format!("{ann}, {bob},")).await;
    sharer.browser.press("1 month").await;
    sharer.browser.enter("Message", "Here it is.").await;
    sharer.browser.press("Share").await;
    sharer.browser.see("h2", "Shared with 2 recipients").await;
    assert_eq!(sharer.browser.text().await.matches("A link is on its way by email").count(), 2);
    sharer.browser.press("Done").await;

    // Each in a session of their own, without an account.
    let mail = item.mail_to(&ann).await;
    assert!(mail.text.contains("Here it is."));
    let recipient = Browser::start(DESKTOP).await;
    recipient.open(&mail.link()).await;
    assert_eq!(recipient.downloaded().await, whole("brief.pdf"));

    sharer.manage().await;
    sharer.browser.see("[role=tab]", "Active 2").await;
    let row = sharer.browser.see("li[data-share]", &ann).await;
    assert!(row.text().await.unwrap().contains("Opened once, 1 download"));
    sharer.act(&ann, "Revoke Access").await;
    sharer.browser.press("Yes, revoke").await;
    sharer.browser.see("p", &format!("{ann} has no access any more.")).await;
    sharer.browser.see("[role=tab]", "Active 1").await;
    recipient.open(&mail.link()).await;
    recipient.see("h1", "This link has ended").await;

    sharer.browser.click("[role=tab]", "Inactive 1").await;
    sharer.act(&ann, "Change Expiration").await;
    sharer.browser.see("p", "makes the same link work again. No email is sent.").await;
    sharer.browser.press("Save").await;
    sharer.browser.see("p", &format!("{ann} has access until")).await;
    sharer.browser.see("[role=tab]", "Inactive 0").await;
    let again = Browser::start(DESKTOP).await;
    again.open(&mail.link()).await;
    assert_eq!(again.downloaded().await, whole("brief.pdf"));
    assert_eq!(crate::support::mails_to(&stack, &ann).await.len(), 1);
    for browser in [sharer.browser, recipient, again] {
        browser.quit().await;
    }
}

/// As a stranger would, from the printed address alone.
#[tokio::test]
async fn the_demo_page_shows_sharing_in_three_places_and_only_to_those_who_may() {
    let stack = Stack::get().await;
    let browser = Browser::start(DESKTOP).await;
    browser.open(&stack.info.issuer).await;
    browser.see("share-button", "Share").await;
    // All of the page's buttons have asked in one call.
    let asked = "return performance.getEntriesByType('resource').filter(\
                 ({ name, responseStatus }) => name.endsWith('/share-permissions') && responseStatus === 200).length;";
    assert_eq!(browser.run(asked, vec![]).await, 1);
    for (opener, place) in [("#widget .opener", "Workspace"), ("#results .opener", "Search")] {
        browser.click(opener, "Actions for Spring campaign").await;
        browser.click(".menu share-button", "Share").await;
        browser.see("h2", "Share").await;
        browser.see("label", "brief.pdf").await;
        browser.press("Cancel").await;
        browser.see_no("dialog", "Share").await;
        assert_eq!(browser.focused().await, "Actions for Spring campaign");
        // Ann may not share what is in another module.
        browser.click(opener, "Actions for Logo").await;
        browser.see(".menu button", "Open").await;
        assert!(browser.find(".menu share-button", "Share").await.is_none(), "{place}");
        browser.keys(Key::Escape).await;
    }
    browser.run("user.value = 'max'; user.dispatchEvent(new Event('change'));", vec![]).await;
    browser.click("#widget .opener", "Actions for Logo").await;
    browser.see(".menu share-button", "Share").await;
    browser.keys(Key::Escape).await;
    // Carl's answer has come when the page has asked for all of its buttons.
    let before = browser.run(asked, vec![]).await;
    browser.run("user.value = 'carl'; user.dispatchEvent(new Event('change'));", vec![]).await;
    eventually("the answer", async || (browser.run(asked, vec![]).await != before).then_some(())).await;
    browser.see_no("share-button", "").await;
    browser.quit().await;
}

/// The mail as the page shows it, with the link followed by a click.
#[tokio::test]
async fn the_link_in_a_mail_of_the_demo_page_gives_the_file() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let ann = address("ann");
    item.shared_with(&ann).await;
    let mails = all_mails(&stack).await;
    let n = mails.iter().position(|mail| mail.to == [ann.clone()]).unwrap();
    let browser = Browser::start(DESKTOP).await;
    browser.open(&format!("{}/mail/{n}", stack.info.issuer)).await;
    browser.click("a", "Download").await;
    assert_eq!(browser.downloaded().await, whole("brief.pdf"));
    browser.quit().await;
}
