//! Links, tokens and addresses appear only where they belong.

use std::collections::BTreeSet;

use chrono::{TimeDelta, Utc};
use reqwest::RequestBuilder;
use serde_json::json;

use crate::support::leaks::find_leak;
use crate::support::{Aws, Response, Stack, TestItem, address, eventually, next_week, send, unique};

fn count_lines(logs: &str, part: &str) -> usize {
    logs.lines().filter(|line| line.contains(part)).count()
}

/// Sends the requests that list and change shares of all items, and returns the responses.
async fn use_all_shares(item: &TestItem<'_>, id: &str, recipient: &str, key: &str) -> [Response; 4] {
    let client = &item.stack.client;
    let url = format!("{}/shares", item.stack.info.api_url);
    let auditor = item.stack.token(&["auditor"]).await;
    let by_recipient = client.get(format!("{url}?recipient={recipient}")).bearer_auth(&auditor);
    let csv = by_recipient.try_clone().unwrap().header("Accept", "text/csv");
    let [list, csv] = [send(by_recipient).await, send(csv).await];
    assert!(list.text.contains(recipient) && csv.text.contains(recipient), "the lists are empty");
    let refused = client.get(format!("{url}?recipient=stranger@example.com")).bearer_auth(&item.token);
    send(refused).await.assert_status(403);

    let mut entry = json!({"module": "jobs", "item": item.name, "shareId": id});
    let post = async |route: &str, body| {
        let request = client.post(format!("{url}/{route}")).bearer_auth(&item.token);
        let response = send(request.header("Idempotency-Key", key).json(&body)).await;
        response.assert_status(200);
        response
    };
    let revocation = json!({"shares": [entry]});
    entry["version"] = json!(0);
    let change = json!({"shares": [entry], "expiresAt": next_week()});
    [list, csv, post("expiration", change).await, post("revoke", revocation).await]
}

/// Sends every request that a link's holder can send from its pages, and returns the response to the last
/// one, a request for more time.
async fn send_forms(stack: &Stack, link: &str) -> Response {
    stack.open(&format!("{link}/emails")).await.assert_status(200);
    for path in ["emails/stop", "emails/allow", "other"] {
        send(stack.client.post(format!("{link}/{path}"))).await;
    }
    send(stack.client.post(format!("{link}/more-time"))).await
}

/// Returns the page of an ended link without its form, whose address alone contains the link.
fn without_form(page: &str, link: &str) -> String {
    let form = format!("action=\"{}/more-time\"", link.rsplit('/').next().unwrap());
    assert!(page.contains(&form), "{page}");
    page.replacen(&form, "", 1)
}

#[tokio::test]
async fn link_appears_only_in_emails_and_copy_responses() {
    let (stack, clock) = Stack::with_clock().await;
    let item = TestItem::with_files(&stack, &["a.txt", "b.txt"]).await;
    let aws = Aws::new(&stack);
    let gone_before = count_lines(&aws.logs().await, "\"status\":410");
    let recipient = address("leak");
    let shared = item.share_with(&recipient).await;
    let token = shared.link.rsplit('/').next().unwrap().to_owned();

    // Use the link in every way, successfully and unsuccessfully.
    stack.open(&shared.link).await;
    stack.client.head(&shared.link).send().await.unwrap();
    stack.download(&format!("{}/files/1", shared.link)).await;
    stack.open(&format!("{}/files/9", shared.link)).await;
    eventually("the archive", async || {
        (stack.open(&format!("{}/archive", shared.link)).await.status == 302).then_some(())
    })
    .await;
    stack.open(&format!("{}x", shared.link)).await;
    send_forms(&stack, &shared.link).await;

    // Send every request that a sharer can send.
    let key = unique("key");
    let url = item.url(&format!("/{}", shared.id));
    let send_with_key = async |request: RequestBuilder| {
        send(request.bearer_auth(&item.token).header("Idempotency-Key", &key)).await
    };
    let copied = send_with_key(stack.client.post(format!("{url}/link"))).await;
    assert!(copied.text.contains(&token));
    let too_soon = send_with_key(stack.client.post(format!("{url}/resend"))).await;
    too_soon.assert_status(429);
    clock.stop_at(Utc::now() + TimeDelta::minutes(6));
    let resent = send_with_key(stack.client.post(format!("{url}/resend"))).await;
    resent.assert_status(202);
    item.wait_for_email(&recipient).await;
    let change = stack.client.patch(&url).header("If-Match", "*").json(&json!({"expiresAt": next_week()}));
    let changed = send_with_key(change).await;
    changed.assert_status(200);
    let body = json!({"recipients": [recipient], "expiresAt": next_week()});
    let created_again = send_with_key(stack.client.post(item.url("")).json(&body)).await;
    created_again.assert_status(409);
    let list = item.get("").await;
    item.log_page("").await.assert_status(200);
    let read = item.get(&format!("/{}", shared.id)).await;
    let renew = stack.client.post(format!("{url}/renew")).header("If-Match", "*");
    let renewed = send_with_key(renew.json(&json!({"notify": false}))).await;
    renewed.assert_status(200);
    let new_link = item.copy_link(&shared.id).await;
    stack.open(&shared.link).await.assert_status(404);
    let log = item.log_page("").await;
    let of_all_items = use_all_shares(&item, &shared.id, &recipient, &key).await;
    let revoked = item.revoke(&shared.id).await;
    let gone = stack.open(&new_link).await;
    gone.assert_status(410);
    let asked = send_forms(&stack, &new_link).await;
    item.share(&[&recipient]).await;
    item.share(&["stranger <stranger@example.com>"]).await;

    let table = aws.scan_tables().await;
    let stream = json!(aws.stream_records().await).to_string();
    // Log lines arrive in order: when the line for the last redemption is there, all earlier lines are too.
    let logs = eventually("the logs", || async {
        Some(aws.logs().await).filter(|logs| count_lines(logs, "\"status\":410") > gone_before)
    })
    .await;

    // Check that each place has data from this test.
    assert!(table.contains(&recipient), "the table has no data from this test");
    assert!(stream.contains(&recipient), "the stream has no data from this test");
    for line in [
        "GET /s/{token}",
        "POST /modules/{module}/items/{item}/shares",
        "an email was handled",
        "an archive was handled",
    ] {
        assert!(logs.contains(line), "{line} is not in the logs");
    }
    assert!(logs.contains("CloudWatchMetrics"), "the logs have no metrics");

    // Search for the end of each token. This also finds a link whose beginning is cut off.
    let tails = [&token, &new_link].map(|text| &text[text.len() - 20..]);
    for (place, text) in [
        ("table", &table),
        ("stream", &stream),
        ("logs", &logs),
        ("resent share", &resent.text),
        ("changed share", &changed.text),
        ("renewed share", &renewed.text),
        ("share log", &log.text),
        ("response to a create", &created_again.text),
        ("list", &list.text),
        ("share", &read.text),
        ("list of all shares", &of_all_items[0].text),
        ("CSV file", &of_all_items[1].text),
        ("bulk change", &of_all_items[2].text),
        ("bulk revocation", &of_all_items[3].text),
        ("revoked share", &revoked.text),
        ("page of an ended link", &without_form(&gone.text, &new_link)),
        ("response to a request for more time", &asked.text),
    ] {
        assert!(!tails.iter().any(|tail| text.contains(tail)), "a link is in the {place}");
        assert!(!text.contains("X-Amz-Signature"), "a signed URL is in the {place}");
    }
    // The logs include lines and metrics from all tests that have run so far.
    for line in logs.lines() {
        assert_eq!(find_leak(line), None, "{line}");
    }
    assert!(!logs.contains("stranger"), "an address is in the logs");
    // Refusals and reads are logged with hashes of the caller and the item.
    assert!(logs.contains(r#""caller":""#), "the logs have no caller");
    assert!(!logs.contains("test-user"), "a caller's subject is in the logs");
    assert!(!logs.contains(&item.name), "an item is in the logs");
    assert!(!logs.contains(&item.token), "a caller's token is in the logs");
}

/// The emulator writes no access log, so this test checks the log format in the template. The format must not
/// contain a path, a query or a header.
#[test]
fn access_log_format_has_no_path_query_or_header() {
    let template = include_str!("../../infra/template.yaml");
    let fields: BTreeSet<&str> = template
        .split("$context.")
        .skip(1)
        .map(|rest| rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '.').next().unwrap())
        .collect();
    // Besides the request, these explain a 401 and a 500, and show an operator whom to block.
    let allowed = BTreeSet::from([
        "authorizer.error",
        "error.message",
        "identity.sourceIp",
        "integrationErrorMessage",
        "requestId",
        "responseLatency",
        "routeKey",
        "status",
    ]);
    assert_eq!(fields, allowed);
}
