//! What operators are told: alarms on what is really measured, each with a line in the notes.

use chrono::TimeDelta;
use serde_json::{Value, json};
use sharelink_domain::mail::Fault;

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
        Fault::Throttled,
        Fault::QuotaSpent,
        Fault::Paused,
        Fault::Unverified,
        Fault::Unavailable,
        Fault::NoLink,
    ] {
        assert!(TEMPLATE.contains(&format!("{{Name: Reason, Value: {}}}", fault.name())), "{fault:?}");
    }
}

/// The dimensions have to be the very ones that the alarms name.
#[tokio::test]
async fn the_schedule_tells_how_long_emails_are_overdue() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    world.share(&address("ann"), TimeDelta::days(7)).await;
    world.pass(TimeDelta::minutes(2));
    world.run_schedule().await.unwrap();
    let told = world.notify.function.output();
    let metrics: Vec<Value> = told
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|line| line["_aws"].is_object())
        .collect();
    let stack_name = &metrics[0]["Stack"];
    let told = |name: &str, dimensions: &[&str]| {
        metrics.iter().find(|line| {
            let directive = &line["_aws"]["CloudWatchMetrics"][0];
            directive["Namespace"] == "Sharelink"
                && directive["Dimensions"] == json!([dimensions])
                && line["Stack"] == *stack_name
                && line.get(name).is_some()
        })
    };
    assert_eq!(told("LongestOverdue", &["Stack"]).unwrap()["LongestOverdue"], json!([120.0]));
    let sent = told("Emails", &["Stack", "Outcome"]).unwrap();
    assert_eq!((&sent["Emails"], &sent["Outcome"]), (&json!(1), &json!("sent")));
}
