//! Metrics, alarms and logs for operators.

use chrono::TimeDelta;
use serde_json::{Value, json};
use sharelink_domain::delivery::EmailId;
use sharelink_domain::sending;

use crate::support::events::{change_event, create_event, list_event, open_event, ses_event};
use crate::support::function::Function;
use crate::support::proxy::Fault;
use crate::support::{Stack, World, address};
use crate::template;

const NOTES: &str = include_str!("../../infra/operations.md");

#[test]
fn operations_notes_list_every_alarm() {
    for alarm in template::alarms().into_keys() {
        assert!(NOTES.contains(&format!("| `{alarm}` |")), "{alarm}");
    }
}

#[test]
fn every_sending_fault_has_an_alarm() {
    let alarms = template::alarms();
    for fault in [
        sending::Fault::Throttled,
        sending::Fault::QuotaSpent,
        sending::Fault::Paused,
        sending::Fault::Unverified,
        sending::Fault::Unavailable,
        sending::Fault::NoLink,
    ] {
        let reason = json!({"Name": "Reason", "Value": fault.name()});
        assert!(alarms.values().any(|alarm| alarm["Dimensions"][1] == reason), "{fault:?}");
    }
}

/// A metric in a function's output.
#[derive(Clone, Debug, PartialEq)]
struct Metric {
    name: String,
    /// The name and value of the dimension other than `Stack`, if any.
    dimension: Option<(String, String)>,
    values: Value,
}

impl Metric {
    fn is(&self, name: &str, dimension: Option<(&str, &str)>) -> bool {
        let own = self.dimension.as_ref().map(|(name, value)| (name.as_str(), value.as_str()));
        self.name == name && own == dimension
    }
}

/// Returns all metrics in a function's output.
fn parse_metrics(function: &Function) -> Vec<Metric> {
    let mut metrics = Vec::new();
    for line in parse_output(function).iter().filter(|line| line["_aws"].is_object()) {
        let directive = &line["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(directive["Namespace"], "Sharelink");
        assert!(line["Stack"].is_string());
        let names = directive["Dimensions"][0].as_array().unwrap().iter();
        let dimensions: Vec<&str> = names.map(|name| name.as_str().unwrap()).collect();
        let dimension = match dimensions[..] {
            ["Stack"] => None,
            ["Stack", name] => Some((name.to_owned(), line[name].as_str().unwrap().to_owned())),
            _ => panic!("{line}"),
        };
        for metric in directive["Metrics"].as_array().unwrap() {
            let name = metric["Name"].as_str().unwrap();
            let values = line[name].clone();
            metrics.push(Metric { name: name.to_owned(), dimension: dimension.clone(), values });
        }
    }
    metrics
}

/// Returns the lines of a function's output, each parsed as JSON.
fn parse_output(function: &Function) -> Vec<Value> {
    function.output().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Asserts that a function's output contains the expected metrics. Alarms and the dashboard depend on the
/// exact dimensions.
fn assert_has_metrics(function: &Function, expected: &[(&str, Option<(&str, &str)>)]) {
    let metrics = parse_metrics(function);
    for (name, dimension) in expected {
        let is_present = metrics.iter().any(|metric| metric.is(name, *dimension));
        assert!(is_present, "{name} {dimension:?} is missing from {metrics:?}");
    }
}

async fn invoke_for_status(function: &Function, event: &Value) -> u64 {
    function.invoke(event).await.unwrap()["statusCode"].as_u64().unwrap()
}

#[tokio::test]
async fn scheduled_run_reports_the_longest_overdue_email() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    world.share(&address("ann"), TimeDelta::days(7)).await;
    world.advance(TimeDelta::minutes(2));

    world.run_schedule().await.unwrap();

    let metrics = parse_metrics(&world.notify.function);
    let overdue = metrics.iter().find(|metric| metric.name == "LongestOverdue").unwrap();
    assert_eq!(overdue.dimension, None);
    assert_eq!(overdue.values, json!([120.0]));
    assert_has_metrics(
        &world.notify.function,
        &[
            ("LongestOverdue", None),
            ("Emails", Some(("Outcome", "sent"))),
            ("CallDuration", Some(("Service", "sesv2"))),
            ("CallDuration", Some(("Service", "secretsmanager"))),
            ("ColdStarts", Some(("Function", "notify-recipients"))),
        ],
    );
}

#[tokio::test]
async fn creates_are_counted_by_outcome() {
    let stack = Stack::get().await;
    let world = World::new(&stack).await;
    world.upload().await;
    let create = create_event(&world.item, &[address("ann")], world.now());
    let function = world.new_function("CreateShares").await;
    assert_eq!(invoke_for_status(&function, &create).await, 201);
    assert_eq!(invoke_for_status(&function, &create).await, 409);
    assert_has_metrics(
        &function,
        &[
            ("Shares", Some(("Outcome", "created"))),
            ("Shares", Some(("Outcome", "alreadyActive"))),
            ("Problems", Some(("Type", "already-active"))),
            ("CallDuration", Some(("Service", "s3"))),
            ("ColdStarts", Some(("Function", "create-shares"))),
        ],
    );
}

#[tokio::test]
async fn link_uses_and_refusals_are_counted() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let (_, link) = world.share_by_email(&address("ann")).await;
    let redeem = world.new_function("RedeemLink").await;
    assert_eq!(invoke_for_status(&redeem, &open_event(&link)).await, 302);
    assert_eq!(invoke_for_status(&redeem, &open_event("forged")).await, 404);
    assert_has_metrics(
        &redeem,
        &[
            ("Opens", None),
            ("Downloads", None),
            ("Refusals", Some(("Reason", "unknown-link"))),
            ("CallDuration", Some(("Service", "dynamodb"))),
        ],
    );

    world.dynamodb.inject(100, &[], || Some(Fault::Disconnect));
    assert_eq!(invoke_for_status(&redeem, &open_event(&link)).await, 503);
    assert_has_metrics(
        &redeem,
        &[
            ("CallFailures", Some(("Service", "dynamodb"))),
            ("Refusals", Some(("Reason", "temporarily-unavailable"))),
        ],
    );
}

#[tokio::test]
async fn stale_changes_are_counted_as_problems() {
    let stack = Stack::get().await;
    let world = World::new(&stack).await;
    let share = world.share(&address("ann"), TimeDelta::days(7)).await;
    let manage = world.new_function("ManageShares").await;
    let stale = change_event(&world.item, share.id, "\"0\"", world.now());
    assert_eq!(invoke_for_status(&manage, &stale).await, 412);
    assert_has_metrics(&manage, &[("Problems", Some(("Type", "stale-version")))]);
}

#[tokio::test]
async fn email_reports_are_counted_by_event() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let (created, _) = world.share_by_email(&address("ann")).await;
    let share = world.read(&created).await.unwrap();
    let track = world.new_function("TrackDelivery").await;
    let at = share.mail.at.unwrap() + TimeDelta::seconds(1);
    track.invoke(&ses_event(&EmailId::of(&share), "Delivery", at, &json!({}))).await.unwrap();
    assert_has_metrics(&track, &[("EmailReports", Some(("Event", "delivered")))]);
}

#[tokio::test]
async fn every_request_logs_one_line() {
    let stack = Stack::get().await;
    let world = World::new(&stack).await;
    let manage = world.new_function("ManageShares").await;
    let list = list_event(&world.item);

    for _ in 0..3 {
        manage.invoke(&list).await.unwrap();
    }

    let lines: Vec<Value> = parse_output(&manage).into_iter().filter(|line| line["_aws"].is_null()).collect();
    assert_eq!(lines.len(), 3, "{lines:?}");
    for (n, line) in lines.iter().enumerate() {
        assert_eq!(line["span"]["requestId"], format!("request-{n}"));
        assert_eq!(line["span"]["xrayTraceId"], format!("trace-{n}"));
        assert_eq!(line["route"], list["routeKey"]);
        assert_eq!(line["status"], 200);
        assert!(line["duration_ms"].is_u64(), "{line}");
        assert_eq!(line["level"], "INFO");
    }
}

/// A log line holds at most 100 values per metric, so this request needs several lines.
#[tokio::test]
async fn every_aws_call_in_a_large_request_is_measured() {
    let stack = Stack::get().await;
    let world = World::new(&stack).await;
    world.upload().await;
    let recipients: Vec<String> = (0..100).map(|_| address("ann")).collect();
    let create = create_event(&world.item, &recipients, world.now());
    let function = world.new_function("CreateShares").await;

    assert_eq!(invoke_for_status(&function, &create).await, 201);

    let metrics = parse_metrics(&function);
    let durations = metrics.iter().filter(|metric| metric.is("CallDuration", Some(("Service", "dynamodb"))));
    let calls: usize = durations.map(|metric| metric.values.as_array().unwrap().len()).sum();
    // One call to find existing shares, one to count the sharer's emails, one for each mailbox and each
    // share, and one when the function starts.
    assert_eq!(calls, 203);
    assert!(parse_output(&function).iter().all(|line| line["level"] != "ERROR"));
}
