//! Suggestions in the recipients field: a combobox for the mouse, the keyboard, fingers and screen readers.

use serde_json::{Value, json};
use thirtyfour::Key;

use crate::browser::{Browser, DESKTOP, Device, PHONE};
use crate::faults::open_behind_proxy;
use crate::page::Page;
use crate::support::proxy::Fault;
use crate::support::{Stack, TestItem, next_week, unique, within_minutes};

/// Creates an item of a new sharer who has shared another item with these recipients, the last one most
/// recently.
async fn item_after_sharing_with<'a>(stack: &'a Stack, recipients: &[&str]) -> TestItem<'a> {
    let claims = json!({"sub": unique("sharer"), "name": "Tess Tester", "accessRights": ["producer"]});
    let token = stack.token_with_claims(&claims).await;
    let before = TestItem { token: token.clone(), ..TestItem::new(stack).await };
    for recipient in recipients {
        let body = json!({"recipients": [recipient], "expiresAt": next_week(), "notify": false});
        before.post(&body).await.assert_status(201);
    }
    TestItem { token, ..TestItem::new(stack).await }
}

/// Opens the Share dialog as the item's sharer.
async fn open(item: &TestItem<'_>, device: Device) -> Page {
    let page = Page::open(item, device).await;
    open_dialog(&page, item, "Share").await;
    page
}

async fn open_dialog(page: &Page, item: &TestItem<'_>, button: &str) {
    page.set_token_provider(&format!("async () => {:?}", item.token)).await;
    page.browser.click(".toolbar share-button", button).await;
    page.browser.wait_for(".files label", "").await;
}

const FIELD: &str = r"
    const dialog = document.querySelector('share-dialog').shadowRoot;
    const input = dialog.querySelector('[role=combobox]');
    const list = dialog.querySelector('[role=listbox]');
";

async fn read(browser: &Browser, expression: &str) -> Value {
    browser.run(&format!("{FIELD} return {expression};"), vec![]).await
}

/// Returns the text of the option that assistive technology reports as active.
async fn active(browser: &Browser) -> Value {
    let expression = "dialog.getElementById(input.getAttribute('aria-activedescendant'))?.textContent";
    let active = read(browser, expression).await;
    let selected = read(browser, "list.querySelector('[aria-selected=true]')?.textContent").await;
    assert_eq!(active, selected);
    active
}

async fn chips(browser: &Browser) -> Value {
    read(browser, "[...dialog.querySelectorAll('.chip bdi')].map((chip) => chip.textContent)").await
}

async fn is_open(browser: &Browser) -> bool {
    let is_open = read(browser, "!list.hidden").await;
    assert_eq!(read(browser, "input.ariaExpanded === 'true'").await, is_open);
    is_open.as_bool().unwrap()
}

#[tokio::test]
async fn keyboard_selects_a_suggestion() {
    let stack = Stack::get().await;
    let used = ["carol@example.com", "Ann Lee <ann@example.com>", "bob@ann.example"];
    let item = item_after_sharing_with(&stack, &used).await;
    let page = open(&item, DESKTOP).await;
    let browser = &page.browser;
    browser.enter("Recipients", "an").await;
    browser.wait_for("[role=option]", "bob@ann.example").await;
    browser.wait_for(".unseen", "2 suggestions").await;
    browser.assert_accessible("suggestions").await;
    assert_eq!(active(browser).await, Value::Null, "no suggestion is selected automatically");
    browser.send_keys(Key::Down).await;
    assert_eq!(active(browser).await, "bob@ann.example");
    browser.send_keys(Key::Down).await;
    assert_eq!(active(browser).await, "Ann Lee ann@example.com");
    browser.assert_accessible("an active suggestion").await;
    browser.send_keys(Key::Down).await;
    assert_eq!(active(browser).await, Value::Null);
    browser.send_keys(Key::Up).await;
    browser.send_keys(Key::Enter).await;
    assert_eq!(chips(browser).await, json!(["ann@example.com"]));
    assert!(!is_open(browser).await);
    browser.wait_for(".unseen", "1 recipient added").await;
    browser.wait_for_focus("Recipients").await;

    // What is entered already is not suggested.
    browser.enter("Recipients", "ann").await;
    browser.wait_for("[role=option]", "bob@ann.example").await;
    assert_eq!(read(browser, "list.childElementCount").await, 1);
    // Without a choice, the Enter key adds what was typed.
    browser.send_keys("e@example.org".to_owned() + Key::Enter).await;
    assert_eq!(chips(browser).await, json!(["ann@example.com", "anne@example.org"]));

    browser.press("Share").await;
    browser.wait_for("h2", "Shared with 2 recipients").await;
    browser.wait_for(".who", "ann@example.com").await;
    let shares = item.get("").await.json();
    let ann =
        shares["shares"].as_array().unwrap().iter().find(|share| share["recipient"] == "ann@example.com");
    assert_eq!(ann.unwrap()["recipientName"], "Ann Lee");
    browser.press("Done").await;
    page.open_link_access().await;
    browser.wait_for("h3", "ann@example.com Ann Lee").await;
    page.browser.quit().await;
}

#[tokio::test]
async fn escape_closes_only_the_suggestions() {
    let stack = Stack::get().await;
    let item = item_after_sharing_with(&stack, &["ann@example.com"]).await;
    let page = open(&item, DESKTOP).await;
    let browser = &page.browser;
    browser.enter("Recipients", "an").await;
    browser.wait_for("[role=option]", "ann@example.com").await;
    browser.send_keys(Key::Escape).await;
    assert!(!is_open(browser).await);
    browser.wait_for("h2", "Share").await;
    assert_eq!(read(browser, "input.value").await, "an");
    // The arrow key asks again.
    browser.send_keys(Key::Down).await;
    browser.wait_for("[role=option]", "ann@example.com").await;
    // Leaving the field closes the list, and adds what was typed as before.
    browser.send_keys(Key::Tab).await;
    assert!(!is_open(browser).await);
    assert_eq!(chips(browser).await, json!(["an"]));
    browser.send_keys(Key::Escape).await;
    browser.wait_until_gone("h2", "Share").await;
    page.browser.quit().await;
}

/// The keys of an input method choose its own candidates.
#[tokio::test]
async fn composition_keeps_its_keys() {
    let stack = Stack::get().await;
    let item = item_after_sharing_with(&stack, &["ann@example.com"]).await;
    let page = open(&item, DESKTOP).await;
    let browser = &page.browser;
    browser.enter("Recipients", "an").await;
    browser.wait_for("[role=option]", "ann@example.com").await;
    browser.send_keys(Key::Down).await;
    let script = r"
        return ['ArrowDown', 'Enter', 'Escape'].map((key) => input.dispatchEvent(
            new KeyboardEvent('keydown', { key, isComposing: true, bubbles: true, cancelable: true })));
    ";
    assert_eq!(browser.run(&format!("{FIELD} {script}"), vec![]).await, json!([true, true, true]));
    assert_eq!(active(browser).await, "ann@example.com");
    assert_eq!(chips(browser).await, json!([]));
    page.browser.quit().await;
}

#[tokio::test]
async fn tap_selects_on_a_phone_in_german() {
    let stack = Stack::get().await;
    let long = format!("{}@example.com", "a".repeat(64));
    let used: Vec<String> = (0..9).map(|i| format!("Ann Lee {i} <ann{i}@example.com>")).collect();
    let used: Vec<&str> = used.iter().map(String::as_str).chain([long.as_str()]).collect();
    let item = item_after_sharing_with(&stack, &used).await;
    let page = Page::open(&item, PHONE).await;
    let browser = &page.browser;
    browser.run("document.documentElement.lang = 'de';", vec![]).await;
    // The button got its label before the page's language changed.
    open_dialog(&page, &item, "").await;
    browser.enter("Empfänger", "a").await;
    browser.wait_for("[role=option]", "ann8@example.com").await;
    browser.wait_for(".unseen", "10 Vorschläge").await;
    browser.assert_fits("the suggestions").await;
    let is_inside = "list.getBoundingClientRect().right <= innerWidth && list.getBoundingClientRect().left >= 0 \
                     && list.scrollWidth <= list.clientWidth";
    assert_eq!(read(browser, is_inside).await, true);
    assert_eq!(read(browser, "list.ariaLabel").await, "Vorgeschlagene Empfänger");
    browser.assert_accessible("suggestions on a phone").await;
    browser.click("[role=option]", "ann8@example.com").await;
    assert_eq!(chips(browser).await, json!(["ann8@example.com"]));
    browser.wait_for_focus("Empfänger").await;
    page.browser.quit().await;
}

#[tokio::test]
async fn only_the_latest_text_is_suggested_for() {
    let stack = Stack::get().await;
    let item = item_after_sharing_with(&stack, &["ann@example.com", "bob@example.com"]).await;
    let (page, proxy) = open_behind_proxy(&item).await;
    open_dialog(&page, &item, "Share").await;
    let browser = &page.browser;
    let (notify_arrival, arrived) = tokio::sync::oneshot::channel();
    let (resume, resumed) = tokio::sync::oneshot::channel();
    proxy.inject_once(&["share-suggestions"], Fault::Pause(notify_arrival, resumed));
    browser.enter("Recipients", "a").await;
    within_minutes(2, arrived).await.unwrap();
    browser.send_keys(Key::Backspace).await;
    browser.send_keys("b").await;
    browser.wait_for("[role=option]", "bob@example.com").await;
    resume.send(()).unwrap();
    assert_eq!(read(browser, "list.textContent").await, "bob@example.com");
    page.browser.quit().await;
}

#[tokio::test]
async fn failing_suggestions_are_silent() {
    let stack = Stack::get().await;
    let item = item_after_sharing_with(&stack, &["ann@example.com"]).await;
    let (page, proxy) = open_behind_proxy(&item).await;
    open_dialog(&page, &item, "Share").await;
    let browser = &page.browser;
    proxy.inject(usize::MAX, &["share-suggestions"], || Some(Fault::Respond(503, "Unavailable", "")));
    browser.enter("Recipients", "ann").await;
    let asked = || async { (proxy.take_call_count(&["share-suggestions"]) > 0).then_some(()) };
    crate::support::eventually("a request for suggestions", asked).await;
    assert!(!browser.visible_text().await.contains("unavailable"));
    // A failure does not say that there are no suggestions for longer text.
    proxy.clear_faults();
    browser.send_keys("@").await;
    browser.wait_for("[role=option]", "ann@example.com").await;
    browser.send_keys("example.com".to_owned() + Key::Enter).await;
    assert_eq!(chips(browser).await, json!(["ann@example.com"]));
    browser.press("Share").await;
    browser.wait_for("h2", "Shared with 1 recipient").await;
    page.browser.quit().await;
}

#[tokio::test]
async fn pasted_names_belong_to_their_addresses() {
    let stack = Stack::get().await;
    let item = item_after_sharing_with(&stack, &[]).await;
    let page = open(&item, DESKTOP).await;
    let browser = &page.browser;
    let list =
        "\"Lee, Ann\" <ann@example.com>; Bob Roe <bob@example.com>, carol@example.com, ?? <dan@example.com>";
    let paste = r"
        const data = new DataTransfer();
        data.setData('text/plain', arguments[0]);
        input.dispatchEvent(new ClipboardEvent('paste', { bubbles: true, cancelable: true, clipboardData: data }));
    ";
    browser.run(&format!("{FIELD} {paste}"), vec![list.into()]).await;
    let addresses = json!(["ann@example.com", "bob@example.com", "carol@example.com", "dan@example.com"]);
    assert_eq!(chips(browser).await, addresses);
    browser.press("Share").await;
    browser.wait_for("h2", "Shared with 4 recipients").await;
    let shares = item.get("").await.json();
    let mut names: Vec<Value> = shares["shares"]
        .as_array()
        .unwrap()
        .iter()
        .map(|share| json!([share["recipient"], share["recipientName"]]))
        .collect();
    names.sort_by_key(Value::to_string);
    let expected = json!([
        ["ann@example.com", "Lee, Ann"],
        ["bob@example.com", "Bob Roe"],
        ["carol@example.com", null],
        ["dan@example.com", null],
    ]);
    assert_eq!(Value::from(names), expected);
    page.browser.quit().await;
}
