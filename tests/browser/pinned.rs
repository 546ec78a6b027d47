//! A frontend that pins a version, as the README shows.

use serde_json::json;

use crate::browser::{Browser, DESKTOP};
use crate::support::Stack;

const README: &str = include_str!("../../functions/serve-ui/README.md");

#[tokio::test]
async fn browser_runs_only_the_pinned_version() {
    let stack = Stack::get().await;
    let start = README.find("<script type=\"module\" crossorigin").unwrap();
    let example = README[start..].split("```").next().unwrap();
    let pinned = example.replace("https://api.example.com", &stack.info.api_url);
    let (before, after) = pinned.split_once("sha384-").unwrap();
    let altered = format!("{before}sha384-{}{}", "A".repeat(64), &after[64..]);

    let browser = Browser::start(DESKTOP).await;
    // Bypass the demo page's policy, which forbids frames.
    browser.cdp("Page.setBypassCSP", json!({"enabled": true})).await;
    browser.open(&stack.info.issuer).await;
    let script = r"
        const done = arguments[arguments.length - 1];
        const frame = document.createElement('iframe');
        frame.addEventListener('load', () =>
            done(frame.contentWindow.customElements.get('share-button') !== undefined));
        frame.srcdoc = `<!doctype html>${arguments[0]}`;
        document.body.append(frame);
    ";
    for (page, should_run) in [(pinned, true), (altered, false)] {
        let ran = browser.driver.execute_async(script, vec![page.clone().into()]).await.unwrap();
        assert_eq!(ran.json(), &json!(should_run), "{page}");
    }
    browser.quit().await;
}
