//! The page that recipients see.

use crate::browser::{Browser, DESKTOP, Device};
use crate::page::downloaded_file;
use crate::support::{Stack, TestItem, address};

#[tokio::test]
async fn recipient_page_is_localized_and_works_without_scripts() {
    let stack = Stack::get().await;
    let item = TestItem::with_files(&stack, &["a.pdf", "Ünï \"a\";b.pdf"]).await;
    let shared = item.share_with(&address("ann")).await;
    let german = Browser::start(Device { languages: "de-AT,de,en", ..DESKTOP }).await;
    german.cdp("Emulation.setScriptExecutionDisabled", serde_json::json!({"value": true})).await;
    german.open(&shared.link).await;
    let heading = german.driver.find(thirtyfour::By::Tag("h1")).await.unwrap().text().await.unwrap();
    assert_eq!(heading, "Tess Tester hat 2 Dateien mit Ihnen geteilt");
    let links = german.driver.find_all(thirtyfour::By::Tag("a")).await.unwrap();
    assert!(links[1].text().await.unwrap().contains("Ünï \"a\";b.pdf"));
    links[1].click().await.unwrap();
    let (name, bytes) = german.downloaded().await;
    // Browsers replace the quotes, because some file systems do not allow quotes in names.
    assert!(name.starts_with("Ünï"), "{name}");
    assert!(name.ends_with(";b.pdf"), "{name}");
    assert_eq!(bytes, downloaded_file("Ünï \"a\";b.pdf").1);
    german.quit().await;
}
