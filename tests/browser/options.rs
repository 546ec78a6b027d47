//! The choices that are folded in the Share dialog, their effects in Manage Link Access, and the notices.

use reqwest::Method;
use serde_json::{Value, json};

use crate::browser::{DESKTOP, PHONE};
use crate::page::{Page, wait_for_event};
use crate::site::{self, evaluate};
use crate::support::{Stack, TestItem, address, next_week, send, unique};

const LANGUAGE: &str = "Language of the email";
const REMINDER: &str = "Reminder if nothing has been downloaded";
const FIRST_DOWNLOAD: &str = "Tell me when a recipient downloads for the first time";

/// Shares with a new recipient, and returns the share.
async fn share(page: &Page, item: &TestItem<'_>, heading: &str, share: &str) -> Value {
    let ann = address("ann");
    page.browser.wait_for("#recipients", "").await.send_keys(format!("{ann},")).await.unwrap();
    page.browser.click(".primary", share).await;
    page.browser.wait_for("h2", heading).await;
    let shares = item.get("").await.json()["shares"].as_array().unwrap().clone();
    shares.into_iter().find(|share| share["recipient"] == ann.as_str()).unwrap()
}

#[tokio::test]
async fn emails_have_the_language_of_the_dialog_unless_another_is_chosen() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    for (page_language, button, label, own, chosen, heading, expected) in [
        ("de", "Teilen", "Sprache der E-Mail", "Deutsch", None, "Mit einem Empfänger geteilt", "de"),
        ("sv", "Dela", "E-postens språk", "Svenska", None, "Delat med 1 mottagare", "sv"),
        // A language that the dialogs do not have.
        ("it", "Share", LANGUAGE, "English", Some("Français"), "Shared with 1 recipient", "fr"),
    ] {
        let html = format!(
            "<body lang={page_language}><share-button module=jobs item={{item}}></share-button></body>"
        );
        let page = Page { browser: site::open(&item, DESKTOP, &html).await };
        evaluate(&page.browser, "load()").await;
        page.browser.click("share-button", button).await;
        page.browser.wait_for(".files label", "brief.pdf").await;
        page.browser.click("details.options summary", "").await;
        assert_eq!(page.browser.selected(label).await, own);
        if let Some(language) = chosen {
            page.browser.select(label, language).await;
        }
        assert_eq!(share(&page, &item, heading, button).await["language"], expected);
        page.browser.quit().await;
    }
}

#[tokio::test]
async fn reminder_is_offered_only_while_it_is_possible() {
    let (stack, _clock) = Stack::with_function_variable("REMINDER_DAYS", "2").await;
    let item = TestItem::new(&stack).await;
    let page = Page::open(&item, DESKTOP).await;
    let browser = &page.browser;
    page.open_share_dialog().await;
    browser.click("summary", "More options").await;
    assert_eq!(browser.selected(REMINDER).await, "2 days before access ends");
    browser.assert_accessible("more options").await;

    browser.click("label", "Send email").await;
    assert!(browser.find("select", REMINDER).await.is_none(), "without an email");
    browser.click("label", "Send email").await;
    browser.set_time_to_midnight("Access expires").await;
    assert!(browser.find("select", REMINDER).await.is_none(), "the expiration is too near");
    // Two days before the end of tomorrow is in the past, so the default does not apply.
    browser.press("1 day").await;
    assert_eq!(browser.selected(REMINDER).await, "No reminder");
    let shared = share(&page, &item, "Shared with 1 recipient", "Share").await;
    assert_ne!(shared["reminder"]["state"], "planned");

    browser.press("Share with others").await;
    browser.press("1 week").await;
    assert_eq!(browser.selected(REMINDER).await, "2 days before access ends");
    browser.select(REMINDER, "3 days before access ends").await;
    let shared = share(&page, &item, "Shared with 1 recipient", "Share").await;
    assert_eq!(shared["reminder"]["state"], "planned");
    assert_eq!(shared["reminder"]["daysBefore"], 3);

    // Changing the expiration can plan a new reminder.
    let recipient = shared["recipient"].as_str().unwrap();
    browser.press("Done").await;
    page.open_link_access().await;
    browser.wait_for("li[data-share] .facts", "Reminder planned for").await;
    page.press_in_row(recipient, "Change Expiration").await;
    assert_eq!(browser.selected(REMINDER).await, "3 days before access ends");
    browser.select(REMINDER, "1 day before access ends").await;
    browser.assert_accessible("the expiration form with a reminder").await;
    browser.press("Save").await;
    browser.wait_for(".status", "Reminder planned for").await;
    let changed = item.get_share(shared["shareId"].as_str().unwrap()).await;
    assert_eq!(changed["reminder"]["daysBefore"], 1);
    assert_eq!(changed["expiresAt"], shared["expiresAt"]);
    page.browser.quit().await;
}

#[tokio::test]
async fn first_download_notice_is_off_unless_chosen() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let page = Page::open(&item, DESKTOP).await;
    let browser = &page.browser;
    page.open_share_dialog().await;
    let shared = share(&page, &item, "Shared with 1 recipient", "Share").await;
    assert_eq!(shared["notifyOnFirstDownload"], false);
    browser.press("Share with others").await;
    browser.click("summary", "More options").await;
    browser.click("label", FIRST_DOWNLOAD).await;
    let shared = share(&page, &item, "Shared with 1 recipient", "Share").await;
    assert_eq!(shared["notifyOnFirstDownload"], true);
    page.browser.quit().await;
}

#[tokio::test]
async fn stopped_emails_are_explained() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let ann = address("ann");
    let shared = item.share_with(&ann).await;
    let stop = stack.client.request(Method::POST, format!("{}/emails/stop", shared.link));
    send(stop.header("Accept", "application/json")).await.assert_status(200);
    let page = Page::open(&item, PHONE).await;
    let browser = &page.browser;
    page.open_link_access().await;
    browser.wait_for(".facts .wrong", "The recipient stopped emails about this link").await;
    assert!(browser.find("button", "Resend email").await.is_none());
    page.press_in_row(&ann, "Replace link").await;
    browser.wait_for(".panel", "").await;
    assert!(browser.find("label", "Send the new link by email").await.is_none());
    browser.press("Yes, replace").await;
    browser.wait_for(".status", "Copy the new one and send it yourself.").await;
    browser.assert_accessible("stopped emails").await;
    wait_for_event(&item, "emailsStopped").await;
    browser.press("Share log").await;
    browser.wait_for(".log li", "stopped emails about this link").await;
    page.browser.quit().await;
}

/// Opens Manage Link Access as a user whose notice settings no other test changes.
async fn open_as_new_user(stack: &Stack) -> (Page, TestItem<'_>) {
    let claims = json!({
        "sub": unique("sharer"), "name": "Tess Tester", "email": address("tess"),
        "accessRights": ["producer"],
    });
    let item = TestItem { token: stack.token_with_claims(&claims).await, ..TestItem::new(stack).await };
    item.post(&json!({"recipients": [address("ann")], "expiresAt": next_week(), "notify": false})).await;
    let html = "<body><share-button module=jobs item={item} action=manage></share-button></body>";
    let page = Page { browser: site::open(&item, PHONE, html).await };
    evaluate(&page.browser, "load()").await;
    page.browser.click("share-button", "Manage Link Access").await;
    (page, item)
}

#[tokio::test]
async fn notices_can_be_switched_off() {
    let stack = Stack::get().await;
    let (page, item) = open_as_new_user(&stack).await;
    let browser = &page.browser;
    browser.press("Notices").await;
    browser.wait_for("h2", "Notices").await;
    browser.click("label", "A recipient asks for more time").await;
    browser.assert_accessible("the notices").await;
    browser.assert_fits("the notices").await;
    browser.press("Save").await;
    browser.wait_for(".status", "Your notices were saved.").await;
    let url = format!("{}/notice-settings", stack.info.api_url);
    let settings = send(stack.client.get(url).bearer_auth(&item.token)).await.json();
    assert_eq!(settings, json!({"emailProblem": true, "firstDownload": true, "moreTime": false}));

    browser.press("Notices").await;
    browser.wait_for("label", "A recipient asks for more time").await;
    let checked = "
        const { shadowRoot } = document.querySelector('link-access-dialog');
        return [...shadowRoot.querySelectorAll('input[type=checkbox]')].map(({ checked }) => checked);
    ";
    assert_eq!(browser.run(checked, vec![]).await, json!([true, true, false]));
    browser.press("Back to the links").await;
    browser.wait_for("li[data-share]", "").await;
    page.browser.quit().await;
}

#[tokio::test]
async fn only_notices_that_the_deployment_allows_are_offered() {
    let (stack, _clock) = Stack::with_function_variable("NOTICES", "moreTime").await;
    let (page, item) = open_as_new_user(&stack).await;
    page.browser.press("Notices").await;
    page.browser.wait_for("label", "A recipient asks for more time").await;
    assert!(page.browser.find("label", "An email does not reach a recipient").await.is_none());
    page.browser.quit().await;

    let page = Page::open(&item, DESKTOP).await;
    page.open_share_dialog().await;
    page.browser.click("summary", "More options").await;
    page.browser.wait_for("select", LANGUAGE).await;
    assert!(page.browser.find("label", FIRST_DOWNLOAD).await.is_none());
    page.browser.quit().await;
}
