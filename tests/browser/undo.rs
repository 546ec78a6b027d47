//! Undo in Manage Link Access, and the status line that offers it.

use chrono::{TimeDelta, Utc};
use serde_json::{Value, json};
use thirtyfour::Key;

use crate::browser::{Browser, DESKTOP, Device, PHONE};
use crate::page::{Page, wait_for_event};
use crate::support::{Stack, TestItem, address, rfc3339};

/// A desktop browser window of 1280 by 1024 pixels, zoomed in to 400%.
const ZOOMED: Device = Device { width: 320, height: 256, ..DESKTOP };

async fn revoke_in_row(page: &Page, recipient: &str) {
    page.press_in_row(recipient, "Revoke Access").await;
    page.browser.press("Yes, revoke").await;
    page.browser.wait_for(".status", &format!("{recipient} no longer has access.")).await;
}

/// Returns the recipients in the selected tab, in the order of their rows.
async fn recipients(browser: &Browser) -> Vec<String> {
    let script = r"
        const { shadowRoot } = document.querySelector('link-access-dialog');
        return [...shadowRoot.querySelectorAll('[role=tabpanel]:not([hidden]) [data-share] h3')]
            .map((heading) => heading.textContent);
    ";
    serde_json::from_value(browser.run(script, vec![]).await).unwrap()
}

/// Returns the recipient whose row contains the focus.
async fn focused_recipient(browser: &Browser) -> Value {
    let script = r"
        const { activeElement } = document.querySelector('link-access-dialog').shadowRoot;
        return activeElement.closest('[data-share]')?.querySelector('h3').textContent;
    ";
    browser.run(script, vec![]).await
}

/// Returns the text that screen readers announced last.
async fn announced(browser: &Browser) -> String {
    let script = "return document.querySelector('link-access-dialog').shadowRoot\
                  .querySelector('[role=status]').textContent.replace(/[\u{2068}\u{2069}]/g, '');";
    browser.run(script, vec![]).await.as_str().unwrap().to_owned()
}

/// Returns the names of the events in the item's share log, once it has this many entries.
async fn events(item: &TestItem<'_>, count: usize) -> Vec<String> {
    let log = item.wait_for_log(count).await;
    log.iter().map(|entry| entry["event"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn revocation_can_be_undone() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let ann = address("ann");
    // Not a whole second, so that the test notices rounding.
    let expires_at = "2030-03-01T11:00:00.123Z";
    let shared = item.share_until(&ann, expires_at).await;
    let page = Page::open(&item, DESKTOP).await;
    let browser = &page.browser;
    page.open_link_access().await;
    revoke_in_row(&page, &ann).await;
    browser.wait_for("[role=tab]", "Inactive 1").await;
    assert_eq!(item.get_share(&shared.id).await["status"], "inactive");
    browser.assert_accessible("a revocation that can be undone").await;

    browser.press("Undo").await;
    browser.wait_for(".status", &format!("{ann} has access until 1 Mar 2030, 12:00.")).await;
    browser.wait_for("[role=tab]", "Active 1").await;
    assert_eq!(focused_recipient(browser).await, ann);
    browser.wait_until_gone("button", "Undo").await;
    let undone = item.get_share(&shared.id).await;
    assert_eq!((&undone["status"], &undone["expiresAt"]), (&json!("active"), &json!(expires_at)));
    stack.open(&shared.link).await.assert_status(302);

    wait_for_event(&item, "reactivated").await;
    browser.press("Share log").await;
    browser.wait_for(".log li", "access reactivated, by Ann Example").await;
    browser.wait_for(".log li", "access revoked, by Ann Example").await;
    assert!(browser.find(".log li", "expiration changed").await.is_none(), "it did not change");
    page.browser.quit().await;
}

#[tokio::test]
async fn changed_expiration_can_be_undone() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let ann = address("ann");
    let shared = item.share_until(&ann, "2030-03-01T11:00:00.123Z").await;
    let page = Page::open(&item, DESKTOP).await;
    let browser = &page.browser;
    page.open_link_access().await;
    for (change, result) in [("1 day", "has access until"), ("midnight", "no longer has access.")] {
        page.press_in_row(&ann, "Change Expiration").await;
        if change == "midnight" {
            browser.set_time_to_midnight("Access expires").await;
        } else {
            browser.press(change).await;
        }
        browser.press("Save").await;
        browser.wait_for(".status", &format!("{ann} {result}")).await;
        browser.press("Undo").await;
        browser.wait_for(".status", &format!("{ann} has access until 1 Mar 2030, 12:00.")).await;
        let share = item.get_share(&shared.id).await;
        assert_eq!(share["expiresAt"], "2030-03-01T11:00:00.123Z", "{change}");
        browser.wait_for("[role=tab]", "Active 1").await;
    }
    page.browser.quit().await;
}

#[tokio::test]
async fn keyboard_reaches_undo_from_the_list() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    item.share(&[&address("a"), &address("b"), &address("c")]).await;
    let page = Page::open(&item, DESKTOP).await;
    let browser = &page.browser;
    page.open_link_access().await;
    browser.wait_for("[role=tab]", "Active 3").await;
    let rows = recipients(browser).await;

    revoke_in_row(&page, &rows[0]).await;
    assert_eq!(focused_recipient(browser).await, rows[1]);
    // A second press must not revoke.
    browser.wait_for_focus("Change Expiration").await;
    assert!(announced(browser).await.ends_with("no longer has access. Press Ctrl+Z to undo."));
    // In a field, the shortcut undoes typing.
    browser.press("Change Expiration").await;
    browser.wait_for(".panel", "").await;
    browser.send_chord(Key::Control, "z").await;
    browser.press("Cancel").await;
    assert_eq!(recipients(browser).await, rows[1..]);
    browser.send_chord(Key::Control, "z").await;
    browser.wait_for(".status", &format!("{} has access until", rows[0])).await;
    assert_eq!(recipients(browser).await, rows, "the row returns to its place");
    // There is nothing left to undo.
    browser.send_chord(Key::Control, "z").await;
    assert_eq!(recipients(browser).await, rows);

    revoke_in_row(&page, &rows[2]).await;
    assert_eq!(focused_recipient(browser).await, rows[1], "the previous row, because there is no next one");
    browser.tab_to("Undo").await;
    browser.send_keys(Key::Enter).await;
    browser.wait_for(".status", &format!("{} has access until", rows[2])).await;
    for recipient in &rows {
        revoke_in_row(&page, recipient).await;
    }
    // The panel has the focus.
    browser.wait_for_focus("No active links.").await;
    page.browser.quit().await;
}

#[tokio::test]
async fn status_stays_visible_while_the_list_scrolls() {
    let stack = Stack::get().await;
    let item = TestItem::with_files(&stack, &["a.pdf", "b.pdf", "c.pdf", "d.pdf"]).await;
    let addresses: Vec<String> = (0..8).map(|_| address(&"long-address-".repeat(3))).collect();
    item.share(&addresses.iter().map(String::as_str).collect::<Vec<_>>()).await;
    for device in [ZOOMED, PHONE, DESKTOP] {
        let page = Page::open(&item, device).await;
        let browser = &page.browser;
        page.open_link_access().await;
        browser.wait_for("[role=tab]", "Active 8").await;
        let recipient = recipients(browser).await.remove(4);
        revoke_in_row(&page, &recipient).await;
        for top in [0, 100_000] {
            let is_in_view = r"
                const { shadowRoot } = document.querySelector('link-access-dialog');
                for (const scroller of shadowRoot.querySelectorAll('dialog, .body')) scroller.scrollTo(0, arguments[0]);
                const undo = shadowRoot.querySelector('.status button');
                const { left, right, top, bottom } = undo.getBoundingClientRect();
                const center = shadowRoot.elementFromPoint((left + right) / 2, (top + bottom) / 2);
                return top >= 0 && bottom <= innerHeight && center === undo;
            ";
            let device = format!("{}x{}, scrolled to {top}", device.width, device.height);
            assert_eq!(browser.run(is_in_view, vec![top.into()]).await, true, "{device}");
        }
        browser.assert_fits(&format!("{} pixels", device.width)).await;
        browser.press("Undo").await;
        browser.wait_for(".status", &format!("{recipient} has access until")).await;
        page.browser.quit().await;
    }
}

#[tokio::test]
async fn undo_does_not_overwrite_another_users_change() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let ann = address("ann");
    let id = item.share(&[&ann]).await.share_id();
    let page = Page::open(&item, DESKTOP).await;
    page.open_link_access().await;
    revoke_in_row(&page, &ann).await;
    item.change_expiration(&id, 2, "2030-05-01T10:00:00Z").await.assert_status(200);
    page.browser.press("Undo").await;
    page.browser.wait_for(".status", "Someone else has changed this link.").await;
    page.browser.wait_until_gone("button", "Undo").await;
    page.browser.wait_for("li[data-share]", "1 May 2030, 12:00").await;
    assert_eq!(item.get_share(&id).await["version"], 3, "nothing was undone");
    page.browser.quit().await;
}

/// Revokes a share and opens its expiration form. Returns the page, the recipient and the share's id.
async fn open_form_of_revoked_share(item: &TestItem<'_>) -> (Page, String, String) {
    let ann = address("ann");
    let shared = item.share_until(&ann, "2030-03-01T11:00:00Z").await;
    item.revoke(&shared.id).await;
    let page = Page::open(item, DESKTOP).await;
    page.open_link_access().await;
    page.browser.click("[role=tab]", "Inactive 1").await;
    page.press_in_row(&ann, "Change Expiration").await;
    (page, ann, shared.id)
}

#[tokio::test]
async fn reactivation_offers_no_undo() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let (page, ann, _) = open_form_of_revoked_share(&item).await;
    page.browser.press("1 day").await;
    page.browser.press("Save").await;
    page.browser.wait_for(".status", &format!("{ann} has access until")).await;
    assert!(page.browser.find("button", "Undo").await.is_none(), "the old expiration would not revoke it");
    page.browser.quit().await;
}

#[tokio::test]
async fn revoked_share_offers_its_old_expiration() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let (page, ann, id) = open_form_of_revoked_share(&item).await;
    page.browser.press("Save").await;
    page.browser.wait_for(".status", &format!("{ann} has access until 1 Mar 2030, 12:00.")).await;
    assert_eq!(item.get_share(&id).await["expiresAt"], "2030-03-01T11:00:00Z");
    page.browser.quit().await;
}

#[tokio::test]
async fn undo_remains_until_the_old_expiration_passes() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let ann = address("ann");
    item.share_until(&ann, &rfc3339(Utc::now() + TimeDelta::hours(3))).await;
    let page = Page::open(&item, DESKTOP).await;
    page.control_time().await;
    page.open_link_access().await;
    revoke_in_row(&page, &ann).await;
    page.pass_time(TimeDelta::hours(2)).await;
    page.browser.wait_for("button", "Undo").await;
    page.pass_time(TimeDelta::hours(2)).await;
    assert!(page.browser.find("button", "Undo").await.is_none());
    page.browser.wait_for(".status", &format!("{ann} no longer has access.")).await;
    page.browser.quit().await;
}

#[tokio::test]
async fn unchanged_expiration_is_neither_saved_nor_logged() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let ann = address("ann");
    let shared = item.share_until(&ann, "2030-03-01T11:00:00.123Z").await;
    let page = Page::open(&item, DESKTOP).await;
    page.open_link_access().await;
    page.press_in_row(&ann, "Change Expiration").await;
    page.browser.press("Save").await;
    page.browser.wait_for(".status", &format!("The expiration for {ann} is unchanged.")).await;
    page.browser.wait_until_gone(".panel", "").await;
    page.browser.wait_for_focus("Change Expiration").await;
    assert!(page.browser.find("button", "Undo").await.is_none());
    assert_eq!(item.get_share(&shared.id).await["version"], 1);
    item.revoke(&shared.id).await;
    assert_eq!(events(&item, 3).await, ["created", "emailed", "revoked"]);
    page.browser.quit().await;
}

#[tokio::test]
async fn undo_shortcut_works_on_other_keyboards() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let ann = address("ann");
    item.share_with(&ann).await;
    let page = Page::open(&item, DESKTOP).await;
    let browser = &page.browser;
    let press = async |(key, code, modifiers): (&str, &str, u32)| {
        let event = json!({"type": "rawKeyDown", "key": key, "code": code, "modifiers": modifiers});
        browser.cdp("Input.dispatchKeyEvent", event).await;
        let event = json!({"type": "keyUp", "key": key, "code": code, "modifiers": modifiers});
        browser.cdp("Input.dispatchKeyEvent", event).await;
    };
    let (alt, control, shift) = (1, 2, 8);
    page.open_link_access().await;
    // Russian, with Caps Lock, German and Dvorak.
    for undo in
        [("я", "KeyZ", control), ("Z", "KeyZ", control), ("z", "KeyY", control), ("z", "Slash", control)]
    {
        revoke_in_row(&page, &ann).await;
        // German and French, AltGr on a Polish keyboard, and Redo.
        for other in [
            ("y", "KeyZ", control),
            ("w", "KeyZ", control),
            ("ż", "KeyZ", control + alt),
            ("Z", "KeyZ", control + shift),
            ("я", "KeyZ", 0),
        ] {
            press(other).await;
            assert!(browser.find("button", "Undo").await.is_some(), "{other:?}");
        }
        press(undo).await;
        browser.wait_for(".status", &format!("{ann} has access until")).await;
    }
    page.browser.quit().await;
}

#[tokio::test]
async fn copied_link_leaves_the_revocation_open_to_undo() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    item.share(&[&address("a"), &address("b")]).await;
    for device in [ZOOMED, DESKTOP] {
        let page = Page::open(&item, device).await;
        let browser = &page.browser;
        browser.cdp("Browser.grantPermissions", json!({"permissions": ["clipboardSanitizedWrite"]})).await;
        page.open_link_access().await;
        browser.wait_for("[role=tab]", "Active 2").await;
        let rows = recipients(browser).await;
        revoke_in_row(&page, &rows[0]).await;
        page.press_in_row(&rows[1], "Copy link").await;
        browser.wait_for(".status p", &format!("Link for {} copied.", rows[1])).await;
        browser.wait_for(".status p", &format!("{} no longer has access.", rows[0])).await;
        browser.assert_accessible("two results").await;
        browser.assert_fits("two results").await;
        browser.press("Undo").await;
        browser.wait_for(".status", &format!("{} has access until", rows[0])).await;
        assert!(!browser.visible_text().await.contains("copied"));
        page.browser.quit().await;
    }
}
