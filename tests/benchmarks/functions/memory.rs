//! Latency and cost of each function by memory size, with typical service latencies.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::cpu_quota::{CpuQuota, PERIOD, share};
use super::events::EventFactory;
use super::fake_aws::FakeAws;
use super::measure::{Times, cpu_time};
use super::programs::{Program, function};
use super::{assert_success, milliseconds};
use crate::support::function::Function;

const SIZES: [u32; 5] = [128, 256, 512, 1024, 1769];

const FUNCTIONS: [&str; 7] = [
    "redeem-link",
    "create-shares",
    "manage-shares",
    "notify-recipients",
    "track-delivery",
    "sweep-shares",
    "serve-ui",
];

/// Number of instances to start for each function and size.
const STARTS: usize = 11;

/// Number of events to send to the last of these instances.
const EVENTS: usize = 200;

/// Lambda's prices in dollars for arm64 in us-east-1. `infra/costs.md` lists them with source and date.
const MILLION_REQUESTS: f64 = 0.20;
const GIGABYTE_SECOND: f64 = 0.000_013_333_4;

struct Measurement {
    /// Start with a full CPU, as Lambda provides during initialization.
    start: Times,
    /// Start with the memory size's share of a CPU, as with provisioned concurrency.
    limited_start: Times,
    first: Times,
    first_cpu: Times,
    warm: Times,
    warm_cpu: Times,
    /// The average billed duration of a warm event.
    billed: Duration,
}

/// Measures and prints all functions at all sizes.
pub(crate) async fn print_table(aws: &FakeAws, events: &EventFactory<'_>) {
    println!("\nBy memory size: times in ms, cost in dollars per million warm events\n");
    println!(
        "{:<18} {:>5} {:>6} {:>6} {:>14} {:>7} {:>7} {:>7} {:>7} {:>7} {:>7} {:>6}",
        "",
        "MB",
        "share",
        "start",
        "limited start",
        "first",
        "its CPU",
        "warm",
        "p99",
        "its CPU",
        "billed",
        "cost"
    );
    let (redemption, list_request) = (events.redemption().await, events.list_request().await);
    for name in FUNCTIONS {
        for megabytes in SIZES {
            let quota = match CpuQuota::new(megabytes) {
                Ok(quota) => quota,
                Err(error) => return println!("skipped: control groups are not available: {error}"),
            };
            let program = function(name);
            let measurement = match name {
                "redeem-link" => measure(aws, &program, &quota, async || redemption.clone()).await,
                "create-shares" => measure(aws, &program, &quota, async || events.create_request()).await,
                "manage-shares" => measure(aws, &program, &quota, async || list_request.clone()).await,
                "track-delivery" => {
                    measure(aws, &program, &quota, async || events.email_delivery().await).await
                }
                "serve-ui" => measure(aws, &program, &quota, async || EventFactory::module_request()).await,
                _ => measure(aws, &program, &quota, async || events.stream_insert().await).await,
            };
            print_measurement(name, megabytes, &measurement);
        }
    }
    println!(
        "\n`share` is the CPU time that the size grants in each {} ms. {STARTS} starts with a full CPU, as in \
         Lambda's initialization, and {STARTS} limited to the share; {EVENTS} warm events. All but p99 are medians.",
        PERIOD.as_millis()
    );
}

async fn measure(
    aws: &FakeAws,
    program: &Program,
    quota: &CpuQuota,
    event: impl AsyncFn() -> Value,
) -> Measurement {
    let (mut start, mut limited_start) = (Vec::new(), Vec::new());
    let (mut first, mut first_cpu) = (Vec::new(), Vec::new());
    let mut last = None;
    for _ in 0..STARTS {
        let function = program.deploy(aws).await;
        let (time, ()) = tokio::join!(function.start_instance(), async {
            quota.limit(function.pid().await);
        });
        limited_start.push(time);

        let function = program.deploy(aws).await;
        start.push(function.start_instance().await);
        quota.limit(function.pid().await);
        let (time, cpu) = time_event_and_cpu(&function, &event().await).await;
        first.push(time);
        first_cpu.push(cpu);
        last = Some(function);
    }
    let function = last.unwrap();
    let (mut warm, mut warm_cpu) = (Vec::with_capacity(EVENTS), Vec::with_capacity(EVENTS));
    for _ in 0..EVENTS {
        let event = event().await;
        // Instances are rarely busy, so an event usually begins with the full share of a period.
        tokio::time::sleep(PERIOD).await;
        let (time, cpu) = time_event_and_cpu(&function, &event).await;
        warm.push(time);
        warm_cpu.push(cpu);
    }
    let billed = warm.iter().copied().map(billed_duration).sum::<Duration>() / u32::try_from(EVENTS).unwrap();
    Measurement {
        start: Times::new(start),
        limited_start: Times::new(limited_start),
        first: Times::new(first),
        first_cpu: Times::new(first_cpu),
        warm: Times::new(warm),
        warm_cpu: Times::new(warm_cpu),
        billed,
    }
}

async fn time_event_and_cpu(function: &Function, event: &Value) -> (Duration, Duration) {
    let pid = function.pid().await;
    let cpu_before = cpu_time(pid);
    let time = time_event(function, event).await;
    (time, cpu_time(pid).saturating_sub(cpu_before))
}

/// Returns the duration of one successful invocation.
pub(crate) async fn time_event(function: &Function, event: &Value) -> Duration {
    let begin = Instant::now();
    let response = function.invoke(event).await.unwrap();
    let time = begin.elapsed();
    assert_success(&response);
    time
}

/// Lambda rounds durations up to the next millisecond.
fn billed_duration(duration: Duration) -> Duration {
    Duration::from_millis(u64::try_from(duration.as_micros().div_ceil(1000)).unwrap())
}

fn print_measurement(name: &str, megabytes: u32, m: &Measurement) {
    let gigabyte_seconds = m.billed.as_secs_f64() * f64::from(megabytes) / 1024.0;
    println!(
        "{name:<18} {megabytes:>5} {:>6.1} {:>6.1} {:>14.1} {:>7.1} {:>7.1} {:>7.1} {:>7.1} {:>7.1} {:>7.1} {:>6.2}",
        milliseconds(share(megabytes)),
        milliseconds(m.start.median()),
        milliseconds(m.limited_start.median()),
        milliseconds(m.first.median()),
        milliseconds(m.first_cpu.median()),
        milliseconds(m.warm.median()),
        milliseconds(m.warm.p99()),
        milliseconds(m.warm_cpu.median()),
        milliseconds(m.billed),
        gigabyte_seconds * 1_000_000.0 * GIGABYTE_SECOND + MILLION_REQUESTS,
    );
}
