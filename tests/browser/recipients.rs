//! The recipients field: pasting, typing, dropping, and what cannot be read.

use serde_json::{Value, json};
use thirtyfour::Key;
use thirtyfour::prelude::*;

use crate::browser::{Browser, DESKTOP, Device, PHONE};
use crate::page::Page;
use crate::support::{Stack, TestItem, address, unique};

/// Opens the Share dialog of a new item.
async fn open(item: &TestItem<'_>, device: Device) -> Page {
    let page = Page::open(item, device).await;
    page.open_share_dialog().await;
    page
}

/// Dispatches a paste or drop of text on the recipients field. Returns whether the field handled it.
async fn transfer(browser: &Browser, event: &str, text: &str) -> bool {
    let script = r"
        const [field, event, text] = arguments;
        const data = new DataTransfer();
        data.setData('text/plain', text);
        const options = { bubbles: true, cancelable: true, composed: true };
        return !field.dispatchEvent(event === 'paste'
            ? new ClipboardEvent(event, { ...options, clipboardData: data })
            : new DragEvent(event, { ...options, dataTransfer: data }));
    ";
    let field = browser.wait_for("input", "Recipients").await.to_json().unwrap();
    browser.run(script, vec![field, event.into(), text.into()]).await.as_bool().unwrap()
}

/// Returns the chips' texts, each with a `!` in front if it is marked.
async fn chips(browser: &Browser) -> Vec<String> {
    let script = r"
        const dialog = document.querySelector('share-dialog').shadowRoot;
        return [...dialog.querySelectorAll('.chip')].map((chip) =>
            (chip.matches('.wrong') ? '!' : '') + chip.querySelector('bdi').textContent);
    ";
    serde_json::from_value(browser.run(script, vec![]).await).unwrap()
}

async fn field_text(browser: &Browser) -> String {
    browser.wait_for("input", "Recipients").await.prop("value").await.unwrap().unwrap()
}

/// Sends a key event over Chromium's debugging protocol.
async fn key(browser: &Browser, name: &str, code: u32, is_repeat: bool) {
    let event = |kind: &str| {
        json!({
            "type": kind, "key": name, "code": name, "windowsVirtualKeyCode": code, "autoRepeat": is_repeat,
        })
    };
    browser.cdp("Input.dispatchKeyEvent", event("rawKeyDown")).await;
    if !is_repeat {
        browser.cdp("Input.dispatchKeyEvent", event("keyUp")).await;
    }
}

#[tokio::test]
async fn pasted_list_becomes_people_and_unread_text() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let page = open(&item, DESKTOP).await;
    let browser = &page.browser;
    let (ann, bob) = (address("ann"), address("bob"));
    let list =
        format!("Doe, Ann <{ann}>; Carol Smith; 'Roe, Bob' <'\u{200b}{bob}\u{a0}'>\r\nSubject: Files\r\n");
    assert!(transfer(browser, "paste", &list).await);
    assert_eq!(chips(browser).await, [ann.clone(), "!Carol Smith".to_owned(), bob.clone()]);
    browser.wait_for(".unseen", "2 recipients added, 1 could not be read").await;
    browser.press("Remove Carol Smith").await;
    browser.press("Share").await;
    browser.wait_for("h2", "Shared with 2 recipients").await;
    item.wait_for_email(&ann).await;
    item.wait_for_email(&bob).await;
    page.browser.quit().await;
}

#[tokio::test]
async fn pasted_address_does_not_join_typed_text() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let page = open(&item, DESKTOP).await;
    let browser = &page.browser;
    for (typed, event, pasted, expected) in [
        ("bob@example.com", "paste", "ann@example.com", vec!["bob@example.com", "ann@example.com"]),
        ("bob", "paste", "ann@example.com", vec!["!bob", "ann@example.com"]),
        ("Ann Doe <", "paste", "ann@example.com", vec!["ann@example.com"]),
        ("bob", "paste", "@example.com, ann@example.com", vec!["bob@example.com", "ann@example.com"]),
        ("bob@exam", "paste", "ple.com, ann@example.com", vec!["bob@example.com", "ann@example.com"]),
        ("bob@example.co", "paste", "m, ann@example.com", vec!["bob@example.com", "ann@example.com"]),
        ("bob@example.com", "paste", ".au, ann@example.com", vec!["bob@example.com.au", "ann@example.com"]),
        (
            "bob@example.com",
            "paste",
            "carol, ann@example.com",
            vec!["!bob@example.com|carol", "ann@example.com"],
        ),
        (
            "bob@example.com",
            "paste",
            "Carol, ann@example.com",
            vec!["bob@example.com", "!Carol", "ann@example.com"],
        ),
        ("bob.", "paste", "roe@example.com", vec!["bob.roe@example.com"]),
        ("bob@example.com.", "paste", "ann@example.com", vec!["bob@example.com", "ann@example.com"]),
        (
            "bob@example.com",
            "drop",
            "ann@example.com\ncarol@example.com",
            vec!["bob@example.com", "ann@example.com", "carol@example.com"],
        ),
    ] {
        browser.enter("Recipients", typed).await;
        assert!(transfer(browser, event, pasted).await, "{typed} {pasted}");
        assert_eq!(chips(browser).await, expected, "{typed} {pasted}");
        assert_eq!(field_text(browser).await, "");
        page.show(&item).await;
        page.open_share_dialog().await;
    }
    // Part of an address is left to the browser.
    assert!(!transfer(browser, "paste", "@example.com").await);
    page.browser.quit().await;
}

#[tokio::test]
async fn paste_replaces_the_selection() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let page = open(&item, DESKTOP).await;
    let browser = &page.browser;
    browser.cdp("Input.insertText", json!({"text": "bob@example.com wrong"})).await;
    let field = browser.wait_for("input", "Recipients").await.to_json().unwrap();
    browser.run("arguments[0].setSelectionRange(15, 21);", vec![field]).await;
    assert!(transfer(browser, "paste", "ann@example.com").await);
    assert_eq!(chips(browser).await, ["bob@example.com", "ann@example.com"]);
    page.browser.quit().await;
}

#[tokio::test]
async fn address_pasted_within_another_one_joins_neither_part() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let page = open(&item, DESKTOP).await;
    let browser = &page.browser;
    browser.cdp("Input.insertText", json!({"text": "bob@example.com"})).await;
    let field = browser.wait_for("input", "Recipients").await.to_json().unwrap();
    browser.run("arguments[0].setSelectionRange(3, 3);", vec![field]).await;
    assert!(transfer(browser, "paste", "ann@example.com").await);
    assert_eq!(chips(browser).await, ["!bob", "ann@example.com", "!@example.com"]);
    page.browser.quit().await;
}

#[tokio::test]
async fn edited_text_comes_back_as_it_was() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let page = open(&item, DESKTOP).await;
    let browser = &page.browser;
    for text in ["Doe, Ann", "-ann@example.com", "ann@example.com|carol"] {
        browser.wait_for("input", "Recipients").await.click().await.unwrap();
        browser.cdp("Input.insertText", json!({"text": text})).await;
        browser.send_keys(Key::Enter).await;
        assert_eq!(chips(browser).await, [format!("!{text}")]);
        key(browser, "Backspace", 8, false).await;
        assert_eq!(field_text(browser).await, text);
        key(browser, "Enter", 13, false).await;
        assert_eq!(chips(browser).await, [format!("!{text}")]);
        browser.press(&format!("Remove {text}")).await;
    }
    page.browser.quit().await;
}

/// A list that is far too long neither fails nor blocks the page.
#[tokio::test]
async fn very_long_list_is_counted() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let page = open(&item, DESKTOP).await;
    let browser = &page.browser;
    let list: Vec<_> = (0..150_000).map(|i| format!("a{i}@b.co")).collect();
    assert!(transfer(browser, "paste", &list.join("\n")).await);
    assert_eq!(chips(browser).await.len(), 1_000);
    browser.press("Share").await;
    browser.wait_for(".error", "149").await;
    page.browser.quit().await;
}

#[tokio::test]
async fn what_was_cut_from_other_text_is_marked() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let page = open(&item, DESKTOP).await;
    let browser = &page.browser;
    for (pasted, expected) in [
        ("jörg@example.com/ann@example.com", vec!["!jörg@example.com", "ann@example.com"]),
        ("\"Ann\" <ann@example.com>, \"@Bob\" <bob@example.com>", vec!["ann@example.com", "bob@example.com"]),
        (
            "{ann, bob}@example.com; carol@example.com",
            vec!["!{ann", "!bob}@example.com", "carol@example.com"],
        ),
        ("<a href='mailto:ann@example.com'>Ann</a>", vec!["ann@example.com"]),
        ("1.ann@example.com\n2.bob@example.com", vec!["ann@example.com", "bob@example.com"]),
        ("=ann@example.com\nbob@example.com", vec!["!=ann@example.com", "bob@example.com"]),
        ("ann@example.com¹, ann@ışık.com.tr", vec!["ann@example.com", "ann@ışık.com.tr"]),
        ("ann@examーple.com, bob@example.com", vec!["!ann@examーple.com", "bob@example.com"]),
        (
            "Carol Smith; ann@example.com\nDave; bob@example.com",
            vec!["!Carol Smith", "ann@example.com", "!Dave", "bob@example.com"],
        ),
    ] {
        assert!(transfer(browser, "paste", pasted).await, "{pasted}");
        assert_eq!(chips(browser).await, expected, "{pasted}");
        page.show(&item).await;
        page.open_share_dialog().await;
    }
    page.browser.quit().await;
}

#[tokio::test]
async fn input_method_keeps_its_enter() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let page = open(&item, DESKTOP).await;
    let browser = &page.browser;
    browser.enter("Recipients", "ann@exam").await;
    // Safari reports the key that ends a composition with the key code 229 only.
    key(browser, "Enter", 229, false).await;
    assert_eq!(field_text(browser).await, "ann@exam");
    browser
        .cdp("Input.imeSetComposition", json!({"text": "ple", "selectionStart": 3, "selectionEnd": 3}))
        .await;
    key(browser, "Enter", 13, false).await;
    assert_eq!(chips(browser).await, [""; 0]);
    browser.cdp("Input.insertText", json!({"text": "ple.com"})).await;
    assert_eq!(field_text(browser).await, "ann@example.com");
    key(browser, "Enter", 13, false).await;
    assert_eq!(chips(browser).await, ["ann@example.com"]);
    page.browser.quit().await;
}

/// The keyboards of phones insert text without reporting keys.
#[tokio::test]
async fn separators_work_without_key_events() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let page = open(&item, PHONE).await;
    let browser = &page.browser;
    for text in [
        "ann@example.com",
        ",",
        "bob@example.com；",
        "carol＠example．com、",
        "dave@example.com",
        " ",
        "\"Doe",
        ",",
    ] {
        browser.cdp("Input.insertText", json!({"text": text})).await;
    }
    assert_eq!(
        chips(browser).await,
        ["ann@example.com", "bob@example.com", "carol@example.com", "dave@example.com"]
    );
    assert_eq!(field_text(browser).await, "\"Doe,", "a comma in a quoted name is no separator");
    browser.cdp("Input.insertText", json!({"text": " Erin\" <erin@example.com>,"})).await;
    assert_eq!(chips(browser).await.last().unwrap(), "erin@example.com");
    page.browser.quit().await;
}

#[tokio::test]
async fn held_key_acts_once() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let page = open(&item, DESKTOP).await;
    let browser = &page.browser;
    assert!(transfer(browser, "paste", "a@example.com b@example.com c@example.com d@example.com").await);
    browser.send_keys(Key::Tab).await;
    for (name, code) in [("Delete", 46), ("Backspace", 8)] {
        key(browser, name, code, false).await;
        for _ in 0..5 {
            key(browser, name, code, true).await;
        }
    }
    assert_eq!(chips(browser).await, ["c@example.com", "d@example.com"]);
    // Enter moves a chip into the text field. Its repeats must neither add it again nor edit the next one.
    browser.send_keys(Key::Enter).await;
    let edited = field_text(browser).await;
    for _ in 0..5 {
        key(browser, "Enter", 13, true).await;
    }
    assert_eq!(field_text(browser).await, edited);
    assert_eq!(chips(browser).await.len(), 1);
    page.browser.quit().await;
}

#[tokio::test]
async fn held_backspace_in_the_text_field_keeps_the_chips() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let page = open(&item, DESKTOP).await;
    let browser = &page.browser;
    browser.enter("Recipients", "a@example.com, b@example.com, x").await;
    key(browser, "Backspace", 8, false).await;
    for _ in 0..5 {
        key(browser, "Backspace", 8, true).await;
    }
    assert_eq!(chips(browser).await, ["a@example.com", "b@example.com"]);
    key(browser, "Backspace", 8, false).await;
    assert_eq!(field_text(browser).await, "b@example.com", "a new press edits the last chip");
    page.browser.quit().await;
}

#[tokio::test]
async fn leaving_the_field_adds_its_text() {
    let stack = Stack::get().await;
    let item = TestItem::with_files(&stack, &["a.pdf", "b.pdf"]).await;
    let page = open(&item, DESKTOP).await;
    let browser = &page.browser;
    browser.enter("Recipients", "ann@example.com").await;
    browser.send_keys(Key::Tab).await;
    assert_eq!(chips(browser).await, ["ann@example.com"]);
    // A click elsewhere reaches its target, although the new chip moves the rest of the form.
    browser.enter("Recipients", "bob@example.com ").await;
    browser.enter("Recipients", "a-rather-long-address-that-needs-another-line@department.example.com").await;
    browser.click(".files label", "b.pdf").await;
    let boxes = "return [...document.querySelector('share-dialog').shadowRoot\
                 .querySelectorAll('.files [type=checkbox]:not([value=\"\"])')].map((box) => box.checked);";
    assert_eq!(browser.run(boxes, vec![]).await, json!([true, false]));
    crate::support::eventually("the third chip", async || (chips(browser).await.len() == 3).then_some(()))
        .await;
    page.browser.quit().await;
}

#[tokio::test]
async fn error_in_a_long_list_is_shown_and_removes_what_is_wrong() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    for device in [DESKTOP, PHONE] {
        let page = open(&item, device).await;
        let browser = &page.browser;
        let domain = unique("long");
        let mut list: Vec<_> = (0..90).map(|i| format!("Person {i} <person-{i}@{domain}.example>")).collect();
        list.insert(40, "Carol Smith".to_owned());
        list.insert(70, "dave@".to_owned());
        assert!(transfer(browser, "paste", &list.join("; ")).await);
        browser.wait_for("textarea", "Message").await.scroll_into_view().await.unwrap();
        browser.press("Share").await;
        browser.wait_for(".error", "Correct or remove the 2 marked recipients.").await;
        browser.wait_for_focus("Carol Smith").await;
        let is_visible = r"
            const { shadowRoot } = document.querySelector('share-dialog');
            const body = shadowRoot.querySelector('.body').getBoundingClientRect();
            return [shadowRoot.activeElement, shadowRoot.querySelector('#recipients-error')].map((element) => {
                const { top, bottom } = element.getBoundingClientRect();
                return top >= body.top - 1 && bottom <= body.bottom + 1;
            });
        ";
        assert_eq!(browser.run(is_visible, vec![]).await, json!([true, true]), "{}", device.width);
        browser.assert_fits("a long list with an error").await;
        browser.assert_accessible("a long list with an error").await;
        browser.press("Remove them").await;
        assert_eq!(chips(browser).await.len(), 90);
        browser.wait_for_focus("Recipients").await;
        browser.wait_for(".unseen", "2 recipients removed").await;
        assert!(browser.find("button", "Remove them").await.is_none());
        page.browser.quit().await;
    }
}

#[tokio::test]
async fn domain_in_other_letters_shows_its_ascii_form() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let page = open(&item, DESKTOP).await;
    let browser = &page.browser;
    let name = unique("ann");
    let list = format!(
        "{name}@müller.example, ahmet@gmaıl.com, AHMET@GMAİL.COM, eve@p\u{430}ypal.com, eve@exam\u{2010}ple.com"
    );
    assert!(transfer(browser, "paste", &list).await);
    browser.wait_for(".chip:not(.wrong)", "xn--mller-kva.example").await;
    for domain in ["xn--gmal-nza.com", "xn--gmail-bgd.com", "xn--pypal-4ve.com", "xn--example-806c.com"] {
        browser.wait_for(".chip.wrong", &format!("misleading domain: {domain}")).await;
    }
    browser.press("Share").await;
    browser.press("Remove them").await;
    browser.press("Share").await;
    browser.wait_for("h2", "Shared with 1 recipient").await;
    item.wait_for_email(&format!("{name}@xn--mller-kva.example")).await;
    page.browser.quit().await;
}

/// The dialog does not know which letters look alike. The API does.
#[tokio::test]
async fn recipient_that_the_api_refuses_stays_in_the_form() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let page = open(&item, DESKTOP).await;
    let browser = &page.browser;
    let ann = address("ann");
    browser.enter("Recipients", &format!("{ann}, eve@аррӏе.com,")).await;
    browser.enter("Message", "Kept").await;
    browser.press("Share").await;
    browser.wait_for("h2", "Shared with 1 recipient").await;
    browser.wait_for(".results .what", "Misleading domain: xn--80ak6aa92e.com").await;
    browser.press("Share with others").await;
    browser.wait_for(".chip.wrong", "misleading domain: xn--80ak6aa92e.com").await;
    assert_eq!(chips(browser).await, ["!eve@аррӏе.com"]);
    let message = browser.wait_for("textarea", "Message").await;
    assert_eq!(message.prop("value").await.unwrap().unwrap(), "Kept");
    // The ASCII form says which domain is meant.
    browser.press("Remove eve@аррӏе.com").await;
    browser.enter("Recipients", "eve@xn--80ak6aa92e.com").await;
    browser.press("Share").await;
    browser.wait_for("h2", "Shared with 1 recipient").await;
    page.browser.quit().await;
}

#[tokio::test]
async fn retry_keeps_the_recipients_that_the_api_refused() {
    let (stack, proxy, _clock) = Stack::with_dynamodb_proxy().await;
    let item = TestItem::new(&stack).await;
    let page = open(&item, DESKTOP).await;
    let browser = &page.browser;
    let (ann, bob) = (address("ann"), address("bob"));
    proxy.lose_responses(4, &["PutItem", "createId", &ann]);
    browser.enter("Recipients", &format!("{ann}, {bob}, eve@аррӏе.com,")).await;
    browser.press("Share").await;
    browser.wait_for("h2", "Shared with 1 recipient").await;
    browser.press("Retry 1 recipient").await;
    assert_eq!(chips(browser).await, [ann, "!eve@аррӏе.com".to_owned()]);
    page.browser.quit().await;
}
