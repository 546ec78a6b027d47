//! The results of sharing.

use chrono::{TimeDelta, Utc};
use serde_json::{Value, json};

use crate::browser::{Browser, DESKTOP, Device, PHONE};
use crate::faults::open_behind_proxy;
use crate::page::Page;
use crate::support::proxy::Fault;
use crate::support::{Stack, TestItem, address, emails_to, rfc3339};

/// Returns the class of each result, in order.
async fn outcomes(browser: &Browser) -> Value {
    let script = "return [...document.querySelector('share-dialog').shadowRoot\
                  .querySelectorAll('.results > li')].map((row) => row.className);";
    browser.run(script, vec![]).await
}

#[tokio::test]
async fn existing_link_to_other_files_is_not_called_access() {
    let stack = Stack::get().await;
    let item = TestItem::with_files(&stack, &["first.pdf", "second.pdf"]).await;
    let (ann, bob, carl) = (address("ann"), address("bob"), address("carl"));
    item.share_until(&ann, "2030-01-15T12:00:00+01:00").await;
    item.revoke(&item.share(&[&carl]).await.share_id()).await;
    let page = Page::open(&item, DESKTOP).await;
    let browser = &page.browser;
    // The links give both files. A file that appears later is not among them.
    item.upload("third.pdf").await;
    page.open_share_dialog().await;
    browser.click(".files label", "first.pdf").await;
    browser.enter("Recipients", &format!("{ann},{bob},{carl}")).await;
    browser.press("Share").await;
    browser.wait_for("h2", "Shared with 1 recipient").await;
    let next_step = "Not shared: third.pdf. The files of a link cannot be changed. \
                     To share them, use another email address of this recipient.";
    for (outcome, state) in
        [("Active", "until Tuesday, 15 January 2030, 12:00."), ("Inactive", "which is inactive.")]
    {
        let selector = format!(".already{outcome} .what");
        let what = browser.wait_for(&selector, "Already has a link to first.pdf, second.pdf").await;
        let text = what.text().await.unwrap();
        assert!(text.contains(&format!("{state} {next_step}")), "{text}");
        browser.wait_for(&format!("{selector} .wrong"), "Not shared: third.pdf").await;
    }
    browser.wait_for(".given", "2 files, 19 bytes: second.pdf, third.pdf. Active until").await;
    assert_eq!(outcomes(browser).await, json!(["alreadyActive", "alreadyInactive", "created"]));
    browser.assert_accessible("existing links to other files").await;
    browser.press("Show in Active").await;
    browser.wait_for("h2", "Manage Link Access").await;
    browser.wait_for("li.marked", &ann).await;
    page.browser.quit().await;
}

#[tokio::test]
async fn failures_come_first_and_each_new_link_can_be_copied() {
    let stack = Stack::get().await;
    let item = TestItem::with_files(&stack, &["a.pdf", "b.pdf", "c.pdf", "d.pdf", "e.pdf"]).await;
    let (ann, bob) = (address("ann"), address("bob"));
    item.share(&[&bob]).await;
    let (page, proxy) = open_behind_proxy(&item).await;
    let browser = &page.browser;
    page.open_share_dialog().await;
    browser.enter("Recipients", &format!("{ann},{bob}")).await;
    browser.press("1 week").await;
    let failed = r#""outcome":"failed""#;
    proxy.inject_once(&["method: POST", "/shares"], Fault::Edit(r#""outcome":"alreadyActive""#, failed));
    browser.press("Share").await;
    browser.wait_for("h2", "Shared with 1 recipient").await;
    assert_eq!(outcomes(browser).await, json!(["failed", "created"]));
    browser.wait_for(".given", "5 files, 25 bytes: a.pdf, b.pdf, c.pdf and 2 more. Active until").await;
    browser.wait_for(".given", ", 23:59 (in 7 days)").await;
    browser.assert_accessible("failed and created results").await;

    browser.press("Copy link").await;
    browser.wait_for(".created .alert :is(p, label)", &ann).await;
    browser.press("Manage").await;
    browser.wait_for("h2", "Manage Link Access").await;
    browser.wait_for("li.marked", &ann).await;
    page.browser.quit().await;
}

#[tokio::test]
async fn link_without_an_email_is_copied_by_the_sharer() {
    let stack = Stack::get().await;
    let item = TestItem::with_files(&stack, &["a.pdf", "b.pdf"]).await;
    let page = Page::open(&item, DESKTOP).await;
    let browser = &page.browser;
    let permissions = json!({"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]});
    browser.cdp("Browser.grantPermissions", permissions).await;
    let ann = address("ann");
    page.open_share_dialog().await;
    browser.click("label", "Send email").await;
    browser.wait_for("#message-hint", "They see the message on the page with the files.").await;
    browser.click(".files label", "a.pdf").await;
    browser.wait_for("#message-hint", "They may not see the message").await;
    browser.enter("Recipients", &ann).await;
    browser.press("Share").await;
    browser.wait_for("h2", "Shared with 1 recipient").await;
    browser.wait_for(".banner", "Recipients get no email. Copy each link and send it yourself.").await;
    browser.wait_for(".what", "Link created, no email").await;
    browser.wait_for("button.primary", "Copy link").await;
    browser.assert_accessible("results without an email").await;
    browser.press("Copy link").await;
    browser.wait_for(".created .banner.good", &format!("Link for {ann} copied.")).await;
    let script = "navigator.clipboard.readText().then(arguments[0]);";
    let copied = browser.driver.execute_async(script, vec![]).await.unwrap();
    let (bytes, _) = stack.download(copied.json().as_str().unwrap()).await;
    assert_eq!(bytes, b"b.pdf");
    assert_eq!(item.get("").await.json()["shares"][0]["mail"]["state"], "none");
    assert!(emails_to(&stack, &ann).await.is_empty());
    page.browser.quit().await;
}

#[tokio::test]
async fn dialog_names_the_item() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let (page, proxy) = open_behind_proxy(&item).await;
    let browser = &page.browser;
    page.set_attribute("name", "").await;
    let titled = r#""leftOut":false,"title":"Spring <b>2026</b>""#;
    proxy.inject_once(&["method: GET", "/files"], Fault::Edit(r#""leftOut":false"#, titled));
    page.open_share_dialog().await;
    browser.wait_for("h2 bdi[translate=no]", "Spring <b>2026</b>").await;
    let name =
        "return document.querySelector('share-dialog').shadowRoot.querySelector('#title').textContent;";
    assert_eq!(browser.run(name, vec![]).await, "Share Spring <b>2026</b>");
    browser.press("Cancel").await;

    // The page's name for the item takes precedence.
    page.set_attribute("name", "Job 1042").await;
    page.open_share_dialog().await;
    browser.wait_for("h2 bdi", "Job 1042").await;
    browser.enter("Recipients", &address("ann")).await;
    browser.press("Share").await;
    browser.wait_for("h2", "Shared with 1 recipient Job 1042").await;
    page.browser.quit().await;
}

#[tokio::test]
async fn hundred_results_fit_a_phone() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let page = Page::open(&item, PHONE).await;
    let browser = &page.browser;
    let recipients: Vec<_> = (0..100).map(|n| address(&format!("r{n}"))).collect();
    let last = recipients.last().unwrap();
    item.share(&[last]).await;
    page.open_share_dialog().await;
    browser.click("label", "Send email").await;
    let field = browser.wait_for("input", "Recipients").await;
    let script = "arguments[0].value = arguments[1];";
    browser.run(script, vec![field.to_json().unwrap(), recipients.join(",").into()]).await;
    browser.press("Share").await;
    browser.wait_for("h2", "Shared with 99 recipients").await;
    assert_eq!(outcomes(browser).await[0], "alreadyActive", "it should not be below 99 successes");
    browser.assert_fits("100 results").await;
    page.browser.quit().await;
}

#[tokio::test]
async fn inactive_link_to_the_same_files_can_be_reactivated() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let ann = address("ann");
    item.revoke(&item.share(&[&ann]).await.share_id()).await;
    let page = Page::open(&item, DESKTOP).await;
    page.open_share_dialog().await;
    page.browser.enter("Recipients", &ann).await;
    page.browser.press("Share").await;
    let next_step = "Already has a link to brief.pdf, which is inactive. \
                     Change its expiration to make it work again.";
    page.browser.wait_for(".alreadyInactive .what", next_step).await;
    page.browser.press("Show in Inactive").await;
    page.browser.wait_for("li.marked", &ann).await;
    page.browser.quit().await;
}

#[tokio::test]
async fn results_begin_at_the_top_of_a_low_screen() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let (ann, bob) = (address("ann"), address("bob"));
    item.share(&[&ann]).await;
    let page = Page::open(&item, Device { width: 320, height: 256, ..DESKTOP }).await;
    let browser = &page.browser;
    page.open_share_dialog().await;
    browser.enter("Recipients", &format!("{ann},{bob}")).await;
    browser.press("Share").await;
    browser.wait_for("h2", "Shared with 1 recipient").await;
    let top = "return document.querySelector('share-dialog').shadowRoot.querySelector('h2')\
               .getBoundingClientRect().top;";
    let top = browser.run(top, vec![]).await.as_f64().unwrap();
    assert!((0.0..40.0).contains(&top), "{top}");
    browser.wait_for_focus("Done").await;
    page.browser.quit().await;
}

#[tokio::test]
async fn results_do_not_vouch_for_a_link_that_has_expired() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let page = Page::open(&item, DESKTOP).await;
    let browser = &page.browser;
    browser.set_clock(&rfc3339(Utc::now())).await;
    page.open_share_dialog().await;
    browser.press("1 day").await;
    browser.enter("Recipients", &address("ann")).await;
    browser.press("Share").await;
    browser.wait_for(".given", "Active until").await;
    browser.set_clock(&rfc3339(Utc::now() + TimeDelta::days(3))).await;
    browser.run("tick();", vec![]).await;
    browser.wait_for(".given", "Expired").await;
    browser.press("Copy link").await;
    let copied = browser.wait_for(".alert :is(p, label)", "It does not work now: Expired").await;
    assert!(!copied.text().await.unwrap().contains("Anyone"));
    browser.press("Manage").await;
    browser.wait_for("[role=tab][aria-selected=true]", "Inactive").await;
    page.browser.quit().await;
}

#[tokio::test]
async fn limit_is_explained_and_its_recipients_are_kept() {
    let (stack, _clock) = Stack::with_function_variable("MAILBOX_EMAILS_PER_DAY", "1").await;
    let item = TestItem::new(&stack).await;
    let victim = address("victim");
    let variant = victim.replace('@', "+2@");
    let page = Page::open(&item, DESKTOP).await;
    let browser = &page.browser;
    page.open_share_dialog().await;
    browser.enter("Recipients", &format!("{victim},{variant}")).await;
    browser.press("Share").await;
    browser.wait_for("h2", "Shared with 1 recipient").await;
    assert_eq!(outcomes(browser).await, json!(["limitReached", "created"]));
    browser.wait_for(".limitReached .what", "Too many emails to this mailbox.").await;
    browser.assert_accessible("a limit").await;

    browser.press("Retry 1 recipient").await;
    browser.wait_for(".chip-text", &variant).await;
    browser.click("label", "Send email").await;
    browser.press("Share").await;
    browser.wait_for("h2", "Shared with 1 recipient").await;
    browser.wait_for(".what", "Link created, no email").await;
    page.browser.quit().await;
}
