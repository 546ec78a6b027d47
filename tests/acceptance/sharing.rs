//! Sharing an item with several recipients, and the emails they receive.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};

use crate::api::{create_body, create_body_with};
use crate::support::{Aws, Response, Stack, TestItem, address, emails_to};

fn results(response: &Response) -> Vec<Value> {
    response.json()["results"].as_array().unwrap().clone()
}

#[tokio::test]
async fn each_recipient_gets_a_separate_email_and_link() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let recipients = [address("ann"), address("bob"), address("cem")];
    let message = "Please have a look.";
    let fields = json!({"expiresAt": "2031-05-06T07:08:00+02:00", "message": message});

    let response = item.post(&create_body_with(&recipients, &fields)).await;

    response.assert_status(201);
    let results = results(&response);
    let order: Vec<&str> = results.iter().map(|result| result["recipient"].as_str().unwrap()).collect();
    assert_eq!(order, recipients, "the results must be in request order");
    let mut links = BTreeSet::new();
    for (recipient, result) in recipients.iter().zip(&results) {
        assert_eq!(result["outcome"], "created");
        assert_eq!(result["share"]["expiresAt"], "2031-05-06T05:08:00Z");
        assert_eq!(result["share"]["createdBy"]["name"], "Tess Tester");
        let email = item.wait_for_email(recipient).await;
        assert_eq!(email.to, [recipient.as_str()]);
        assert_eq!(email.cc, [""; 0]);
        assert_eq!(email.bcc, [""; 0]);
        assert!(email.subject.contains("Tess Tester"), "{}", email.subject);
        let link = email.link();
        // Word joiners keep mail programs from turning names into links.
        let html = email.html.replace('\u{2060}', "");
        for part in [&email.text, &html] {
            for content in [message, "Tess Tester", "brief.pdf", "6 May 2031 at 07:08 (UTC+02:00)", &link] {
                assert!(part.contains(content), "{content} is missing from {part}");
            }
        }
        links.insert(link);
    }
    assert_eq!(links.len(), 3, "the links must all differ");
}

#[tokio::test]
async fn one_recipients_error_does_not_affect_the_others() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let recipient = address("ann");
    let duplicate = format!(" {} ", recipient.to_uppercase());

    let response = item.share(&[&recipient, &duplicate, "no address", "añn@example.com"]).await;

    response.assert_status(207);
    let results = results(&response);
    let outcomes: Vec<&str> = results.iter().map(|result| result["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["created", "duplicate", "invalidRecipient", "invalidRecipient"]);
    let problem = &results[2]["problem"];
    assert!(problem["type"].as_str().unwrap().ends_with("/invalid-recipient"), "{problem}");
    item.wait_for_email(&recipient).await;
    assert_eq!(emails_to(&stack, &recipient).await.len(), 1);
    assert_eq!(Aws::new(&stack).rows(&item.path()).await.len(), 1);
}

#[tokio::test]
async fn request_with_only_invalid_recipients_is_rejected() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;

    let response = item.share(&["no-address", "ann@", "ann@localhost"]).await;

    response.assert_problem(422, "invalid-recipient");
    assert_eq!(results(&response).len(), 3);
}

#[tokio::test]
async fn message_is_escaped_and_cannot_add_recipients() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let recipient = address("ann");
    let message =
        "<script>alert('x')</script> & \"quotes\"\r\nBcc: eve@example.com\r\n\r\n🎉 שלום עולם\t{{ 7 * 7 }}";

    item.post(&create_body_with(&[&recipient], &json!({"message": message}))).await.assert_status(201);

    let email = item.wait_for_email(&recipient).await;
    let quoted = message.replace("\r\n", "\n> ").replace("> \n", ">\n");
    assert!(email.text.contains(&format!("\n> {quoted}")), "{}", email.text);
    assert!(!email.html.contains("<script>"), "{}", email.html);
    assert!(email.html.contains("🎉 שלום עולם"), "{}", email.html);
    assert_eq!(email.to.len(), 1);
    assert_eq!(email.cc.len(), 0);
    assert_eq!(email.bcc.len(), 0);
    let list = item.get("").await.json();
    assert_eq!(list["shares"][0]["message"], message);
}

#[tokio::test]
async fn share_created_with_notify_false_sends_no_email() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let recipient = address("ann");

    let response = item.post(&create_body_with(&[&recipient], &json!({"notify": false}))).await;

    assert_eq!(results(&response)[0]["share"]["mail"], json!({"state": "none"}));
    // If this share had an email, it would be sent before a later share's email.
    item.share_with(&address("later")).await;
    assert!(emails_to(&stack, &recipient).await.is_empty());
}

#[tokio::test]
async fn only_requested_files_are_shared() {
    let stack = Stack::get().await;
    let item = TestItem::with_files(&stack, &["a.txt", "b.txt", "c.txt"]).await;

    let body = create_body_with(&[address("ann")], &json!({"files": ["c.txt", "a.txt"]}));
    let response = item.post(&body).await;

    assert_eq!(
        results(&response)[0]["share"]["files"],
        json!([{"name": "c.txt", "size": 5}, {"name": "a.txt", "size": 5}])
    );
}

#[tokio::test]
async fn share_reads_back_as_it_was_created() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let recipient = address("ann");
    let created = item.post(&create_body(&[&recipient])).await;
    item.wait_for_email(&recipient).await;

    let read = item.call(Method::GET, &format!("/{}", created.share_id())).await;

    read.assert_status(200);
    assert_eq!(read.header("etag"), "\"1\"");
    assert_eq!(read.header("cache-control"), "no-store");
    // The email state has changed since then, so compare everything else.
    let mut created_share = results(&created)[0]["share"].clone();
    let mut read_share = read.json();
    assert_eq!(created_share["mail"]["state"].take(), "queued");
    assert_eq!(read_share["mail"]["state"].take(), "sent");
    created_share["mail"]["at"].take();
    read_share["mail"]["at"].take();
    assert_eq!(read_share, created_share);
}
