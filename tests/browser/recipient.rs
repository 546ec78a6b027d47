//! The pages that recipients see.

use serde_json::{Value, json};

use crate::browser::{Browser, DESKTOP, Device, PHONE};
use crate::page::downloaded_file;
use crate::support::{Aws, Stack, TestItem, address, next_week};

/// The width that WCAG 1.4.10 requires, and a desktop window at a zoom of 200%.
const SMALL_SIZES: [(u32, u32); 2] = [(320, 568), (640, 450)];

/// The longest name that a file can have, without a place to break it.
fn longest_name() -> String {
    format!("{}.pdf", "w".repeat(251))
}

/// Shares the item's files with a message. Returns the link.
async fn share_with_message(item: &TestItem<'_>, message: &str) -> String {
    let recipient = address("ann");
    let body = json!({"recipients": [recipient], "expiresAt": next_week(), "message": message});
    item.post(&body).await.assert_status(201);
    item.wait_for_email(&recipient).await.link()
}

#[tokio::test]
async fn recipient_page_is_localized_and_works_without_scripts() {
    let stack = Stack::get().await;
    let item = TestItem::with_files(&stack, &["a.pdf", "Ünï \"a\";b.pdf"]).await;
    let shared = item.share_with(&address("ann")).await;
    let german = Browser::start(Device { languages: "de-AT,de,en", ..DESKTOP }).await;
    german.cdp("Emulation.setScriptExecutionDisabled", json!({"value": true})).await;
    german.open(&shared.link).await;
    let heading = german.driver.find(thirtyfour::By::Tag("h1")).await.unwrap().text().await.unwrap();
    assert_eq!(heading, "Tess Tester hat 2 Dateien mit Ihnen geteilt");
    let links = german.driver.find_all(thirtyfour::By::Tag("a")).await.unwrap();
    assert!(links[2].text().await.unwrap().contains("Ünï \"a\";b.pdf"));
    links[2].click().await.unwrap();
    let (name, bytes) = german.downloaded().await;
    // Browsers replace the quotes, because some file systems do not allow quotes in names.
    assert!(name.starts_with("Ünï"), "{name}");
    assert!(name.ends_with(";b.pdf"), "{name}");
    assert_eq!(bytes, downloaded_file("Ünï \"a\";b.pdf").1);
    german.quit().await;
}

#[tokio::test]
async fn message_shows_its_lines_and_directions_but_no_links() {
    let stack = Stack::get().await;
    let item = TestItem::with_files(&stack, &["a.pdf", "b.pdf"]).await;
    let message = "First line\r\n\r\n\tindented <b>x</b>\n\u{5e9}\u{5dc}\u{5d5}\u{5dd}.\nhttps://example.com";
    let link = share_with_message(&item, message).await;
    let browser = Browser::start(DESKTOP).await;
    browser.open(&link).await;
    browser.wait_for("h2", "Message from Tess Tester").await;
    let shown = browser.run("return document.querySelector('section p').innerText;", vec![]).await;
    assert_eq!(shown, message.replace("\r\n", "\n"));
    // The Hebrew line starts at the right edge, although the message starts in English.
    let ends_at_the_right = r"
        const text = document.querySelector('section p');
        const range = document.createRange();
        const at = text.firstChild.data.indexOf('\u05e9');
        range.setStart(text.firstChild, at);
        range.setEnd(text.firstChild, at + 1);
        return Math.abs(range.getBoundingClientRect().right - text.getBoundingClientRect().right) < 2;
    ";
    assert_eq!(browser.run(ends_at_the_right, vec![]).await, true);
    // The archive, the files, and the choice about emails.
    assert_eq!(browser.run("return document.links.length;", vec![]).await, 4);
    browser.quit().await;
}

#[tokio::test]
async fn translation_and_name_order_leave_names_alone() {
    let stack = Stack::get().await;
    let hebrew = "\u{5d7}\u{5e9}\u{5d1}\u{5d5}\u{5df}.pdf";
    let item = TestItem::with_files(&stack, &["harmless_file\u{202e}txt.exe", hebrew]).await;
    let link = share_with_message(&item, "Translate me").await;
    let browser = Browser::start(DESKTOP).await;
    browser.open(&link).await;
    browser.wait_for("li", "Program, ").await;
    let untranslated =
        "return [...document.querySelectorAll('bdi')].map((name) => [name.textContent, name.translate]);";
    let expected = json!([
        ["Tess Tester", false],
        ["Tess Tester", false],
        ["harmless_filetxt.exe", false],
        [hebrew, false],
    ]);
    assert_eq!(browser.run(untranslated, vec![]).await, expected);
    assert_eq!(browser.run("return document.querySelector('section p').translate;", vec![]).await, true);
    // The extension is at the right of the name, as in a file manager.
    let extension_is_right = r"
        const name = [...document.querySelectorAll('li bdi')].at(-1).firstChild;
        const left = (start) => {
            const range = document.createRange();
            range.setStart(name, start);
            range.setEnd(name, start + 1);
            return range.getBoundingClientRect().left;
        };
        return left(name.length - 1) > left(0);
    ";
    assert_eq!(browser.run(extension_is_right, vec![]).await, true);
    browser.quit().await;
}

#[tokio::test]
async fn long_lists_names_and_messages_fit_small_screens() {
    let stack = Stack::get().await;
    let item = TestItem::with_files(&stack, &[&longest_name(), "\u{5d0}\u{5d1}.tar.gz"]).await;
    for n in 3..=100 {
        item.upload(&format!("{n:03} photo of the harbor.jpg")).await;
    }
    let link = share_with_message(&item, &"unbroken".repeat(250)).await;
    for languages in ["en", "de"] {
        let browser = Browser::start(Device { languages, ..PHONE }).await;
        browser.open(&link).await;
        browser.wait_for("h1", "100").await;
        browser.assert_fits("a phone").await;
        browser.assert_accessible("a long list").await;
        for (width, height) in SMALL_SIZES {
            let size = json!({"width": width, "height": height, "deviceScaleFactor": 2, "mobile": false});
            browser.cdp("Emulation.setDeviceMetricsOverride", size).await;
            browser.assert_fits(&format!("{width} pixels")).await;
        }
        // A keyboard reaches the archive and the files without the message in between, and the list stays
        // open.
        browser.tab_to(if languages == "en" { "Go to the files" } else { "Zu den Dateien" }).await;
        browser.send_keys(thirtyfour::Key::Enter).await;
        for name in [if languages == "en" { "Download all" } else { "Alle herunterladen" }, "003"] {
            browser.send_keys(thirtyfour::Key::Tab).await;
            browser.wait_for_focus(name).await;
        }
        browser.quit().await;
    }
}

#[tokio::test]
async fn text_uses_nearly_the_whole_width_of_a_phone() {
    let stack = Stack::get().await;
    let item = TestItem::with_files(&stack, &["a.pdf", "b.pdf"]).await;
    let link = share_with_message(&item, "Hello").await;
    let browser = Browser::start(PHONE).await;
    browser.open(&link).await;
    browser.wait_for("h1", "").await;
    let empty = "return innerWidth - document.querySelector('ul').getBoundingClientRect().width;";
    assert_eq!(browser.run(empty, vec![]).await, 32);
    browser.quit().await;
}

#[tokio::test]
async fn page_is_readable_in_print_and_in_forced_colors() {
    let stack = Stack::get().await;
    let item = TestItem::with_files(&stack, &["a.pdf", "b.pdf"]).await;
    let link = share_with_message(&item, "Hello").await;
    let browser = Browser::start(Device { is_dark: true, ..DESKTOP }).await;
    browser.open(&link).await;
    browser.wait_for("h1", "").await;
    let colors = "const style = (selector) => getComputedStyle(document.querySelector(selector)); \
                  return [style('h1').color, style('body').backgroundColor, style('.hint').display];";
    let dark = json!({"name": "prefers-color-scheme", "value": "dark"});
    browser.cdp("Emulation.setEmulatedMedia", json!({"media": "print", "features": [dark]})).await;
    let printed = json!(["rgb(0, 0, 0)", "rgb(255, 255, 255)", "none"]);
    assert_eq!(browser.run(colors, vec![]).await, printed, "dark ink on white paper");
    let forced = json!([{"name": "forced-colors", "value": "active"}]);
    browser.cdp("Emulation.setEmulatedMedia", json!({"media": "", "features": forced})).await;
    let border = "return getComputedStyle(document.querySelector('section')).borderTopColor;";
    assert_ne!(browser.run(border, vec![]).await, "rgba(0, 0, 0, 0)", "the message keeps a border");
    browser.quit().await;
}

#[tokio::test]
async fn page_stays_while_files_download_one_after_the_other() {
    let stack = Stack::get().await;
    let item = TestItem::with_files(&stack, &["a.pdf", "b.pdf"]).await;
    let shared = item.share_with(&address("ann")).await;
    let browser = Browser::start(DESKTOP).await;
    browser.open(&shared.link).await;
    browser.tab_to("a.pdf").await;
    browser.send_keys(thirtyfour::Key::Enter).await;
    assert_eq!(browser.downloaded().await, downloaded_file("a.pdf"));
    assert_eq!(browser.driver.current_url().await.unwrap().as_str(), shared.link);
    assert!(browser.focused().await.starts_with("a.pdf"), "the focus stays on the file");
    browser.quit().await;
}

#[tokio::test]
async fn failed_file_can_be_tried_again_or_left() {
    let stack = Stack::get().await;
    let item = TestItem::with_files(&stack, &["a.pdf", "b.pdf"]).await;
    let shared = item.share_with(&address("ann")).await;
    Aws::new(&stack).upload_archived(&item.key("b.pdf"), b"b.pdf").await;
    let browser = Browser::start(PHONE).await;
    browser.open(&shared.link).await;
    browser.click("a", "b.pdf").await;
    browser.wait_for("h1", "The file is archived").await;
    browser.assert_fits("a failed file").await;
    browser.assert_accessible("a failed file").await;
    browser.click("a", "Back to the files").await;
    browser.wait_for("h1", "shared 2 files with you").await;
    assert_eq!(browser.driver.current_url().await.unwrap().as_str(), shared.link);
    browser.click("a", "b.pdf").await;
    browser.wait_for("h1", "The file is archived").await;
    item.upload("b.pdf").await;
    browser.click("a", "Try again").await;
    assert_eq!(browser.downloaded().await, downloaded_file("b.pdf"));
    browser.quit().await;
}

#[tokio::test]
async fn page_loads_nothing_else() {
    let stack = Stack::get().await;
    let item = TestItem::with_files(&stack, &["a.pdf", "b.pdf"]).await;
    let shared = item.share_with(&address("ann")).await;
    let browser = Browser::start(DESKTOP).await;
    browser.open(&shared.link).await;
    browser.wait_for("h1", "").await;
    let requests = "return performance.getEntriesByType('resource').map(({ name }) => name);";
    assert_eq!(browser.run(requests, vec![]).await, Value::Array(vec![]));
    browser.quit().await;
}
