//! Requests that are not counted as uses of a link: HEAD requests, prefetches and link previewers. None of
//! them gets a file.

use std::collections::HashMap;

use chrono::TimeDelta;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use reqwest::StatusCode;
use serde_json::{Value, json};
use sharelink_domain::Share;

use crate::archive_routes::{archive_event, make_archives};
use crate::redemption::{assert_protected, assert_uses};
use crate::support::events::link_event;
use crate::support::fixtures::share_builder;
use crate::support::function::Function;
use crate::support::{Aws, Response, Stack, TestItem, World, address, send};

/// The headers with which browsers and apps announce a speculative request.
const PREFETCHES: [(&str, &str); 10] = [
    ("Purpose", "prefetch"),
    ("Purpose", "Prefetch"),
    ("Sec-Purpose", "prefetch"),
    ("Sec-Purpose", "prefetch;prerender"),
    ("Sec-Purpose", "prefetch;anonymous-client-ip"),
    ("Sec-Purpose", "prefetch;prerender;preview"),
    ("Sec-Purpose", "prerender"),
    ("X-Purpose", "preview"),
    ("X-Purpose", "instant, preview"),
    ("X-Moz", "prefetch"),
];

const PREVIEWERS: [&str; 12] = [
    "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
    "Mozilla/5.0 (Windows NT 6.1; WOW64) SkypeUriPreview Preview/0.5",
    "WhatsApp/2.23.20.0 A",
    "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_11_1) AppleWebKit/601.2.4 (KHTML, like Gecko) Version/9.0.1 \
     Safari/601.2.4 facebookexternalhit/1.1 Facebot Twitterbot/1.0",
    "Twitterbot/1.0",
    "TelegramBot (like TwitterBot)",
    "LinkedInBot/1.0 (compatible; Mozilla/5.0; Apache-HttpClient +http://www.linkedin.com)",
    "Mozilla/5.0 (compatible; Discordbot/2.0; +https://discordapp.com)",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "GoogleMessages",
    "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; bingbot/2.0; \
     +http://www.bing.com/bingbot.htm) Chrome/116.0.1938.76 Safari/537.36",
];

/// The headers of arbitrary requests.
const HEADER_NAMES: [&str; 18] = [
    "purpose",
    "sec-purpose",
    "x-purpose",
    "x-moz",
    "user-agent",
    "accept",
    "accept-language",
    "range",
    "if-none-match",
    "if-match",
    "x-http-method-override",
    "x-forwarded-for",
    "sec-fetch-dest",
    "cookie",
    "authorization",
    "idempotency-key",
    "Purpose",
    "USER-AGENT",
];
/// Values that may decide how a request is handled, and others.
const HEADER_VALUES: [&str; 19] = [
    "",
    "prefetch",
    "PREFETCH;prerender",
    "preview",
    "prerender",
    "preload",
    "instant",
    "HEAD",
    "bytes=0-0",
    "*/*",
    "application/json",
    "text/html",
    "Slackbot 1.0",
    "WhatsApp/2",
    "Twitterbot/1.0",
    "Mozilla/5.0",
    "\u{e9}prefetch",
    "prefetch\u{0}",
    "a,b;c=\"prefetch\"",
];

/// Uploads and shares these files for a week, with a title and a message. Returns the share and its link.
async fn share_files(world: &mut World<'_>, files: &[&str]) -> (Share, String) {
    world.upload().await;
    let recipient = address("ann");
    let share = share_builder(&world.item, TimeDelta::days(7), world.now())
        .recipient(&recipient)
        .files(files.iter().copied().map(sharelink_domain::testing::file).collect())
        .message("The secret plan.")
        .title("Spring campaign")
        .notify(true)
        .build();
    let link = world.send_link(&share).await;
    (share, link)
}

async fn uses(world: &World<'_>, share: &Share) -> (u64, u64) {
    let usage = world.read(share).await.unwrap().usage;
    (usage.opens, usage.downloads)
}

async fn archive_downloads_of(world: &World<'_>, share: &Share) -> u64 {
    world.read(share).await.unwrap().usage.archive_downloads
}

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    Link,
    File(usize),
    Archive,
}

async fn request(redeem: &Function, method: &str, link: &str, file: Option<usize>, headers: Value) -> Value {
    redeem.invoke(&link_event(method, link, file, headers)).await.unwrap()
}

/// Asserts that a response refuses a prefetch.
#[track_caller]
fn assert_refused(response: &Response) {
    response.assert_status(503);
    assert_protected(response);
    assert!(!response.headers.contains_key("location"), "{response:?}");
    assert!(!response.text.contains("brief.pdf"), "{response:?}");
}

#[tokio::test]
async fn prefetch_gets_no_file_and_is_not_counted() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let shared = item.share_with(&address("ann")).await;
    let file = format!("{}/files/1", shared.link);

    for (name, value) in PREFETCHES {
        for url in [&shared.link, &file, &format!("{}/", shared.link)] {
            assert_refused(&send(stack.client.get(url).header(name, value)).await);
            let json = stack.client.get(url).header(name, value).header("Accept", "application/json");
            send(json).await.assert_problem(503, "prefetch-refused");
        }
    }
    let repeated = stack.client.get(&shared.link).header("Purpose", "instant").header("Purpose", "prefetch");
    assert_refused(&send(repeated).await);
    let german = stack.client.get(&shared.link).header("Purpose", "prefetch").header("Accept-Language", "de");
    assert!(send(german).await.text.contains("<h1>Öffnen Sie den Link noch einmal</h1>"));
    assert_uses(&item.get_share(&shared.id).await, 0, 0);

    stack.download(&shared.link).await;
    assert_uses(&item.get_share(&shared.id).await, 1, 1);
}

#[tokio::test]
async fn head_gets_a_url_for_head_and_is_not_counted() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let redeem = world.new_function("RedeemLink").await;
    let (share, link) = share_files(&mut world, &["brief.pdf"]).await;
    let aws = Aws::new(&stack);

    for (name, value) in PREFETCHES.into_iter().chain([("Accept", "*/*")]) {
        for file in [None, Some(1)] {
            let response = request(&redeem, "HEAD", &link, file, json!({name: value})).await;
            assert_eq!(response["statusCode"], 302, "{name}: {response}");
            let url = response["headers"]["location"].as_str().unwrap();
            assert_eq!(aws.signed_method(url).await, reqwest::Method::HEAD, "{name}");
            assert_eq!(stack.client.head(url).send().await.unwrap().status(), StatusCode::OK, "{name}");
        }
    }
    assert_eq!(uses(&world, &share).await, (0, 0));
}

/// Whatever a request says about itself, it gets the file only if the share counts it.
#[tokio::test]
async fn url_for_get_exists_only_if_the_share_counted_it() {
    let value = prop_oneof![4 => select(&HEADER_VALUES[..]).prop_map(str::to_owned), 1 => "[ -~]{0,20}"];
    let headers = prop::collection::hash_map(select(&HEADER_NAMES[..]), value, 0..5);
    let target =
        select(vec![Target::Link, Target::File(1), Target::File(2), Target::File(3), Target::Archive]);
    let cases = (any::<bool>(), target, any::<bool>(), headers);
    // Proptest cannot drive async tests, so this test draws cases from proptest's generators.
    let mut runner = TestRunner::deterministic();
    let stack = Stack::get().await;
    let aws = Aws::new(&stack);
    let mut world = World::new(&stack).await;
    let redeem = world.new_function("RedeemLink").await;
    let single = share_files(&mut world, &["brief.pdf"]).await;
    let list = share_files(&mut world, &["brief.pdf", "brief.pdf2"]).await;
    redeem.invoke(&archive_event("GET", &list.1, json!({}))).await.unwrap();
    make_archives(&world).await;
    let mut seen: HashMap<String, usize> = HashMap::new();
    for _ in 0..300 {
        let (is_head, target, has_list, headers) = cases.new_tree(&mut runner).unwrap().current();
        let (share, link) = if has_list { &list } else { &single };
        let method = if is_head { "HEAD" } else { "GET" };
        let before = uses(&world, share).await;

        let event = match target {
            Target::Link => link_event(method, link, None, json!(headers)),
            Target::File(n) => link_event(method, link, Some(n), json!(headers)),
            Target::Archive => archive_event(method, link, json!(headers)),
        };
        let archive_downloads = archive_downloads_of(&world, share).await;

        let response = redeem.invoke(&event).await.unwrap();

        let after = uses(&world, share).await;
        let case = format!("{method} {target:?} {headers:?}: {response}");
        let url = response["headers"]["location"].as_str();
        let signed_for = match url {
            Some(url) => Some(aws.signed_method(url).await),
            None => None,
        };
        let is_counted = signed_for == Some(reqwest::Method::GET);
        // A missing file's download is counted, and then removed from the count.
        assert_eq!(after.1 - before.1, u64::from(is_counted), "{case}");
        let is_archive = is_counted && target == Target::Archive;
        let archive_downloads = archive_downloads_of(&world, share).await - archive_downloads;
        assert_eq!(archive_downloads, u64::from(is_archive), "{case}");
        assert!(is_counted || !response["body"].to_string().contains("X-Amz-"), "{case}");
        assert_eq!(url.is_some(), response["statusCode"] == 302, "{case}");
        let kind = signed_for.map_or_else(|| response["statusCode"].to_string(), |method| method.to_string());
        let kind = if is_archive { "archive".to_owned() } else { kind };
        *seen.entry(kind).or_default() += 1;
    }
    for kind in ["archive", "GET", "HEAD", "200", "503", "404"] {
        assert!(seen.contains_key(kind), "{kind} never occurred: {seen:?}");
    }
}

#[tokio::test]
async fn previewer_gets_a_page_with_the_title_and_no_file() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let redeem = world.new_function("RedeemLink").await;
    let (single, single_link) = share_files(&mut world, &["brief.pdf"]).await;
    let (list, list_link) = share_files(&mut world, &["brief.pdf", "logo.svg"]).await;

    for user_agent in PREVIEWERS {
        for (link, file) in
            [(&single_link, None), (&single_link, Some(1)), (&list_link, None), (&list_link, Some(2))]
        {
            for accept in ["text/html", "application/json", "*/*"] {
                let headers = json!({"user-agent": user_agent, "accept": accept});
                let page = request(&redeem, "GET", link, file, headers.clone()).await;
                let (body, case) = (page["body"].as_str().unwrap(), format!("{user_agent}: {page}"));
                assert_eq!(page["statusCode"], 200, "{case}");
                assert_eq!(page["headers"].get("location"), None, "{case}");
                assert_eq!(page["headers"]["x-robots-tag"], "noindex", "{case}");
                assert!(body.contains("<meta property=\"og:title\" content=\"Spring campaign\">"), "{case}");
                for hidden in ["brief", "logo", "plan", "Tess", "ann", "X-Amz-", "href", "/files/"] {
                    assert!(!body.contains(hidden), "{hidden}: {case}");
                }
                let head = request(&redeem, "HEAD", link, file, headers).await;
                assert_eq!(head["statusCode"], 200, "{head}");
                assert_eq!(head["headers"].get("location"), None, "{head}");
            }
        }
    }
    for share in [&single, &list] {
        assert_eq!(uses(&world, share).await, (0, 0));
        world.run_sweep().await;
        assert!(!world.log_events(share.id).await.contains(&"opened".to_owned()));
    }
}

/// The page for previewers must not make a link that has ended look valid.
#[tokio::test]
async fn previewer_of_a_link_without_access_gets_its_page() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let redeem = world.new_function("RedeemLink").await;
    let (share, link) = share_files(&mut world, &["brief.pdf"]).await;
    let headers = json!({"user-agent": PREVIEWERS[0]});
    let forged = &link[..link.len() - 1];
    assert_eq!(request(&redeem, "GET", forged, None, headers.clone()).await["statusCode"], 404);
    assert_eq!(request(&redeem, "GET", &link, Some(2), headers.clone()).await["statusCode"], 404);
    world.revoke(&share).await;
    let ended = request(&redeem, "GET", &link, None, headers).await;
    assert_eq!(ended["statusCode"], 410);
    assert!(!ended["body"].as_str().unwrap().contains("Spring"), "{ended}");
}

#[tokio::test]
async fn preview_without_a_title_has_a_generic_one() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let shared = item.share_with(&address("ann")).await;

    let page = send(stack.client.get(&shared.link).header("User-Agent", PREVIEWERS[0])).await;

    page.assert_status(200);
    assert_protected(&page);
    assert!(page.text.contains("<title>Shared files</title>"), "{}", page.text);
    assert!(!page.text.contains("brief.pdf"), "{}", page.text);
    assert_uses(&item.get_share(&shared.id).await, 0, 0);
}

/// Programs that only follow links, such as mail scanners and URL scanners, then never get the file.
#[tokio::test]
async fn page_of_a_single_file_is_shown_if_the_deployment_says_so() {
    let stack = Stack::get().await;
    let mut world = World::with_variables(&stack, &[("ALWAYS_SHOW_PAGE", "true")]).await;
    let redeem = world.new_function("RedeemLink").await;
    let (share, link) = share_files(&mut world, &["brief.pdf"]).await;

    let page = request(&redeem, "GET", &link, None, json!({"user-agent": "python-requests/2.31.0"})).await;
    assert_eq!(page["statusCode"], 200, "{page}");
    let body = page["body"].as_str().unwrap();
    let token = link.rsplit('/').next().unwrap();
    for part in
        ["Tess</bdi> shared a file with you", "1 file, ", "The secret plan.", &format!("{token}/files/1")]
    {
        assert!(body.contains(part), "{part}: {body}");
    }
    assert_eq!(uses(&world, &share).await, (1, 0));
    assert_eq!(request(&redeem, "HEAD", &link, None, json!({})).await["statusCode"], 200);
    let list = request(&redeem, "GET", &link, None, json!({"accept": "application/json"})).await;
    let list: Value = serde_json::from_str(list["body"].as_str().unwrap()).unwrap();
    assert_eq!(list["files"][0]["name"], "brief.pdf");
    assert_eq!(uses(&world, &share).await, (2, 0));

    let file = request(&redeem, "GET", &link, Some(1), json!({})).await;
    assert_eq!(file["statusCode"], 302, "{file}");
    assert_eq!(uses(&world, &share).await, (2, 1));
    world.run_sweep().await;
    let events = world.log_events(share.id).await;
    let uses: Vec<&str> = events.iter().map(String::as_str).filter(|event| event.ends_with("ed")).collect();
    assert_eq!(uses, ["created", "opened", "opened", "downloaded", "emailed"]);
}
