//! Text and request bodies as real programs produce them.

use chrono::{TimeDelta, Utc};
use reqwest::Method;
use serde_json::json;

use crate::api::{create_body, create_body_with};
use crate::support::{Aws, Response, Stack, TestItem, address, emails_to, next_week, send};

/// Sends a create request with this message, which is part of a JSON string.
async fn share_with_raw_message(item: &TestItem<'_>, recipient: &str, message: &str) -> Response {
    let body = format!(
        r#"{{"recipients": ["{recipient}"], "expiresAt": "{}", "message": "{message}"}}"#,
        next_week()
    );
    send(item.request(Method::POST, "").header("content-type", "application/json").body(body)).await
}

#[tokio::test]
async fn pasted_control_characters_do_not_stop_a_message() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let ann = address("ann");
    // PowerPoint's line break, Word's page break and comment mark, NEL, LS, PS, NUL, the end of a table's
    // cell, an escape sequence, a direction override, an image, half of an emoji, and a whole one. Then
    // Word's non-breaking and optional hyphens, and a character that was lost before it was pasted.
    let message = r"a\u000bb\u000cc\u0003d\u0085e\u2028f\u2029g".to_owned()
        + r"\u0000h\u0007i\u001bj\u202ek\ufffcl\ud83dm\ude00n\ud83d\ude00o\u001ep\u001fq\ufffd";

    let created = share_with_raw_message(&item, &ann, &message).await;

    created.assert_status(201);
    let expected = "a\nb\ncd\ne\nf\ngh\tijklmn😀o-pq\u{fffd}";
    assert_eq!(created.json()["results"][0]["share"]["message"], expected);
    let email = item.wait_for_email(&ann).await;
    let quoted = expected.replace('\n', "\n> ");
    assert!(email.text.trim_end().ends_with(&format!("\n> {quoted}")), "{}", email.text);
    assert!(email.html.contains("a<br>b<br>cd<br>e<br>f<br>gh\tijklmn😀o-pq\u{fffd}"), "{}", email.html);
}

#[tokio::test]
async fn message_without_visible_characters_is_omitted() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    for message in [r"\u0003\u000b\ud800 \u2029", r"\u200b\ufeff", r"\u2060\u00ad\u3164"] {
        let created = share_with_raw_message(&item, &address("ann"), message).await;
        created.assert_status(201);
        assert!(created.json()["results"][0]["share"].get("message").is_none(), "{created:?}");
    }
}

#[tokio::test]
async fn half_a_character_is_an_error_at_its_field_elsewhere() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let post = |body: String| send(item.request(Method::POST, "").body(body));
    let week = next_week();

    let body = format!(
        r#"{{"recipients": ["{}"], "expiresAt": "{week}", "files": ["brief\ud83d.pdf"]}}"#,
        address("ann")
    );
    post(body).await.assert_invalid(&["/files/0"]);

    let address = address("bob").replace('@', r"\ud83d@");
    let invalid = post(format!(r#"{{"recipients": ["{address}"], "expiresAt": "{week}"}}"#)).await;
    assert_eq!(invalid.json()["results"][0]["problem"]["type"], "/problems/invalid-recipient", "{invalid:?}");
}

#[tokio::test]
async fn byte_order_mark_is_ignored() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let body = format!("\u{feff}{}", create_body(&[address("ann")]));
    send(item.request(Method::POST, "").body(body)).await.assert_status(201);
}

#[tokio::test]
async fn empty_json_value_counts_as_no_body() {
    let (stack, clock) = Stack::with_clock().await;
    let item = TestItem::new(&stack).await;
    let ann = address("ann");
    let id = item.share_with(&ann).await.id;
    let post = async |route: &str, body: &'static str| {
        let request = item.request(Method::POST, &format!("/{id}/{route}"));
        send(request.header("content-type", "application/json").body(body)).await.status
    };
    // axios sends `null`, Laravel `[]`, and others an empty string or blanks.
    let bodies = ["", "null", "\"\"", "{}", "[]", " \r\n", " null\n", "\u{feff}"];
    for (i, body) in (1..).zip(bodies) {
        // The wait before the last resend is more than ten hours.
        clock.stop_at(Utc::now() + TimeDelta::hours(12 * i));
        assert_eq!(post("resend", body).await, 202, "{body:?}");
        // Another email may be requested once this one is sent.
        item.wait_for_email(&ann).await;
    }
    for body in bodies {
        assert_eq!(post("link", body).await, 200, "{body:?}");
        assert_eq!(post("revoke", body).await, 200, "{body:?}");
    }
}

#[tokio::test]
async fn file_names_in_an_email_do_not_link_to_websites() {
    let stack = Stack::get().await;
    let files = ["ann@example.com.txt", "budget.zip", "readme.md", "report.mov", "www.example.com.pdf"];
    let item = TestItem::with_files(&stack, &files).await;
    let ann = address("ann");
    let link = item.share_with(&ann).await.link;
    let email = item.wait_for_email(&ann).await;
    for file in files {
        let name = file.replace("www.example.com", "www\u{2060}.example\u{2060}.com");
        let (before, _) = email.html.split_once(&format!("<bdi dir=\"ltr\">{name}</bdi></a>")).unwrap();
        assert!(before.rsplit_once("<a ").unwrap().1.contains(&format!("href=\"{link}\"")), "{file}");
        assert!(!email.text.contains(file), "{}", email.text);
        assert!(email.text.replace('\u{2060}', "").contains(&format!("- {file}")), "{}", email.text);
    }
}

#[tokio::test]
async fn second_email_differs_before_the_link() {
    let (stack, clock) = Stack::with_clock().await;
    let item = TestItem::new(&stack).await;
    let ann = address("ann");
    let shared = item.share_with(&ann).await;
    let at = Utc::now() + TimeDelta::days(1);
    clock.stop_at(at);

    item.call(Method::POST, &format!("/{}/resend", shared.id)).await.assert_status(202);
    item.wait_for_email(&ann).await;

    let [first, second] = emails_to(&stack, &ann).await.try_into().unwrap();
    assert_eq!(first.link(), second.link());
    let again = at.format("ent again on %-d %B %Y at %H:%M (UTC)").to_string();
    assert_eq!(second.subject, format!("{} – s{again}", first.subject));
    assert!(second.text.starts_with(&format!("S{again}.\n")), "{}", second.text);
    assert!(second.html.split_once(&second.link()).unwrap().0.contains(&again), "{}", second.html);
    assert!(!first.text.contains("again") && !first.html.contains("again"));
}

#[tokio::test]
async fn first_email_does_not_say_that_it_was_sent_again() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let ann = address("ann");
    let body = create_body_with(std::slice::from_ref(&ann), &json!({"notify": false}));
    let id = item.post(&body).await.share_id();

    item.call(Method::POST, &format!("/{id}/resend")).await.assert_status(202);

    let email = item.wait_for_email(&ann).await;
    assert!(!email.subject.contains("again"), "{}", email.subject);
    assert!(email.text.starts_with("A file was shared with you."), "{}", email.text);
    assert!(!email.html.contains("again"), "{}", email.html);
}

#[tokio::test]
async fn invisible_file_names_are_shown_and_saved_visibly() {
    let stack = Stack::get().await;
    let files = ["\u{202e}", "a\u{2028}b.pdf"];
    let item = TestItem::with_files(&stack, &files).await;
    let ann = address("ann");
    let link = item.share_with(&ann).await.link;
    let email = item.wait_for_email(&ann).await;
    let page = stack.open(&link).await;
    for (n, shown) in [(1, "a b.pdf"), (2, "file")] {
        assert!(email.text.contains(&format!("\n- {shown}\u{200e} (")), "{}", email.text);
        assert!(page.text.contains(&format!(">{shown}</bdi>")), "{}", page.text);
        let (_, disposition) = stack.download(&format!("{link}/files/{n}")).await;
        assert!(disposition.contains(&format!("filename=\"{shown}\"")), "{disposition}");
    }
}

#[tokio::test]
async fn file_url_hides_the_headers_of_the_object() {
    let stack = Stack::get().await;
    for (content_type, encoding, expected_encoding) in
        [("text/html", "gzip", Some("identity")), ("text/plain", "utf-8", Some("identity")), ("", "", None)]
    {
        let item = TestItem::with_files(&stack, &[]).await;
        Aws::new(&stack).upload_with_headers(&item.key("a"), b"stored", content_type, encoding).await;
        let link = item.share_with(&address("ann")).await.link;
        let url = stack.open(&link).await.header("location").to_owned();
        let file = stack.client.get(url).send().await.unwrap();
        let header = |name| file.headers().get(name).map(|value| value.to_str().unwrap());
        assert_eq!(header("content-encoding"), expected_encoding, "{encoding}");
        assert_eq!(header("content-type"), Some("application/octet-stream"));
        assert_eq!(file.bytes().await.unwrap(), b"stored".as_slice());
    }
}

fn percent_decode(text: &str) -> String {
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap().as_bytes().to_vec();
    for part in parts {
        bytes.push(u8::from_str_radix(&part[..2], 16).unwrap());
        bytes.extend(part[2..].bytes());
    }
    String::from_utf8(bytes).unwrap()
}

#[tokio::test]
async fn names_with_every_printable_character_can_be_shared() {
    let stack = Stack::get().await;
    let printable: String = (' '..='~').filter(|c| *c != '/').collect();
    let files = [
        printable.as_str(),
        ".hidden",
        "100%.pdf",
        "a%2Fb",
        "trailing blank ",
        "trailing dot.",
        "שלום 🎉.pdf",
    ];
    let item = TestItem::with_files(&stack, &files).await;
    let body = create_body_with(&[address("ann")], &json!({"files": files}));
    let id = item.post(&body).await.share_id();
    let link =
        item.call(Method::POST, &format!("/{id}/link")).await.json()["link"].as_str().unwrap().to_owned();
    for (n, file) in (1..).zip(files) {
        let (bytes, disposition) = stack.download(&format!("{link}/files/{n}")).await;
        assert_eq!(bytes, file.as_bytes());
        let (_, encoded) = disposition.split_once("filename*=UTF-8''").unwrap();
        assert_eq!(percent_decode(encoded), file, "{disposition}");
    }
}
