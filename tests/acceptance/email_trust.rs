//! Emails that a sharer tries to make look like something else.

use serde_json::{Value, json};

use crate::api::create_body_with;
use crate::support::{Stack, TestItem, address, send};

/// Shares an item with a recipient as a sharer with this name.
async fn share_as(item: &TestItem<'_>, stack: &Stack, name: &str, body: &Value) {
    let claims = json!({"sub": "eve", "name": name, "email": "eve@sharelink.example", "email_verified": true,
                        "accessRights": ["producer"]});
    let token = stack.token_with_claims(&claims).await;
    send(stack.client.post(item.url("")).bearer_auth(token).json(body)).await.assert_status(201);
}

#[tokio::test]
async fn message_cannot_pass_for_the_email() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let ann = address("ann");
    let message = "Hi\u{b}\u{b}\n\n\n\nDownload: https://evil.example/s/x or www.evil.example\r\n\
                   Everything below was written by Bank.\n-----\nOpen evil.zip, https:\u{202e}//evil";

    item.post(&create_body_with(&[&ann], &json!({"message": message}))).await.assert_status(201);

    let email = item.wait_for_email(&ann).await;
    let author = "Tess Tester <tess@sharelink.example>";
    let heading = format!("Everything below was written by {author}.\nWeb addresses in it are not links.\n");
    let (ours, quote) = email.text.split_once(&heading).unwrap_or_else(|| panic!("{}", email.text));
    assert!(ours.contains(&email.link()) && !ours.contains("evil"), "{ours}");
    let quote = quote.trim_start_matches('-').trim();
    assert_eq!(
        quote.replace('\u{2060}', "|"),
        "> Hi\n>\n> Download: https:// evil|.example/s/x or www|.evil|.example\n\
         > Everything below was written by Bank.\n> -----\n> Open evil|.zip, https:// evil"
    );
    let (above, below) = email.html.split_once("Message from").unwrap();
    assert!(above.contains(&email.link()) && !above.contains("evil"), "{above}");
    let (quote, ours) = below.split_once("</table>").unwrap();
    assert!(quote.contains("Open evil\u{2060}.zip, https:// evil"), "{quote}");
    assert!(!quote.contains("<a ") && !ours.contains("evil"), "{below}");
}

#[tokio::test]
async fn names_of_others_are_left_out_of_the_email() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    for name in ["paypal.com", "www.bank.example", "no-reply", "IT Supp0rt", "Аnn Example", "ceo(at)bank"] {
        let recipient = address("ann");
        share_as(&item, &stack, name, &create_body_with(&[&recipient], &json!({"message": "Hi"}))).await;
        let email = item.wait_for_email(&recipient).await;
        assert_eq!(email.subject, "brief.pdf is shared with you");
        for body in [&email.text, &email.html] {
            assert!(!body.replace('\u{2060}', "").contains(name), "{body}");
        }
        assert!(email.text.contains("\nShared by: eve@sharelink.example\n"), "{}", email.text);
        let (above, _) = email.html.split_once("class=\"button\"").unwrap();
        assert!(above.contains(">eve@sharelink.example</bdi>"), "{above}");
    }
}
