//! The demo page, with a test's item in the page's form.

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::browser::{Browser, Device};
use crate::support::{Stack, TestItem, eventually};

/// A sharer's browser, showing the demo page.
pub(crate) struct Page {
    pub(crate) browser: Browser,
}

impl Page {
    pub(crate) async fn open(item: &TestItem<'_>, device: Device) -> Self {
        let page = Self { browser: Browser::start(device).await };
        page.show(item).await;
        page
    }

    /// Opens the page in the current window.
    pub(crate) async fn show(&self, item: &TestItem<'_>) {
        self.browser.open(&item.stack.info.issuer).await;
        self.browser.wait_for("button", "Share").await;
        self.set_attribute("item", &item.name).await;
        self.browser.wait_for(".toolbar share-button", "").await;
    }

    /// Sets an attribute on the form's buttons.
    pub(crate) async fn set_attribute(&self, name: &str, value: &str) {
        let script = "for (const button of document.querySelectorAll('.toolbar share-button')) \
                      button.setAttribute(arguments[0], arguments[1]);";
        self.browser.run(script, vec![name.into(), value.into()]).await;
    }

    /// Opens the Share dialog from the form.
    pub(crate) async fn open_share_dialog(&self) {
        self.browser.click(".toolbar share-button", "Share").await;
        self.browser.wait_for("h2", "Share").await;
        self.browser.wait_for(".files label", "").await;
    }

    /// Opens Manage Link Access from the form.
    pub(crate) async fn open_link_access(&self) {
        self.browser.click(".toolbar share-button", "Manage Link Access").await;
        self.browser.wait_for("h2", "Manage Link Access").await;
        self.browser.wait_for("[role=tabpanel]", "").await;
    }

    /// Replaces the token provider for the form's buttons.
    pub(crate) async fn set_token_provider(&self, script: &str) {
        let script = format!(
            "for (const button of document.querySelectorAll('.toolbar share-button')) \
             {{ button.token = {script}; button.refresh(); }}"
        );
        self.browser.run(&script, vec![]).await;
    }

    /// Replaces the open Share dialog's token.
    pub(crate) async fn set_dialog_token(&self, token: &str) {
        let script = format!("document.querySelector('share-dialog').token = async () => {token:?};");
        self.browser.run(&script, vec![]).await;
    }

    /// Replaces the page's clock with one that [`Self::pass_time`] advances.
    pub(crate) async fn control_time(&self) {
        let script = r"
            const RealDate = Date;
            let passed = 0;
            window.Date = class extends RealDate {
                constructor(...given) {
                    if (given.length) super(...given);
                    else super(Date.now());
                }
                static now() { return RealDate.now() + passed; }
            };
            const timers = new Map();
            window.setTimeout = (callback, delay) => {
                const timer = {};
                timers.set(timer, [callback, Date.now() + delay]);
                return timer;
            };
            window.clearTimeout = (timer) => timers.delete(timer);
            window.passTime = (time) => {
                passed += time;
                for (const [timer, [callback, due]] of [...timers])
                    if (due <= Date.now() && timers.delete(timer)) callback();
            };
        ";
        self.browser.run(script, vec![]).await;
    }

    /// Advances the clock and runs the timers that are due.
    pub(crate) async fn pass_time(&self, time: TimeDelta) {
        self.browser.run("passTime(arguments[0]);", vec![time.num_milliseconds().into()]).await;
    }

    /// Presses a button in a recipient's row.
    pub(crate) async fn press_in_row(&self, recipient: &str, button: &str) {
        let script = "return [...arguments[0].querySelectorAll('button')]\
                      .find((button) => button.textContent.trim() === arguments[1]);";
        eventually(&format!("a click on {button} for {recipient}"), async || {
            // If the page replaces the row before the click, try again.
            let row = self.browser.find("li[data-share]", recipient).await?;
            let arguments = vec![row.to_json().unwrap(), Value::from(button)];
            let element = self.browser.driver.execute(script, arguments).await.ok()?.element().ok()?;
            element.click().await.ok()
        })
        .await;
    }
}

/// Returns the name and bytes of a downloaded test file.
pub(crate) fn downloaded_file(file: &str) -> (String, Vec<u8>) {
    (file.to_owned(), file.as_bytes().to_vec())
}

/// Waits until the item's share log has an entry for an event.
pub(crate) async fn wait_for_event(item: &TestItem<'_>, event: &str) {
    eventually(event, async || {
        let log = item.log_page("?limit=100").await.json();
        log["entries"].as_array().unwrap().iter().any(|entry| entry["event"] == event).then_some(())
    })
    .await;
}
