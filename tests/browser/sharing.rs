//! The Share dialog.

use serde_json::json;
use thirtyfour::Key;

use crate::browser::{DESKTOP, Device};
use crate::page::Page;
use crate::support::{Aws, Stack, TestItem, address};

#[tokio::test]
async fn pasted_recipients_are_parsed_and_checked() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let page = Page::open(&item, DESKTOP).await;
    let ann = address("ann");
    page.open_share_dialog().await;
    let list = format!("\"Doe, Ann\" <{ann}>; mailto:{ann}\nno address, bücher@bücher.example");
    let paste = r"
        const data = new DataTransfer();
        data.setData('text/plain', arguments[1]);
        const options = { clipboardData: data, bubbles: true, cancelable: true };
        arguments[0].dispatchEvent(new ClipboardEvent('paste', options));
    ";
    let field = page.browser.wait_for("input", "Recipients").await;
    page.browser.run(paste, vec![field.to_json().unwrap(), list.into()]).await;
    page.browser.wait_for(".chip:not(.wrong)", &ann).await;
    page.browser.wait_for(".chip.wrong", "already in the list").await;
    page.browser.wait_for(".chip.wrong", "no address").await;
    // SES accepts only ASCII before the @.
    page.browser.wait_for(".chip.wrong", "bücher@bücher.example").await;

    page.browser.press("Share").await;
    page.browser.wait_for(".error", "Correct or remove the 3 marked recipients.").await;
    // The first marked chip should have the focus.
    page.browser.wait_for_focus(&ann).await;
    page.browser.press("Remove no address").await;
    page.browser.press(&format!("Remove {ann}")).await;
    page.browser.press("Remove bücher@bücher.example").await;
    page.browser.press("Share").await;
    page.browser.wait_for("h2", "Shared with 1 recipient").await;
    item.wait_for_email(&ann).await;
    page.browser.quit().await;
}

#[tokio::test]
async fn errors_appear_at_their_fields_and_input_is_kept() {
    let stack = Stack::get().await;
    let item = TestItem::with_files(&stack, &["a.pdf", "b.pdf"]).await;
    let page = Page::open(&item, DESKTOP).await;
    page.open_share_dialog().await;
    page.browser.click("label", "All files").await;
    page.browser.set_time("Access expires", "2020-01-01T12:00").await;
    let message = page.browser.wait_for("textarea", "Message").await;
    let long = "x".repeat(2001);
    page.browser
        .run(
            "arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('input'));",
            vec![message.to_json().unwrap(), long.clone().into()],
        )
        .await;
    page.browser.wait_for(".counter", "1 character too many").await;
    page.browser.press("Share").await;
    for error in [
        "Add at least one recipient.",
        "Choose at least one file.",
        "The date must not be before today.",
        "At most 2000 characters.",
    ] {
        page.browser.wait_for(".error", error).await;
    }
    // Closing the dialog keeps the input.
    page.browser.press("Cancel").await;
    page.open_share_dialog().await;
    let message = page.browser.wait_for("textarea", "Message").await;
    assert_eq!(message.prop("value").await.unwrap(), Some(long));
    page.browser.quit().await;
}

#[tokio::test]
async fn selected_files_and_local_expiration_are_shared() {
    let stack = Stack::get().await;
    let item = TestItem::with_files(&stack, &["a.pdf", "Ünï \"a\";b.pdf", "c.pdf"]).await;
    let page = Page::open(&item, DESKTOP).await;
    let ann = address("ann");
    page.open_share_dialog().await;
    page.browser.wait_for(".hint", "In your time zone, Europe/Berlin").await;
    page.browser.enter("Recipients", &ann).await;
    page.browser.click(".files label", "c.pdf").await;
    page.browser.set_time("Access expires", "2030-07-01T09:30").await;
    page.browser.press("Share").await;
    page.browser.wait_for("h2", "Shared with 1 recipient").await;
    let share = item.get("").await.json()["shares"][0].clone();
    let names: Vec<_> = share["files"].as_array().unwrap().iter().map(|file| file["name"].clone()).collect();
    assert_eq!(json!(names), json!(["a.pdf", "Ünï \"a\";b.pdf"]));
    // Berlin is two hours ahead of UTC in summer.
    assert_eq!(share["expiresAt"], "2030-07-01T07:30:00Z");
    // The email shows the time with the sharer's UTC offset.
    assert!(item.wait_for_email(&ann).await.text.contains("1 July 2030 at 09:30 (UTC+02:00)"));
    page.browser.quit().await;
}

#[tokio::test]
async fn existing_recipient_is_shown_in_the_right_tab() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let (active, revoked) = (address("active"), address("revoked"));
    let shared = item.share(&[&revoked, &active]).await;
    item.revoke(&shared.share_id()).await;
    let page = Page::open(&item, DESKTOP).await;
    for (recipient, outcome, button, tab) in [
        (&active, "Already has a link to brief.pdf until", "Show in Active", "Active 1"),
        (&revoked, "Already has a link to brief.pdf, which is inactive.", "Show in Inactive", "Inactive 1"),
    ] {
        page.open_share_dialog().await;
        page.browser.enter("Recipients", recipient).await;
        page.browser.enter("Message", "kept,").await;
        page.browser.press("Share").await;
        page.browser.wait_for("h2", "No new recipients").await;
        page.browser.wait_for(".what", outcome).await;
        page.browser.press(button).await;
        page.browser.wait_for("h2", "Manage Link Access").await;
        page.browser.wait_for("[role=tab][aria-selected=true]", tab).await;
        page.browser.wait_for("li.marked", recipient).await;
        page.browser.press("Close").await;
    }
    page.open_share_dialog().await;
    let message = page.browser.wait_for("textarea", "Message").await;
    assert_eq!(
        message.prop("value").await.unwrap().unwrap(),
        "kept,kept,",
        "the unsent message should be kept"
    );
    page.browser.quit().await;
}

/// Users rely on this behavior.
#[tokio::test]
async fn expiration_earlier_today_is_accepted_with_a_warning() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let page = Page::open(&item, DESKTOP).await;
    page.open_share_dialog().await;
    page.browser.enter("Recipients", &address("ann")).await;
    page.browser.set_time_to_midnight("Access expires").await;
    page.browser.wait_for(".note", "This time has passed: the links will not work.").await;
    page.browser.press("Share").await;
    page.browser.wait_for(".what", "Shared, but access has already expired").await;
    assert_eq!(item.list_recipients("inactive").await.len(), 1);
    page.browser.quit().await;
}

#[tokio::test]
async fn archived_file_is_marked_and_shared_with_a_warning() {
    let stack = Stack::get().await;
    let item = TestItem::with_files(&stack, &["a.pdf"]).await;
    Aws::new(&stack).upload_archived(&item.key("b.pdf"), b"b.pdf").await;
    let page = Page::open(&item, DESKTOP).await;
    page.open_share_dialog().await;
    page.browser.wait_for(".files label", "b.pdf (archived)").await;
    page.browser.wait_for(".note", "Archived files cannot be downloaded until they are restored.").await;
    page.browser.enter("Recipients", &address("ann")).await;
    page.browser.press("Share").await;
    page.browser.wait_for("h2", "Shared with 1 recipient").await;
    page.browser.wait_for(".banner", "Some of these files are archived.").await;
    page.browser.quit().await;
}

#[tokio::test]
async fn markup_is_displayed_and_never_executed() {
    let stack = Stack::get().await;
    let evil = "<img src=x onerror=alert(1)>.pdf";
    let item = TestItem::with_files(&stack, &[evil, "غلاف.pdf"]).await;
    let page = Page::open(&item, DESKTOP).await;
    page.browser.run("window.alert = () => { window.hasRun = true; };", vec![]).await;
    let ann = address("ann");
    page.open_share_dialog().await;
    page.browser.wait_for(".files label", evil).await;
    page.browser.wait_for(".files label", "غلاف.pdf").await;
    page.browser.enter("Recipients", "<script>alert(1)</script>").await;
    page.browser.send_keys(Key::Enter).await;
    page.browser.wait_for(".chip.wrong", "<script>alert(1)</script>").await;
    page.browser.press("Remove <script>alert(1)</script>").await;
    page.browser.enter("Recipients", &ann).await;
    page.browser.enter("Message", "<script>alert(1)</script> שלום").await;
    page.browser.press("Share").await;
    page.browser.wait_for("h2", "Shared with 1 recipient").await;
    assert!(item.wait_for_email(&ann).await.text.contains("<script>alert(1)</script> שלום"));
    assert_eq!(page.browser.run("return window.hasRun ?? false;", vec![]).await, false);
    page.browser.quit().await;
}

#[tokio::test]
async fn dialogs_use_the_pages_language() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let page = Page::open(&item, Device { languages: "de-DE,de", ..DESKTOP }).await;
    page.browser.run("document.documentElement.lang = 'de';", vec![]).await;
    page.set_attribute("action", "manage").await;
    page.browser.click(".toolbar share-button", "Linkzugriff verwalten").await;
    page.browser.wait_for("[role=tab]", "Inaktiv").await;
    page.browser.wait_for("p", "Keine aktiven Links.").await;
    page.browser.quit().await;
}
