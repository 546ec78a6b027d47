//! API and network errors: the dialogs explain them and keep the user's input.

use serde_json::json;
use tokio::sync::oneshot;

use crate::browser::DESKTOP;
use crate::page::Page;
use crate::support::proxy::Fault;
use crate::support::{Aws, Proxy, Stack, TestItem, address, emails_to};

/// Opens the page with a proxy in front of the API. Bypasses the page's Content-Security-Policy, which would
/// block the proxy's origin.
pub(crate) async fn open_behind_proxy(item: &TestItem<'_>) -> (Page, Proxy) {
    let api = &item.stack.info.api_url;
    let origin_end = api.match_indices('/').nth(2).map_or(api.len(), |(at, _)| at);
    let proxy = Proxy::start(&api[..origin_end]).await;
    let page = Page::open(item, DESKTOP).await;
    page.browser.cdp("Page.setBypassCSP", json!({"enabled": true})).await;
    page.show(item).await;
    page.set_attribute("api", &format!("{}{}", proxy.url, &api[origin_end..])).await;
    page.set_attribute("item", &item.name).await;
    page.browser.wait_for(".toolbar share-button", "Share").await;
    (page, proxy)
}

#[tokio::test]
async fn lost_response_is_retried_without_duplicates() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let ann = address("ann");
    let (page, proxy) = open_behind_proxy(&item).await;
    page.open_share_dialog().await;
    page.browser.enter("Recipients", &ann).await;
    proxy.lose_responses(2, &["method: POST", "/shares"]);
    page.browser.press("Share").await;
    page.browser.wait_for("h2", "Shared with 1 recipient").await;
    assert_eq!(proxy.pending_faults(), 0);
    item.wait_for_email(&ann).await;
    assert_eq!(emails_to(&stack, &ann).await.len(), 1);

    // The first attempt to change the expiration succeeds, but its response is lost.
    page.browser.press("Done").await;
    page.open_link_access().await;
    page.press_in_row(&ann, "Change Expiration").await;
    page.browser.set_time("Access expires", "2030-03-01T12:00").await;
    proxy.lose_responses(1, &["method: PATCH"]);
    page.browser.press("Save").await;
    page.browser.wait_for("p", &format!("{ann} has access until 1 Mar 2030, 12:00")).await;
    page.browser.quit().await;
}

#[tokio::test]
async fn second_press_during_request_does_nothing() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let ann = address("ann");
    let (page, proxy) = open_behind_proxy(&item).await;
    page.open_share_dialog().await;
    page.browser.enter("Recipients", &ann).await;
    let (notify_arrival, arrived) = oneshot::channel();
    let (resume, may_resume) = oneshot::channel();
    proxy.inject_once(&["method: POST", "/shares"], Fault::Pause(notify_arrival, may_resume));
    page.browser.press("Share").await;
    arrived.await.unwrap();
    page.browser.press("Sharing…").await;
    let has_inert =
        "return document.querySelector('share-dialog').shadowRoot.querySelector('[inert]') !== null;";
    assert_eq!(page.browser.run(has_inert, vec![]).await, true);
    resume.send(()).unwrap();
    page.browser.wait_for("h2", "Shared with 1 recipient").await;
    page.browser.quit().await;
}

#[tokio::test]
async fn missing_file_is_named_and_the_rest_can_be_shared() {
    let stack = Stack::get().await;
    let item = TestItem::with_files(&stack, &["a.pdf", "b.pdf", "c.pdf"]).await;
    let page = Page::open(&item, DESKTOP).await;
    page.open_share_dialog().await;
    page.browser.enter("Recipients", &address("ann")).await;
    page.browser.click(".files label", "c.pdf").await;
    Aws::new(&stack).delete(&item.key("b.pdf")).await;
    item.upload("d.pdf").await;
    page.browser.press("Share").await;
    page.browser.wait_for(".error", "No longer available: b.pdf").await;
    page.browser.wait_until_gone(".files label", "b.pdf").await;
    page.browser.wait_for(".error", "No longer available: b.pdf").await;
    page.browser.press("Share").await;
    page.browser.wait_for("h2", "Shared with 1 recipient").await;
    // The new file, d.pdf, was never selected.
    let files = item.get("").await.json()["shares"][0]["files"].clone();
    assert_eq!(files, json!([{"name": "a.pdf", "size": 5}]));
    page.browser.quit().await;
}

#[tokio::test]
async fn offline_form_keeps_its_input() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let ann = address("ann");
    let page = Page::open(&item, DESKTOP).await;
    page.open_share_dialog().await;
    page.browser.enter("Recipients", &ann).await;
    page.browser.enter("Message", "still here").await;
    let set_offline = async |is_offline: bool| {
        let conditions = json!({
            "offline": is_offline, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1,
        });
        page.browser.cdp("Network.emulateNetworkConditions", conditions).await;
    };
    page.browser.cdp("Network.enable", json!({})).await;
    set_offline(true).await;
    page.browser.press("Share").await;
    page.browser.wait_for(".banner", "You are offline. Nothing is lost").await;
    set_offline(false).await;
    page.browser.press("Share").await;
    page.browser.wait_for("h2", "Shared with 1 recipient").await;
    assert!(item.wait_for_email(&ann).await.text.contains("still here"));
    page.browser.quit().await;
}

#[tokio::test]
async fn rejected_token_is_renewed_or_reported() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let page = Page::open(&item, DESKTOP).await;
    let good = stack.token(&["producer"]).await;
    page.set_token_provider(&format!("async ({{ renew }}) => renew ? {good:?} : 'e30.e30.e30'")).await;
    page.browser.wait_for(".toolbar share-button", "Share").await;
    page.open_share_dialog().await;
    page.browser.enter("Recipients", &address("ann")).await;
    page.browser.press("Share").await;
    page.browser.wait_for("h2", "Shared with 1 recipient").await;
    page.browser.press("Share with others").await;
    page.browser.enter("Recipients", &address("bob")).await;
    page.set_dialog_token("e30.e30.e30").await;
    page.browser.press("Share").await;
    page.browser.wait_for(".banner", "You are signed out. Sign in, then try again.").await;
    page.browser.wait_for(".chip", "bob").await;
    page.browser.quit().await;
}

#[tokio::test]
async fn missing_permission_and_outage_are_explained() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let (page, proxy) = open_behind_proxy(&item).await;
    page.open_share_dialog().await;
    page.browser.enter("Recipients", &address("ann")).await;
    // The user loses the permission while the dialog is open.
    let demo_user =
        async |right: &str| stack.token_with_claims(&json!({"sub": "ann", "accessRights": [right]})).await;
    page.set_dialog_token(&demo_user("viewer").await).await;
    page.browser.press("Share").await;
    page.browser.wait_for(".banner", "You do not have permission to share this item.").await;
    page.set_dialog_token(&demo_user("producer").await).await;
    proxy.inject(100, &[], || Some(Fault::Disconnect));
    page.browser.press("Share").await;
    page.browser.wait_for(".banner", "Trying again in").await;
    page.browser.wait_for(".banner", "That did not work.").await;
    proxy.clear_faults();
    page.browser.press("Share").await;
    page.browser.wait_for("h2", "Shared with 1 recipient").await;
    page.browser.quit().await;
}
