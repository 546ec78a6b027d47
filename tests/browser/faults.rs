//! When the API does not do as it is asked: what people see, and that nothing typed is lost.

use serde_json::json;
use tokio::sync::oneshot;

use crate::browser::DESKTOP;
use crate::page::Page;
use crate::support::proxy::Fault;
use crate::support::{Aws, Proxy, Stack, TestItem, address, mails_to};

/// The page, with a proxy before the API, which its policy would not let it call.
async fn behind_a_proxy(item: &TestItem<'_>) -> (Page, Proxy) {
    let api = &item.stack.info.api_url;
    let origin_end = api.match_indices('/').nth(2).map_or(api.len(), |(at, _)| at);
    let proxy = Proxy::before(&api[..origin_end]).await;
    let page = Page::open(item, DESKTOP).await;
    page.browser.cdp("Page.setBypassCSP", json!({"enabled": true})).await;
    page.show(item).await;
    page.set("api", &format!("{}{}", proxy.url, &api[origin_end..])).await;
    page.set("item", &item.name).await;
    page.browser.see(".toolbar share-button", "Share").await;
    (page, proxy)
}

#[tokio::test]
async fn a_lost_answer_is_asked_for_again_and_nobody_gets_two_emails() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let ann = address("ann");
    let (page, proxy) = behind_a_proxy(&item).await;
    page.share().await;
    page.browser.enter("Recipients", &ann).await;
    proxy.lose(2, &["method: POST", "/shares"]);
    page.browser.press("Share").await;
    page.browser.see("h2", "Shared with 1 recipient").await;
    assert_eq!(proxy.left(), 0);
    item.mail_to(&ann).await;
    assert_eq!(mails_to(&stack, &ann).await.len(), 1);

    // And so is a change, which was done the first time.
    page.browser.press("Done").await;
    page.manage().await;
    page.act(&ann, "Change Expiration").await;
    page.browser.set_time("Access expires", "2030-03-01T12:00").await;
    proxy.lose(1, &["method: PATCH"]);
    page.browser.press("Save").await;
    page.browser.see("p", &format!("{ann} has access until 1 Mar 2030, 12:00")).await;
    page.browser.quit().await;
}

#[tokio::test]
async fn a_second_press_while_the_first_is_on_its_way_does_nothing() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let ann = address("ann");
    let (page, proxy) = behind_a_proxy(&item).await;
    page.share().await;
    page.browser.enter("Recipients", &ann).await;
    let ((has_come, came), (go_on, may_go_on)) = (oneshot::channel(), oneshot::channel());
    proxy.once(&["method: POST", "/shares"], Fault::Pause(has_come, may_go_on));
    page.browser.press("Share").await;
    came.await.unwrap();
    page.browser.press("Sharing…").await;
    let is_inert =
        "return document.querySelector('share-dialog').shadowRoot.querySelector('[inert]') !== null;";
    assert_eq!(page.browser.run(is_inert, vec![]).await, true);
    go_on.send(()).unwrap();
    page.browser.see("h2", "Shared with 1 recipient").await;
    page.browser.quit().await;
}

#[tokio::test]
async fn a_file_that_is_gone_is_named_and_the_others_can_be_shared() {
    let stack = Stack::get().await;
    let item = TestItem::with_files(&stack, &["a.pdf", "b.pdf", "c.pdf"]).await;
    let page = Page::open(&item, DESKTOP).await;
    page.share().await;
    page.browser.enter("Recipients", &address("ann")).await;
    page.browser.click(".files label", "c.pdf").await;
    Aws::of(&stack).delete(&item.key("b.pdf")).await;
    item.upload("d.pdf").await;
    page.browser.press("Share").await;
    page.browser.see(".error", "Not there any more: b.pdf").await;
    page.browser.see_no(".files label", "b.pdf").await;
    page.browser.see(".error", "Not there any more: b.pdf").await;
    page.browser.press("Share").await;
    page.browser.see("h2", "Shared with 1 recipient").await;
    // What came meanwhile is not shared unasked.
    let files = item.get("").await.json()["shares"][0]["files"].clone();
    assert_eq!(files, json!([{"name": "a.pdf", "size": 5}]));
    page.browser.quit().await;
}

#[tokio::test]
async fn without_a_connection_everything_stays_and_goes_on_later() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let ann = address("ann");
    let page = Page::open(&item, DESKTOP).await;
    page.share().await;
    page.browser.enter("Recipients", &ann).await;
    page.browser.enter("Message", "still here").await;
    let offline = async |is_offline: bool| {
        let conditions = json!({
            "offline": is_offline, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1,
        });
        page.browser.cdp("Network.emulateNetworkConditions", conditions).await;
    };
    page.browser.cdp("Network.enable", json!({})).await;
    offline(true).await;
    page.browser.press("Share").await;
    page.browser.see(".banner", "There is no connection. Nothing is lost").await;
    offline(false).await;
    page.browser.press("Share").await;
    page.browser.see("h2", "Shared with 1 recipient").await;
    assert!(item.mail_to(&ann).await.text.contains("still here"));
    page.browser.quit().await;
}

#[tokio::test]
async fn an_expired_session_is_renewed_and_one_that_is_over_says_so() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let page = Page::open(&item, DESKTOP).await;
    let good = stack.token(&["producer"]).await;
    page.use_token(&format!("async ({{ renew }}) => renew ? {good:?} : 'e30.e30.e30'")).await;
    page.browser.see(".toolbar share-button", "Share").await;
    page.share().await;
    page.browser.enter("Recipients", &address("ann")).await;
    page.browser.press("Share").await;
    page.browser.see("h2", "Shared with 1 recipient").await;
    page.browser.press("Share with others").await;
    page.browser.enter("Recipients", &address("bob")).await;
    page.browser
        .run("document.querySelector('share-dialog').token = async () => 'e30.e30.e30';", vec![])
        .await;
    page.browser.press("Share").await;
    page.browser.see(".banner", "You are signed out. Sign in, then try again.").await;
    page.browser.see(".chip", "bob").await;
    page.browser.quit().await;
}

#[tokio::test]
async fn what_the_api_refuses_is_said_in_words() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let (page, proxy) = behind_a_proxy(&item).await;
    page.share().await;
    page.browser.enter("Recipients", &address("ann")).await;
    // Somebody takes the right away meanwhile.
    let reader = stack.token(&["viewer"]).await;
    page.browser
        .run(&format!("document.querySelector('share-dialog').token = async () => {reader:?};"), vec![])
        .await;
    page.browser.press("Share").await;
    page.browser.see(".banner", "You may not share this item.").await;
    let good = stack.token(&["producer"]).await;
    page.browser
        .run(&format!("document.querySelector('share-dialog').token = async () => {good:?};"), vec![])
        .await;
    proxy.plan(100, &[], || Some(Fault::Refuse));
    page.browser.press("Share").await;
    page.browser.see(".banner", "Trying again in").await;
    page.browser.see(".banner", "That did not work just now.").await;
    proxy.calm();
    page.browser.press("Share").await;
    page.browser.see("h2", "Shared with 1 recipient").await;
    page.browser.quit().await;
}
