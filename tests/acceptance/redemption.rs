//! What a recipient gets for a link.

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::support::{Response, Stack, TestItem, address, send};

/// What every answer to a recipient carries.
fn assert_protected(response: &Response) {
    assert_eq!(response.header("cache-control"), "no-store");
    assert_eq!(response.header("referrer-policy"), "no-referrer");
    assert_eq!(response.header("x-robots-tag"), "noindex");
    assert!(response.header("content-security-policy").starts_with("default-src 'none'; style-src 'sha256-"));
}

#[tokio::test]
async fn a_link_gives_the_file_again_and_again_without_a_login() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let shared = item.share_with(&address("ann")).await;
    for _ in 0..3 {
        let (bytes, disposition) = stack.download(&shared.link).await;
        assert_eq!(bytes, b"brief.pdf");
        assert_eq!(disposition, "attachment; filename=\"brief.pdf\"; filename*=UTF-8''brief.pdf");
    }
    assert_protected(&stack.open(&shared.link).await);
    let share = item.get_share(&shared.id).await;
    assert_eq!((&share["opens"], &share["downloads"]), (&json!(4), &json!(4)));
    let at = |name: &str| share[name].as_str().unwrap().parse::<DateTime<Utc>>().unwrap();
    assert!(at("firstOpenedAt") < at("lastOpenedAt"));
    // Counting is no change of the share.
    assert_eq!(share["version"], 1);
}

#[tokio::test]
async fn every_byte_of_a_file_comes_back() {
    let stack = Stack::get().await;
    let item = TestItem::with_files(&stack, &[]).await;
    let bytes: Vec<u8> = (0..100_000_u32).flat_map(|i| i.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    crate::support::Aws::new(&stack).upload(&item.key("scan.bin"), &bytes).await;
    let shared = item.share_with(&address("ann")).await;
    assert!(stack.download(&shared.link).await.0 == bytes);
}

#[tokio::test]
async fn a_signed_url_is_as_old_as_the_decision() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let shared = item.share_with(&address("ann")).await;
    let before = Utc::now();
    let url = reqwest::Url::parse(stack.open(&shared.link).await.header("location")).unwrap();
    let after = Utc::now();
    let parameter = |name| url.query_pairs().find(|(key, _)| key == name).unwrap().1.into_owned();
    let signed = NaiveDateTime::parse_from_str(&parameter("X-Amz-Date"), "%Y%m%dT%H%M%SZ").unwrap().and_utc();
    assert!(before.timestamp() <= signed.timestamp() && signed <= after, "{before} {signed} {after}");
    assert_eq!(parameter("X-Amz-Expires"), "60");
}

#[tokio::test]
async fn revoking_works_at_once_and_for_that_recipient_alone() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let (ann, bob) = (address("ann"), address("bob"));
    let (anns, bobs) = (item.share_with(&ann).await, item.share_with(&bob).await);
    assert_eq!(stack.open(&anns.link).await.status, 302);

    let first = item.revoke(&anns.id).await;
    assert_eq!((first.status, first.header("etag")), (200, "\"2\""), "{first:?}");
    assert_eq!((&first.json()["status"], &first.json()["reason"]), (&json!("inactive"), &json!("revoked")));
    assert_eq!(stack.open(&anns.link).await.status, 410);
    let again = item.revoke(&anns.id).await;
    assert_eq!((again.status, again.json()), (200, first.json()));

    assert_eq!(
        (item.list_recipients("active").await, item.list_recipients("inactive").await),
        (vec![bob], vec![ann])
    );
    assert_eq!(stack.open(&bobs.link).await.status, 302);
}

#[tokio::test]
async fn what_is_no_link_is_unknown() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let shared = item.share_with(&address("ann")).await;
    let (base, token) = shared.link.rsplit_once('/').unwrap();
    let mut altered = token.to_owned();
    let middle = token.len() / 2;
    altered.replace_range(middle..=middle, if &token[middle..=middle] == "A" { "B" } else { "A" });
    let unknown =
        ["x", "AQJrMQ", &token[..token.len() - 1], &altered, &format!("{token}A"), "%00", "%C3%9C", "a%20b"];
    let mut pages = Vec::new();
    for token in unknown {
        let response = stack.open(&format!("{base}/{token}")).await;
        assert_eq!(response.status, 404, "{token}: {response:?}");
        assert_protected(&response);
        pages.push(response.text);
    }
    for n in ["0", "2", "-1", "01", "+1", "x", "99999999999999999999999"] {
        let response = stack.open(&format!("{}/files/{n}", shared.link)).await;
        assert_eq!(response.status, 404, "{n}");
        pages.push(response.text);
    }
    pages.dedup();
    assert_eq!(pages.len(), 1);
    assert!(pages[0].contains("This link does not work"));
    let share = item.get_share(&shared.id).await;
    assert_eq!((&share["opens"], &share["downloads"]), (&json!(0), &json!(0)));
}

#[tokio::test]
async fn expired_and_revoked_links_look_the_same_and_name_nobody() {
    let (stack, clock) = Stack::with_clock().await;
    let item = TestItem::new(&stack).await;
    let expired = item.share_with(&address("ann")).await;
    let revoked = item.share_with(&address("bob")).await;
    item.revoke(&revoked.id).await;
    clock.stop_at(Utc::now() + TimeDelta::days(8));

    let (expired, revoked) = (stack.open(&expired.link).await, stack.open(&revoked.link).await);
    assert_eq!((expired.status, revoked.status), (410, 410));
    assert_eq!(expired.text, revoked.text);
    assert_protected(&expired);
    for word in ["Tess", "ann", "brief", "jobs", "revoked", "expired"] {
        assert!(!expired.text.contains(word), "{word}");
    }
}

#[tokio::test]
async fn head_and_prefetch_are_answered_and_not_counted() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let shared = item.share_with(&address("ann")).await;

    let head = send(stack.client.head(&shared.link)).await;
    assert_eq!(head.status, 302);
    assert_protected(&head);
    let file = stack.client.head(head.header("location")).send().await.unwrap();
    assert_eq!(file.status(), StatusCode::OK);
    for (name, value) in
        [("Purpose", "prefetch"), ("Sec-Purpose", "prefetch;prerender"), ("X-Moz", "prefetch")]
    {
        let prefetched = send(stack.client.get(&shared.link).header(name, value)).await;
        assert_eq!(prefetched.status, 302, "{name}");
    }
    stack.download(&shared.link).await;
    let share = item.get_share(&shared.id).await;
    assert_eq!((&share["opens"], &share["downloads"]), (&json!(1), &json!(1)));
}

#[tokio::test]
async fn a_file_that_is_gone_has_a_page_until_it_is_back() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let shared = item.share_with(&address("ann")).await;
    let aws = crate::support::Aws::new(&stack);

    aws.delete(&item.key("brief.pdf")).await;
    for method in [Method::GET, Method::HEAD] {
        let missing = send(stack.client.request(method, &shared.link)).await;
        assert_eq!(missing.status, 404);
        assert_protected(&missing);
    }
    assert!(stack.open(&shared.link).await.text.contains("not there right now"));

    item.upload("brief.pdf").await;
    assert_eq!(stack.download(&shared.link).await.0, b"brief.pdf");
}

#[tokio::test]
async fn several_files_are_a_page_of_those_that_were_shared() {
    let stack = Stack::get().await;
    let odd = "Ünï \"a\";b.pdf";
    let markup = "<b>&amp;.txt";
    let item = TestItem::with_files(&stack, &["a.txt", markup, odd]).await;
    let shared = item.share_with(&address("ann")).await;
    item.upload("later.txt").await;

    let page = stack.open(&shared.link).await;
    assert_eq!((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"));
    assert_protected(&page);
    assert!(page.text.contains("&#60;b&#62;&#38;amp;.txt") && !page.text.contains("<b>"), "{}", page.text);
    assert!(!page.text.contains("later.txt"));

    // The page's links are relative; a browser resolves them like this.
    let base = reqwest::Url::parse(&shared.link).unwrap();
    let hrefs: Vec<&str> =
        page.text.split("href=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    let mut files = Vec::new();
    for href in hrefs {
        files.push(stack.download(base.join(href).unwrap().as_str()).await);
    }
    let bytes: Vec<&[u8]> = files.iter().map(|(bytes, _)| bytes.as_slice()).collect();
    assert_eq!(bytes, [markup, "a.txt", odd].map(str::as_bytes));
    assert_eq!(
        files[2].1,
        "attachment; filename=\"_n_ _a_;b.pdf\"; filename*=UTF-8''%C3%9Cn%C3%AF%20%22a%22%3Bb.pdf"
    );

    let json = send(stack.client.get(&shared.link).header("Accept", "application/json")).await;
    let names: Vec<String> = json.json()["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| f["name"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(names, [markup, "a.txt", odd]);
    assert_protected(&json);
    let share = item.get_share(&shared.id).await;
    assert_eq!((&share["opens"], &share["downloads"]), (&json!(2), &json!(3)));
}

#[tokio::test]
async fn a_client_that_asks_for_json_gets_its_problems_in_json() {
    let stack = Stack::get().await;
    let url = format!("{}/s/x", stack.info.api_url);
    let response = send(stack.client.get(url).header("Accept", "application/json")).await;
    assert_eq!((response.status, response.problem_type().as_str()), (404, "unknown-link"));
    assert_protected(&response);
}
