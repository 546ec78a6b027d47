//! A redemption after an idle spell in which all connections died.

use std::time::Duration;

use serde_json::{Value, json};

use super::connection::Death;
use super::cpu_quota::{CpuQuota, PERIOD};
use super::events::EventFactory;
use super::fake_aws::FakeAws;
use super::measure::Times;
use super::memory::time_event;
use super::programs::{floor, function};
use super::{milliseconds, ratio};
use crate::support::function::Function;

/// Number of instances that become idle at the same time.
const INSTANCES: usize = 11;

/// Number of warm events for each instance, and of handshakes.
const EVENTS: usize = 10;

/// Time without events. S3 closes connections that are idle for 20 seconds (AWS Knowledge Center,
/// "s3-socket-connection-timeout-error"). The functions measure idle time by the wall clock, which a release
/// build cannot change, so the benchmark waits.
const IDLE: Duration = Duration::from_secs(21);

/// The memory size of `redeem-link` in the template.
const MEGABYTES: u32 = 256;

/// Measures and prints redemptions after an idle spell.
pub(crate) async fn print_table(aws: &FakeAws, events: &EventFactory<'_>) {
    println!("\nA redemption after {} idle seconds, at {MEGABYTES} MB: times in ms\n", IDLE.as_secs());
    let quota = match CpuQuota::new(MEGABYTES) {
        Ok(quota) => quota,
        Err(error) => return println!("skipped: control groups are not available: {error}"),
    };
    let redemption = events.redemption().await;
    let handshake = measure_handshake(aws, &quota).await;
    println!("{:<40} {:>7.1}", "TLS handshake", milliseconds(handshake));

    let mut instances = Vec::new();
    for _ in 0..INSTANCES {
        let instance = function("redeem-link").deploy(aws).await;
        instance.start_instance().await;
        quota.limit(instance.pid().await);
        instances.push(instance);
    }
    let mut warm = Vec::new();
    for instance in &instances {
        // The first event after the start is not warm.
        measure_event(aws, instance, &redemption).await;
        for _ in 0..EVENTS {
            warm.push(measure_event(aws, instance, &redemption).await);
        }
    }
    let warm = print_events("warm", &warm);

    for (name, death) in [("reset", Death::Reset), ("silence", Death::Silence)] {
        tokio::time::sleep(IDLE).await;
        aws.kill_connections(death);
        let mut times = Vec::new();
        for instance in &instances {
            times.push(measure_event(aws, instance, &redemption).await);
        }
        let idle = print_events(&format!("after the idle spell: {name}"), &times);
        let limit = warm.mul_f64(1.3) + handshake;
        let verdict = if idle <= limit { "met" } else { "NOT MET" };
        println!(
            "{:<40} {:>7.1} times warm; at most 1.3 times and a handshake = {:.1}: {verdict}",
            "",
            ratio(idle, warm),
            milliseconds(limit)
        );
    }
}

/// Returns the time of a full TLS handshake: the difference between an event that opens a connection and one
/// that makes no calls.
async fn measure_handshake(aws: &FakeAws, quota: &CpuQuota) -> Duration {
    let floor = floor().deploy(aws).await;
    floor.start_instance().await;
    quota.limit(floor.pid().await);
    let (mut with_handshake, mut without) = (Vec::new(), Vec::new());
    for _ in 0..=EVENTS {
        for (handshakes, times) in [(1, &mut with_handshake), (0, &mut without)] {
            tokio::time::sleep(PERIOD).await;
            times.push(time_event(&floor, &json!({"handshakes": handshakes})).await);
        }
    }
    Times::new(with_handshake).median().saturating_sub(Times::new(without).median())
}

struct Event {
    time: Duration,
    calls: u64,
}

async fn measure_event(aws: &FakeAws, instance: &Function, event: &Value) -> Event {
    tokio::time::sleep(PERIOD).await;
    let calls_before = aws.calls();
    let time = time_event(instance, event).await;
    Event { time, calls: aws.calls() - calls_before }
}

/// Prints the events. Returns their median.
fn print_events(name: &str, events: &[Event]) -> Duration {
    let times = Times::new(events.iter().map(|event| event.time).collect());
    let calls = events.iter().map(|event| event.calls).sum::<u64>() as f64 / events.len() as f64;
    println!(
        "{name:<40} {:>7.1} {:>7.1}   {calls:.2} calls to AWS, {} events",
        milliseconds(times.median()),
        milliseconds(times.p99()),
        times.count()
    );
    times.median()
}
