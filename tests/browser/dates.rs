//! The expiration: in words, as presets, and around changes of the clocks.

use serde_json::{Value, json};
use thirtyfour::Key;

use crate::browser::{Browser, DESKTOP, Device};
use crate::page::Page;
use crate::support::{Stack, TestItem, address};

const FIELD: &str = "Access expires";

async fn field_value(browser: &Browser) -> String {
    let input = browser.wait_for("input[type=datetime-local]", "").await;
    input.prop("value").await.unwrap().unwrap()
}

async fn pressed_presets(browser: &Browser) -> Value {
    let script = "return [...document.querySelector('share-dialog').shadowRoot\
                  .querySelectorAll('[aria-pressed=true]')].map((button) => button.textContent);";
    browser.run(script, vec![]).await
}

/// Enters the recipient, shares, and returns when access ends.
async fn share(page: &Page, item: &TestItem<'_>) -> Value {
    page.browser.enter("Recipients", &address("ann")).await;
    page.browser.press("Share").await;
    page.browser.wait_for("h2", "Shared with 1 recipient").await;
    item.get("").await.json()["shares"][0]["expiresAt"].clone()
}

#[tokio::test]
async fn expiration_is_described_in_words() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let page = Page::open(&item, DESKTOP).await;
    let browser = &page.browser;
    browser.set_clock("2026-11-26T16:00:20").await;
    page.open_share_dialog().await;
    browser.wait_for(".words", "Thursday, 3 December, 23:59, in 7 days").await;
    for (time, words) in [
        ("2026-11-26T16:00", "Thursday, 26 November, 16:00, this minute"),
        ("2026-11-26T16:20", "Thursday, 26 November, 16:20, in 20 minutes"),
        ("2026-11-26T23:59", "Thursday, 26 November, 23:59, in 8 hours"),
        ("2026-11-27T00:00", "Friday, 27 November, 00:00, tomorrow"),
        ("2027-01-05T12:00", "Tuesday, 5 January 2027, 12:00, in 40 days"),
        ("2029-11-26T12:00", "Monday, 26 November 2029, 12:00, in 3 years"),
        ("2026-11-26T15:55", "Thursday, 26 November, 15:55, 5 minutes ago"),
    ] {
        browser.set_time(FIELD, time).await;
        browser.wait_for(".words", words).await;
    }
    // The first digit of a year that is being typed.
    browser.set_time(FIELD, "0002-12-03T23:59").await;
    browser.wait_until_gone(".words", "ago").await;
    browser.set_time(FIELD, "").await;
    browser.wait_until_gone(".words", "December").await;
    page.browser.quit().await;
}

#[tokio::test]
async fn expiration_is_described_in_german() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let page = Page::open(&item, Device { languages: "de-DE,de", ..DESKTOP }).await;
    let browser = &page.browser;
    browser.run("document.documentElement.lang = 'de';", vec![]).await;
    browser.set_clock("2026-11-26T16:00").await;
    // The button got its label before the page's language changed.
    browser.click(".toolbar share-button", "").await;
    browser.wait_for(".words", "Donnerstag, 3. Dezember, 23:59 Uhr, in 7 Tagen").await;
    browser.set_time("Zugriff endet", "2027-03-28T02:30").await;
    browser.wait_for(".words", "Sonntag, 28. März 2027, 03:30 Uhr, in 4 Monaten").await;
    browser.wait_for(".note", "02:30 Uhr gibt es an diesem Tag nicht, weil die Uhr vorgestellt wird.").await;
    browser.set_time("Zugriff endet", "2027-10-31T02:30").await;
    browser.wait_for(".note", "Gemeint ist das erste Mal (UTC+02:00).").await;
    page.browser.quit().await;
}

#[tokio::test]
async fn chosen_preset_is_pressed_and_ends_with_its_day() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let page = Page::open(&item, DESKTOP).await;
    let browser = &page.browser;
    browser.set_clock("2027-01-31T16:00").await;
    page.open_share_dialog().await;
    assert_eq!(pressed_presets(browser).await, json!(["1 week"]));
    for (preset, value) in
        [("1 day", "2027-02-01T23:59"), ("1 month", "2027-02-28T23:59"), ("1 week", "2027-02-07T23:59")]
    {
        browser.press(preset).await;
        assert_eq!(pressed_presets(browser).await, json!([preset]));
        assert_eq!(field_value(browser).await, value);
    }
    browser.set_time(FIELD, "2027-02-07T12:00").await;
    assert_eq!(pressed_presets(browser).await, json!([]));
    page.browser.quit().await;
}

#[tokio::test]
async fn untouched_default_is_renewed_and_a_chosen_time_is_kept() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let page = Page::open(&item, DESKTOP).await;
    let browser = &page.browser;
    browser.set_clock("2026-11-26T16:00").await;
    page.open_share_dialog().await;
    assert_eq!(field_value(browser).await, "2026-12-03T23:59");
    browser.press("Cancel").await;
    browser.set_clock("2026-11-27T09:00").await;
    page.open_share_dialog().await;
    assert_eq!(field_value(browser).await, "2026-12-04T23:59");

    // The dialog stays open overnight.
    browser.set_clock("2026-11-28T09:00").await;
    browser.run("tick();", vec![]).await;
    assert_eq!(field_value(browser).await, "2026-12-05T23:59");
    browser.wait_for(".words", "Saturday, 5 December, 23:59, in 7 days").await;

    browser.press("1 day").await;
    browser.set_clock("2026-11-29T09:00").await;
    browser.run("tick();", vec![]).await;
    assert_eq!(field_value(browser).await, "2026-11-29T23:59");
    browser.wait_for(".words", "Sunday, 29 November, 23:59, in 15 hours").await;
    browser.press("Cancel").await;
    page.open_share_dialog().await;
    assert_eq!(field_value(browser).await, "2026-11-29T23:59");
    page.browser.quit().await;
}

#[tokio::test]
async fn time_that_clocks_skip_is_replaced_visibly() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let page = Page::open(&item, DESKTOP).await;
    let browser = &page.browser;
    page.open_share_dialog().await;
    browser.set_time(FIELD, "2030-03-31T02:30").await;
    assert_eq!(field_value(browser).await, "2030-03-31T03:30");
    let note = "02:30 does not exist on this day, because clocks are set forward. It becomes 03:30.";
    browser.wait_for(".note", note).await;
    browser.wait_for(".words", "Sunday, 31 March 2030, 03:30").await;

    // While the user types, the value stays as it is.
    browser.set_time(FIELD, "2030-03-30T12:00").await;
    browser.wait_until_gone(".note", note).await;
    browser.wait_for("input[type=datetime-local]", "").await.focus().await.unwrap();
    browser.set_time(FIELD, "2030-03-31T02:30").await;
    assert_eq!(field_value(browser).await, "2030-03-31T02:30");
    browser.wait_for(".note", note).await;
    browser.tab_to("1 day").await;
    assert_eq!(field_value(browser).await, "2030-03-31T03:30");
    browser.wait_for(".note", note).await;
    assert_eq!(share(&page, &item).await, "2030-03-31T01:30:00Z");
    page.browser.quit().await;
}

#[tokio::test]
async fn time_that_occurs_twice_is_pointed_out() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let page = Page::open(&item, DESKTOP).await;
    page.open_share_dialog().await;
    page.browser.set_time(FIELD, "2030-10-27T02:30").await;
    let note =
        "02:30 occurs twice on this day, because clocks are set back. This is the first time (UTC+02:00).";
    page.browser.wait_for(".note", note).await;
    assert_eq!(share(&page, &item).await, "2030-10-27T00:30:00Z");
    page.browser.quit().await;
}

/// Clocks on Lord Howe Island change by half an hour.
#[tokio::test]
async fn half_hour_clock_change_is_understood() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let page = Page::open(&item, DESKTOP).await;
    let browser = &page.browser;
    browser.cdp("Emulation.setTimezoneOverride", json!({"timezoneId": "Australia/Lord_Howe"})).await;
    page.open_share_dialog().await;
    browser.wait_for(".hint", "In your time zone, Australia/Lord_Howe").await;
    browser.set_time(FIELD, "2030-10-06T02:10").await;
    browser.wait_for(".note", "It becomes 02:40.").await;
    browser.set_time(FIELD, "2030-04-07T01:15").await;
    browser.wait_until_gone(".note", "occurs twice").await;
    browser.set_time(FIELD, "2030-04-07T01:45").await;
    browser.wait_for(".note", "This is the first time (UTC+11:00).").await;
    assert_eq!(share(&page, &item).await, "2030-04-06T14:45:00Z");
    page.browser.quit().await;
}

/// Clocks in Cairo skip midnight in spring.
#[tokio::test]
async fn midnight_that_clocks_skip_is_replaced() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let page = Page::open(&item, DESKTOP).await;
    let browser = &page.browser;
    browser.cdp("Emulation.setTimezoneOverride", json!({"timezoneId": "Africa/Cairo"})).await;
    browser.set_clock("2027-04-29T16:00").await;
    page.open_share_dialog().await;
    browser.press("1 day").await;
    assert_eq!(field_value(browser).await, "2027-04-30T23:59");
    browser.set_time(FIELD, "2027-04-30T00:00").await;
    assert_eq!(field_value(browser).await, "2027-04-30T01:00");
    browser.wait_for(".note", "00:00 does not exist on this day").await;
    page.browser.quit().await;
}

/// The second occurrence of a local time is kept when Manage Link Access shows it.
#[tokio::test]
async fn second_occurrence_is_kept_in_manage_link_access() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let ann = address("ann");
    item.share_until(&ann, "2030-10-27T02:30:00+01:00").await;
    let page = Page::open(&item, DESKTOP).await;
    page.open_link_access().await;
    page.press_in_row(&ann, "Change Expiration").await;
    page.browser.wait_for(".note", "This is the second time (UTC+01:00).").await;
    page.browser.send_keys(Key::Escape).await;
    page.browser.quit().await;
}
