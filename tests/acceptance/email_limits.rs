//! The daily limits on emails: how many a sharer may send, and how many a mailbox may get.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use sharelink_aws::email_limits::EmailRequest;
use sharelink_aws::new_write_id;
use sharelink_aws::share_table::ShareTable;
use sharelink_domain::delivery::EmailId;
use sharelink_domain::email_limits::{EmailLimits, LimitReached};
use sharelink_domain::hash_key::HashKey;
use sharelink_domain::reminder::ReminderState;
use sharelink_domain::testing::{permitted, sharer};
use sharelink_domain::{EmailAddress, Mail, MailState, ShareId, Timestamp, WriteId};

use crate::api::{count_with_status, create_body, create_body_with};
use crate::support::events::ses_event;
use crate::support::fixtures::{RETENTION, index_hashes, job, now, share_builder};
use crate::support::{Aws, Proxy, Response, Stack, TestItem, address, emails_to, rfc3339, send, unique};

const UPDATE: &str = "DynamoDB_20120810.UpdateItem";
const SHARER_LIMIT: &str = "SHARER_EMAILS_PER_DAY";
const MAILBOX_LIMIT: &str = "MAILBOX_EMAILS_PER_DAY";

/// Ten to midnight in UTC.
fn evening() -> DateTime<Utc> {
    "2030-06-15T23:50:00Z".parse().unwrap()
}

/// Creates an item that a sharer with no emails yet shares.
async fn item_of_new_sharer(stack: &Stack) -> TestItem<'_> {
    let claims = json!({"sub": unique("sharer"), "name": "New Sharer", "accessRights": ["producer"]});
    TestItem { token: stack.token_with_claims(&claims).await, ..TestItem::new(stack).await }
}

/// Returns this many addresses of the same mailbox, in all the ways in which they may differ.
fn variants(count: usize) -> Vec<String> {
    let user = unique("victim");
    let (start, end) = user.split_at(3);
    let variant = |n| match n % 4 {
        0 => format!("{user}+{n}@example.com"),
        1 => format!("{start}.{end}+{n}.x+y@EXAMPLE.com"),
        2 => format!("{start}-_{end}+{n}@example.com"),
        _ => format!("{}+T{n}@Example.com", user.to_uppercase()),
    };
    (0..count).map(variant).collect()
}

fn outcomes(response: &Response) -> HashMap<String, usize> {
    let mut counts = HashMap::new();
    for result in response.json()["results"].as_array().unwrap() {
        *counts.entry(result["outcome"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    counts
}

fn counts(expected: &[(&str, usize)]) -> HashMap<String, usize> {
    expected.iter().map(|(outcome, count)| ((*outcome).to_owned(), *count)).collect()
}

#[tokio::test]
async fn variants_of_an_address_do_not_flood_its_mailbox() {
    let (stack, _clock) = Stack::with_function_variable(SHARER_LIMIT, "100").await;
    let item = item_of_new_sharer(&stack).await;

    let flood = item.share(&variants(100).iter().map(String::as_str).collect::<Vec<_>>()).await;

    flood.assert_status(207);
    assert_eq!(outcomes(&flood), counts(&[("created", 50), ("limitReached", 50)]));
    assert_ne!(flood.header("retry-after"), "");
    let refused = &flood.json()["results"][99];
    assert_eq!(refused["problem"]["type"], "/problems/mailbox-limit-reached");
    assert_eq!(item.list_recipients("active").await.len(), 50);

    // The refused emails do not count for the sharer, who may still send 50.
    let others: Vec<String> = (0..50).map(|_| address("other")).collect();
    item.post(&create_body(&others)).await.assert_status(201);
    item.share(&[&address("one-more")]).await.assert_problem(429, "sharer-limit-reached");
}

#[tokio::test]
async fn sharers_share_a_mailboxes_limit() {
    let (stack, _clock) = Stack::with_function_variable(MAILBOX_LIMIT, "3").await;
    let recipients = variants(8);
    let items = join_all((0..8).map(|_| item_of_new_sharer(&stack))).await;
    let bodies: Vec<Value> = recipients.iter().map(|recipient| create_body(&[recipient])).collect();
    let responses = join_all(items.iter().zip(&bodies).map(|(item, body)| item.post(body))).await;

    assert_eq!(count_with_status(&responses, 201), 3, "{responses:?}");
    for refused in responses.iter().filter(|response| response.status != 201) {
        refused.assert_problem(429, "mailbox-limit-reached");
    }
}

#[tokio::test]
async fn concurrent_requests_cannot_exceed_the_sharers_limit() {
    let (stack, _clock) = Stack::with_function_variable(SHARER_LIMIT, "20").await;
    let item = item_of_new_sharer(&stack).await;
    let bodies: Vec<Value> =
        (0..16).map(|n| create_body(&(0..=n % 3).map(|_| address("r")).collect::<Vec<_>>())).collect();

    let responses = join_all(bodies.iter().map(|body| item.post(body))).await;

    let created: usize = responses
        .iter()
        .filter(|response| response.status == 201)
        .map(|response| response.json()["results"].as_array().unwrap().len())
        .sum();
    assert!((18..=20).contains(&created), "{created}: {responses:?}");
    assert_eq!(item.list_recipients("active").await.len(), created);
    for refused in responses.iter().filter(|response| response.status != 201) {
        refused.assert_problem(429, "sharer-limit-reached");
    }
}

#[tokio::test]
async fn request_over_the_sharers_limit_creates_nothing() {
    let (stack, _clock) = Stack::with_function_variable(SHARER_LIMIT, "5").await;
    let item = item_of_new_sharer(&stack).await;
    let recipients: Vec<String> = (0..6).map(|_| address("r")).collect();

    let refused = item.post(&create_body(&recipients)).await;

    refused.assert_problem(429, "sharer-limit-reached");
    assert_eq!(outcomes(&refused), counts(&[("limitReached", 6)]));
    let detail = refused.json()["results"][0]["problem"]["detail"].clone();
    assert_eq!(detail, "Of the caller's 5 emails a day, 5 are left. The day ends at midnight in UTC.");
    item.post(&create_body(&recipients[..5])).await.assert_status(201);
    // The mailbox that was refused has not been counted: the limit of a full sharer cannot fill mailboxes.
    let other_sharer = item_of_new_sharer(&stack).await;
    other_sharer.share(&[&recipients[5]]).await.assert_status(201);
}

#[tokio::test]
async fn only_emails_that_are_queued_count() {
    let (stack, _clock) = Stack::with_function_variable(SHARER_LIMIT, "2").await;
    let item = item_of_new_sharer(&stack).await;
    let [ann, bob, cem] = ["ann", "bob", "cem"].map(address);
    let key = unique("key");
    let body = create_body(&[ann.as_str(), &ann, "no-address"]);
    item.post_with_key(&key, &body).await.assert_status(207);

    // None of these sends an email.
    for _ in 0..3 {
        let retry = item.post_with_key(&key, &body).await;
        assert_eq!(outcomes(&retry), counts(&[("created", 1), ("duplicate", 1), ("invalidRecipient", 1)]));
        item.share(&[&ann]).await.assert_problem(409, "already-active");
    }
    let quiet = create_body_with(&[&address("quiet")], &json!({"notify": false}));
    item.post(&quiet).await.assert_status(201);

    item.share(&[&ann, &bob]).await.assert_status(207);
    item.share(&[&ann]).await.assert_problem(409, "already-active");
    let full = item.share(&[&ann, &cem]).await;
    full.assert_problem(429, "sharer-limit-reached");
    assert_eq!(outcomes(&full), counts(&[("alreadyActive", 1), ("limitReached", 1)]));
    item.post(&create_body_with(&[&cem], &json!({"notify": false}))).await.assert_status(201);
}

#[tokio::test]
async fn limits_end_at_midnight_in_utc() {
    let (stack, clock) = Stack::with_function_variable(SHARER_LIMIT, "1").await;
    let item = item_of_new_sharer(&stack).await;
    clock.stop_at(evening());
    let share = |name: &'static str| {
        let body = create_body_with(&[address(name)], &json!({"expiresAt": "2030-07-01T00:00:00Z"}));
        let item = &item;
        async move { item.post(&body).await }
    };
    share("ann").await.assert_status(201);

    let refused = share("bob").await;
    refused.assert_problem(429, "sharer-limit-reached");
    assert_eq!(refused.header("retry-after"), "601");

    clock.stop_at(evening() + TimeDelta::minutes(10));
    share("bob").await.assert_status(201);
    share("cem").await.assert_problem(429, "sharer-limit-reached");
}

#[tokio::test]
async fn refused_request_succeeds_later_with_the_same_key() {
    let (stack, clock) = Stack::with_function_variable(MAILBOX_LIMIT, "1").await;
    let item = item_of_new_sharer(&stack).await;
    clock.stop_at(evening());
    let (recipients, key) = (variants(2), unique("key"));
    let body = create_body_with(&recipients, &json!({"expiresAt": "2030-07-01T00:00:00Z"}));
    for _ in 0..2 {
        let partial = item.post_with_key(&key, &body).await;
        assert_eq!(outcomes(&partial), counts(&[("created", 1), ("limitReached", 1)]));
    }
    clock.stop_at(evening() + TimeDelta::minutes(10));
    item.post_with_key(&key, &body).await.assert_status(201);
}

async fn resend(item: &TestItem<'_>, id: &str, key: &str) -> Response {
    let request = item.request(Method::POST, &format!("/{id}/resend"));
    send(request.header("Idempotency-Key", key)).await
}

#[tokio::test]
async fn resends_count_once_per_email() {
    let (stack, clock) = Stack::with_function_variable(MAILBOX_LIMIT, "2").await;
    let item = item_of_new_sharer(&stack).await;
    let start = evening() - TimeDelta::hours(12);
    clock.stop_at(start);
    let ann = address("ann");
    let body = create_body_with(&[&ann], &json!({"expiresAt": "2030-07-01T00:00:00Z"}));
    let id = item.post(&body).await.share_id();
    item.wait_for_email(&ann).await;
    let [first, second, third] = ["1", "2", "3"].map(unique);

    // An email that is refused for another reason does not count.
    for _ in 0..3 {
        resend(&item, &id, &unique("early")).await.assert_problem(429, "resend-too-soon");
    }
    clock.stop_at(start + TimeDelta::minutes(6));
    for _ in 0..3 {
        resend(&item, &id, &first).await.assert_status(202);
    }
    // Even hours later, a retry is no new email.
    clock.stop_at(start + TimeDelta::hours(6));
    resend(&item, &id, &first).await.assert_status(202);
    let full = resend(&item, &id, &second).await;
    full.assert_problem(429, "mailbox-limit-reached");
    assert_eq!(full.header("retry-after"), (6 * 3_600 + 601).to_string());

    clock.stop_at(evening() + TimeDelta::minutes(10));
    resend(&item, &id, &second).await.assert_status(202);
    clock.stop_at(evening() + TimeDelta::hours(3));
    resend(&item, &id, &first).await.assert_status(202);
    resend(&item, &id, &third).await.assert_status(202);
    clock.stop_at(evening() + TimeDelta::hours(9));
    resend(&item, &id, &unique("4")).await.assert_problem(429, "mailbox-limit-reached");
}

#[tokio::test]
async fn resend_counts_for_the_sharer() {
    let (stack, clock) = Stack::with_function_variable(SHARER_LIMIT, "2").await;
    let item = item_of_new_sharer(&stack).await;
    let start = evening() - TimeDelta::hours(12);
    clock.stop_at(start);
    let [ann, bob] = ["ann", "bob"].map(address);
    let share =
        |recipient: &str| create_body_with(&[recipient], &json!({"expiresAt": "2030-07-01T00:00:00Z"}));
    let id = item.post(&share(&ann)).await.share_id();
    item.wait_for_email(&ann).await;
    clock.stop_at(start + TimeDelta::minutes(6));
    item.call(Method::POST, &format!("/{id}/resend")).await.assert_status(202);
    item.post(&share(&bob)).await.assert_problem(429, "sharer-limit-reached");
}

#[tokio::test]
async fn renewal_with_an_email_counts() {
    let (stack, _clock) = Stack::with_function_variable(MAILBOX_LIMIT, "1").await;
    let item = item_of_new_sharer(&stack).await;
    let ann = address("ann");
    let share = item.share_with(&ann).await;
    let (id, link) = (share.id, share.link);
    let etag = item.get(&format!("/{id}")).await.header("etag").to_owned();
    let renew = async |notify: bool| {
        let request = item.request(Method::POST, &format!("/{id}/renew")).header("If-Match", &etag);
        send(request.json(&json!({"notify": notify}))).await
    };

    renew(true).await.assert_problem(429, "mailbox-limit-reached");
    stack.open(&link).await.assert_status(302);

    renew(false).await.assert_status(200);
    stack.open(&link).await.assert_status(404);
    assert_eq!(emails_to(&stack, &ann).await.len(), 1);
}

/// Stores a share whose email and reminder were sent, and returns its id.
async fn store_reminded_share(stack: &Stack, item: &TestItem<'_>, recipient: &str) -> String {
    let now = now();
    let share = share_builder(&job(&item.name), TimeDelta::days(10), now).recipient(recipient).reminder(3);
    let mut share = share.build();
    share.mail = Mail { state: MailState::Sent, ..Mail::queued(now) };
    share.reminder.as_mut().unwrap().state = ReminderState::Sent { at: now };
    let table = ShareTable::new(Aws::new(stack).config(), &stack.info.table_name);
    let write = new_write_id().unwrap();
    table.create(permitted(&share), index_hashes(&share), RETENTION, write).await.unwrap();
    share.id.to_string()
}

#[tokio::test]
async fn another_reminder_counts() {
    let (stack, _clock) = Stack::with_function_variable(MAILBOX_LIMIT, "1").await;
    let item = item_of_new_sharer(&stack).await;
    let recipients = variants(2);
    let first = store_reminded_share(&stack, &item, &recipients[0]).await;
    let second = store_reminded_share(&stack, &item, &recipients[1]).await;
    let etag = Some("\"1\"");
    let patch = async |id: &str, body: Value| item.patch(id, etag, &body).await;

    // A request that is refused for another reason does not count, nor does a repeated one.
    patch(&first, json!({"remindDaysBefore": 10})).await.assert_invalid(&["/remindDaysBefore"]);
    for _ in 0..3 {
        let planned = patch(&first, json!({"remindDaysBefore": 1})).await;
        planned.assert_status(200);
        assert_eq!(planned.json()["reminder"]["state"], "planned");
    }
    let request = json!({"remindDaysBefore": 2, "expiresAt": rfc3339(now() + TimeDelta::days(20))});
    patch(&second, request).await.assert_problem(429, "mailbox-limit-reached");
    let unchanged = item.get_share(&second).await;
    assert_eq!((&unchanged["version"], &unchanged["reminder"]["state"]), (&json!(1), &json!("sent")));
    // Ending access is always possible.
    patch(&second, json!({"remindDaysBefore": 0})).await.assert_status(200);
    patch(&second, json!({"expiresAt": rfc3339(now())})).await.assert_status(200);
}

#[tokio::test]
async fn complaint_ends_the_emails_of_a_link() {
    let (stack, clock) = Stack::with_clock().await;
    let item = TestItem::new(&stack).await;
    let ann = address("ann");
    let id = item.share_with(&ann).await.id;
    let created_at = item.get_share(&id).await["createdAt"].as_str().unwrap().parse().unwrap();
    let start = Utc::now();
    clock.stop_at(start + TimeDelta::minutes(6));
    item.call(Method::POST, &format!("/{id}/resend")).await.assert_status(202);

    // The complaint is about the first email, but arrives after the second one.
    let first = EmailId {
        item: job(&item.name),
        share: id.parse().unwrap(),
        created_at,
        attempt: 1,
        is_reminder: false,
    };
    let complaint = json!({"feedbackId": "1", "complainedRecipients": []});
    Aws::new(&stack).invoke("TrackDelivery", &ses_event(&first, "Complaint", Utc::now(), &complaint)).await;

    assert_eq!(item.get_share(&id).await["mail"]["state"], "complained");
    clock.stop_at(start + TimeDelta::hours(48));
    let refused = item.call(Method::POST, &format!("/{id}/resend")).await;
    refused.assert_problem(409, "recipient-complained");
    assert!(emails_to(&stack, &ann).await.len() <= 2);
}

#[tokio::test]
async fn counters_contain_no_address_and_no_subject() {
    let stack = Stack::get().await;
    let sub = unique("secret-sharer");
    let claims = json!({"sub": sub, "name": "Secret Sharer", "accessRights": ["producer"]});
    let item = TestItem { token: stack.token_with_claims(&claims).await, ..TestItem::new(&stack).await };
    let before = counters(&stack).await;
    let ann = address("secret-recipient");

    item.share(&[&ann]).await.assert_status(201);

    let after = counters(&stack).await;
    assert!(after.difference(&before).count() >= 2, "{after:?}");
    for row in after {
        assert!(!row.contains("secret-") && !row.contains('@'), "{row}");
    }
}

/// Returns the rows that count emails, as text.
async fn counters(stack: &Stack) -> HashSet<String> {
    let table = Aws::new(stack).scan_tables().await;
    let pages = serde_json::Deserializer::from_str(&table).into_iter::<Vec<Value>>();
    let rows = pages.flat_map(Result::unwrap).map(|row| row.to_string());
    rows.filter(|row| row.contains("QUOTA#")).collect()
}

// --- The adapter ---------------------------------------------------------------------------------------------

fn key() -> HashKey {
    HashKey::new("a secret that has 32 bytes or more").unwrap()
}

/// Counts emails of a sharer, and returns how many of them were refused by each limit.
async fn count(
    table: &ShareTable,
    sub: &str,
    write: WriteId,
    recipients: &[EmailAddress],
    limits: (usize, usize),
    at: Timestamp,
) -> (usize, usize) {
    let (sharer, item) = (sharer(sub), job("1"));
    let email = |recipient| (ShareId::new(&item, recipient), recipient);
    let request = EmailRequest { sharer: &sharer, write, emails: recipients.iter().map(email).collect() };
    let limits = EmailLimits { per_sharer: limits.0, per_mailbox: limits.1 };
    let refused = request.count(table, &key(), limits, at).await.unwrap();
    let mailboxes = refused.values().filter(|limit| **limit == LimitReached::Mailbox).count();
    (refused.len() - mailboxes, mailboxes)
}

fn addresses(texts: &[String]) -> Vec<EmailAddress> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

/// Returns one adapter for the emulator and one for dynoxide, each behind a proxy.
async fn tables(stack: &Stack) -> Vec<(Proxy, ShareTable)> {
    let emulator = Aws::new(stack);
    let dynoxide = emulator.start_dynoxide().await;
    let mut tables = Vec::new();
    for config in [emulator.config().clone(), dynoxide] {
        let proxy = Proxy::start(config.endpoint_url().unwrap()).await;
        let config = config.to_builder().endpoint_url(&proxy.url).build();
        tables.push((proxy, ShareTable::new(&config, &stack.info.table_name)));
    }
    tables
}

#[tokio::test]
async fn sdk_retry_does_not_count_again() {
    let stack = Stack::get().await;
    for (proxy, table) in tables(&stack).await {
        check_retries(&proxy, &table).await;
    }
}

/// Checks that neither a retry by the SDK nor one by the client counts emails again.
pub(crate) async fn check_retries(proxy: &Proxy, table: &ShareTable) {
    let (sub, write, at) = (unique("sub"), new_write_id().unwrap(), now());
    let mut recipients = addresses(&variants(3));
    recipients.push(address("other").parse().unwrap());
    proxy.lose_responses(1, &[UPDATE, "QUOTA#", ":requests", "attribute_not_exists(emails)"]);
    proxy.lose_responses(1, &[UPDATE, "QUOTA#", "counted"]);
    proxy.lose_responses(1, &[UPDATE, "QUOTA#", "released"]);

    assert_eq!(count(table, &sub, write, &recipients, (4, 2), at).await, (0, 1));
    assert_eq!(proxy.pending_faults(), 0);
    // A retry by the client, before any share was created.
    assert_eq!(count(table, &sub, write, &recipients, (4, 2), at).await, (0, 1));

    // Three of the sharer's four emails are used.
    let next = addresses(&[address("r"), address("r")]);
    assert_eq!(count(table, &sub, new_write_id().unwrap(), &next, (4, 2), at).await, (2, 0));
    assert_eq!(count(table, &sub, new_write_id().unwrap(), &next[..1], (4, 2), at).await, (0, 0));
    assert_eq!(count(table, &sub, new_write_id().unwrap(), &next[1..], (4, 2), at).await, (1, 0));
}

/// Otherwise, refused requests could enlarge the sharer's row without end.
#[tokio::test]
async fn refused_emails_count_after_a_hundred_requests() {
    let stack = Stack::get().await;
    for (_proxy, table) in tables(&stack).await {
        let (sub, at, recipient) = (unique("sub"), now(), addresses(&[address("full")]));
        let next = async || count(&table, &sub, new_write_id().unwrap(), &recipient, (3, 1), at).await;
        assert_eq!(next().await, (0, 0));
        for n in 1..=102 {
            assert_eq!(next().await, (0, 1), "refused request {n}");
        }
        assert_eq!(next().await, (1, 0), "the sharer's limit");
    }
}

#[tokio::test]
async fn racing_requests_fill_a_mailbox_exactly() {
    let stack = Stack::get().await;
    for (_proxy, table) in tables(&stack).await {
        let (sub, at, recipients) = (unique("sub"), now(), addresses(&variants(60)));
        let race = recipients.chunks(4).map(|chunk| {
            let (table, sub) = (&table, &sub);
            async move { count(table, sub, new_write_id().unwrap(), chunk, (60, 25), at).await }
        });
        let refused = join_all(race).await;
        assert_eq!(refused.iter().map(|(sharer, _)| sharer).sum::<usize>(), 0, "{refused:?}");
        assert_eq!(refused.iter().map(|(_, mailbox)| mailbox).sum::<usize>(), 35, "{refused:?}");
    }
}

#[tokio::test]
async fn counting_takes_one_write_per_sharer_and_mailbox() {
    let stack = Stack::get().await;
    for (proxy, table) in tables(&stack).await {
        let sub = unique("sub");
        let recipients = addresses(&[variants(30), (0..5).map(|_| address("r")).collect()].concat());
        let write = new_write_id().unwrap();
        assert_eq!(count(&table, &sub, write, &recipients, (100, 50), now()).await, (0, 0));
        assert_eq!(proxy.take_call_count(&[UPDATE]), 1 + 6);
        // A request that the sharer's limit refuses reaches no mailbox.
        let write = new_write_id().unwrap();
        assert_eq!(count(&table, &sub, write, &recipients, (40, 50), now()).await, (35, 0));
        assert_eq!(proxy.take_call_count(&[UPDATE]), 1);
    }
}
