//! Downloads of all files at once: the routes of archives, what they count and whom they refuse.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use chrono::TimeDelta;
use futures_util::future::join_all;
use reqwest::{Method, StatusCode, Url};
use serde_json::{Value, json};
use sharelink_aws::new_write_id;
use sharelink_domain::testing::permitted;
use sharelink_domain::{ObjectKey, Share, SharedFile, testing};
use tokio::sync::oneshot;

use crate::support::events::api_event;
use crate::support::fixtures::{RETENTION, index_hashes, share_builder};
use crate::support::function::Function;
use crate::support::proxy::Fault;
use crate::support::{Aws, Response, Stack, TestItem, World, address, eventually, send, unique};

/// More requests than any test sends.
const ALL: usize = 1000;

const JSON: (&str, &str) = ("accept", "application/json");

/// Returns the event for a request for the archive of a link's files, with these request headers.
pub(crate) fn archive_event(method: &str, link: &str, headers: Value) -> Value {
    let token = link.rsplit('/').next().unwrap();
    let mut event =
        api_event(&format!("{method} /s/{{token}}/archive"), &json!({"token": token}), &Value::Null);
    event["headers"] = headers;
    event
}

/// Uploads these files, each with its name as content, and shares them for a week. Returns the share and its
/// link.
async fn share_files(world: &mut World<'_>, files: &[&str]) -> (Share, String) {
    world.upload().await;
    let aws = Aws::new(world.stack);
    for file in files {
        aws.upload(&file_key(world, file), file.as_bytes()).await;
    }
    share_listed(world, files.iter().copied().map(testing::file).collect(), "").await
}

async fn share_listed(world: &mut World<'_>, files: Vec<SharedFile>, title: &str) -> (Share, String) {
    let recipient = address("ann");
    let builder =
        share_builder(&world.item, TimeDelta::days(7), world.now()).recipient(&recipient).files(files);
    let builder = if title.is_empty() { builder } else { builder.title(title) };
    let share = builder.notify(true).build();
    world
        .table
        .create(permitted(&share), index_hashes(&share), RETENTION, new_write_id().unwrap())
        .await
        .unwrap();
    world.run_notify().await;
    let [link] = world.links_to(&recipient).await.try_into().unwrap();
    (share, link)
}

fn file_key(world: &World<'_>, file: &str) -> String {
    world.stack.info.file_key(&world.item.to_string(), file)
}

async fn get(redeem: &Function, link: &str) -> Value {
    redeem.invoke(&archive_event("GET", link, json!({JSON.0: JSON.1}))).await.unwrap()
}

/// Runs the function that makes archives once for each archive that is requested in this world.
pub(crate) async fn make_archives(world: &World<'_>) {
    let make = world.new_function("ArchiveFiles").await;
    for id in requested_archives(world).await {
        let record = json!({
            "messageId": unique("message"), "receiptHandle": "handle", "body": id, "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:ArchiveQueue", "awsRegion": "us-east-1",
            "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": "0",
                           "ApproximateFirstReceiveTimestamp": "0", "SenderId": "x"},
            "messageAttributes": {}, "md5OfBody": "",
        });
        let response = make.invoke(&json!({"Records": [record]})).await.unwrap();
        assert_eq!(response, json!({"batchItemFailures": []}), "{}", make.output());
    }
}

/// Returns the ids of the archives that are requested in this world.
async fn requested_archives(world: &World<'_>) -> BTreeSet<String> {
    let tables = world.aws().scan_tables().await;
    tables
        .split("ARCHIVE#")
        .skip(1)
        .map(|rest| rest.chars().take_while(char::is_ascii_hexdigit).collect())
        .collect()
}

/// Returns how often the share was opened and downloaded, and how many downloads were of all files.
async fn uses(world: &World<'_>, share: &Share) -> (u64, u64, u64) {
    let usage = world.read(share).await.unwrap().usage;
    (usage.opens, usage.downloads, usage.archive_downloads)
}

fn body(response: &Value) -> Value {
    serde_json::from_str(response["body"].as_str().unwrap()).unwrap()
}

#[track_caller]
fn location(response: &Value) -> &str {
    assert_eq!(response["statusCode"], 302, "{response}");
    response["headers"]["location"].as_str().unwrap()
}

#[track_caller]
fn assert_problem(response: &Value, status: u16, problem_type: &str) {
    assert_eq!(response["statusCode"], status, "{response}");
    assert_eq!(body(response)["type"], format!("/problems/{problem_type}"), "{response}");
    assert!(response["headers"].get("location").is_none(), "{response}");
}

/// Returns the names and contents of an archive's entries, in order. Checks the archive with Python's reader.
fn entries(archive: &[u8]) -> Vec<(String, Vec<u8>)> {
    const READ: &str = "import json, sys, zipfile\n\
        archive = zipfile.ZipFile(sys.argv[1])\n\
        print(json.dumps([[name, list(archive.read(name))] for name in archive.namelist()]))";
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(unique("archive"));
    std::fs::write(&file, archive).unwrap();
    let output = Command::new("python3").args(["-c", READ]).arg(&file).output().unwrap();
    std::fs::remove_file(&file).unwrap();
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"))
}

fn own_names(names: &[&str]) -> Vec<(String, Vec<u8>)> {
    names.iter().map(|name| ((*name).to_owned(), name.as_bytes().to_vec())).collect()
}

/// Opens the archive's URL until the archive is ready.
async fn open_archive(stack: &Stack, link: &str) -> Response {
    eventually("the archive", async || {
        let response = stack.open(&format!("{link}/archive")).await;
        if response.status == 202 {
            return None;
        }
        response.assert_status(302);
        Some(response)
    })
    .await
}

#[tokio::test]
async fn archive_has_all_files_and_counts_as_one_download() {
    let stack = Stack::get().await;
    let names = ["a.txt", "Ünï \"a\";b.pdf", "a:b.txt"];
    let item = TestItem::with_files(&stack, &names).await;
    let shared = item.share_with(&address("ann")).await;

    let list = send(stack.client.get(&shared.link).header(JSON.0, JSON.1)).await;
    let href = list.json()["archiveHref"].as_str().unwrap().to_owned();
    let url = Url::parse(&shared.link).unwrap().join(&href).unwrap();
    assert_eq!(url.as_str(), format!("{}/archive", shared.link));
    let ready = open_archive(&stack, &shared.link).await;
    let download = stack.client.get(ready.header("location")).send().await.unwrap();

    let disposition = download.headers()["content-disposition"].to_str().unwrap().to_owned();
    assert!(disposition.starts_with("attachment; filename=\""), "{disposition}");
    assert!(disposition.contains(".zip\""), "{disposition}");
    let archive = download.bytes().await.unwrap();
    let found: BTreeSet<String> = entries(&archive).into_iter().map(|(name, _)| name).collect();
    let expected = ["a.txt", "Ünï _a_;b.pdf", "a_b.txt"].map(str::to_owned);
    assert_eq!(found, BTreeSet::from(expected));
    for name in names {
        let (bytes, _) = stack.download(&format!("{}/files/{}", shared.link, position(&list, name))).await;
        assert!(entries(&archive).iter().any(|(_, content)| *content == bytes), "{name}");
    }

    let share = item.get_share(&shared.id).await;
    assert_eq!(
        (&share["opens"], &share["downloads"], &share["archiveDownloads"]),
        (&json!(1), &json!(4), &json!(1))
    );
    let log = item.wait_for_log(7).await;
    let all: Vec<&Value> = log.iter().filter(|entry| entry["event"] == "downloadedAll").collect();
    assert_eq!(all.len(), 1, "{log:?}");
    assert_eq!(all[0]["number"], 1);
}

fn position(list: &Response, name: &str) -> usize {
    list.json()["files"].as_array().unwrap().iter().position(|file| file["name"] == name).unwrap() + 1
}

/// Browsers, `curl -C -` and download programs continue where a download stopped.
#[tokio::test]
async fn interrupted_download_continues_with_a_new_url() {
    let stack = Stack::get().await;
    let item = TestItem::with_files(&stack, &["a.txt", "b.txt"]).await;
    let shared = item.share_with(&address("ann")).await;
    let range = async |range: &str| {
        let url = open_archive(&stack, &shared.link).await.header("location").to_owned();
        let part = stack.client.get(url).header("Range", range).send().await.unwrap();
        assert_eq!(part.status(), StatusCode::PARTIAL_CONTENT);
        (part.headers()["etag"].clone(), part.bytes().await.unwrap())
    };
    let (first_tag, first) = range("bytes=0-49").await;
    let (second_tag, second) = range("bytes=50-").await;
    assert_eq!(first_tag, second_tag);
    assert_eq!(entries(&[first, second].concat()).len(), 2);
    assert_eq!(item.get_share(&shared.id).await["archiveDownloads"], 2, "as for a file");
}

#[tokio::test]
async fn waiting_response_says_how_far_and_is_not_counted() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let redeem = world.new_function("RedeemLink").await;
    let (share, link) = share_files(&mut world, &["a.txt", "b.txt"]).await;

    let page = redeem.invoke(&archive_event("GET", &link, json!({"accept": "text/html"}))).await.unwrap();
    assert_eq!(page["statusCode"], 202, "{page}");
    let headers = &page["headers"];
    assert_eq!((&headers["refresh"], &headers["retry-after"]), (&json!("3"), &json!("3")));
    assert_eq!(headers["cache-control"], "no-store");
    let html = page["body"].as_str().unwrap();
    for part in
        ["<title>0% – Preparing your download</title>", "0 B of 10 B", "<progress max=\"100\" value=\"0\""]
    {
        assert!(html.contains(part), "{part}: {html}");
    }
    assert!(!html.contains("<script"), "{html}");
    let german = json!({"accept": "text/html", "accept-language": "de"});
    let page = redeem.invoke(&archive_event("GET", &link, german)).await.unwrap();
    assert!(page["body"].as_str().unwrap().contains("<h1>Ihr Download wird vorbereitet</h1>"), "{page}");
    assert_eq!(body(&get(&redeem, &link).await), json!({"bytesDone": 0, "bytes": 10}));

    assert_eq!(requested_archives(&world).await.len(), 1);
    assert_eq!(uses(&world, &share).await, (0, 0, 0));
    make_archives(&world).await;
    location(&get(&redeem, &link).await);
    assert_eq!(uses(&world, &share).await, (0, 1, 1));
    world.run_sweep().await;
    assert_eq!(world.log_events(share.id).await, ["created", "downloadedAll", "emailed"]);
}

#[tokio::test]
async fn ready_archive_has_a_short_lived_url_with_a_name() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let redeem = world.new_function("RedeemLink").await;
    let (_, link) = share_files(&mut world, &["art.pdf", "b.txt"]).await;
    let files = vec![testing::file("art.pdf"), testing::file("b.txt")];
    let (titled, titled_link) = share_listed(&mut world, files, "Spring / \"Summer\", 2026").await;
    get(&redeem, &link).await;
    make_archives(&world).await;
    assert_eq!(requested_archives(&world).await.len(), 0, "both shares have the same files");

    for (link, name) in [(&link, "art.zip"), (&titled_link, "Spring _ _Summer_, 2026.zip")] {
        let response = get(&redeem, link).await;
        let url = location(&response);
        assert!(url.contains("X-Amz-Expires=60&"), "{url}");
        assert_eq!(Aws::new(&stack).signed_method(url).await, Method::GET);
        let download = stack.client.get(url).send().await.unwrap();
        let disposition = download.headers()["content-disposition"].to_str().unwrap().to_owned();
        assert!(disposition.contains(&format!("filename=\"{name}\"")), "{disposition}");
        assert_eq!(entries(&download.bytes().await.unwrap()), own_names(&["art.pdf", "b.txt"]));
    }
    world.expire_in(&titled, TimeDelta::seconds(10)).await;
    let response = get(&redeem, &titled_link).await;
    assert!(location(&response).contains("X-Amz-Expires=10&"), "{response}");
}

#[tokio::test]
async fn head_neither_counts_nor_requests_an_archive() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let redeem = world.new_function("RedeemLink").await;
    let (share, link) = share_files(&mut world, &["a.txt", "b.txt"]).await;
    let head = archive_event("HEAD", &link, json!({}));

    assert_eq!(redeem.invoke(&head).await.unwrap()["statusCode"], 202);
    assert_eq!(requested_archives(&world).await.len(), 0);
    get(&redeem, &link).await;
    make_archives(&world).await;
    let response = redeem.invoke(&head).await.unwrap();
    assert_eq!(Aws::new(&stack).signed_method(location(&response)).await, Method::HEAD);
    assert_eq!(uses(&world, &share).await, (0, 0, 0));
}

#[tokio::test]
async fn previewers_and_prefetches_get_no_archive() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let redeem = world.new_function("RedeemLink").await;
    let (share, link) = share_files(&mut world, &["a.txt", "b.txt"]).await;
    let preview = archive_event("GET", &link, json!({"user-agent": "Slackbot-LinkExpanding 1.0"}));
    let prefetch = archive_event("GET", &link, json!({"sec-purpose": "prefetch"}));
    for _ in 0..2 {
        let page = redeem.invoke(&preview).await.unwrap();
        assert_eq!(page["statusCode"], 200, "{page}");
        assert!(!page["body"].as_str().unwrap().contains("a.txt"), "{page}");
        assert_eq!(redeem.invoke(&prefetch).await.unwrap()["statusCode"], 503);
        // The second time, the archive is ready.
        get(&redeem, &link).await;
        make_archives(&world).await;
    }
    assert_eq!(uses(&world, &share).await.0, 0);
    assert_eq!(uses(&world, &share).await.1, 1, "only the second GET got the archive");
}

#[tokio::test]
async fn ended_share_has_no_archive() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let redeem = world.new_function("RedeemLink").await;
    let (revoked, revoked_link) = share_files(&mut world, &["a.txt", "b.txt"]).await;
    let (expired, expired_link) = share_files(&mut world, &["a.txt", "b.txt"]).await;
    let (renewed, renewed_link) = share_files(&mut world, &["a.txt", "b.txt"]).await;
    get(&redeem, &revoked_link).await;
    for is_ready in [false, true] {
        if is_ready {
            world.expire_in(&revoked, TimeDelta::days(1)).await;
            make_archives(&world).await;
            location(&get(&redeem, &revoked_link).await);
        }
        world.revoke(&revoked).await;
        world.expire_in(&expired, TimeDelta::milliseconds(999)).await;
        world.renew(&renewed, false).await;
        assert_problem(&get(&redeem, &revoked_link).await, 410, "access-ended");
        assert_problem(&get(&redeem, &expired_link).await, 410, "access-ended");
        assert_problem(&get(&redeem, &renewed_link).await, 404, "unknown-link");
        let forged = &revoked_link[..revoked_link.len() - 1];
        assert_problem(&get(&redeem, forged).await, 404, "unknown-link");
    }
    assert_eq!(uses(&world, &expired).await, (0, 0, 0));
}

/// The conditional update decides, not the earlier read.
#[tokio::test]
async fn revocation_while_an_archive_is_looked_up_decides() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let redeem = world.new_function("RedeemLink").await;
    let (share, link) = share_files(&mut world, &["a.txt", "b.txt"]).await;
    get(&redeem, &link).await;
    make_archives(&world).await;
    let (held, is_held) = oneshot::channel();
    let (release, released) = oneshot::channel();
    world.s3.inject_once(&["method: HEAD", "archives/"], Fault::Pause(held, released));

    let opening = get(&redeem, &link);
    let revoking = async {
        is_held.await.unwrap();
        world.revoke(&share).await;
        release.send(()).unwrap();
    };
    let (response, ()) = futures_util::future::join(opening, revoking).await;

    assert_problem(&response, 410, "access-ended");
    assert_eq!(uses(&world, &share).await, (0, 0, 0));
}

#[tokio::test]
async fn share_of_a_single_file_has_no_archive() {
    let stack = Stack::get().await;
    let mut world = World::with_variables(&stack, &[("ALWAYS_SHOW_PAGE", "true")]).await;
    let redeem = world.new_function("RedeemLink").await;
    let (share, link) = share_files(&mut world, &["a.txt"]).await;
    assert_problem(&get(&redeem, &link).await, 404, "unknown-link");
    assert_eq!(uses(&world, &share).await, (0, 0, 0));
    assert_eq!(requested_archives(&world).await.len(), 0);
    assert!(!list_page(&redeem, &link).await.contains("/archive"));
}

async fn list_page(redeem: &Function, link: &str) -> String {
    let event = crate::support::events::open_event(link);
    redeem.invoke(&event).await.unwrap()["body"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn deployment_without_archives_offers_none() {
    let stack = Stack::get().await;
    for (variable, value) in [("MAX_ARCHIVE_GIGABYTES", "0"), ("MAX_ARCHIVE_FILES", "0")] {
        let mut world = World::with_variables(&stack, &[(variable, value)]).await;
        let redeem = world.new_function("RedeemLink").await;
        let (share, link) = share_files(&mut world, &["a.txt", "b.txt"]).await;
        assert_problem(&get(&redeem, &link).await, 404, "unknown-link");
        let preview = archive_event("GET", &link, json!({"user-agent": "Slackbot-LinkExpanding 1.0"}));
        assert_eq!(redeem.invoke(&preview).await.unwrap()["statusCode"], 404);
        let page = list_page(&redeem, &link).await;
        assert!(!page.contains("/archive"), "{page}");
        assert_eq!(uses(&world, &share).await, (1, 0, 0));
    }
}

#[tokio::test]
async fn files_beyond_the_limits_are_downloaded_one_by_one() {
    let stack = Stack::get().await;
    let mut world =
        World::with_variables(&stack, &[("MAX_ARCHIVE_FILES", "2"), ("MAX_ARCHIVE_GIGABYTES", "1")]).await;
    let redeem = world.new_function("RedeemLink").await;
    let (_, two) = share_files(&mut world, &["a.txt", "b.txt"]).await;
    assert!(list_page(&redeem, &two).await.contains("Download all (2 files, "));
    let (share, three) = share_files(&mut world, &["a.txt", "b.txt", "c.txt"]).await;
    assert!(!list_page(&redeem, &three).await.contains("Download all"));
    assert_problem(&get(&redeem, &three).await, 404, "archive-too-large");
    let page = redeem.invoke(&archive_event("GET", &three, json!({}))).await.unwrap();
    let token = three.rsplit('/').next().unwrap();
    assert!(
        page["body"].as_str().unwrap().contains(&format!("<a href=\"../{token}\">Back to the files</a>"))
    );
    assert_eq!(uses(&world, &share).await, (1, 0, 0));

    // The sizes at the time of sharing decide on the button, and those in the bucket on the archive.
    let large = |name| SharedFile { size: 500_000_001, ..testing::file(name) };
    let (_, link) = share_listed(&mut world, vec![large("a.txt"), large("b.txt")], "").await;
    assert!(!list_page(&redeem, &link).await.contains("Download all"));
    assert_eq!(get(&redeem, &link).await["statusCode"], 202);
}

#[tokio::test]
async fn unavailable_files_are_left_out_and_named() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let redeem = world.new_function("RedeemLink").await;
    let (share, link) = share_files(&mut world, &["a.txt", "b.txt", "c.txt"]).await;
    let aws = Aws::new(&stack);
    aws.delete(&file_key(&world, "a.txt")).await;
    aws.upload_archived(&file_key(&world, "b.txt"), b"b.txt").await;

    let left_out = json!([{"name": "a.txt", "reason": "missing"}, {"name": "b.txt", "reason": "archived"}]);
    let waiting = get(&redeem, &link).await;
    assert_eq!(body(&waiting), json!({"bytesDone": 0, "bytes": 5, "leftOut": left_out}));
    make_archives(&world).await;
    let response = get(&redeem, &link).await;
    let archive = stack.client.get(location(&response)).send().await.unwrap().bytes().await.unwrap();
    let found = entries(&archive);
    assert_eq!(found[1..], own_names(&["c.txt"]));
    let note = String::from_utf8_lossy(&found[0].1).into_owned();
    assert!(note.contains("- a.txt") && note.contains("- b.txt"), "{note}");

    aws.upload_archived(&file_key(&world, "c.txt"), b"c.txt").await;
    assert_problem(&get(&redeem, &link).await, 404, "file-missing");
    aws.upload_archived(&file_key(&world, "a.txt"), b"a.txt").await;
    assert_problem(&get(&redeem, &link).await, 409, "file-archived");
    assert_eq!(uses(&world, &share).await, (0, 1, 1));
}

#[tokio::test]
async fn replaced_file_makes_another_archive() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let redeem = world.new_function("RedeemLink").await;
    let (_, link) = share_files(&mut world, &["a.txt", "b.txt"]).await;
    get(&redeem, &link).await;
    make_archives(&world).await;
    location(&get(&redeem, &link).await);

    Aws::new(&stack).upload(&file_key(&world, "b.txt"), b"new").await;
    assert_eq!(get(&redeem, &link).await["statusCode"], 202);
    make_archives(&world).await;
    let response = get(&redeem, &link).await;
    let archive = stack.client.get(location(&response)).send().await.unwrap().bytes().await.unwrap();
    assert_eq!(entries(&archive)[1], ("b.txt".to_owned(), b"new".to_vec()));
}

/// Without a listing, S3 is asked for each file.
#[tokio::test]
async fn archive_does_not_depend_on_the_listing() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let redeem = world.new_function("RedeemLink").await;
    let (_, link) = share_files(&mut world, &["a.txt", "b.txt", "c.txt"]).await;
    Aws::new(&stack).delete(&file_key(&world, "c.txt")).await;
    get(&redeem, &link).await;
    let listed = requested_archives(&world).await;
    for fault in ["fails", "is cut off"] {
        if fault == "fails" {
            world.s3.inject(ALL, &["list-type=2"], || Some(Fault::Respond(403, "AccessDenied", "")));
        } else {
            let is_truncated = "<IsTruncated>true</IsTruncated>";
            world.s3.inject(ALL, &["list-type=2"], move || {
                Some(Fault::Edit("<IsTruncated>false</IsTruncated>", is_truncated))
            });
        }
        assert_eq!(get(&redeem, &link).await["statusCode"], 202, "the listing {fault}");
        assert_eq!(requested_archives(&world).await, listed, "the listing {fault}");
        world.s3.clear_faults();
    }
}

#[tokio::test]
async fn files_with_keys_of_an_item_resolver_are_found() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let redeem = world.new_function("RedeemLink").await;
    world.upload().await;
    let aws = Aws::new(&stack);
    let mut files = vec![testing::file("brief.pdf")];
    for name in ["a.txt", "b.txt"] {
        let key = format!("{}-elsewhere/{name}.v7", world.item);
        aws.upload(&key, name.as_bytes()).await;
        files.push(SharedFile { key: Some(ObjectKey::try_from(key).unwrap()), ..testing::file(name) });
    }
    files.push(SharedFile {
        key: Some(ObjectKey::try_from(format!("{}-elsewhere/gone", world.item)).unwrap()),
        ..testing::file("gone.txt")
    });
    let (_, link) = share_listed(&mut world, files, "").await;

    let waiting = body(&get(&redeem, &link).await);
    assert_eq!(waiting["leftOut"], json!([{"name": "gone.txt", "reason": "missing"}]));
    make_archives(&world).await;
    let response = get(&redeem, &link).await;
    let archive = stack.client.get(location(&response)).send().await.unwrap().bytes().await.unwrap();
    assert_eq!(entries(&archive)[2..], own_names(&["a.txt", "b.txt"]));
}

#[tokio::test]
async fn failing_services_get_a_page_and_count_nothing() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let redeem = world.new_function("RedeemLink").await;
    let (share, link) = share_files(&mut world, &["a.txt", "b.txt"]).await;
    for service in ["the archive's bucket", "the orders", "the table"] {
        let fault = || Some(Fault::Respond(503, "SlowDown", "slow down"));
        match service {
            "the archive's bucket" => world.s3.inject(ALL, &["method: HEAD", "archives/"], fault),
            "the orders" => world.s3.inject(ALL, &["method: PUT", "orders/"], fault),
            _ => world.dynamodb.throttle(ALL, &["GetItem"]),
        }
        assert_problem(&get(&redeem, &link).await, 503, "temporarily-unavailable");
        world.s3.clear_faults();
        world.dynamodb.clear_faults();
    }
    assert_eq!(requested_archives(&world).await.len(), 0, "the failed request was withdrawn");
    assert_eq!(get(&redeem, &link).await["statusCode"], 202);
    make_archives(&world).await;
    world.dynamodb.lose_responses(1, &["UpdateItem", "archiveDownloads"]);
    location(&get(&redeem, &link).await);
    assert_eq!(uses(&world, &share).await, (0, 1, 1), "a retry is counted once");
}

#[tokio::test]
async fn altered_archive_link_leads_to_the_archive() {
    let stack = Stack::get().await;
    let item = TestItem::with_files(&stack, &["a.txt", "b.txt"]).await;
    let shared = item.share_with(&address("ann")).await;
    open_archive(&stack, &shared.link).await;
    for addition in ["/", ".", ")", "%20", "%E2%80%A6", "/)", "?utm_source=mail"] {
        for method in [Method::GET, Method::HEAD] {
            let url = format!("{}/archive{addition}", shared.link);
            let response = send(stack.client.request(method.clone(), &url)).await;
            assert_eq!(response.status, 302, "{method} {addition}: {response:?}");
        }
    }
    assert_eq!(item.get_share(&shared.id).await["archiveDownloads"], 8);
}

#[tokio::test]
async fn only_responses_with_the_archive_are_counted() {
    let stack = Stack::get().await;
    let item = TestItem::with_files(&stack, &["a.txt", "b.txt"]).await;
    let shared = item.share_with(&address("ann")).await;
    let url = format!("{}/archive", shared.link);
    let responses = join_all((0..30).map(|_| stack.open(&url))).await;
    let count = |status: u16| responses.iter().filter(|response| response.status == status).count();
    assert_eq!(count(302) + count(202), 30, "{responses:?}");
    let share = item.get_share(&shared.id).await;
    assert_eq!((&share["downloads"], &share["archiveDownloads"]), (&json!(count(302)), &json!(count(302))));
}
