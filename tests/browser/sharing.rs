//! The Share dialog.

use serde_json::json;
use thirtyfour::Key;

use crate::browser::{DESKTOP, Device};
use crate::page::Page;
use crate::support::{Stack, TestItem, address};

#[tokio::test]
async fn recipients_come_from_lists_and_mail_clients_and_wrong_ones_are_marked_before_sending() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let page = Page::open(&item, DESKTOP).await;
    let ann = address("ann");
    page.share().await;
    let list = format!("\"Doe, Ann\" <{ann}>; mailto:{ann}\nno address, bücher@bücher.example");
    let paste = r"
        const data = new DataTransfer();
        data.setData('text/plain', arguments[1]);
        arguments[0].dispatchEvent(new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true }));
    ";
    let field = page.browser.see("input", "Recipients").await;
    page.browser.run(paste, vec![field.to_json().unwrap(), list.into()]).await;
    page.browser.see(".chip:not(.wrong)", &ann).await;
    page.browser.see(".chip.wrong", "already in the list").await;
    page.browser.see(".chip.wrong", "no address").await;
    // A local part outside ASCII is none that mail can be sent to.
    page.browser.see(".chip.wrong", "bücher@bücher.example").await;

    page.browser.press("Share").await;
    page.browser.see(".error", "Correct or remove the 3 marked recipients.").await;
    assert!(page.browser.focused().await.starts_with("Recipients"));
    page.browser.press("Remove no address").await;
    page.browser.press(&format!("Remove {ann}")).await;
    page.browser.press("Remove bücher@bücher.example").await;
    page.browser.press("Share").await;
    page.browser.see("h2", "Shared with 1 recipient").await;
    item.mail_to(&ann).await;
    page.browser.quit().await;
}

#[tokio::test]
async fn what_is_missing_is_said_at_its_field_and_nothing_is_lost() {
    let stack = Stack::get().await;
    let item = TestItem::with_files(&stack, &["a.pdf", "b.pdf"]).await;
    let page = Page::open(&item, DESKTOP).await;
    page.share().await;
    page.browser.click("label", "All files").await;
    page.browser.set_time("Access expires", "2020-01-01T12:00").await;
    let message = page.browser.see("textarea", "Message").await;
    let long = "x".repeat(2001);
    page.browser
        .run(
            "arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('input'));",
            vec![message.to_json().unwrap(), long.clone().into()],
        )
        .await;
    page.browser.see(".counter", "1 characters too many").await;
    page.browser.press("Share").await;
    for error in [
        "Add at least one recipient.",
        "Choose at least one file.",
        "The date must not be before today.",
        "At most 2000 characters.",
    ] {
        page.browser.see(".error", error).await;
    }
    // Closed and opened again, everything is as it was.
    page.browser.press("Cancel").await;
    page.share().await;
    let message = page.browser.see("textarea", "Message").await;
    assert_eq!(message.prop("value").await.unwrap(), Some(long));
    page.browser.quit().await;
}

#[tokio::test]
async fn the_chosen_files_are_shared_until_the_chosen_time_in_the_users_own_time_zone() {
    let stack = Stack::get().await;
    let item = TestItem::with_files(&stack, &["a.pdf", "Ünï \"a\";b.pdf", "c.pdf"]).await;
    let page = Page::open(&item, DESKTOP).await;
    let ann = address("ann");
    page.share().await;
    page.browser.see(".hint", "In your time zone, Europe/Berlin").await;
    page.browser.enter("Recipients", &ann).await;
    page.browser.click(".files label", "c.pdf").await;
    page.browser.set_time("Access expires", "2030-07-01T09:30").await;
    page.browser.press("Share").await;
    page.browser.see("h2", "Shared with 1 recipient").await;
    let share = item.get("").await.json()["shares"][0].clone();
    let names: Vec<_> = share["files"].as_array().unwrap().iter().map(|file| file["name"].clone()).collect();
    assert_eq!(json!(names), json!(["a.pdf", "Ünï \"a\";b.pdf"]));
    // Summer in Berlin.
    assert_eq!(share["expiresAt"], "2030-07-01T07:30:00Z");
    // The mail speaks of the sharer's calendar.
    assert!(item.mail_to(&ann).await.text.contains("1 July 2030 at 09:30 (UTC+02:00)"));
    page.browser.quit().await;
}

#[tokio::test]
async fn somebody_who_has_a_link_already_is_shown_in_the_right_tab() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let (active, revoked) = (address("active"), address("revoked"));
    let shared = item.share(&[&revoked, &active]).await;
    item.revoke(&shared.share_id()).await;
    let page = Page::open(&item, DESKTOP).await;
    for (recipient, says, button, tab) in [
        (&active, "Has access already", "Show in Active", "Active 1"),
        (&revoked, "Had access before, which has ended", "Show in Inactive", "Inactive 1"),
    ] {
        page.share().await;
        page.browser.enter("Recipients", recipient).await;
        page.browser.enter("Message", "kept,").await;
        page.browser.press("Share").await;
        page.browser.see("h2", "Nobody was given access").await;
        page.browser.see(".what", says).await;
        page.browser.press(button).await;
        page.browser.see("h2", "Manage Link Access").await;
        page.browser.see("[role=tab][aria-selected=true]", tab).await;
        page.browser.see("li.marked", recipient).await;
        page.browser.press("Close").await;
    }
    page.share().await;
    let message = page.browser.see("textarea", "Message").await;
    assert_eq!(message.prop("value").await.unwrap().unwrap(), "kept,kept,", "nothing was sent");
    page.browser.quit().await;
}

/// A known behaviour that users rely on.
#[tokio::test]
async fn a_time_earlier_today_is_warned_of_and_taken() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let page = Page::open(&item, DESKTOP).await;
    page.share().await;
    page.browser.enter("Recipients", &address("ann")).await;
    let today = page.browser.run("return new Date().toLocaleDateString('sv');", vec![]).await;
    page.browser.set_time("Access expires", &format!("{}T00:00", today.as_str().unwrap())).await;
    page.browser.see(".note", "This time has passed: the links will not work.").await;
    page.browser.press("Share").await;
    page.browser.see(".what", "Shared, but the expiration has passed").await;
    assert_eq!(item.tab("inactive").await.len(), 1);
    page.browser.quit().await;
}

#[tokio::test]
async fn markup_and_scripts_of_all_kinds_are_shown_and_never_run() {
    let stack = Stack::get().await;
    let evil = "<img src=x onerror=alert(1)>.pdf";
    let item = TestItem::with_files(&stack, &[evil, "غلاف.pdf"]).await;
    let page = Page::open(&item, DESKTOP).await;
    page.browser.run("window.alert = () => { window.hasRun = true; };", vec![]).await;
    let ann = address("ann");
    page.share().await;
    page.browser.see(".files label", evil).await;
    page.browser.see(".files label", "غلاف.pdf").await;
    page.browser.enter("Recipients", &format!("<b>{ann}</b>")).await;
    page.browser.keys(Key::Enter).await;
    page.browser.see(".chip.wrong", &format!("<b>{ann}</b>")).await;
    page.browser.press(&format!("Remove <b>{ann}</b>")).await;
    page.browser.enter("Recipients", &ann).await;
    page.browser.enter("Message", "<script>alert(1)</script> שלום").await;
    page.browser.press("Share").await;
    page.browser.see("h2", "Shared with 1 recipient").await;
    assert!(item.mail_to(&ann).await.text.contains("<script>alert(1)</script> שלום"));
    assert_eq!(page.browser.run("return window.hasRun ?? false;", vec![]).await, false);
    page.browser.quit().await;
}

#[tokio::test]
async fn the_dialogs_speak_the_language_of_their_page() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let page = Page::open(&item, Device { languages: "de-DE,de", ..DESKTOP }).await;
    page.browser.run("document.documentElement.lang = 'de';", vec![]).await;
    page.set("action", "manage").await;
    page.browser.click(".toolbar share-button", "Linkzugriff verwalten").await;
    page.browser.see("[role=tab]", "Inaktiv").await;
    page.browser.see("p", "Niemand hat Zugriff über einen Link.").await;
    page.browser.quit().await;
}

#[tokio::test]
async fn times_are_sent_with_the_offset_that_they_have_then() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let page = Page::open(&item, DESKTOP).await;
    let script = r"
        const done = arguments[arguments.length - 1];
        const local = arguments[0];
        const { api } = document.documentElement.dataset;
        import(`${api}/ui/any/expiration.js`).then(({ rfc3339 }) => done(local.map((text) => rfc3339(new Date(text)))));
    ";
    // Winter, summer, and an hour that there is not.
    let local = json!(["2030-01-15T12:00", "2030-07-15T12:00", "2030-03-31T02:30"]);
    let sent = page.browser.driver.execute_async(script, vec![local]).await.unwrap().json().clone();
    let expected =
        json!(["2030-01-15T12:00:00+01:00", "2030-07-15T12:00:00+02:00", "2030-03-31T03:30:00+02:00"]);
    assert_eq!(sent, expected);
    page.browser.quit().await;
}
