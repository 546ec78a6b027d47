//! Names, addresses and messages at their limits, in any script, through every route and back.

use chrono::{TimeDelta, Utc};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Aws, Stack, address, emails_to, eventually, next_week, rfc3339, send, unique};

/// A text of exactly so many characters.
fn filled(text: &str, filler: char, characters: usize) -> String {
    text.chars().chain(std::iter::repeat(filler)).take(characters).collect()
}

#[tokio::test]
async fn what_is_at_the_limit_goes_through_every_route_and_comes_back_the_same() {
    let (stack, clock) = Stack::with_clock().await;
    let token = stack.token(&["admin"]).await;
    let module = filled("Module-._~", 'm', 128);
    let item = filled(&unique("item~"), '.', 128);
    // 255 bytes each, in scripts of one to four bytes a character.
    let files = [
        filled("a", 'b', 251) + ".pdf",
        "ж".repeat(125) + " .pdf",
        "見".repeat(83) + "xy.pdf",
        "🎉".repeat(62) + "שלוx",
        "سند \u{202e}fdp.exe".to_owned(),
        "+%20 ?#&\"';\\.txt".to_owned(),
    ];
    assert!(files[..4].iter().all(|name| name.len() == 255), "{files:?}");
    for file in &files {
        Aws::new(&stack).upload(&format!("{module}/{item}/{file}"), file.as_bytes()).await;
    }
    let local = filled(&unique("ann+"), 'x', 64);
    let domain = format!("{}.{}.{}.example", "d".repeat(63), "e".repeat(63), "f".repeat(53));
    let recipient = format!("{local}@{domain}");
    let message = filled("🎉 שלום\r\n\t見積 <b>&amp;</b> e\u{301}\u{200d} ", '🧵', 2_000);

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
    let body = json!({
        "recipients": [recipient], "expiresAt": next_week(), "message": message, "files": files,
    });
    let created = call(Method::POST, "shares", Some(body), None).await;
    assert_eq!(created.status, 201, "{created:?}");
    let share = created.json()["results"][0]["share"].clone();
    let same = |share: &Value| {
        assert_eq!(share["recipient"], recipient);
        assert_eq!(share["message"], message);
        let names = share["files"].as_array().unwrap().iter().map(|file| file["name"].as_str().unwrap());
        assert_eq!(names.collect::<Vec<_>>(), files);
    };
    same(&share);
    let path = format!("shares/{}", share["shareId"].as_str().unwrap());

    let sent = || async {
        let share = call(Method::GET, &path, None, None).await.json();
        (share["mail"]["state"] == "sent").then_some(share)
    };
    same(&eventually("the email", sent).await);
    same(&call(Method::GET, "shares?status=active", None, None).await.json()["shares"][0]);
    let earlier = json!({"expiresAt": rfc3339(Utc::now() + TimeDelta::days(3))});
    same(&call(Method::PATCH, &path, Some(earlier.clone()), Some(1)).await.json());
    same(&call(Method::POST, &format!("{path}/revoke"), None, None).await.json());
    same(&call(Method::GET, "shares?status=inactive", None, None).await.json()["shares"][0]);
    same(&call(Method::PATCH, &path, Some(earlier), Some(3)).await.json());
    let link = call(Method::POST, &format!("{path}/link"), None, None).await.json()["link"].clone();
    let link = link.as_str().unwrap().to_owned();
    clock.stop_at(Utc::now() + TimeDelta::minutes(6));
    same(&call(Method::POST, &format!("{path}/resend"), None, None).await.json());
    eventually("the second email", sent).await;
    assert_eq!(call(Method::GET, "share-log", None, None).await.status, 200);
    assert_eq!(call(Method::GET, "share-permission", None, None).await.json(), json!({"canShare": true}));
    let ask = json!({"items": [{"module": module, "item": item}]});
    let asked = stack.client.post(format!("{}/share-permissions", stack.info.api_url)).bearer_auth(&token);
    let expected = json!({"permissions": [{"module": module, "item": item, "canShare": true}]});
    assert_eq!(send(asked.json(&ask)).await.json(), expected);

    let mails = emails_to(&stack, &recipient).await;
    assert_eq!(mails.len(), 2);
    for mail in mails {
        assert_eq!(mail.link(), link);
        assert!(mail.text.contains(message.trim_end()), "{}", mail.text);
    }
    // The real time again: S3 knows no other.
    drop(clock);
    for (n, file) in files.iter().enumerate() {
        let (bytes, disposition) = stack.download(&format!("{link}/files/{}", n + 1)).await;
        assert_eq!(String::from_utf8(bytes).unwrap(), *file, "{disposition}");
    }
}

#[tokio::test]
async fn one_more_than_the_limit_is_refused() {
    let stack = Stack::get().await;
    let item = crate::support::TestItem::new(&stack).await;
    let ann = address("ann");
    for (body, place) in [
        (json!({"recipients": [ann], "expiresAt": next_week(), "message": "🧵".repeat(2_001)}), "/message"),
        (json!({"recipients": [ann], "expiresAt": next_week(), "files": ["見".repeat(86)]}), "/files/0"),
    ] {
        let response = item.post(&body).await;
        assert_eq!((response.status, response.error_locations()), (422, vec![place.to_owned()]));
    }
    let long = format!("{}@{}.{}.{}.example", "a".repeat(65), "d".repeat(63), "e".repeat(63), "f".repeat(52));
    let response = item.share(&[&long]).await;
    assert_eq!((response.status, response.problem_type().as_str()), (422, "invalid-recipient"));
}
