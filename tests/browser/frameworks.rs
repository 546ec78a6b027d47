//! Pages built with React, Vue and Svelte.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::LazyLock;

use serde_json::json;
use thirtyfour::Key;

use crate::browser::{Browser, DESKTOP};
use crate::site::{self, console, evaluate};
use crate::support::{Stack, TestItem, address, eventually, root};

/// The directory with the pages' scripts.
static BUILT: LazyLock<PathBuf> = LazyLock::new(|| {
    let path =
        Command::new(env!("CARGO")).args(["local", "frameworks"]).current_dir(root()).output().unwrap();
    assert!(path.status.success(), "{}", String::from_utf8_lossy(&path.stderr));
    String::from_utf8(path.stdout).unwrap().trim().into()
});

/// Returns a `script` element with a script from `tests/browser/frameworks`.
pub(crate) fn script(name: &str) -> String {
    let source = fs::read_to_string(BUILT.join(name)).unwrap();
    format!("<script type=\"module\" src=\"{}\"></script>", site::publish("text/javascript", source))
}

#[tokio::test]
async fn react_page_can_share() {
    framework_page_can_share("react.js").await;
}

#[tokio::test]
async fn vue_page_can_share() {
    framework_page_can_share("vue.js").await;
}

#[tokio::test]
async fn svelte_page_can_share() {
    framework_page_can_share("svelte.svelte.js").await;
}

async fn framework_page_can_share(name: &str) {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let other = TestItem::new(&stack).await;
    let html = format!("<body><main></main>{}</body>", script(name));
    let browser = site::open(&item, DESKTOP, &html).await;
    let update = async |changes: &str| evaluate(&browser, &format!("update({changes})")).await;

    // The page renders the button before the components are loaded, and updates it afterwards.
    eventually("the page", async || evaluate(&browser, "'update' in window").await.as_bool()?.then_some(()))
        .await;
    update(&format!("{{ isShown: true, item: {:?}, name: 'Spring' }}", item.name)).await;
    evaluate(&browser, "load()").await;
    browser.wait_for("share-button", "Share").await;
    assert_eq!(attribute(&browser, "item").await, json!(item.name));

    // A property of each type reaches the element. `null` and `undefined` remove the attribute.
    update("{ item: 1042 }").await;
    assert_eq!(attribute(&browser, "item").await, json!("1042"));
    for missing in ["null", "undefined"] {
        update(&format!("{{ item: {missing} }}")).await;
        assert_eq!(attribute(&browser, "item").await, json!(null), "{missing}");
    }
    update(&format!("{{ item: {:?}, action: 'manage' }}", item.name)).await;
    browser.wait_for("share-button", "Manage Link Access").await;
    update("{ action: undefined, token: tokenOf }").await;
    browser.wait_for("share-button", "Share").await;

    // The dialog outlives its button, and its button's item, key and token.
    let ann = address("ann");
    browser.press("Share").await;
    browser.wait_for(".files label", "").await;
    browser.enter("Recipients", &ann).await;
    browser.enter("Message", "not lost").await;
    for change in [
        "{ key: 2 }".to_owned(),
        format!("{{ item: {:?} }}", other.name),
        format!("{{ item: {:?} }}", item.name),
        "{ token: async () => tokenOf() }".to_owned(),
        "{ isShown: false }".to_owned(),
    ] {
        update(&change).await;
        assert_eq!(typed(&browser).await, json!("not lost"), "{change}");
        assert_eq!(evaluate(&browser, "document.activeElement.localName").await, json!("share-dialog"));
    }
    // The page shows the button again while the dialog is still open.
    update("{ isShown: true, key: 3 }").await;
    eventually("the permission", async || {
        (evaluate(&browser, "document.querySelector('share-button').hidden").await == json!(false))
            .then_some(())
    })
    .await;
    browser.press("Share").await;
    browser.wait_for("h2", "Shared with 1 recipient").await;
    assert!(item.wait_for_email(&ann).await.text.contains("not lost"));
    browser.send_keys(Key::Escape + "").await;
    browser.wait_until_gone("dialog", "").await;
    eventually("the events", async || {
        (evaluate(&browser, "events").await == json!(["shared 1", "closed"])).then_some(())
    })
    .await;

    // Input survives while neither the dialog nor the button is on the page.
    browser.press("Share").await;
    browser.wait_for(".files label", "").await;
    browser.enter("Message", "a draft").await;
    update("{ isShown: false }").await;
    browser.press("Cancel").await;
    browser.wait_until_gone("dialog", "").await;
    eventually("no dialog", async || {
        (evaluate(&browser, "document.querySelector('share-dialog')").await == json!(null)).then_some(())
    })
    .await;
    update("{ isShown: true, key: 4 }").await;
    browser.press("Share").await;
    browser.wait_for(".files label", "").await;
    assert_eq!(typed(&browser).await, json!("a draft"));
    assert_eq!(console(&browser).await, [""; 0]);
    browser.quit().await;
}

async fn attribute(browser: &Browser, name: &str) -> serde_json::Value {
    evaluate(browser, &format!("document.querySelector('share-button').getAttribute({name:?})")).await
}

/// Returns the message in the open Share dialog.
async fn typed(browser: &Browser) -> serde_json::Value {
    evaluate(browser, "document.querySelector('share-dialog').shadowRoot.querySelector('textarea').value")
        .await
}
