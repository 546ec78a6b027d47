//! Languages whose texts are loaded when they are needed.

use serde_json::json;

use crate::browser::{DESKTOP, PHONE};
use crate::page::Page;
use crate::site::{self, console, evaluate};
use crate::support::{Stack, TestItem, address, eventually};

/// A German page. The request for the texts waits for `release`, and `sent` records its options.
const GERMAN: &str = "<body lang=de><share-button id=button module=jobs item={item}></share-button><script>
    const sent = [];
    let release;
    const released = new Promise((done) => (release = done));
    const { fetch: send } = window;
    let address = (url) => url;
    window.fetch = async (url, options) => {
      if (!String(url).endsWith('/de.json')) return send(url, options);
      sent.push(options.integrity);
      await released;
      return send(address(url), options);
    };
    </script></body>";

#[tokio::test]
async fn nothing_is_shown_in_english_while_german_is_loading() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let browser = site::open(&item, DESKTOP, GERMAN).await;
    evaluate(&browser, "load()").await;
    eventually("the permission", async || {
        evaluate(&browser, "button.user !== undefined").await.as_bool()?.then_some(())
    })
    .await;
    assert_eq!(evaluate(&browser, "[button.hidden, button.shadowRoot.textContent]").await, json!([true, ""]));
    // A dialog that is opened in the meantime waits, too, unless it is closed again.
    let open = "
        const dialogs = ['first', 'second'].map((name) => {
            const dialog = document.createElement('link-access-dialog');
            Object.assign(dialog, { module: 'jobs', item: button.item, name });
            document.body.append(dialog);
            dialog.open();
            return dialog;
        });
        dialogs[0].close();
        return dialogs.map(({ isOpen }) => isOpen);
    ";
    assert_eq!(browser.run(open, vec![]).await, json!([false, false]));
    evaluate(&browser, "release()").await;
    browser.wait_for("h2", "Linkzugriff verwalten second").await;
    assert_eq!(
        browser.run("return document.querySelector('link-access-dialog').isOpen", vec![]).await,
        false
    );
    browser.press("Schließen").await;
    browser.wait_for("share-button", "Teilen").await;
    let integrity = evaluate(&browser, "sent").await;
    let [only] = integrity.as_array().unwrap().as_slice() else { panic!("{integrity} requests") };
    assert!(only.as_str().unwrap().starts_with("sha384-"), "{only}");
    assert_eq!(console(&browser).await, [""; 0]);
    browser.quit().await;
}

#[tokio::test]
async fn altered_texts_are_replaced_with_english() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let browser = site::open(&item, DESKTOP, GERMAN).await;
    let altered = site::publish("application/json", json!({"share": "Passwort eingeben"}).to_string());
    browser
        .run("const [altered] = arguments; address = () => altered; release();", vec![altered.into()])
        .await;
    evaluate(&browser, "load()").await;
    browser.wait_for("share-button", "Share").await;
    browser.click("share-button", "").await;
    browser.wait_for("h2", "Share").await;
    let shown = console(&browser).await;
    assert!(shown.iter().all(|line| line.contains("the texts for \"de\" are missing")), "{shown:?}");
    let tag = "document.querySelector('share-dialog').shadowRoot.querySelector('dialog').lang";
    assert_eq!(evaluate(&browser, tag).await, json!("en-GB"));
    // Once the texts are available, the next dialogs are in German.
    evaluate(&browser, "(address = (url) => url, true)").await;
    browser.press("Close").await;
    let open = "
        const dialog = document.createElement('link-access-dialog');
        Object.assign(dialog, { module: 'jobs', item: button.item });
        document.body.append(dialog);
        dialog.open();
        window.dialog = dialog;
    ";
    browser.run(open, vec![]).await;
    browser.wait_for("h2", "Manage Link Access").await;
    eventually("German", async || {
        evaluate(&browser, "(dialog.close(), dialog.open())").await;
        browser.find("h2", "Linkzugriff verwalten").await
    })
    .await;
    browser.quit().await;
}

#[tokio::test]
async fn every_language_fits_a_phone_screen() {
    let stack = Stack::get().await;
    let item = TestItem::with_files(&stack, &["a.pdf", "b.pdf"]).await;
    item.share_with(&address("ann")).await;
    for language in ["en", "de", "fr", "es", "da", "nl", "sv"] {
        let html = format!("<body lang={language}></body>");
        let browser = site::open(&item, PHONE, &html).await;
        evaluate(&browser, "load()").await;
        let open = "
            const [element, item] = arguments;
            window.dialog?.close();
            window.dialog = document.createElement(element);
            Object.assign(dialog, { module: 'jobs', item });
            document.body.append(dialog);
            dialog.open();
        ";
        let click = "dialog.shadowRoot.querySelector(arguments[0]).click();";
        browser.run(open, vec!["share-dialog".into(), item.name.clone().into()]).await;
        browser.wait_for(".files label", "b.pdf").await;
        let tag = evaluate(&browser, "dialog.shadowRoot.querySelector('dialog').lang").await;
        assert!(tag.as_str().unwrap().starts_with(language), "{tag}");
        browser.run(click, vec![".options summary".into()]).await;
        browser.wait_for("#recipients", "").await.send_keys("wrong,").await.unwrap();
        browser.wait_for(".chip.wrong", "wrong").await;
        browser.run(click, vec![".foot .primary".into()]).await;
        browser.wait_for(".error", "").await;
        browser.assert_fits(&format!("the Share dialog in {language}")).await;

        browser.run(open, vec!["link-access-dialog".into(), item.name.clone().into()]).await;
        browser.wait_for("li[data-share]", "").await;
        browser.run(click, vec!["[data-action=change]".into()]).await;
        browser.wait_for(".panel", "").await;
        browser.assert_fits(&format!("the links in {language}")).await;
        for (view, button) in [("the share log", 1), ("the notices", 2)] {
            browser.click(&format!(".foot button:nth-child({button})"), "").await;
            browser.wait_for(".foot .push", "").await;
            browser.assert_fits(&format!("{view} in {language}")).await;
            browser.run(click, vec![".foot .push".into()]).await;
            browser.wait_for("li[data-share]", "").await;
        }
        assert_eq!(console(&browser).await, [""; 0], "{language}");
        browser.quit().await;
    }
}

#[tokio::test]
async fn strict_policy_allows_other_languages() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let page = Page::open(&item, DESKTOP).await;
    let script = "
        window.violations = [];
        addEventListener('securitypolicyviolation', ({ blockedURI }) => violations.push(blockedURI));
        document.documentElement.lang = 'de';
        const button = document.querySelector('.toolbar share-button');
        button.replaceWith(button.cloneNode(true));
    ";
    page.browser.run(script, vec![]).await;
    page.browser.click(".toolbar share-button", "Teilen").await;
    page.browser.wait_for("button", "Abbrechen").await;
    assert_eq!(evaluate(&page.browser, "violations").await, json!([]));
    page.browser.quit().await;
}
