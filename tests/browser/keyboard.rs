//! Using the dialogs with only the keyboard.

use thirtyfour::Key;

use crate::browser::DESKTOP;
use crate::page::Page;
use crate::support::{Stack, TestItem, address};

#[tokio::test]
async fn keyboard_alone_shares_changes_and_revokes() {
    let stack = Stack::get().await;
    let item = TestItem::with_files(&stack, &["a.pdf", "b.pdf"]).await;
    let (ann, bob) = (address("ann"), address("bob"));
    let page = Page::open(&item, DESKTOP).await;
    let browser = &page.browser;
    browser.run("document.querySelector('#user').focus();", vec![]).await;
    browser.tab_to("Actions for Logo").await;
    browser.tab_to("Share").await;
    browser.send_keys(Key::Enter).await;
    browser.wait_for(".files label", "b.pdf").await;
    browser.wait_for_focus("Recipients").await;

    browser.send_keys(format!("{ann},wrong,{bob}")).await;
    browser.send_keys(Key::Enter).await;
    // Tab stops at only one chip; arrow keys move between chips.
    browser.send_keys(Key::Tab).await;
    browser.wait_for_focus(&ann).await;
    browser.send_keys(Key::Right).await;
    browser.wait_for_focus("wrong not an email address").await;
    browser.send_keys(Key::Delete).await;
    browser.wait_until_gone(".chip", "wrong").await;
    browser.tab_to("All files").await;
    browser.send_keys(Key::Down).await;
    browser.send_keys(Key::Space).await;
    browser.tab_to("1 day").await;
    browser.send_keys(Key::Enter).await;
    browser.tab_to("Message").await;
    browser.send_keys("Without a mouse").await;
    browser.tab_to("More options").await;
    browser.send_keys(Key::Enter).await;
    browser.tab_to("Language of the email").await;
    browser.tab_to("Reminder if nothing has been downloaded").await;
    browser.tab_to("Share").await;
    browser.send_keys(Key::Enter).await;
    browser.wait_for("h2", "Shared with 2 recipients").await;
    browser.wait_for_focus("Done").await;
    browser.send_keys(Key::Enter).await;
    // Focus returns to the button that opened the dialog.
    browser.wait_until_gone("dialog", "").await;
    browser.wait_for_focus("Share").await;
    let share = item.get("").await.json()["shares"][0].clone();
    let files = share["files"].as_array().unwrap();
    assert_eq!(files.len(), 1);
    assert_eq!(files[0]["name"], "b.pdf");
    assert_eq!(share["message"], "Without a mouse");

    browser.tab_to("Manage Link Access").await;
    browser.send_keys(Key::Enter).await;
    browser.wait_for("li[data-share]", &ann).await;
    browser.wait_for_focus("Active").await;
    browser.tab_to("Change Expiration").await;
    browser.send_keys(Key::Enter).await;
    browser.wait_for(".panel", "").await;
    browser.wait_for_focus("Access expires").await;
    browser.tab_to("1 month").await;
    browser.send_keys(Key::Enter).await;
    browser.tab_to("Save").await;
    browser.send_keys(Key::Enter).await;
    browser.wait_for("p", "has access until").await;
    browser.wait_for_focus("Change Expiration").await;
    browser.tab_to("Revoke Access").await;
    browser.send_keys(Key::Enter).await;
    browser.wait_for(".panel", "").await;
    // The safe choice should have the focus.
    browser.wait_for_focus("Cancel").await;
    browser.send_keys(Key::Tab).await;
    browser.wait_for_focus("Yes, revoke").await;
    browser.send_keys(Key::Enter).await;
    browser.wait_for("p", "no longer has access.").await;
    browser.tab_to("Close").await;
    browser.send_keys(Key::Escape).await;
    browser.wait_until_gone("dialog", "").await;
    browser.wait_for_focus("Manage Link Access").await;
    page.browser.quit().await;
}
