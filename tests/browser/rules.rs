//! The dialogs offer only what the deployment's rules allow.

use chrono::{Duration, Utc};
use serde_json::{Value, json};

use crate::browser::{Browser, DESKTOP, Device, PHONE};
use crate::page::Page;
use crate::support::{Aws, Stack, TestItem, address, rfc3339, unique};

const RULES: [(&str, &str); 5] = [
    ("MAX_ACCESS_DAYS", "10"),
    ("ALLOW_LINKS_WITHOUT_EMAIL", "false"),
    ("BLOCKED_RECIPIENT_DOMAINS", "blocked.example,bücher.example"),
    ("MAX_RECIPIENTS", "2"),
    ("MAX_FILES", "2"),
];

/// Returns the local date this many days after today, in the browser.
async fn day(browser: &Browser, days: i64) -> String {
    let script = "const day = new Date(); day.setDate(day.getDate() + arguments[0]);\
                  return day.toLocaleDateString('sv');";
    browser.run(script, vec![days.into()]).await.as_str().unwrap().to_owned()
}

async fn max_time(browser: &Browser) -> String {
    let input = browser.wait_for("input[type=datetime-local]", "Access expires").await;
    let max = browser.run("return arguments[0].max;", vec![input.to_json().unwrap()]).await;
    max.as_str().unwrap().to_owned()
}

#[tokio::test]
async fn share_dialog_offers_only_what_the_rules_allow() {
    let (stack, _clock) = Stack::with_function_variables(&RULES).await;
    let item = TestItem::with_files(&stack, &["a.pdf", "b.pdf", "c.pdf"]).await;
    let page = Page::open(&item, DESKTOP).await;
    let browser = &page.browser;
    page.open_share_dialog().await;
    browser.wait_for(".files label", "a.pdf").await;
    browser.wait_for("#files-summary", "One link can hold at most 2 files.").await;
    assert!(browser.find("label", "Send email").await.is_none(), "there is no choice");
    browser.wait_for("button", "1 week").await;
    assert!(browser.find("button", "1 month").await.is_none(), "too long");
    let last_day = day(browser, 10).await;
    assert_eq!(max_time(browser).await, format!("{last_day}T23:59"));

    browser.enter("Recipients", "a@Blocked.example, b@shop.bücher.example, c@notblocked.example,").await;
    browser.wait_for(".chip.wrong", "a@Blocked.example domain not allowed").await;
    browser.wait_for(".chip.wrong", "domain not allowed").await;
    browser.press("Share").await;
    browser.wait_for(".error", "Correct or remove the 2 marked recipients.").await;
    browser.assert_accessible("domains that are not allowed").await;
    browser.press("Remove them").await;
    let bob = address("bob");
    browser.enter("Recipients", &format!("{bob},{},", address("carl"))).await;
    browser.press("Share").await;
    browser.wait_for(".error", "At most 2 recipients at a time. Remove 1.").await;
    browser.press("Remove c@notblocked.example").await;

    browser.click(".files label", "a.pdf").await;
    browser.set_time("Access expires", &format!("{}T00:00", day(browser, 11).await)).await;
    browser.press("Share").await;
    browser.wait_for(".error", "No later than").await;
    browser.set_time("Access expires", &format!("{last_day}T23:59")).await;
    browser.press("Share").await;
    browser.wait_for("h2", "Shared with 2 recipients").await;
    assert!(browser.find("button", "Copy link").await.is_none());
    page.browser.quit().await;
}

#[tokio::test]
async fn refused_domain_is_explained_if_the_dialog_does_not_know_the_rules() {
    let (stack, _clock) = Stack::with_function_variables(&[("BLOCKED_RECIPIENT_DOMAINS", "")]).await;
    let item = TestItem::new(&stack).await;
    let page = Page::open(&item, Device { languages: "de", ..PHONE }).await;
    let browser = &page.browser;
    browser.run("document.documentElement.lang = 'de';", vec![]).await;
    browser.click(".toolbar share-button", "Share").await;
    browser.wait_for(".files", "brief.pdf").await;
    Aws::new(&stack).set_function_variable("BLOCKED_RECIPIENT_DOMAINS", Some("blocked.example")).await;
    let ann = format!("{}@blocked.example", unique("ann"));
    browser.enter("Empfänger", &format!("{ann},{},", address("bob"))).await;
    browser.click(".primary", "Teilen").await;
    browser.wait_for(".notAllowed .what", "Das Teilen mit dieser Domain ist nicht erlaubt.").await;
    browser.assert_fits("the results").await;
    browser.assert_accessible("a refused domain").await;
    page.browser.quit().await;
}

#[tokio::test]
async fn link_access_dialog_offers_only_what_the_rules_allow() {
    let (stack, _clock) = Stack::with_function_variables(&RULES.map(|(name, _)| (name, default(name)))).await;
    let item = TestItem::new(&stack).await;
    let blocked = format!("{}@blocked.example", unique("ann"));
    let bob = address("bob");
    let until = rfc3339(Utc::now() + Duration::days(90));
    for recipient in [&blocked, &bob] {
        let body = json!({"recipients": [recipient], "expiresAt": until, "notify": false});
        item.post(&body).await.assert_status(201);
    }
    for (name, value) in RULES {
        Aws::new(&stack).set_function_variable(name, Some(value)).await;
    }
    let page = Page::open(&item, DESKTOP).await;
    let browser = &page.browser;
    page.open_link_access().await;

    assert_eq!(actions(browser, &blocked).await, json!(["Change Expiration", "Revoke Access"]));
    browser.wait_for("li[data-share] .hint", "Sharing with this domain is not allowed.").await;
    let expected = json!(["Change Expiration", "Revoke Access", "Resend email", "Replace link"]);
    assert_eq!(actions(browser, &bob).await, expected);
    browser.assert_accessible("rules").await;

    // Access may be shortened, but not prolonged.
    page.press_in_row(&bob, "Change Expiration").await;
    browser.set_time("Access expires", &format!("{}T12:00", day(browser, 91).await)).await;
    browser.press("Save").await;
    browser.wait_for(".error", "No later than").await;
    browser.set_time("Access expires", &format!("{}T12:00", day(browser, 60).await)).await;
    browser.press("Save").await;
    browser.wait_for(".status", "has access until").await;
    assert!(browser.find("button", "Undo").await.is_none(), "the old expiration is too late");
    page.press_in_row(&bob, "Replace link").await;
    browser.wait_for("p", "The current link stops working immediately and for good.").await;
    assert!(browser.find("label", "Send the new link by email").await.is_none(), "there is no choice");
    browser.press("Cancel").await;

    for recipient in [&blocked, &bob] {
        page.press_in_row(recipient, "Revoke Access").await;
        browser.press("Yes, revoke").await;
        browser.wait_for(".status", recipient).await;
        browser.wait_for(".status", "no longer has access").await;
        assert!(browser.find("button", "Undo").await.is_none(), "the rules do not allow it");
    }
    browser.click("[role=tab]", "Inactive").await;
    assert_eq!(actions(browser, &blocked).await, json!([]));
    page.press_in_row(&bob, "Change Expiration").await;
    let last_day = day(browser, 10).await;
    assert_eq!(max_time(browser).await, format!("{last_day}T23:59"));
    browser.press("Save").await;
    browser.wait_for(".status", "has access until").await;
    page.browser.quit().await;
}

/// Returns a variable's value without a rule.
fn default(variable: &str) -> &'static str {
    match variable {
        "MAX_ACCESS_DAYS" => "0",
        "ALLOW_LINKS_WITHOUT_EMAIL" => "true",
        "BLOCKED_RECIPIENT_DOMAINS" => "",
        _ => "100",
    }
}

/// Returns the names of the buttons in a recipient's row.
async fn actions(browser: &Browser, recipient: &str) -> Value {
    let row = browser.wait_for("li[data-share]", recipient).await;
    let script =
        "return [...arguments[0].querySelectorAll('.actions button')].map((b) => b.textContent.trim());";
    browser.run(script, vec![row.to_json().unwrap()]).await
}
