//! What operators are told: alarms on what is really measured, each with a line in the notes.

use chrono::TimeDelta;
use serde_json::{Value, json};
use sharelink_domain::delivery::EmailId;
use sharelink_domain::mail;

use crate::support::events::{change_event, create_event, list_event, open_event, ses_event};
use crate::support::function::Function;
use crate::support::proxy::Fault;
use crate::support::{Stack, World, address};

const TEMPLATE: &str = include_str!("../../infra/template.yaml");
const NOTES: &str = include_str!("../../infra/operations.md");

#[test]
fn every_alarm_has_a_line_in_the_operations_notes() {
    let resource = |line: &'static str| line.strip_prefix("  ")?.strip_suffix("Alarm:");
    let alarms: Vec<&str> = TEMPLATE.lines().filter_map(resource).collect();
    assert!(alarms.len() >= 10, "{alarms:?}");
    for alarm in alarms {
        assert!(NOTES.contains(&format!("| `{alarm}Alarm` |")), "{alarm}");
    }
}

#[test]
fn every_fault_of_sending_has_an_alarm() {
    for fault in [
        mail::Fault::Throttled,
        mail::Fault::QuotaSpent,
        mail::Fault::Paused,
        mail::Fault::Unverified,
        mail::Fault::Unavailable,
        mail::Fault::NoLink,
    ] {
        assert!(TEMPLATE.contains(&format!("{{Name: Reason, Value: {}}}", fault.name())), "{fault:?}");
    }
}

/// A metric, its dimension beside the stack, and the value of that.
type Told = (String, Option<(String, String)>);

/// The metrics that a function has told.
fn metrics(function: &Function) -> Vec<(Told, Value)> {
    let mut told = Vec::new();
    for line in lines(function).iter().filter(|line| line["_aws"].is_object()) {
        let directive = &line["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(directive["Namespace"], "Sharelink");
        assert!(line["Stack"].is_string());
        let dimensions: Vec<&str> = directive["Dimensions"][0]
            .as_array()
            .unwrap()
            .iter()
            .map(|name| name.as_str().unwrap())
            .collect();
        let dimension = match dimensions[..] {
            ["Stack"] => None,
            ["Stack", name] => Some((name.to_owned(), line[name].as_str().unwrap().to_owned())),
            _ => panic!("{line}"),
        };
        for metric in directive["Metrics"].as_array().unwrap() {
            let name = metric["Name"].as_str().unwrap();
            told.push(((name.to_owned(), dimension.clone()), line[name].clone()));
        }
    }
    told
}

/// All that a function has printed: one JSON object a line.
fn lines(function: &Function) -> Vec<Value> {
    function.output().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn assert_told(function: &Function, expected: &[(&str, Option<(&str, &str)>)]) {
    let told: Vec<Told> = metrics(function).into_iter().map(|(told, _)| told).collect();
    for (name, dimension) in expected {
        let metric = ((*name).to_owned(), dimension.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert!(told.contains(&metric), "{metric:?}: {told:?}");
    }
}

/// The dimensions have to be the very ones that alarms and the dashboard name.
#[tokio::test]
async fn the_schedule_tells_how_long_emails_are_overdue() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    world.share(&address("ann"), TimeDelta::days(7)).await;
    world.pass(TimeDelta::minutes(2));
    world.run_schedule().await.unwrap();
    let told = metrics(&world.notify.function);
    let overdue = told.iter().find(|((name, _), _)| name == "LongestOverdue").unwrap();
    assert_eq!(overdue, &(("LongestOverdue".to_owned(), None), json!([120.0])));
    assert_told(
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
async fn shares_uses_refusals_and_reports_are_counted() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    world.upload().await;
    let ann = address("ann");
    let create = create_event(&world.item, std::slice::from_ref(&ann), world.now());
    let function = world.another("CreateShares").await;
    for status in [201, 409] {
        assert_eq!(function.invoke(&create).await.unwrap()["statusCode"], status);
    }
    assert_told(
        &function,
        &[
            ("Shares", Some(("Outcome", "created"))),
            ("Shares", Some(("Outcome", "alreadyActive"))),
            ("Problems", Some(("Type", "already-active"))),
            ("CallDuration", Some(("Service", "s3"))),
            ("ColdStarts", Some(("Function", "create-shares"))),
        ],
    );

    world.run_notify().await;
    let [link] = world.links_to(&ann).await.try_into().unwrap();
    let redeem = world.another("RedeemLink").await;
    for (link, status) in [(link.as_str(), 302), ("forged", 404)] {
        assert_eq!(redeem.invoke(&open_event(link)).await.unwrap()["statusCode"], status);
    }
    assert_told(
        &redeem,
        &[
            ("Opens", None),
            ("Downloads", None),
            ("Refusals", Some(("Reason", "unknown-link"))),
            ("CallDuration", Some(("Service", "dynamodb"))),
        ],
    );

    let share = world.table.list(&world.item, None, 1, None, world.now()).await.unwrap().shares.remove(0);
    let manage = world.another("ManageShares").await;
    let stale = change_event(&world.item, share.id, "\"0\"", world.now());
    assert_eq!(manage.invoke(&stale).await.unwrap()["statusCode"], 412);
    assert_told(&manage, &[("Problems", Some(("Type", "stale-version")))]);

    let track = world.another("TrackDelivery").await;
    let at = share.mail.at.unwrap() + TimeDelta::seconds(1);
    track.invoke(&ses_event(&EmailId::of(&share), "Delivery", at, &json!({}))).await.unwrap();
    assert_told(&track, &[("EmailReports", Some(("Event", "delivered")))]);

    world.dynamodb.plan(100, &[], || Some(Fault::Refuse));
    assert_eq!(redeem.invoke(&open_event(&link)).await.unwrap()["statusCode"], 503);
    assert_told(
        &redeem,
        &[
            ("CallFailures", Some(("Service", "dynamodb"))),
            ("Refusals", Some(("Reason", "temporarily-unavailable"))),
        ],
    );
}

#[tokio::test]
async fn every_request_has_one_line_in_the_log() {
    let stack = Stack::get().await;
    let world = World::new(&stack).await;
    let manage = world.another("ManageShares").await;
    let list = list_event(&world.item);
    for _ in 0..3 {
        manage.invoke(&list).await.unwrap();
    }
    let lines: Vec<Value> = lines(&manage).into_iter().filter(|line| line["_aws"].is_null()).collect();
    assert_eq!(lines.len(), 3, "{lines:?}");
    for (n, line) in lines.iter().enumerate() {
        assert_eq!(line["span"]["requestId"], format!("request-{n}"));
        assert_eq!(line["span"]["xrayTraceId"], format!("trace-{n}"));
        assert_eq!((&line["route"], &line["status"]), (&list["routeKey"], &json!(200)));
        assert!(line["duration_ms"].is_u64() && line["level"] == "INFO", "{line}");
    }
}

/// A line of metrics holds a hundred values at the most.
#[tokio::test]
async fn every_call_of_a_large_request_is_measured() {
    let stack = Stack::get().await;
    let world = World::new(&stack).await;
    world.upload().await;
    let recipients: Vec<String> = (0..100).map(|_| address("ann")).collect();
    let create = create_event(&world.item, &recipients, world.now());
    let function = world.another("CreateShares").await;
    assert_eq!(function.invoke(&create).await.unwrap()["statusCode"], 201);
    let dynamodb = Some(("Service".to_owned(), "dynamodb".to_owned()));
    let values = metrics(&function)
        .into_iter()
        .filter(|(told, _)| *told == ("CallDuration".to_owned(), dynamodb.clone()));
    // Each share, and the look when the function started.
    assert_eq!(values.map(|(_, values)| values.as_array().unwrap().len()).sum::<usize>(), 101);
    assert!(lines(&function).iter().all(|line| line["level"] != "ERROR"));
}
