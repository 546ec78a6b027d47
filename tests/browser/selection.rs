//! Choosing files in the Share dialog: the count, the filter and the keyboard.

use serde_json::{Value, json};
use thirtyfour::Key;
use tokio::sync::oneshot;

use crate::browser::{Browser, DESKTOP};
use crate::faults::open_behind_proxy;
use crate::page::Page;
use crate::support::proxy::Fault;
use crate::support::{Aws, Stack, TestItem, address};

/// Creates an item with `count` files, `a-000.pdf`, `b-001.pdf` and so on. Each file has 9 bytes.
async fn item_with(stack: &Stack, count: usize) -> TestItem<'_> {
    let names: Vec<_> = (0..count).map(|n| format!("{}-{n:03}.pdf", ['a', 'b', 'c'][n % 3])).collect();
    TestItem::with_files(stack, &names.iter().map(String::as_str).collect::<Vec<_>>()).await
}

async fn wait_for_summary(browser: &Browser, text: &str) {
    browser.wait_for("#files-summary", text).await;
}

/// Returns whether "All files" is checked, and whether it is indeterminate.
async fn all_files(browser: &Browser) -> Value {
    let script = "const { shadowRoot } = document.querySelector('share-dialog'); \
                  const all = shadowRoot.querySelector('.files input'); \
                  return [all.checked, all.indeterminate];";
    browser.run(script, vec![]).await
}

#[tokio::test]
async fn selection_is_counted_and_stays_true() {
    let stack = Stack::get().await;
    let item = item_with(&stack, 12).await;
    let page = Page::open(&item, DESKTOP).await;
    let browser = &page.browser;
    page.open_share_dialog().await;
    wait_for_summary(browser, "12 files, 108 bytes selected").await;
    assert_eq!(all_files(browser).await, json!([true, false]));
    browser.click(".files label", "a-000.pdf").await;
    wait_for_summary(browser, "11 of 12 files, 99 bytes selected").await;
    assert_eq!(all_files(browser).await, json!([false, true]));

    // A file that appears later is not selected.
    browser.press("Cancel").await;
    item.upload("d-new.pdf").await;
    page.open_share_dialog().await;
    wait_for_summary(browser, "11 of 13 files, 99 bytes selected").await;
    browser.click(".files label", "All files").await;
    wait_for_summary(browser, "13 files, 117 bytes selected").await;
    browser.click(".files label", "All files").await;
    wait_for_summary(browser, "None of 13 files selected").await;
    assert_eq!(all_files(browser).await, json!([false, false]));
    browser.assert_accessible("a filter and a list of files").await;
    page.browser.quit().await;
}

#[tokio::test]
async fn nothing_is_selected_if_one_link_cannot_hold_all_files() {
    let stack = Stack::get().await;
    let item = item_with(&stack, 205).await;
    let page = Page::open(&item, DESKTOP).await;
    let browser = &page.browser;
    page.open_share_dialog().await;
    wait_for_summary(browser, "None of 205 files selected. One link can hold at most 100 files.").await;
    browser.click(".files label", "All files").await;
    wait_for_summary(browser, "205 files, 1.8 kB selected. One link can hold at most 100 files.").await;
    browser.enter("Recipients", &address("ann")).await;
    browser.press("Share").await;
    browser.wait_for(".error", "One link can hold at most 100 files.").await;

    // Only the files that match the filter change.
    browser.click(".files label", "All files").await;
    browser.enter("Filter files", "b-").await;
    browser.click(".files label", "68 matching files").await;
    wait_for_summary(browser, "68 of 205 files, 612 bytes selected").await;
    browser.press("Share").await;
    browser.wait_for("h2", "Shared with 1 recipient").await;
    let share = item.get("").await.json()["shares"][0].clone();
    let files = share["files"].as_array().unwrap();
    assert_eq!(files.len(), 68);
    assert!(files.iter().all(|file| file["name"].as_str().unwrap().starts_with("b-")), "{share}");
    page.browser.quit().await;
}

#[tokio::test]
async fn nothing_is_selected_if_the_names_are_too_long() {
    let stack = Stack::get().await;
    // One link can hold 68 such names.
    let names: Vec<_> = (0..70).map(|n| format!("{n:02}-{}.pdf", "ü".repeat(116))).collect();
    let item = TestItem::with_files(&stack, &names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let page = Page::open(&item, DESKTOP).await;
    let browser = &page.browser;
    page.open_share_dialog().await;
    let too_long = "Together, the names of these files are too long for one link.";
    wait_for_summary(browser, &format!("None of 70 files selected. {too_long}")).await;
    browser.click(".files label", "All files").await;
    browser.wait_for("#files-summary.error", too_long).await;
    for name in &names[..2] {
        browser.click(".files label", name).await;
    }
    wait_for_summary(browser, "68 of 70 files").await;
    assert!(!browser.visible_text().await.contains(too_long), "they fit");
    browser.enter("Recipients", &address("ann")).await;
    browser.press("Share").await;
    browser.wait_for("h2", "Shared with 1 recipient").await;
    page.browser.quit().await;
}

#[tokio::test]
async fn list_of_files_is_one_tab_stop() {
    let stack = Stack::get().await;
    let item = item_with(&stack, 12).await;
    let page = Page::open(&item, DESKTOP).await;
    let browser = &page.browser;
    page.open_share_dialog().await;
    wait_for_summary(browser, "12 files").await;
    browser.tab_to("Filter files").await;
    browser.send_keys(Key::Tab).await;
    for (key, focused) in [
        (Key::Down, "a-000.pdf"),
        (Key::End, "c-011.pdf"),
        (Key::Down, "c-011.pdf"),
        (Key::Up, "c-008.pdf"),
        (Key::Home, "All files"),
    ] {
        browser.send_keys(key).await;
        browser.wait_for_focus(focused).await;
    }
    for (typed, focused) in [("b", "b-001.pdf"), ("b", "b-004.pdf")] {
        browser.send_keys(typed).await;
        browser.wait_for_focus(focused).await;
    }
    // A Hindi vowel sign, which is no letter without the one before it.
    browser.run("addEventListener('error', ({ message }) => (window.thrown = message));", vec![]).await;
    browser.send_keys("\u{93f}").await;
    assert_eq!(browser.run("return window.thrown;", vec![]).await, Value::Null);
    browser.wait_for_focus("b-004.pdf").await;
    browser.send_keys(Key::Space).await;
    wait_for_summary(browser, "11 of 12 files").await;
    browser.send_keys(Key::Tab).await;
    browser.wait_for_focus("Access expires").await;
    browser.send_chord(Key::Shift, Key::Tab).await;
    browser.wait_for_focus("b-004.pdf").await;
    page.browser.quit().await;
}

#[tokio::test]
async fn filter_ignores_case_accents_and_how_accents_are_stored() {
    let stack = Stack::get().await;
    let item = item_with(&stack, 10).await;
    // macOS stores "Ü" as two characters.
    for name in ["U\u{308}ber uns.pdf", "\u{dc}bersicht 2026.pdf"] {
        item.upload(name).await;
    }
    let page = Page::open(&item, DESKTOP).await;
    let browser = &page.browser;
    page.open_share_dialog().await;
    for (query, matches) in [
        ("über", "2 matching files"),
        ("UBER", "2 matching files"),
        ("2026 üb", "1 matching file"),
        ("x", "0 "),
    ] {
        browser.enter("Filter files", query).await;
        browser.wait_for(".files label", matches).await;
        // Escape clears the filter and leaves the dialog open.
        browser.send_keys(Key::Escape).await;
        browser.wait_for(".files label", "All files").await;
    }
    wait_for_summary(browser, "12 files").await;
    page.browser.quit().await;
}

#[tokio::test]
async fn file_that_s3_refuses_is_not_called_missing() {
    let stack = Stack::get().await;
    let item = TestItem::with_files(&stack, &["a.pdf", "b.pdf"]).await;
    let (page, proxy) = open_behind_proxy(&item).await;
    page.open_share_dialog().await;
    page.browser.enter("Recipients", &address("ann")).await;
    Aws::new(&stack).delete(&item.key("b.pdf")).await;
    proxy.inject_once(&["method: POST", "/shares"], Fault::Edit("\"missing\"", "\"forbidden\""));
    page.browser.press("Share").await;
    page.browser
        .wait_for(".error", "The service may not read these files, so they cannot be shared: b.pdf.")
        .await;
    assert!(!page.browser.visible_text().await.contains("No longer available"));
    page.browser.quit().await;
}

#[tokio::test]
async fn failed_page_of_files_can_be_loaded_again() {
    let stack = Stack::get().await;
    let item = item_with(&stack, 105).await;
    let (page, proxy) = open_behind_proxy(&item).await;
    // Both the client and the browser retry.
    proxy.inject(100, &["method: GET", "/files?cursor="], || Some(Fault::Disconnect));
    page.open_share_dialog().await;
    page.browser.wait_for(".banner", "").await;
    wait_for_summary(&page.browser, "None of 100+ files selected. One link can hold at most 100 files.")
        .await;
    proxy.clear_faults();
    page.browser.press("Try again").await;
    wait_for_summary(&page.browser, "None of 105 files selected").await;
    page.browser.quit().await;
}

/// Opens the dialog for an item of 205 files, selects two of them, closes the dialog, and uploads one more file.
async fn select_two_and_add_one(page: &Page, item: &TestItem<'_>) {
    page.open_share_dialog().await;
    wait_for_summary(&page.browser, "None of 205 files selected").await;
    for file in ["a-000.pdf", "b-001.pdf"] {
        page.browser.click(".files label", file).await;
    }
    page.browser.press("Cancel").await;
    item.upload("d-new.pdf").await;
}

#[tokio::test]
async fn file_unticked_while_the_list_reloads_stays_unticked() {
    let stack = Stack::get().await;
    let item = item_with(&stack, 205).await;
    let (page, proxy) = open_behind_proxy(&item).await;
    select_two_and_add_one(&page, &item).await;
    let (notify_arrival, arrived) = oneshot::channel();
    let (resume, may_resume) = oneshot::channel();
    proxy.inject_once(&["method: GET", "/files?cursor="], Fault::Pause(notify_arrival, may_resume));
    page.open_share_dialog().await;
    arrived.await.unwrap();
    // The list of before is shown until the new one is complete.
    page.browser.click(".files label", "a-000.pdf").await;
    wait_for_summary(&page.browser, "1 of 205 files").await;
    resume.send(()).unwrap();
    wait_for_summary(&page.browser, "1 of 206 files").await;
    page.browser.enter("Recipients", &address("ann")).await;
    page.browser.press("Share").await;
    page.browser.wait_for(".given", "1 file, 9 bytes: b-001.pdf").await;
    page.browser.quit().await;
}

#[tokio::test]
async fn files_can_be_shared_while_the_list_reloads() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let (page, proxy) = open_behind_proxy(&item).await;
    page.open_share_dialog().await;
    page.browser.press("Cancel").await;
    let (notify_arrival, arrived) = oneshot::channel();
    let (resume, may_resume) = oneshot::channel();
    proxy.inject_once(&["method: GET", "/files"], Fault::Pause(notify_arrival, may_resume));
    page.open_share_dialog().await;
    arrived.await.unwrap();
    page.browser.enter("Recipients", &address("ann")).await;
    page.browser.press("Share").await;
    page.browser.wait_for("h2", "Shared with 1 recipient").await;
    item.upload("later.pdf").await;
    resume.send(()).unwrap();
    page.browser.press("Share with others").await;
    page.browser.wait_for(".files label", "later.pdf").await;
    page.browser.enter("Recipients", &address("bob")).await;
    page.browser.press("Share").await;
    page.browser.wait_for(".given", "brief.pdf").await;
    page.browser.quit().await;
}

#[tokio::test]
async fn error_of_an_earlier_request_does_not_follow_a_later_one() {
    let stack = Stack::get().await;
    let item = TestItem::with_files(&stack, &["a.pdf", "b.pdf"]).await;
    let (page, proxy) = open_behind_proxy(&item).await;
    page.open_share_dialog().await;
    page.browser.enter("Recipients", &address("ann")).await;
    Aws::new(&stack).delete(&item.key("b.pdf")).await;
    let (notify_arrival, arrived) = oneshot::channel();
    let (resume, may_resume) = oneshot::channel();
    proxy.inject_once(&["method: GET", "/files"], Fault::Pause(notify_arrival, may_resume));
    page.browser.press("Share").await;
    arrived.await.unwrap();
    // The list still shows the missing file.
    page.browser.click(".files label", "b.pdf").await;
    page.browser.press("Share").await;
    page.browser.wait_for("h2", "Shared with 1 recipient").await;
    resume.send(()).unwrap();
    page.browser.press("Share with others").await;
    page.browser.wait_until_gone(".files label", "b.pdf").await;
    assert!(page.browser.find(".error", "No longer available").await.is_none());
    page.browser.quit().await;
}

#[tokio::test]
async fn failed_reload_of_the_list_can_be_repeated() {
    let stack = Stack::get().await;
    let item = item_with(&stack, 205).await;
    let (page, proxy) = open_behind_proxy(&item).await;
    select_two_and_add_one(&page, &item).await;
    proxy.inject(100, &["method: GET", "/files?cursor="], || Some(Fault::Disconnect));
    page.browser.click(".toolbar share-button", "Share").await;
    page.browser.wait_for(".files .banner", "").await;
    page.browser.enter("Recipients", &address("ann")).await;
    page.browser.press("Share").await;
    page.browser.wait_for("#files-error", "You are signed out.").await;
    proxy.clear_faults();
    page.browser.press("Try again").await;
    wait_for_summary(&page.browser, "2 of 206 files").await;
    page.browser.wait_until_gone(".files .banner", "").await;
    let count = "return document.querySelector('share-dialog').shadowRoot\
                 .querySelectorAll('.files label').length;";
    assert_eq!(page.browser.run(count, vec![]).await, 207, "each file once, and all files");
    page.browser.quit().await;
}
