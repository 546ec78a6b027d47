//! The demo page, with its form for an item of a test's own.

use serde_json::{Value, json};

use crate::browser::{Browser, Device};
use crate::support::{Stack, TestItem};

/// A sharer who looks at an item's form.
pub(crate) struct Page {
    pub(crate) browser: Browser,
}

impl Page {
    pub(crate) async fn open(item: &TestItem<'_>, device: Device) -> Self {
        let page = Self { browser: Browser::start(device).await };
        page.show(item).await;
        page
    }

    /// Opens the page in the present window.
    pub(crate) async fn show(&self, item: &TestItem<'_>) {
        self.browser.open(&item.stack.info.issuer).await;
        self.browser.see("button", "Share").await;
        self.set("item", &item.name).await;
        self.browser.see(".toolbar share-button", "").await;
    }

    /// Sets an attribute of the form's buttons.
    pub(crate) async fn set(&self, name: &str, value: &str) {
        let script = "for (const button of document.querySelectorAll('.toolbar share-button')) \
                      button.setAttribute(arguments[0], arguments[1]);";
        self.browser.run(script, vec![name.into(), value.into()]).await;
    }

    /// Opens the Share dialog from the form.
    pub(crate) async fn share(&self) {
        self.browser.click(".toolbar share-button", "Share").await;
        self.browser.see("h2", "Share").await;
        self.browser.see(".files label", "").await;
    }

    /// Opens Manage Link Access from the form.
    pub(crate) async fn manage(&self) {
        self.browser.click(".toolbar share-button", "Manage Link Access").await;
        self.browser.see("h2", "Manage Link Access").await;
        self.browser.see("[role=tabpanel]", "").await;
    }

    /// Lets a function stand in for the page's own that gives tokens.
    pub(crate) async fn use_token(&self, script: &str) {
        let script = format!(
            "for (const button of document.querySelectorAll('.toolbar share-button')) \
             {{ button.token = {script}; button.refresh(); }}"
        );
        self.browser.run(&script, vec![]).await;
    }

    /// Presses a button of one share.
    pub(crate) async fn act(&self, recipient: &str, action: &str) {
        let row = self.browser.see("li[data-share]", recipient).await;
        let script = "return [...arguments[0].querySelectorAll('button')]\
                      .find((button) => button.textContent.trim() === arguments[1]);";
        let arguments = vec![row.to_json().unwrap(), Value::from(action)];
        let button = self.browser.driver.execute(script, arguments).await.unwrap().element().unwrap();
        button.click().await.unwrap();
    }
}

/// A name and the bytes of what a browser got, from a test's own item.
pub(crate) fn whole(file: &str) -> (String, Vec<u8>) {
    (file.to_owned(), file.as_bytes().to_vec())
}
