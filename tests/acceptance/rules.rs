//! The deployment's rules, and attempts to get around them: with every change, at every offset, in every spelling
//! of a domain, with old links and with retries of requests from before a rule changed.

use chrono::TimeDelta;
use reqwest::Method;
use serde_json::{Value, json};
use sharelink_aws::new_write_id;
use sharelink_domain::testing::permitted;
use sharelink_domain::{Item, Share};

use crate::api::{create_body, create_body_with};
use crate::support::events::{api_event, open_event};
use crate::support::fixtures::{RETENTION, index_hashes, new_share_of_files};
use crate::support::function::Function;
use crate::support::{Aws, Stack, TestItem, World, address, emails_to, rfc3339, send, unique};

const BLOCKED: (&str, &str) = ("BLOCKED_RECIPIENT_DOMAINS", "blocked.example,bücher.example");
const MAX_30_DAYS: (&str, &str) = ("MAX_ACCESS_DAYS", "30");
const ONLY_EMAIL: (&str, &str) = ("ALLOW_LINKS_WITHOUT_EMAIL", "false");

const SHARES: &str = "/modules/{module}/items/{item}/shares";

/// The functions that create and change shares, with the rules that these variables set. Several deployments can
/// use the same table: before and after a rule changed.
struct Deployment {
    create: Function,
    manage: Function,
    item: Item,
}

struct ApiResponse {
    status: u64,
    body: Value,
}

impl ApiResponse {
    #[track_caller]
    fn assert_problem(&self, status: u64, problem: &str) {
        assert_eq!(
            (self.status, &self.body["type"]),
            (status, &json!(format!("/problems/{problem}"))),
            "{}",
            self.body
        );
    }

    #[track_caller]
    fn assert_too_long(&self, last_day: &str) {
        self.assert_problem(422, "invalid-request");
        let expected = json!([{
            "pointer": "/expiresAt", "reason": "accessTooLong",
            "detail": format!("must be on or before {last_day}: the maximum number of days is 30"),
        }]);
        assert_eq!(self.body["errors"], expected, "{}", self.body);
    }

    #[track_caller]
    fn assert_ok(&self) {
        assert!((200..300).contains(&self.status), "{}: {}", self.status, self.body);
    }

    fn outcomes(&self) -> Vec<&str> {
        self.body["results"]
            .as_array()
            .unwrap()
            .iter()
            .map(|result| result["outcome"].as_str().unwrap())
            .collect()
    }
}

impl Deployment {
    async fn new(world: &World<'_>, variables: &[(&str, &str)]) -> Self {
        Self {
            create: world.new_function_with("CreateShares", variables).await,
            manage: world.new_function_with("ManageShares", variables).await,
            item: world.item.clone(),
        }
    }

    async fn call(
        &self,
        function: &Function,
        route: &str,
        share: Option<&Share>,
        key: &str,
        body: &Value,
    ) -> ApiResponse {
        let mut path = json!({"module": self.item.module.to_string(), "item": self.item.name.to_string()});
        if let Some(share) = share {
            path["shareId"] = share.id.to_string().into();
        }
        let mut event = api_event(route, &path, body);
        event["headers"]["if-match"] = "*".into();
        if !key.is_empty() {
            event["headers"]["idempotency-key"] = key.into();
        }
        let response = function.invoke(&event).await.unwrap();
        let body = response["body"].as_str().map_or(Value::Null, |body| serde_json::from_str(body).unwrap());
        ApiResponse { status: response["statusCode"].as_u64().unwrap(), body }
    }

    async fn create(&self, key: &str, body: &Value) -> ApiResponse {
        self.call(&self.create, &format!("POST {SHARES}"), None, key, body).await
    }

    /// Shares all files with these recipients until this time.
    async fn share(&self, recipients: &[&str], expires_at: &str) -> ApiResponse {
        self.create("", &json!({"recipients": recipients, "expiresAt": expires_at})).await
    }

    async fn change(&self, share: &Share, expires_at: &str) -> ApiResponse {
        let route = format!("PATCH {SHARES}/{{shareId}}");
        self.call(&self.manage, &route, Some(share), "", &json!({"expiresAt": expires_at})).await
    }

    async fn post(&self, share: &Share, operation: &str, key: &str, body: &Value) -> ApiResponse {
        self.call(&self.manage, &format!("POST {SHARES}/{{shareId}}/{operation}"), Some(share), key, body)
            .await
    }

    async fn renew(&self, share: &Share, body: &Value) -> ApiResponse {
        self.post(share, "renew", "", body).await
    }

    async fn rules(&self) -> Value {
        self.call(&self.manage, "GET /share-rules", None, "", &Value::Null).await.body
    }
}

#[tokio::test]
async fn changes_do_not_get_around_the_maximum() {
    let stack = Stack::get().await;
    let world = World::new(&stack).await;
    world.upload().await;
    let rules = Deployment::new(&world, &[MAX_30_DAYS]).await;
    let long = world.share(&address("long"), TimeDelta::days(90)).await;
    let revoked = world.share(&address("revoked"), TimeDelta::days(90)).await;
    let expired = world.share(&address("expired"), TimeDelta::hours(1)).await;
    rules.post(&revoked, "revoke", "", &Value::Null).await.assert_ok();
    let mut world = world;
    world.advance(TimeDelta::hours(2));

    // The clock shows 14:00 UTC on 10 March.
    let (last, late) = ("2030-04-09T23:59:59.999Z", "2030-04-10T00:00:00Z");
    rules.share(&[&address("ann")], late).await.assert_too_long("2030-04-09");
    rules.share(&[&address("ann")], last).await.assert_ok();

    rules
        .change(&long, &rfc3339(long.expires_at + TimeDelta::milliseconds(1)))
        .await
        .assert_too_long("2030-04-09");
    rules.renew(&long, &json!({"expiresAt": "2030-12-31T00:00:00Z"})).await.assert_too_long("2030-04-09");
    rules.change(&long, &rfc3339(long.expires_at)).await.assert_ok();
    rules.renew(&long, &json!({"notify": false})).await.assert_ok();
    rules.change(&long, late).await.assert_ok();
    rules.change(&long, &rfc3339(long.expires_at)).await.assert_too_long("2030-04-09");

    for inactive in [&revoked, &expired] {
        // Setting the old expiry undoes a revocation.
        rules.change(inactive, &rfc3339(revoked.expires_at)).await.assert_too_long("2030-04-09");
        rules.change(inactive, late).await.assert_too_long("2030-04-09");
        rules.renew(inactive, &json!({"expiresAt": late})).await.assert_too_long("2030-04-09");
    }
    rules.change(&revoked, last).await.assert_ok();
    rules.renew(&expired, &json!({"expiresAt": last})).await.assert_ok();
}

#[tokio::test]
async fn no_offset_gains_a_day() {
    let stack = Stack::get().await;
    let world = World::new(&stack).await;
    world.upload().await;
    let rules = Deployment::new(&world, &[MAX_30_DAYS]).await;
    let share = world.share(&address("ann"), TimeDelta::hours(1)).await;

    // The clock shows 12:00 UTC on 10 March, which is already the 11th at +14:00.
    for (last, late, last_day) in [
        ("2030-04-10T23:59:59+14:00", "2030-04-11T00:00:00+14:00", "2030-04-10"),
        ("2030-04-09T23:59:59+11:59", "2030-04-10T00:00:00+11:59", "2030-04-09"),
        ("2030-04-09T23:59:59-12:00", "2030-04-10T00:00:00-12:00", "2030-04-09"),
        ("2030-04-08T23:59:59-14:00", "2030-04-09T00:00:00-14:00", "2030-04-08"),
        ("2030-04-08T23:59:59-23:59", "2030-04-09T00:00:00-23:59", "2030-04-08"),
    ] {
        rules.share(&[&address("bob")], last).await.assert_ok();
        rules.share(&[&address("bob")], late).await.assert_too_long(last_day);
        rules.change(&share, &rfc3339(world.now() + TimeDelta::minutes(1))).await.assert_ok();
        rules.change(&share, late).await.assert_too_long(last_day);
        rules.change(&share, last).await.assert_ok();
    }
}

#[tokio::test]
async fn old_link_to_a_blocked_domain_only_loses_access() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let recipient = format!("{}@mail.blocked.example", unique("ann"));
    let (share, link) = world.share_by_email(&recipient).await;
    let rules = Deployment::new(&world, &[BLOCKED]).await;
    let redeem = world.new_function("RedeemLink").await;
    world.advance(TimeDelta::hours(1));
    let later = rfc3339(world.now() + TimeDelta::days(8));
    let forbidden = "recipient-not-allowed";

    assert_eq!(redeem.invoke(&open_event(&link)).await.unwrap()["statusCode"], 302, "the old link works");
    rules.change(&share, &later).await.assert_problem(403, forbidden);
    rules.renew(&share, &json!({"notify": false})).await.assert_problem(403, forbidden);
    rules.renew(&share, &json!({"expiresAt": later})).await.assert_problem(403, forbidden);
    rules.post(&share, "resend", "", &Value::Null).await.assert_problem(403, forbidden);
    rules.post(&share, "link", "", &Value::Null).await.assert_problem(403, forbidden);
    rules.change(&share, &rfc3339(share.expires_at)).await.assert_ok();
    let shorter = rfc3339(world.now() + TimeDelta::hours(1));
    rules.change(&share, &shorter).await.assert_ok();
    assert_eq!(redeem.invoke(&open_event(&link)).await.unwrap()["statusCode"], 302);
    rules.post(&share, "revoke", "", &Value::Null).await.assert_ok();
    rules.change(&share, &shorter).await.assert_problem(403, forbidden);
    rules.renew(&share, &json!({"expiresAt": later})).await.assert_problem(403, forbidden);
    assert_eq!(redeem.invoke(&open_event(&link)).await.unwrap()["statusCode"], 410);
    let revoked = world.table.get(&world.item, share.id).await.unwrap().unwrap();
    assert!(revoked.revoked_at.is_some());
    assert_eq!(emails_to(&stack, &recipient).await.len(), 1);

    let allowing = Deployment::new(&world, &[("ALLOWED_RECIPIENT_DOMAINS", "other.example")]).await;
    allowing.change(&share, &shorter).await.assert_problem(403, forbidden);
}

#[tokio::test]
async fn no_spelling_gets_around_a_blocked_domain() {
    let stack = Stack::get().await;
    let world = World::new(&stack).await;
    world.upload().await;
    let rules = Deployment::new(&world, &[BLOCKED]).await;
    let expires_at = rfc3339(world.now() + TimeDelta::days(1));
    let refused = [
        "a@blocked.example",
        "b@BLOCKED.Example",
        "c@blocked.example.",
        "d@mail.blocked.example",
        "<e@blocked.example>",
        "mailto:f@blocked.example",
        "g@ｂｌｏｃｋｅｄ．ｅｘａｍｐｌｅ",
        "h@blocked。example",
        "i@bloc\u{200b}ked.example",
        "j@bloc\u{ad}ked.example",
        "l@bücher.example",
        "m@BU\u{308}CHER.example",
        "n@xn--bcher-kva.example",
        "o@XN--BCHER-KVA.EXAMPLE",
        "p@shop.Bücher.example",
        "q@blocked.example\u{2800}",
        "r@blocked.example..",
        "\"K, L\" <k@blocked.example>",
    ];
    let invalid = [
        "a@bl\u{43e}cked.example",
        "\"a@blocked.example\"@ok.example",
        "\"a b\"@blocked.example",
        "a@blocked.example@ok.example",
        "a@[blocked.example]",
    ];
    let allowed = [
        "a@notblocked.example",
        "a@blocked.example.ok.example",
        "blocked.example@ok.example",
        "a@bucher.example",
        "a@blocked-example.com",
    ];
    let response = rules.share(&[&refused[..], &invalid, &allowed].concat(), &expires_at).await;
    let expected = [
        vec!["notAllowed"; refused.len()],
        vec!["invalidRecipient"; invalid.len()],
        vec!["created"; allowed.len()],
    ];
    assert_eq!(response.status, 207);
    assert_eq!(response.outcomes(), expected.concat(), "{}", response.body);
    let all_refused = rules.share(&refused, &expires_at).await;
    all_refused.assert_problem(403, "recipient-not-allowed");
    assert_eq!(
        world.table.list(&world.item, None, 100, None, world.now()).await.unwrap().shares.len(),
        allowed.len()
    );
}

#[tokio::test]
async fn only_allowed_domains_get_shares() {
    let stack = Stack::get().await;
    let world = World::new(&stack).await;
    world.upload().await;
    let variables = [
        ("ALLOWED_RECIPIENT_DOMAINS", "Bücher.example, ok.example"),
        ("BLOCKED_RECIPIENT_DOMAINS", "students.ok.example"),
        ("SHARER_EMAILS_PER_DAY", "2"),
    ];
    let rules = Deployment::new(&world, &variables).await;
    let expires_at = rfc3339(world.now() + TimeDelta::days(1));
    let recipients =
        ["a@ok.example", "a@x.students.ok.example", "a@elsewhere.example", "a@shop.xn--bcher-kva.example"];
    // Recipients that are refused do not count for the daily limit.
    let response = rules.share(&recipients, &expires_at).await;
    assert_eq!(response.outcomes(), ["created", "notAllowed", "notAllowed", "created"], "{}", response.body);
    assert_eq!(response.body["results"][1]["problem"]["type"], "/problems/recipient-not-allowed");
}

#[tokio::test]
async fn links_are_only_sent_by_email() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let (share, link) = world.share_by_email(&address("ann")).await;
    let rules = Deployment::new(&world, &[ONLY_EMAIL]).await;
    let forbidden = "email-required";
    let body = |notify: Option<bool>| json!({"recipients": [address("bob")], "expiresAt": rfc3339(world.now() + TimeDelta::days(1)), "notify": notify});
    rules.create("", &body(Some(false))).await.assert_problem(403, forbidden);
    rules.create("", &body(Some(true))).await.assert_ok();
    rules.create("", &body(None)).await.assert_ok();
    rules.post(&share, "link", "", &Value::Null).await.assert_problem(403, forbidden);
    rules.renew(&share, &json!({"notify": false})).await.assert_problem(403, forbidden);
    let log = world.table.get(&world.item, share.id).await.unwrap().unwrap();
    assert_eq!((log.version, &log.link_copied), (1, &None), "nothing was changed");
    let redeem = world.new_function("RedeemLink").await;
    assert_eq!(redeem.invoke(&open_event(&link)).await.unwrap()["statusCode"], 302);
    rules.renew(&share, &json!({})).await.assert_ok();
}

#[tokio::test]
async fn recipients_and_files_are_limited() {
    let stack = Stack::get().await;
    let world = World::new(&stack).await;
    world.upload().await;
    let rules = Deployment::new(&world, &[("MAX_RECIPIENTS", "2"), ("MAX_FILES", "1")]).await;
    let expires_at = rfc3339(world.now() + TimeDelta::days(1));
    let three = rules.share(&["a@x.example", "b@x.example", "c@x.example"], &expires_at).await;
    three.assert_problem(422, "invalid-request");
    assert_eq!(
        three.body["errors"],
        json!([{"pointer": "/recipients", "detail": "must contain 1 to 2 addresses"}])
    );
    rules.share(&["a@x.example", "b@x.example"], &expires_at).await.assert_ok();

    let body =
        |files: &[&str]| json!({"recipients": ["c@x.example"], "expiresAt": expires_at, "files": files});
    let two = rules.create("", &body(&["brief.pdf", "other.pdf"])).await;
    two.assert_problem(422, "invalid-request");
    assert_eq!(two.body["errors"], json!([{"pointer": "/files", "detail": "must contain at most 1 files"}]));
    rules.create("", &body(&["brief.pdf"])).await.assert_ok();

    let earlier = new_share_of_files(&world.item, &address("two"), 2, TimeDelta::days(2), world.now());
    world
        .table
        .create(permitted(&earlier), index_hashes(&earlier), RETENTION, new_write_id().unwrap())
        .await
        .unwrap();
    rules
        .change(&earlier, &rfc3339(world.now() + TimeDelta::days(3)))
        .await
        .assert_problem(403, "too-many-files");
    let renewal = json!({"expiresAt": rfc3339(world.now() + TimeDelta::days(3))});
    rules.renew(&earlier, &renewal).await.assert_problem(403, "too-many-files");
    rules.change(&earlier, &expires_at).await.assert_ok();
}

#[tokio::test]
async fn retry_returns_what_was_done_before_a_rule_changed() {
    let stack = Stack::get().await;
    let world = World::new(&stack).await;
    world.upload().await;
    let before = Deployment::new(&world, &[]).await;
    let blocking = [BLOCKED, MAX_30_DAYS, ONLY_EMAIL, ("MAX_RECIPIENTS", "1")];
    let after = Deployment::new(&world, &blocking).await;
    let recipients = ["a@blocked.example", "b@blocked.example", "c@ok.example"];
    let body = json!({
        "recipients": recipients, "expiresAt": rfc3339(world.now() + TimeDelta::days(90)), "notify": false,
    });
    let key = unique("key");

    let first = before.create(&key, &body).await;
    assert_eq!(first.status, 201, "{}", first.body);
    let retry = after.create(&key, &body).await;
    assert_eq!((retry.status, &retry.body["results"]), (201, &first.body["results"]), "{}", retry.body);

    // Two of the shares were not created after all. They must meet the current rules.
    let shares = world.table.list(&world.item, None, 100, None, world.now()).await.unwrap().shares;
    for share in shares.iter().filter(|share| share.recipient.as_str() != "a@blocked.example") {
        world.lose(share).await;
    }
    let retry = after.create(&key, &body).await;
    assert_eq!(retry.outcomes(), ["created", "notAllowed", "notAllowed"], "{}", retry.body);
    let only_maximum = Deployment::new(&world, &[MAX_30_DAYS]).await;
    let retry = only_maximum.create(&key, &body).await;
    assert_eq!(retry.outcomes(), ["created", "notAllowed", "notAllowed"], "{}", retry.body);
    assert_eq!(retry.body["results"][2]["problem"]["errors"][0]["reason"], "accessTooLong", "{}", retry.body);
    let retry = before.create(&key, &body).await;
    assert_eq!(retry.outcomes(), ["created"; 3], "{}", retry.body);

    // A new request does not pass for a retry.
    after.create(&unique("key"), &body).await.assert_problem(422, "invalid-request");
}

#[tokio::test]
async fn retried_changes_return_what_was_done() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let recipient = format!("{}@blocked.example", unique("ann"));
    let (share, _) = world.share_by_email(&recipient).await;
    let before = Deployment::new(&world, &[]).await;
    let after = Deployment::new(&world, &[BLOCKED, ONLY_EMAIL, MAX_30_DAYS]).await;
    world.advance(TimeDelta::hours(1));

    let keys = [unique("key"), unique("key")];
    let renewal = json!({"notify": false, "expiresAt": rfc3339(world.now() + TimeDelta::days(90))});
    before.post(&share, "resend", &keys[0], &Value::Null).await.assert_ok();
    before.post(&share, "renew", &keys[1], &renewal).await.assert_ok();
    after.post(&share, "resend", &keys[0], &Value::Null).await.assert_ok();
    after.post(&share, "renew", &keys[1], &renewal).await.assert_ok();
    after.post(&share, "renew", &unique("key"), &renewal).await.assert_problem(403, "recipient-not-allowed");
    after
        .post(&share, "resend", &unique("key"), &Value::Null)
        .await
        .assert_problem(403, "recipient-not-allowed");
    let renewed = world.table.get(&world.item, share.id).await.unwrap().unwrap();
    assert_eq!((renewed.version, renewed.mail.attempt), (2, 2));
}

#[tokio::test]
async fn frontends_read_the_rules() {
    let stack = Stack::get().await;
    let world = World::new(&stack).await;
    let default = Deployment::new(&world, &[]).await;
    let expected = json!({
        "defaultAccessDays": 7, "linksWithoutEmail": true, "maxRecipients": 100, "maxFiles": 100,
        "allowedRecipientDomains": [], "blockedRecipientDomains": [], "suggestions": true,
        "language": "en",
        "reminderDays": 0,
        "notices": ["emailProblem", "firstDownload", "moreTime"],
    });
    assert_eq!(default.rules().await, expected);
    let variables =
        [BLOCKED, ONLY_EMAIL, ("MAX_ACCESS_DAYS", "3"), ("MAX_RECIPIENTS", "5"), ("MAX_FILES", "2")];
    let more = [
        ("ALLOWED_RECIPIENT_DOMAINS", "EXAMPLE"),
        ("SUGGEST_RECIPIENTS", "false"),
        ("DEFAULT_LANGUAGE", "da"),
        ("REMINDER_DAYS", "3"),
        ("NOTICES", "moreTime"),
    ];
    let strict = Deployment::new(&world, &[&variables[..], &more].concat()).await;
    let expected = json!({
        "defaultAccessDays": 3, "maxAccessDays": 3, "linksWithoutEmail": false, "maxRecipients": 5, "maxFiles": 2,
        "allowedRecipientDomains": ["example"],
        "blockedRecipientDomains": ["blocked.example", "xn--bcher-kva.example"], "suggestions": false,
        "language": "da",
        "reminderDays": 3,
        "notices": ["moreTime"],
    });
    assert_eq!(strict.rules().await, expected);
}

#[tokio::test]
async fn invalid_rules_prevent_the_functions_from_starting() {
    let stack = Stack::get().await;
    let world = World::new(&stack).await;
    for (variable, value, error) in [
        ("MAX_ACCESS_DAYS", "-1", "NotNumber"),
        ("ALLOW_LINKS_WITHOUT_EMAIL", "yes", "NotBool"),
        ("ALLOWED_RECIPIENT_DOMAINS", "ok.example,*.example", "position: 2"),
        ("BLOCKED_RECIPIENT_DOMAINS", "a@b.example", "position: 1"),
        ("BLOCKED_RECIPIENT_DOMAINS", ",", "position: 1"),
        ("MAX_RECIPIENTS", "101", "TooLarge"),
        ("MAX_RECIPIENTS", "0", "NotPositiveNumber"),
        ("MAX_FILES", "101", "TooLarge"),
    ] {
        for name in ["CreateShares", "ManageShares"] {
            let output = world.new_function_with(name, &[(variable, value)]).await.fail_to_start().await;
            assert!(
                output.contains(variable) && output.contains(error),
                "{name}, {variable}={value}: {output}"
            );
        }
    }
}

#[tokio::test]
async fn rules_apply_in_every_module() {
    let (stack, _clock) = Stack::with_function_variable(BLOCKED.0, BLOCKED.1).await;
    let item = TestItem { token: stack.token(&["admin"]).await, ..TestItem::new(&stack).await };
    let blocked = format!("{}@blocked.example", unique("ann"));
    let ok = address("bob");

    item.share(&[&blocked]).await.assert_problem(403, "recipient-not-allowed");
    let response = item.share(&[&blocked, &ok]).await;
    response.assert_status(207);
    assert_eq!(response.json()["results"][0]["outcome"], "notAllowed");
    let id = response.json()["results"][1]["shareId"].as_str().unwrap().to_owned();
    item.renew(&id, "*", &json!({"notify": false})).await.assert_status(200);

    let other = TestItem { name: unique("item"), token: item.token.clone(), ..TestItem::new(&stack).await };
    let url = other.url("").replace("/modules/jobs/", "/modules/assets/");
    let key = stack.info.file_key(&format!("assets/{}", other.name), "brief.pdf");
    Aws::new(&stack).upload(&key, b"abc").await;
    let body = create_body(&[&blocked]);
    let post = stack.client.post(url).bearer_auth(&other.token).json(&body);
    send(post).await.assert_problem(403, "recipient-not-allowed");

    let rules = stack.client.get(format!("{}/share-rules", stack.info.api_url));
    send(rules.try_clone().unwrap()).await.assert_status(401);
    // Any caller may read the rules, even without the Share permission.
    let response = send(rules.bearer_auth(stack.token(&[]).await)).await;
    response.assert_status(200);
    assert_eq!(
        response.json()["blockedRecipientDomains"],
        json!(["blocked.example", "xn--bcher-kva.example"])
    );
}

#[tokio::test]
async fn blocked_domain_includes_the_other_domains_of_its_mailboxes() {
    let stack = Stack::get().await;
    let world = World::new(&stack).await;
    world.upload().await;
    let deployment = Deployment::new(&world, &[("BLOCKED_RECIPIENT_DOMAINS", "gmail.com")]).await;
    let blocked = format!("{}@googlemail.com", unique("ann"));
    let tomorrow = rfc3339(world.now() + TimeDelta::days(1));
    let refused = deployment.share(&[&blocked], &tomorrow).await;
    assert_eq!((refused.status, refused.outcomes()), (403, vec!["notAllowed"]));
    // Frontends compare only the domains of this list.
    assert_eq!(deployment.rules().await["blockedRecipientDomains"], json!(["gmail.com", "googlemail.com"]));
}

#[tokio::test]
async fn rules_for_links_and_expiry_are_reported_over_http() {
    {
        let (stack, _clock) = Stack::with_function_variable(ONLY_EMAIL.0, ONLY_EMAIL.1).await;
        let item = TestItem::new(&stack).await;
        let quiet = create_body_with(&[address("ann")], &json!({"notify": false}));
        item.post(&quiet).await.assert_problem(403, "email-required");
        let id = item.share_with(&address("ann")).await.id;
        item.call(Method::POST, &format!("/{id}/link")).await.assert_problem(403, "email-required");
        item.renew(&id, "*", &json!({"notify": false})).await.assert_problem(403, "email-required");
    }
    let (stack, _clock) = Stack::with_function_variable(MAX_30_DAYS.0, MAX_30_DAYS.1).await;
    let item = TestItem::new(&stack).await;
    let id = item.share_with(&address("ann")).await.id;
    let late = json!({"expiresAt": rfc3339(chrono::Utc::now() + TimeDelta::days(32))});
    item.post(&create_body_with(&[address("bob")], &late)).await.assert_invalid(&["/expiresAt"]);
    item.patch(&id, Some("*"), &late).await.assert_invalid(&["/expiresAt"]);
    item.renew(&id, "*", &late).await.assert_invalid(&["/expiresAt"]);
}
