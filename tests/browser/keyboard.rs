//! Without a mouse.

use thirtyfour::Key;

use crate::browser::DESKTOP;
use crate::page::Page;
use crate::support::{Stack, TestItem, address};

#[tokio::test]
async fn the_keyboard_alone_shares_changes_and_revokes() {
    let stack = Stack::get().await;
    let item = TestItem::with_files(&stack, &["a.pdf", "b.pdf"]).await;
    let (ann, bob) = (address("ann"), address("bob"));
    let page = Page::open(&item, DESKTOP).await;
    let browser = &page.browser;
    browser.run("document.querySelector('#user').focus();", vec![]).await;
    browser.tab_to("Actions for Logo").await;
    browser.tab_to("Share").await;
    browser.keys(Key::Enter).await;
    browser.see(".files label", "b.pdf").await;
    assert_eq!(browser.focused().await, "Recipients");

    browser.keys(format!("{ann},wrong,{bob}")).await;
    browser.keys(Key::Enter).await;
    // One stop for all chips; the arrows lead from one to the next.
    browser.keys(Key::Tab).await;
    assert!(browser.focused().await.starts_with(&ann));
    browser.keys(Key::Right).await;
    assert!(browser.focused().await.starts_with("wrong not an email address"));
    browser.keys(Key::Delete).await;
    browser.see_no(".chip", "wrong").await;
    browser.tab_to("a.pdf").await;
    browser.keys(Key::Space).await;
    browser.tab_to("1 day").await;
    browser.keys(Key::Enter).await;
    browser.tab_to("Message").await;
    browser.keys("Without a mouse").await;
    browser.tab_to("Share").await;
    browser.keys(Key::Enter).await;
    browser.see("h2", "Shared with 2 recipients").await;
    assert_eq!(browser.focused().await, "Done");
    browser.keys(Key::Enter).await;
    // Back to where it was opened.
    browser.see_no("dialog", "").await;
    assert_eq!(browser.focused().await, "Share");
    let share = item.get("").await.json()["shares"][0].clone();
    assert_eq!((&share["files"][0]["name"], share["files"].as_array().unwrap().len()), (&"b.pdf".into(), 1));
    assert_eq!(share["message"], "Without a mouse");

    browser.tab_to("Manage Link Access").await;
    browser.keys(Key::Enter).await;
    browser.see("li[data-share]", &ann).await;
    assert!(browser.focused().await.starts_with("Active"));
    browser.tab_to("Change Expiration").await;
    browser.keys(Key::Enter).await;
    browser.see(".panel", "").await;
    assert_eq!(browser.focused().await, "Access expires");
    browser.tab_to("1 month").await;
    browser.keys(Key::Enter).await;
    browser.tab_to("Save").await;
    browser.keys(Key::Enter).await;
    browser.see("p", "has access until").await;
    assert_eq!(browser.focused().await, "Change Expiration");
    browser.tab_to("Revoke Access").await;
    browser.keys(Key::Enter).await;
    browser.see(".panel", "").await;
    assert_eq!(browser.focused().await, "Cancel", "not what cannot be taken back");
    browser.keys(Key::Tab).await;
    assert_eq!(browser.focused().await, "Yes, revoke");
    browser.keys(Key::Enter).await;
    browser.see("p", "has no access any more.").await;
    browser.tab_to("Close").await;
    browser.keys(Key::Escape).await;
    browser.see_no("dialog", "").await;
    assert_eq!(browser.focused().await, "Manage Link Access");
    page.browser.quit().await;
}
