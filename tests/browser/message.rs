//! The message field of the Share dialog.

use serde_json::{Value, json};

use crate::browser::{Browser, DESKTOP, Device, PHONE};
use crate::page::Page;
use crate::support::{Stack, TestItem, address};

async fn set_message(browser: &Browser, text: Value) {
    let field = browser.wait_for("textarea", "Message").await;
    let script = "arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('input'));";
    browser.run(script, vec![field.to_json().unwrap(), text]).await;
}

#[tokio::test]
async fn counter_agrees_with_the_api_about_invisible_characters() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let page = Page::open(&item, DESKTOP).await;
    let browser = &page.browser;
    page.open_share_dialog().await;
    // What office programs put on the clipboard, and an emoji.
    let pasted = "a\u{b}b\u{3}\u{fffc}\u{202e}c\u{85}d\u{2028}\u{0}\u{1f44d}\te\u{7}f\u{1e}g\u{1f}\u{fffd}";
    set_message(browser, pasted.into()).await;
    browser.wait_for(".counter", "1985 characters left").await;
    // WebDriver cannot send a lone surrogate.
    let script = "const field = document.querySelector('share-dialog').shadowRoot.querySelector('textarea'); \
                  field.value += '\\ud83d'; field.dispatchEvent(new Event('input'));";
    browser.run(script, vec![]).await;
    browser.wait_for(".counter", "1985 characters left").await;
    browser.enter("Recipients", &address("ann")).await;
    browser.press("Share").await;
    browser.wait_for("h2", "Shared with 1 recipient").await;
    let share = item.get("").await.json()["shares"][0].clone();
    assert_eq!(share["message"], "a\nbc\nd\n\u{1f44d}\te\tf-g\u{fffd}");
    assert_eq!(share["message"].as_str().unwrap().chars().count(), 2000 - 1985);
    page.browser.quit().await;
}

/// Asserts that nothing covers the beginning or the end of the message.
async fn assert_message_is_visible(browser: &Browser, height: u32, state: &str) {
    let script = r"
        const root = document.querySelector('share-dialog').shadowRoot;
        const { left, top, bottom } = root.querySelector('textarea').getBoundingClientRect();
        const at = (y) => root.elementFromPoint(left + 20, y)?.localName;
        return [top >= 0 && bottom <= arguments[0], at(top + 3), at(bottom - 3)];
    ";
    let visible = browser.run(script, vec![height.into()]).await;
    assert_eq!(visible, json!([true, "textarea", "textarea"]), "{state}");
}

/// Returns whether the counter can be seen.
async fn is_counter_visible(browser: &Browser) -> Value {
    let script = r"
        const root = document.querySelector('share-dialog').shadowRoot;
        const { right, top, bottom } = root.querySelector('#counter').getBoundingClientRect();
        return [top + 2, bottom - 2].every((y) => root.elementFromPoint(right - 5, y)?.id === 'counter');
    ";
    browser.run(script, vec![]).await
}

#[tokio::test]
async fn message_is_visible_while_it_is_typed() {
    let stack = Stack::get().await;
    let names: Vec<_> = (0..12).map(|n| format!("{n}.pdf")).collect();
    let item = TestItem::with_files(&stack, &names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    for (width, height) in [(1280, 757), (320, 256), (360, 740), (640, 320)] {
        let page = Page::open(&item, Device { width, height, ..DESKTOP }).await;
        page.open_share_dialog().await;
        page.browser.tab_to("Message").await;
        assert_message_is_visible(&page.browser, height, &format!("{width}x{height}, empty")).await;
        for line in 1..=3 {
            page.browser.send_keys(format!("Line {line}\n")).await;
            assert_message_is_visible(&page.browser, height, &format!("{width}x{height}, {line} lines"))
                .await;
        }
        for line in 4..=12 {
            page.browser.send_keys(format!("Line {line}\n")).await;
            assert_eq!(is_counter_visible(&page.browser).await, true, "{width}x{height}, {line} lines");
        }
        page.browser.assert_fits(&format!("{width}x{height}")).await;
        page.browser.quit().await;
    }
}

#[tokio::test]
async fn on_screen_keyboard_does_not_cover_the_message() {
    let stack = Stack::get().await;
    let item = TestItem::with_files(&stack, &["a.pdf", "b.pdf"]).await;
    let page = Page::open(&item, PHONE).await;
    let browser = &page.browser;
    page.open_share_dialog().await;
    browser.tab_to("Message").await;
    // A keyboard makes the visual viewport smaller, and leaves the layout viewport as it is.
    let show_keyboard = r"
        Object.defineProperty(visualViewport, 'height', { value: arguments[0], configurable: true });
        visualViewport.dispatchEvent(new Event('resize'));
    ";
    browser.run(show_keyboard, vec![400.into()]).await;
    assert_message_is_visible(browser, 400, "with a keyboard").await;
    let bottom = "return document.querySelector('share-dialog').shadowRoot.querySelector('dialog')\
                  .getBoundingClientRect().bottom;";
    assert_eq!(browser.run(bottom, vec![]).await, 400);
    browser.run(show_keyboard, vec![740.into()]).await;
    assert_eq!(browser.run(bottom, vec![]).await, 740);
    page.browser.quit().await;
}
