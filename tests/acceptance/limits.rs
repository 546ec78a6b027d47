//! Names, addresses and messages at their length limits, in several scripts, sent through every route.

use chrono::{TimeDelta, Utc};
use reqwest::Method;
use serde_json::{Value, json};

use crate::api::create_body_with;
use crate::support::{Aws, Stack, TestItem, address, emails_to, eventually, rfc3339, send, unique};

/// Pads `text` with `filler`, or truncates it, to this number of characters.
fn pad(text: &str, filler: char, characters: usize) -> String {
    text.chars().chain(std::iter::repeat(filler)).take(characters).collect()
}

#[tokio::test]
async fn values_at_the_limit_pass_unchanged_through_every_route() {
    let (stack, clock) = Stack::with_clock().await;
    let token = stack.token(&["admin"]).await;
    let module = pad("Module-._~", 'm', 128);
    let item = pad(&unique("item~"), '.', 128);
    // The first four names are 255 bytes long, in scripts that need one to four bytes per character.
    let files = [
        pad("a", 'b', 251) + ".pdf",
        "ж".repeat(125) + " .pdf",
        "見".repeat(83) + "xy.pdf",
        "🎉".repeat(62) + "שלוx",
        "سند \u{202e}fdp.exe".to_owned(),
        "+%20 ?#&\"';\\.txt".to_owned(),
    ];
    for file in &files[..4] {
        assert_eq!(file.len(), 255, "{file}");
    }
    for file in &files {
        Aws::new(&stack).upload(&format!("{module}/{item}/{file}"), file.as_bytes()).await;
    }
    let local_part = pad(&unique("ann+"), 'x', 64);
    let domain = format!("{}.{}.{}.example", "d".repeat(63), "e".repeat(63), "f".repeat(53));
    let recipient = format!("{local_part}@{domain}");
    let message = pad("🎉 שלום\r\n\t見積 <b>&amp;</b> e\u{301}\u{200d} ", '🧵', 2_000);

    let call = |method: Method, path: &str, body: Option<Value>, version: Option<u64>| {
        let url = format!("{}/modules/{module}/items/{item}/{path}", stack.info.api_url);
        let mut request = stack.client.request(method, url).bearer_auth(&token);
        if let Some(version) = version {
            request = request.header("If-Match", format!("\"{version}\""));
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        send(request)
    };
    let get = |path: &str| call(Method::GET, path, None, None);
    let post = |path: &str| call(Method::POST, path, None, None);
    let assert_unchanged = |share: &Value| {
        assert_eq!(share["recipient"], recipient);
        assert_eq!(share["message"], message);
        let names = share["files"].as_array().unwrap().iter().map(|file| file["name"].as_str().unwrap());
        assert_eq!(names.collect::<Vec<_>>(), files);
    };

    let body = create_body_with(&[&recipient], &json!({"message": message, "files": files}));
    let created = call(Method::POST, "shares", Some(body), None).await;
    created.assert_status(201);
    let share = created.json()["results"][0]["share"].clone();
    assert_unchanged(&share);
    let path = format!("shares/{}", share["shareId"].as_str().unwrap());

    let sent_share = || async {
        let share = get(&path).await.json();
        (share["mail"]["state"] == "sent").then_some(share)
    };
    assert_unchanged(&eventually("the email", sent_share).await);
    assert_unchanged(&get("shares?status=active").await.json()["shares"][0]);
    let change = json!({"expiresAt": rfc3339(Utc::now() + TimeDelta::days(3))});
    assert_unchanged(&call(Method::PATCH, &path, Some(change.clone()), Some(1)).await.json());
    assert_unchanged(&post(&format!("{path}/revoke")).await.json());
    assert_unchanged(&get("shares?status=inactive").await.json()["shares"][0]);
    assert_unchanged(&call(Method::PATCH, &path, Some(change), Some(3)).await.json());
    let link = post(&format!("{path}/link")).await.json()["link"].as_str().unwrap().to_owned();
    clock.stop_at(Utc::now() + TimeDelta::minutes(6));
    assert_unchanged(&post(&format!("{path}/resend")).await.json());
    eventually("the second email", sent_share).await;

    get("share-log").await.assert_status(200);
    assert_eq!(get("share-permission").await.json(), json!({"canShare": true}));
    let permissions_url = format!("{}/share-permissions", stack.info.api_url);
    let items = json!({"items": [{"module": module, "item": item}]});
    let permissions = send(stack.client.post(permissions_url).bearer_auth(&token).json(&items)).await;
    assert_eq!(
        permissions.json(),
        json!({"permissions": [{"module": module, "item": item, "canShare": true}]})
    );

    let emails = emails_to(&stack, &recipient).await;
    assert_eq!(emails.len(), 2);
    for email in emails {
        assert_eq!(email.link(), link);
        let quoted = message.trim_end().replace("\r\n", "\n> ");
        assert!(email.text.contains(&format!("\n> {quoted}")), "{}", email.text);
    }

    // Return to real time, because S3 uses real time to check signatures.
    drop(clock);
    for (n, file) in files.iter().enumerate() {
        let (bytes, disposition) = stack.download(&format!("{link}/files/{}", n + 1)).await;
        assert_eq!(String::from_utf8(bytes).unwrap(), *file, "{disposition}");
    }
}

#[tokio::test]
async fn values_one_over_the_limit_are_rejected() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let recipient = address("ann");
    for (fields, location) in [
        (json!({"message": "🧵".repeat(2_001)}), "/message"),
        (json!({"files": ["見".repeat(86)]}), "/files/0"),
    ] {
        item.post(&create_body_with(&[&recipient], &fields)).await.assert_invalid(&[location]);
    }

    let domain = format!("{}.{}.{}.example", "d".repeat(63), "e".repeat(63), "f".repeat(52));
    let long_local_part = format!("{}@{domain}", "a".repeat(65));
    item.share(&[&long_local_part]).await.assert_problem(422, "invalid-recipient");
}
