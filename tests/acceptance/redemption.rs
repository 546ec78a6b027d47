//! Redemption: the redirect, page or error that a recipient gets from a link.

use chrono::{DateTime, NaiveDateTime, Utc};
use reqwest::{Method, Url};
use serde_json::Value;

use crate::support::{Aws, Response, Stack, TestItem, address, send};

/// Asserts that a response has the security headers required for every response to a recipient.
#[track_caller]
pub(crate) fn assert_protected(response: &Response) {
    assert_eq!(response.header("cache-control"), "no-store");
    assert_eq!(response.header("referrer-policy"), "no-referrer");
    assert_eq!(response.header("x-robots-tag"), "noindex");
    let policy = response.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
}

#[track_caller]
pub(crate) fn assert_uses(share: &Value, opens: u64, downloads: u64) {
    assert_eq!(share["opens"], opens, "opens");
    assert_eq!(share["downloads"], downloads, "downloads");
}

#[tokio::test]
async fn link_downloads_the_file_repeatedly_without_login() {
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
    assert_uses(&share, 4, 4);
    let time = |name: &str| share[name].as_str().unwrap().parse::<DateTime<Utc>>().unwrap();
    assert!(time("firstOpenedAt") < time("lastOpenedAt"));
    assert_eq!(share["version"], 1, "counting a use does not change the version");
}

#[tokio::test]
async fn downloaded_bytes_equal_uploaded_bytes() {
    let stack = Stack::get().await;
    let item = TestItem::with_files(&stack, &[]).await;
    let bytes: Vec<u8> = (0..100_000_u32).flat_map(|i| i.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    Aws::new(&stack).upload(&item.key("scan.bin"), &bytes).await;
    let shared = item.share_with(&address("ann")).await;

    let (downloaded, _) = stack.download(&shared.link).await;

    assert!(downloaded == bytes, "the downloaded bytes differ from the uploaded bytes");
}

#[tokio::test]
async fn url_is_signed_at_redemption_and_valid_for_at_most_a_minute() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let shared = item.share_with(&address("ann")).await;

    let before = Utc::now();
    let redirect = stack.open(&shared.link).await;
    let after = Utc::now();

    let url = Url::parse(redirect.header("location")).unwrap();
    let parameter = |name| url.query_pairs().find(|(key, _)| key == name).unwrap().1.into_owned();
    let signed = NaiveDateTime::parse_from_str(&parameter("X-Amz-Date"), "%Y%m%dT%H%M%SZ").unwrap().and_utc();
    // The signature's timestamp has one-second precision.
    assert!(before.timestamp() <= signed.timestamp(), "signed at {signed}, requested at {before}");
    assert!(signed <= after, "signed at {signed}, received at {after}");
    // The minute begins when the function read the switches, at most 15 seconds ago.
    assert!((45..=60).contains(&parameter("X-Amz-Expires").parse::<u64>().unwrap()), "{url}");
}

#[tokio::test]
async fn revocation_takes_effect_immediately_for_one_recipient() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let (ann, bob) = (address("ann"), address("bob"));
    let anns_share = item.share_with(&ann).await;
    let bobs_share = item.share_with(&bob).await;
    stack.open(&anns_share.link).await.assert_status(302);

    let first = item.revoke(&anns_share.id).await;
    first.assert_status(200);
    assert_eq!(first.header("etag"), "\"2\"");
    assert_eq!(first.json()["status"], "inactive");
    assert_eq!(first.json()["reason"], "revoked");
    stack.open(&anns_share.link).await.assert_status(410);

    let second = item.revoke(&anns_share.id).await;
    second.assert_status(200);
    assert_eq!(second.json(), first.json(), "revoking is idempotent");

    assert_eq!(item.list_recipients("active").await, [bob]);
    assert_eq!(item.list_recipients("inactive").await, [ann]);
    stack.open(&bobs_share.link).await.assert_status(302);
}

#[tokio::test]
async fn invalid_tokens_and_file_numbers_get_the_same_404_page() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let shared = item.share_with(&address("ann")).await;
    let (base, token) = shared.link.rsplit_once('/').unwrap();
    let truncated = &token[..token.len() - 1];
    let extended = format!("{token}A");
    let mut altered = token.to_owned();
    let middle = token.len() / 2;
    altered.replace_range(middle..=middle, if &token[middle..=middle] == "A" { "B" } else { "A" });

    let mut pages = Vec::new();
    for token in ["x", "AQJrMQ", truncated, &altered, &extended, "%00", "%C3%9C", "a%20b"] {
        let response = stack.open(&format!("{base}/{token}")).await;
        assert_eq!(response.status, 404, "{token}: {response:?}");
        assert_protected(&response);
        pages.push(response.text);
    }
    for n in ["0", "2", "-1", "01", "+1", "x", "99999999999999999999999"] {
        let response = stack.open(&format!("{}/files/{n}", shared.link)).await;
        assert_eq!(response.status, 404, "{n}: {response:?}");
        pages.push(response.text);
    }

    pages.dedup();
    assert_eq!(pages.len(), 1, "{pages:?}");
    assert!(pages[0].contains("This link does not work"), "{}", pages[0]);
    assert_uses(&item.get_share(&shared.id).await, 0, 0);
}

#[tokio::test]
async fn missing_file_returns_404_until_it_is_restored() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let shared = item.share_with(&address("ann")).await;

    Aws::new(&stack).delete(&item.key("brief.pdf")).await;
    for method in [Method::GET, Method::HEAD] {
        let missing = send(stack.client.request(method, &shared.link)).await;
        missing.assert_status(404);
        assert_protected(&missing);
    }
    let page = stack.open(&shared.link).await;
    assert!(page.text.contains("not available right now"), "{page:?}");

    item.upload("brief.pdf").await;
    let (bytes, _) = stack.download(&shared.link).await;
    assert_eq!(bytes, b"brief.pdf");
}

#[tokio::test]
async fn link_to_several_files_shows_a_page_that_lists_them() {
    let stack = Stack::get().await;
    let quoted = "Ünï \"a\";b.pdf";
    let markup = "<b>&amp;.txt";
    let shared_files = [markup, "a.txt", quoted];
    let item = TestItem::with_files(&stack, &["a.txt", markup, quoted]).await;
    let shared = item.share_with(&address("ann")).await;
    item.upload("later.txt").await;

    let page = stack.open(&shared.link).await;
    page.assert_status(200);
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    assert_protected(&page);
    assert!(page.text.contains("&#60;b&#62;&#38;amp;.txt"), "{}", page.text);
    assert!(!page.text.contains("<b>"), "{}", page.text);
    assert!(!page.text.contains("later.txt"), "a file uploaded after sharing must not be listed");

    // The page's links are relative. Resolve them as a browser does.
    let base = Url::parse(&shared.link).unwrap();
    let mut downloads = Vec::new();
    let hrefs = page.text.split("href=\"").skip(1).map(|rest| rest.split('"').next().unwrap());
    for href in hrefs.filter(|href| !href.ends_with("/emails")) {
        downloads.push(stack.download(base.join(href).unwrap().as_str()).await);
    }
    let (archive, _) = downloads.remove(0);
    assert!(archive.starts_with(b"PK"), "all files come first");
    let contents: Vec<&[u8]> = downloads.iter().map(|(bytes, _)| bytes.as_slice()).collect();
    assert_eq!(contents, shared_files.map(str::as_bytes));
    let (_, quoted_disposition) = &downloads[2];
    assert_eq!(
        quoted_disposition,
        "attachment; filename=\"_n_ _a_;b.pdf\"; filename*=UTF-8''%C3%9Cn%C3%AF%20%22a%22%3Bb.pdf"
    );

    let list = send(stack.client.get(&shared.link).header("Accept", "application/json")).await;
    let list_body = list.json();
    let files = list_body["files"].as_array().unwrap().iter();
    assert_eq!(files.map(|file| file["name"].as_str().unwrap()).collect::<Vec<_>>(), shared_files);
    assert_protected(&list);
    assert_uses(&item.get_share(&shared.id).await, 2, 4);
}

#[tokio::test]
async fn client_that_accepts_json_gets_a_json_problem() {
    let stack = Stack::get().await;
    let url = format!("{}/s/x", stack.info.api_url);
    let response = send(stack.client.get(url).header("Accept", "application/json")).await;
    response.assert_problem(404, "unknown-link");
    assert_protected(&response);
}
