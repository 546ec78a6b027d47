//! Changes of several shares in one request: a result for each, no half state, and safe retries.

use chrono::TimeDelta;
use serde_json::{Value, json};
use sharelink_domain::access::InactiveReason;
use sharelink_domain::{Item, Share, Status};

use crate::api::UNKNOWN_SHARE_ID;
use crate::support::events::{api_event, create_event, with_caller};
use crate::support::fixtures::new_item;
use crate::support::manager::{AUDITOR, JOBS_LEAD, Manager, User, admin, producer, reference, shared_by};
use crate::support::proxy::Fault;
use crate::support::{Response, Stack, World, address, rfc3339, unique};

/// The operations that read and change a share.
const GET: &str = "DynamoDB_20120810.GetItem";
const UPDATE: &str = "DynamoDB_20120810.UpdateItem";

/// Stores this many shares of the user `ann`, each of another item.
async fn store(world: &World<'_>, manager: &Manager, count: usize) -> Vec<Share> {
    let share = |_| shared_by("ann", &new_item(), world.now()).recipient(&address("r")).build();
    let shares: Vec<_> = (0..count).map(share).collect();
    manager.store_all(&shares).await;
    shares
}

fn revocation(shares: &[Share]) -> Value {
    json!({"shares": shares.iter().map(reference).collect::<Vec<_>>()})
}

fn expiration(shares: &[(&Share, u64)], expires_at: &str) -> Value {
    let entry = |(share, version): &(&Share, u64)| {
        let mut entry = reference(share);
        entry["version"] = (*version).into();
        entry
    };
    json!({"shares": shares.iter().map(entry).collect::<Vec<_>>(), "expiresAt": expires_at})
}

/// Returns each result's outcome, or the type of its problem.
#[track_caller]
fn outcomes(response: &Response) -> Vec<String> {
    response.assert_status(200);
    let results = response.json()["results"].as_array().unwrap().clone();
    let outcome = |result: &Value| match result["problem"]["type"].as_str() {
        Some(problem) => problem.trim_start_matches("/problems/").to_owned(),
        None => result["outcome"].as_str().unwrap().to_owned(),
    };
    results.iter().map(outcome).collect()
}

async fn read_all(world: &World<'_>, shares: &[Share]) -> Vec<Share> {
    let mut read = Vec::new();
    for share in shares {
        read.push(world.read(share).await.unwrap());
    }
    read
}

#[tokio::test]
async fn hundred_shares_are_revoked_in_one_request() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let manager = Manager::new(&world).await;
    let shares = store(&world, &manager, 100).await;

    let response = manager.post(producer("bob"), "revoke", None, &revocation(&shares)).await;

    assert_eq!(outcomes(&response), ["changed"; 100]);
    let results = response.json()["results"].as_array().unwrap().clone();
    for (share, result) in shares.iter().zip(&results) {
        assert_eq!(result["shareId"], share.id.to_string(), "in the request's order");
        assert_eq!(
            (&result["share"]["status"], &result["share"]["reason"]),
            (&json!("inactive"), &json!("revoked"))
        );
        assert_eq!(result["share"]["version"], 2);
    }
    for share in read_all(&world, &shares).await {
        assert_eq!(share.revoked_at, Some(world.now()));
        assert_eq!(share.changed.unwrap().action.by.sub, "bob");
    }
    world.item = shares[0].item.clone();
    world.run_sweep().await;
    assert_eq!(world.log_events(shares[0].id).await, ["created", "revoked"]);
    let again = manager.post(producer("bob"), "revoke", None, &revocation(&shares)).await;
    assert_eq!(outcomes(&again), ["unchanged"; 100]);
}

#[tokio::test]
async fn every_share_has_its_own_result() {
    let stack = Stack::get().await;
    let world = World::new(&stack).await;
    let manager = Manager::new(&world).await;
    let shares = store(&world, &manager, 4).await;
    let [fresh, stale, same, purged] = &shares[..] else { unreachable!() };
    world.expire_in(stale, TimeDelta::days(2)).await;
    world.lose(purged).await;
    let foreign = shared_by("ann", &Item::parse("assets/7").unwrap(), world.now()).build();
    manager.store(&foreign).await;
    let expires_at = rfc3339(same.expires_at);
    world.revoke(fresh).await;

    let entries = [(fresh, 2), (stale, 1), (same, 1), (purged, 1), (&foreign, 1), (fresh, 0)];
    let response =
        manager.post(producer("ann"), "expiration", None, &expiration(&entries, &expires_at)).await;

    assert_eq!(
        outcomes(&response),
        ["changed", "stale-version", "unchanged", "share-not-found", "share-permission-missing", "changed"]
    );
    assert_eq!(world.read(fresh).await.unwrap().status(world.now()), Status::Active, "reactivated");
    assert_eq!(world.read(stale).await.unwrap().version, 2);
    assert_eq!(world.read(&foreign).await, Some(foreign.clone()));
    assert_eq!(
        outcomes(&manager.post(JOBS_LEAD, "revoke", None, &revocation(std::slice::from_ref(&foreign))).await),
        ["share-permission-missing"]
    );
    assert_eq!(outcomes(&manager.post(AUDITOR, "revoke", None, &revocation(&[foreign])).await), ["changed"]);
}

#[tokio::test]
async fn expiration_follows_the_same_rules_as_for_one_share() {
    let stack = Stack::get().await;
    let world = World::new(&stack).await;
    let manager = Manager::new(&world).await;
    let shares = store(&world, &manager, 2).await;
    let entries: Vec<_> = shares.iter().map(|share| (share, 1)).collect();
    let change = async |expires_at: &str| {
        manager.post(producer("ann"), "expiration", None, &expiration(&entries, expires_at)).await
    };
    // The world's day is March 10. At +14:00, it is already March 11.
    for refused in ["2030-03-09T23:59:59Z", "2030-03-10T23:59:59+14:00", "2041-01-01T00:00:00Z"] {
        let response = change(refused).await;
        assert_eq!(outcomes(&response), ["invalid-request"; 2], "{refused}");
        let problem = response.json()["results"][1]["problem"].clone();
        assert_eq!(problem["errors"][0]["pointer"], "/expiresAt", "{problem}");
    }
    for malformed in ["2030-03-11T00:00:00", "tomorrow", ""] {
        change(malformed).await.assert_invalid(&["/expiresAt"]);
    }
    assert_eq!(read_all(&world, &shares).await, shares);
    assert_eq!(outcomes(&change("2030-03-11T00:00:00+14:00").await), ["changed"; 2]);
    for share in read_all(&world, &shares).await {
        assert_eq!(share.status(world.now()), Status::Inactive(InactiveReason::Expired));
        assert_eq!(share.expires_offset.local_minus_utc(), 14 * 3600);
    }
}

#[tokio::test]
async fn share_that_occurs_twice_is_changed_once() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let manager = Manager::new(&world).await;
    let share = &store(&world, &manager, 1).await[0];
    let expires_at = rfc3339(world.now() + TimeDelta::days(3));
    let twice = expiration(&[(share, 1), (share, 1)], &expires_at);
    let response = manager.post(producer("ann"), "expiration", None, &twice).await;
    assert_eq!(outcomes(&response), ["changed"; 2]);
    let twice = revocation(&[share.clone(), share.clone()]);
    assert_eq!(outcomes(&manager.post(producer("ann"), "revoke", None, &twice).await), ["changed"; 2]);
    assert_eq!(world.read(share).await.unwrap().version, 3);
    world.item = share.item.clone();
    world.run_sweep().await;
    assert_eq!(world.log_events(share.id).await, ["created", "expirationChanged", "revoked"]);
}

#[tokio::test]
async fn invalid_requests_change_nothing() {
    let stack = Stack::get().await;
    let world = World::new(&stack).await;
    let manager = Manager::new(&world).await;
    let shares = store(&world, &manager, 1).await;
    let valid = reference(&shares[0]);
    let with = |field: &str, value: Value| {
        let mut entry = valid.clone();
        entry[field] = value;
        json!({"shares": [valid.clone(), entry]})
    };
    let without = |field: &str| {
        let mut entry = valid.clone();
        entry.as_object_mut().unwrap().remove(field);
        json!({"shares": [entry, valid.clone()]})
    };
    let revoke = async |body: Value| manager.post(producer("ann"), "revoke", None, &body).await;
    revoke(json!({})).await.assert_invalid(&["/shares"]);
    revoke(json!({"shares": []})).await.assert_invalid(&["/shares"]);
    revoke(json!({"shares": vec![valid.clone(); 101]})).await.assert_invalid(&["/shares"]);
    revoke(json!({"shares": [[]]})).await.assert_invalid(&["/shares/0"]);
    revoke(with("module", "a/b".into())).await.assert_invalid(&["/shares/1/module"]);
    revoke(with("item", "".into())).await.assert_invalid(&["/shares/1/item"]);
    revoke(with("shareId", "x".into())).await.assert_invalid(&["/shares/1/shareId"]);
    revoke(with("version", 1.into())).await.assert_invalid(&["/shares/1/version"]);
    for field in ["module", "item", "shareId"] {
        revoke(without(field)).await.assert_invalid(&[&format!("/shares/0/{field}")]);
    }
    revoke(json!({"shares": [{"module": "?", "item": "?", "shareId": "?"}]})).await.assert_invalid(&[
        "/shares/0/module",
        "/shares/0/item",
        "/shares/0/shareId",
    ]);
    let change = async |body: Value| manager.post(producer("ann"), "expiration", None, &body).await;
    let expires_at = rfc3339(world.now() + TimeDelta::days(3));
    change(json!({"shares": [valid], "expiresAt": expires_at})).await.assert_invalid(&["/shares/0/version"]);
    let versioned = expiration(&[(&shares[0], 1)], &expires_at);
    change(json!({"shares": versioned["shares"]})).await.assert_invalid(&["/expiresAt"]);
    assert_eq!(read_all(&world, &shares).await, shares);
    assert_eq!(outcomes(&change(versioned).await), ["changed"]);
}

#[tokio::test]
async fn caller_without_any_right_gets_a_result_for_each_share() {
    let stack = Stack::get().await;
    let world = World::new(&stack).await;
    let manager = Manager::new(&world).await;
    let shares = store(&world, &manager, 2).await;
    let viewer = User { sub: "ann", rights: &["viewer"] };
    let response = manager.post(viewer, "revoke", None, &revocation(&shares)).await;
    assert_eq!(outcomes(&response), ["share-permission-missing"; 2]);
    assert_eq!(read_all(&world, &shares).await, shares);
    world.dynamodb.take_call_count(&[""]);
    manager.post(viewer, "revoke", None, &revocation(&shares)).await;
    assert_eq!(world.dynamodb.take_call_count(&["DynamoDB_20120810"]), 0, "no share is read");
}

#[tokio::test]
async fn failures_of_some_shares_leave_the_others_changed() {
    let stack = Stack::get().await;
    let world = World::new(&stack).await;
    let manager = Manager::new(&world).await;
    let shares = store(&world, &manager, 20).await;
    let failing = &shares[7];
    world.dynamodb.throttle(1_000, &[UPDATE, &failing.item.name.to_string()]);
    let key = unique("key");
    let first = manager.post(producer("ann"), "revoke", Some(&key), &revocation(&shares)).await;
    let mut expected = vec!["changed"; 20];
    expected[7] = "temporarily-unavailable";
    assert_eq!(outcomes(&first), expected);
    assert_eq!(world.read(failing).await.as_ref(), Some(failing));

    // Someone undoes one of the revocations before the retry, which must not revoke that share again.
    world.expire_in(&shares[3], TimeDelta::days(1)).await;
    world.dynamodb.clear_faults();
    let retry = manager.post(producer("ann"), "revoke", Some(&key), &revocation(&shares)).await;
    assert_eq!(outcomes(&retry), ["changed"; 20]);
    assert_eq!(world.read(failing).await.unwrap().version, 2);
    assert_eq!(world.read(&shares[0]).await.unwrap().version, 2, "changed once");
    assert_eq!(world.read(&shares[3]).await.unwrap().status(world.now()), Status::Active);
}

#[tokio::test]
async fn retry_after_lost_responses_changes_nothing_twice() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let manager = Manager::new(&world).await;
    let shares = store(&world, &manager, 10).await;
    world.dynamodb.lose_responses(4, &[UPDATE]);
    world.dynamodb.lose_responses(2, &[GET]);
    let expires_at = rfc3339(world.now() + TimeDelta::days(3));
    let entries: Vec<_> = shares.iter().map(|share| (share, 1)).collect();
    let body = expiration(&entries, &expires_at);
    let key = unique("key");
    assert_eq!(
        outcomes(&manager.post(producer("ann"), "expiration", Some(&key), &body).await),
        ["changed"; 10]
    );
    assert_eq!(world.dynamodb.pending_faults(), 0);
    // The response is lost, too. The caller retries the next day, when the expiry might be refused.
    world.advance(TimeDelta::hours(23));
    assert_eq!(
        outcomes(&manager.post(producer("ann"), "expiration", Some(&key), &body).await),
        ["changed"; 10]
    );
    for share in read_all(&world, &shares).await {
        assert_eq!(share.version, 2);
    }
    let without_key = manager.post(producer("ann"), "expiration", None, &body).await;
    assert_eq!(outcomes(&without_key), ["unchanged"; 10], "repeats the latest change");
    let by_another = manager.post(producer("bob"), "expiration", None, &body).await;
    assert_eq!(outcomes(&by_another), ["stale-version"; 10]);
    world.item = shares[0].item.clone();
    world.run_sweep().await;
    assert_eq!(world.log_events(shares[0].id).await, ["created", "expirationChanged"]);
}

#[tokio::test]
async fn idempotency_key_belongs_to_one_request() {
    let stack = Stack::get().await;
    let world = World::new(&stack).await;
    let manager = Manager::new(&world).await;
    let shares = store(&world, &manager, 2).await;
    let key = unique("key");
    let revoke =
        async |user, shares: &[Share]| manager.post(user, "revoke", Some(&key), &revocation(shares)).await;
    assert_eq!(outcomes(&revoke(producer("ann"), &shares[..1]).await), ["changed"]);
    revoke(producer("ann"), &shares).await.assert_problem(422, "idempotency-key-reused");
    assert!(world.read(&shares[1]).await.unwrap().revoked_at.is_none());
    assert_eq!(outcomes(&revoke(producer("bob"), &shares).await), ["unchanged", "changed"], "another caller");
    let invalid = manager.post(producer("ann"), "revoke", Some("\u{7f}"), &revocation(&shares)).await;
    invalid.assert_invalid(&["Idempotency-Key"]);
}

#[tokio::test]
async fn concurrent_requests_revoke_each_share_once() {
    let stack = Stack::get().await;
    let world = World::new(&stack).await;
    let (one, two) = (Manager::new(&world).await, Manager::new(&world).await);
    let shares = store(&world, &one, 30).await;
    let mut reversed = shares.clone();
    reversed.reverse();
    let (first, second) = futures_util::future::join(
        one.post(producer("ann"), "revoke", None, &revocation(&shares)),
        two.post(admin("bob"), "revoke", None, &revocation(&reversed)),
    )
    .await;
    let mut second = outcomes(&second);
    second.reverse();
    for (first, second) in outcomes(&first).iter().zip(&second) {
        let mut pair = [first.as_str(), second.as_str()];
        pair.sort_unstable();
        assert_eq!(pair, ["changed", "unchanged"]);
    }
    for share in read_all(&world, &shares).await {
        assert_eq!(share.version, 2);
    }
}

/// There is no item resolver behind this ARN, so every question fails.
const FAILING_RESOLVER: &str = "arn:aws:lambda:us-east-1:000000000000:function:missing";

#[tokio::test]
async fn only_revocations_pass_while_the_item_resolver_fails() {
    let stack = Stack::get().await;
    let world = World::with_variables(&stack, &[("ITEM_RESOLVER", FAILING_RESOLVER)]).await;
    world.lambda.inject(1_000, &["/invocations"], || Some(Fault::Respond(503, "ServiceException", "")));
    let manager = Manager::new(&world).await;
    let shares = store(&world, &manager, 3).await;
    let expires_at = rfc3339(world.now() + TimeDelta::days(3));
    let entries: Vec<_> = shares.iter().map(|share| (share, 1)).collect();
    let body = expiration(&entries, &expires_at);
    let change = manager.post(producer("ann"), "expiration", None, &body).await;
    assert_eq!(outcomes(&change), ["temporarily-unavailable"; 3]);
    assert_eq!(read_all(&world, &shares).await, shares);
    world.lambda.take_call_count(&[""]);
    let many = store(&world, &manager, 100).await;
    let revoked = manager.post(producer("ann"), "revoke", None, &revocation(&many)).await;
    assert_eq!(outcomes(&revoked), ["changed"; 100]);
    let questions = world.lambda.take_call_count(&["/invocations"]);
    assert!(questions <= 8 * 4, "{questions} calls, with the retries of the first eight");
    let by_lead = manager.post(JOBS_LEAD, "expiration", None, &body).await;
    assert_eq!(outcomes(&by_lead), ["changed"; 3], "the right to manage all shares asks no resolver");
    let revoked = manager.post(producer("ann"), "revoke", None, &revocation(&shares)).await;
    assert_eq!(outcomes(&revoked), ["changed"; 3]);
    let route = "GET /modules/{module}/items/{item}/shares/{shareId}";
    let read = api_event(route, &reference(&shares[0]), &Value::Null);
    manager.send(producer("ann"), read.clone()).await.assert_problem(503, "temporarily-unavailable");
    manager.send(JOBS_LEAD, read).await.assert_status(200);
}

#[tokio::test]
async fn right_to_manage_all_replaces_the_share_permission_on_item_routes() {
    let stack = Stack::get().await;
    let world = World::new(&stack).await;
    let manager = Manager::new(&world).await;
    let share = &store(&world, &manager, 1).await[0];
    let parameters = reference(share);
    for (route, status) in [
        ("GET /modules/{module}/items/{item}/shares", 200),
        ("GET /modules/{module}/items/{item}/shares/{shareId}", 200),
        ("POST /modules/{module}/items/{item}/shares/{shareId}/link", 200),
        ("GET /modules/{module}/items/{item}/share-log", 200),
        ("POST /modules/{module}/items/{item}/shares/{shareId}/revoke", 200),
    ] {
        let event = api_event(route, &parameters, &Value::Null);
        manager.send(JOBS_LEAD, event.clone()).await.assert_status(status);
        let viewer = User { sub: "lead", rights: &["viewer"] };
        manager.send(viewer, event).await.assert_problem(403, "share-permission-missing");
    }
    let mut unknown = json!({"shares": [parameters]});
    unknown["shares"][0]["shareId"] = UNKNOWN_SHARE_ID.into();
    assert_eq!(outcomes(&manager.post(JOBS_LEAD, "revoke", None, &unknown).await), ["share-not-found"]);
    // The right is about existing shares: it does not allow sharing.
    let permission =
        api_event("GET /modules/{module}/items/{item}/share-permission", &parameters, &Value::Null);
    assert_eq!(manager.send(JOBS_LEAD, permission).await.json(), json!({"canShare": false}));
    let create = create_event(&share.item, &[address("r")], world.now());
    let create = with_caller(create, "lead", "Leo Lead", &["jobs-lead"]);
    let function = world.new_function("CreateShares").await;
    assert_eq!(function.invoke(&create).await.unwrap()["statusCode"], 403);
}
