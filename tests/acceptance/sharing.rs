//! Sharing with several recipients, and the emails that they get.

use reqwest::Method;
use serde_json::json;

use crate::support::{Aws, Stack, TestItem, address, emails_to, next_week};

#[tokio::test]
async fn three_recipients_get_an_email_and_a_link_of_their_own() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let recipients = [address("ann"), address("bob"), address("cem")];
    let message = "Please have a look.";
    let response = item
        .post(
            &json!({"recipients": recipients, "expiresAt": "2031-05-06T07:08:00+02:00", "message": message}),
        )
        .await;

    assert_eq!(response.status, 201, "{response:?}");
    let results = response.json()["results"].as_array().unwrap().clone();
    let order: Vec<&str> = results.iter().map(|result| result["recipient"].as_str().unwrap()).collect();
    assert_eq!(order, recipients);
    let mut links = Vec::new();
    for (recipient, result) in recipients.iter().zip(&results) {
        assert_eq!(result["outcome"], "created");
        assert_eq!(result["share"]["expiresAt"], "2031-05-06T05:08:00Z");
        assert_eq!(result["share"]["createdBy"]["name"], "Tess Tester");
        let mail = item.wait_for_email(recipient).await;
        assert_eq!((&mail.to, mail.cc.len(), mail.bcc.len()), (&vec![recipient.clone()], 0, 0));
        assert!(mail.subject.contains("Tess Tester"), "{}", mail.subject);
        for part in [&mail.text, &mail.html] {
            for word in [message, "Tess Tester", "brief.pdf", "6 May 2031 at 07:08 (UTC+02:00)", &mail.link()]
            {
                assert!(part.contains(word), "{word} is missing in {part}");
            }
        }
        links.push(mail.link());
    }
    links.sort();
    links.dedup();
    assert_eq!(links.len(), 3);
}

#[tokio::test]
async fn each_recipient_stands_alone() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let ann = address("ann");
    let response =
        item.share(&[&ann, &format!(" {} ", ann.to_uppercase()), "no address", "añn@example.com"]).await;

    assert_eq!(response.status, 207, "{response:?}");
    let results = response.json()["results"].as_array().unwrap().clone();
    let outcomes: Vec<&str> = results.iter().map(|result| result["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["created", "duplicate", "invalidRecipient", "invalidRecipient"]);
    assert!(results[2]["problem"]["type"].as_str().unwrap().ends_with("/invalid-recipient"));
    item.wait_for_email(&ann).await;
    assert_eq!(emails_to(&stack, &ann).await.len(), 1);
    assert_eq!(Aws::new(&stack).rows(&format!("jobs/{}", item.name)).await.len(), 1);
}

#[tokio::test]
async fn where_no_recipient_is_an_address_nothing_is_created() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let response = item.share(&["nobody", "ann@", "ann@localhost"]).await;
    assert_eq!((response.status, response.problem_type().as_str()), (422, "invalid-recipient"));
    assert_eq!(response.json()["results"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn a_message_is_shown_as_typed_and_never_run() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let recipient = address("ann");
    let message =
        "<script>alert('x')</script> & \"quotes\"\r\nBcc: eve@example.com\r\n\r\n🎉 שלום עולם\t{{ 7 * 7 }}";
    let body = json!({"recipients": [recipient], "expiresAt": next_week(), "message": message});
    assert_eq!(item.post(&body).await.status, 201);

    let mail = item.wait_for_email(&recipient).await;
    assert!(mail.text.contains(message), "{}", mail.text);
    assert!(!mail.html.contains("<script>") && mail.html.contains("🎉 שלום עולם"), "{}", mail.html);
    assert_eq!((mail.to.len(), mail.cc.len(), mail.bcc.len()), (1, 0, 0));
    let listed = item.get("").await.json();
    assert_eq!(listed["shares"][0]["message"], message);
}

#[tokio::test]
async fn a_share_without_notification_sends_no_email() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let (quiet, loud) = (address("quiet"), address("loud"));
    let body = json!({"recipients": [quiet], "expiresAt": next_week(), "notify": false});
    let response = item.post(&body).await;
    assert_eq!(response.json()["results"][0]["share"]["mail"], json!({"state": "none"}));
    // The later share's email has left, so an email of the earlier one would have, too.
    item.share_with(&loud).await;
    assert!(emails_to(&stack, &quiet).await.is_empty());
}

#[tokio::test]
async fn only_the_files_that_are_named_are_shared() {
    let stack = Stack::get().await;
    let item = TestItem::with_files(&stack, &["a.txt", "b.txt", "c.txt"]).await;
    let body = json!({"recipients": [address("ann")], "expiresAt": next_week(), "files": ["c.txt", "a.txt"]});
    let response = item.post(&body).await;
    let files = response.json()["results"][0]["share"]["files"].clone();
    assert_eq!(files, json!([{"name": "c.txt", "size": 5}, {"name": "a.txt", "size": 5}]));
}

#[tokio::test]
async fn a_share_reads_back_as_it_was_created() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let response = item.share(&[&address("ann")]).await.json();
    let id = response["results"][0]["shareId"].as_str().unwrap();
    item.wait_for_email(response["results"][0]["recipient"].as_str().unwrap()).await;
    let read = item.call(Method::GET, &format!("/{id}")).await;
    assert_eq!((read.status, read.header("etag"), read.header("cache-control")), (200, "\"1\"", "no-store"));
    let (mut created, mut read) = (response["results"][0]["share"].clone(), read.json());
    assert_eq!(
        (created["mail"]["state"].take(), read["mail"]["state"].take()),
        (json!("queued"), json!("sent"))
    );
    created["mail"]["at"].take();
    read["mail"]["at"].take();
    assert_eq!(created, read);
}
