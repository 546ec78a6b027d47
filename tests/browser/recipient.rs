//! What a recipient sees.

use crate::browser::{Browser, DESKTOP, Device};
use crate::page::whole;
use crate::support::{Stack, TestItem, address};

#[tokio::test]
async fn a_recipient_picks_from_several_files_without_a_script_and_in_their_language() {
    let stack = Stack::get().await;
    let item = TestItem::with_files(&stack, &["a.pdf", "Ünï \"a\";b.pdf"]).await;
    let shared = item.shared_with(&address("ann")).await;
    let german = Browser::start(Device { languages: "de-AT,de,en", ..DESKTOP }).await;
    german.cdp("Emulation.setScriptExecutionDisabled", serde_json::json!({"value": true})).await;
    german.open(&shared.link).await;
    let heading = german.driver.find(thirtyfour::By::Tag("h1")).await.unwrap().text().await.unwrap();
    assert_eq!(heading, "Tess Tester hat 2 Dateien mit Ihnen geteilt");
    let links = german.driver.find_all(thirtyfour::By::Tag("a")).await.unwrap();
    assert!(links[1].text().await.unwrap().contains("Ünï \"a\";b.pdf"));
    links[1].click().await.unwrap();
    let (name, bytes) = german.downloaded().await;
    // A file system takes no quotes, and a browser puts something else in their place.
    assert!(name.starts_with("Ünï") && name.ends_with(";b.pdf"), "{name}");
    assert_eq!(bytes, whole("Ünï \"a\";b.pdf").1);
    german.quit().await;
}
