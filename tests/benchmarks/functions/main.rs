//! Speed, memory and size of the functions.
//!
//! Each function's binary, built as for a deployment, runs against a local Lambda runtime API and a fake AWS
//! in this process. `cargo test --workspace --bench functions` prints the tables; with `-- memory`, it compares
//! memory sizes; with `-- idle`, it measures redemptions after an idle spell; with `-- profiles`, it compares
//! release profile settings. Except for `memory` and `idle`, the fake AWS responds within a fraction of a
//! millisecond, so compare ratios within one run.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::cast_precision_loss,
    reason = "a benchmark"
)]
#![allow(dead_code, unused_imports, reason = "uses only part of the test support")]

#[path = "../../acceptance/support/mod.rs"]
mod support;

mod connection;
mod cpu_quota;
mod events;
mod fake_aws;
mod idle;
mod load;
mod measure;
mod memory;
mod profiles;
mod programs;

use std::path::Path;
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Full};
use hyper::Request;
use serde_json::{Value, json};

use crate::support::function::Function;
use events::EventFactory;
use fake_aws::{FakeAws, Latencies, PARTITION_WRITE_UNITS, TABLE};
use load::Load;
use measure::{Times, cpu_time, megabytes, peak_memory, ratio};
use programs::{FUNCTIONS, Program, floor, function, hello};

/// Number of instances to start for each program.
const STARTS: usize = 21;

/// Number of events to send, one after another, to the last of these instances.
const EVENTS: usize = 500;

/// A program's measurements.
struct Measurement {
    program: Program,
    /// Time from the start of the process until it requests an event.
    start: Times,
    /// The part of `start` after the first connection to AWS is opened: fetching the key ring, opening the
    /// other connections and creating the other clients.
    warm_up: Times,
    first: Times,
    warm: Times,
    /// The program's CPU time per event.
    cpu: Duration,
    /// Calls to AWS per event.
    calls: f64,
    /// Peak memory in bytes.
    memory: u64,
}

/// One start of an instance.
struct Start {
    function: Function,
    /// Time until the instance requests an event.
    ready: Duration,
    /// Time until the first connection to AWS, or `ready` if the instance opened none.
    connected: Duration,
}

#[tokio::main]
async fn main() {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let aws = FakeAws::start(directory).await;
    let is_selected = |table: &str| std::env::args().any(|argument| argument == table);
    if is_selected("profiles") {
        return print_profiles(directory, &aws).await;
    }
    programs::build(&[]);
    if is_selected("memory") || is_selected("idle") {
        aws.set_latencies(Latencies::TYPICAL);
        let events = EventFactory::new(&aws).await;
        if is_selected("memory") {
            memory::print_table(&aws, &events).await;
        }
        if is_selected("idle") {
            idle::print_table(&aws, &events).await;
        }
        return;
    }
    let references = programs::references("redeem");
    let events = EventFactory::new(&aws).await;
    let redemption = events.redemption().await;

    print_header();
    let mut measurements = Vec::new();
    for program in [hello(), floor()] {
        measurements.push(measure(&aws, program, async || redemption.clone()).await);
    }
    for name in FUNCTIONS {
        let program = function(name);
        measurements.push(match name {
            "create-shares" => measure(&aws, program, async || events.create_request()).await,
            "manage-shares" => {
                let list_request = events.list_request().await;
                measure(&aws, program, async || list_request.clone()).await
            }
            "redeem-link" => measure(&aws, program, async || redemption.clone()).await,
            "track-delivery" => measure(&aws, program, async || events.email_delivery().await).await,
            _ => measure(&aws, program, async || events.stream_insert().await).await,
        });
    }
    for program in references {
        measurements.push(measure(&aws, program, async || redemption.clone()).await);
    }
    println!("\n{STARTS} starts, then {EVENTS} sequential events; CPU and calls to AWS are per event.");
    print_round_trip(&measure_round_trips(&aws).await);
    print_redemption(&measurements, &alternate_starts(&aws).await);
    print_sizes(directory, &measurements);

    print_loads(&aws, &events).await;
    print_hot_link(&aws, &events).await;
}

async fn start(aws: &FakeAws, program: &Program) -> Start {
    let function = program.deploy(aws).await;
    aws.take_first_connection();
    let begin = Instant::now();
    let ready = function.start_instance().await;
    let connected = aws.take_first_connection().map_or(ready, |time| time.duration_since(begin).min(ready));
    Start { function, ready, connected }
}

/// Alternating starts of `hello` and `redeem-link`.
struct AlternatingStarts {
    hello: Times,
    redeem_link: Times,
    /// The part of `redeem_link` before the first connection to AWS.
    redeem_link_connected: Times,
}

/// Starts `hello` and `redeem-link` alternately, so that a change in the machine's load affects both.
async fn alternate_starts(aws: &FakeAws) -> AlternatingStarts {
    let (mut hello_times, mut redeem_link, mut redeem_link_connected) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..3 * STARTS {
        hello_times.push(start(aws, &hello()).await.ready);
        let Start { ready, connected, .. } = start(aws, &function("redeem-link")).await;
        redeem_link.push(ready);
        redeem_link_connected.push(connected);
    }
    AlternatingStarts {
        hello: Times::new(hello_times),
        redeem_link: Times::new(redeem_link),
        redeem_link_connected: Times::new(redeem_link_connected),
    }
}

async fn measure(aws: &FakeAws, program: Program, event: impl AsyncFn() -> Value) -> Measurement {
    let (mut start_times, mut warm_up, mut first) = (Vec::new(), Vec::new(), Vec::new());
    let mut last = None;
    for _ in 0..STARTS {
        let event = event().await;
        let Start { function, ready, connected } = start(aws, &program).await;
        start_times.push(ready);
        warm_up.push(ready.saturating_sub(connected));
        let begin = Instant::now();
        assert_success(&function.invoke(&event).await.unwrap());
        first.push(begin.elapsed());
        last = Some(function);
    }
    let function = last.unwrap();
    let pid = function.pid().await;
    let mut events = Vec::with_capacity(EVENTS);
    for _ in 0..EVENTS {
        events.push(event().await);
    }
    let (calls_before, cpu_before) = (aws.calls(), cpu_time(pid));
    let mut warm = Vec::with_capacity(EVENTS);
    for event in &events {
        let begin = Instant::now();
        let response = function.invoke(event).await.unwrap();
        warm.push(begin.elapsed());
        assert_success(&response);
    }
    let event_count = u32::try_from(EVENTS).unwrap();
    let measurement = Measurement {
        cpu: cpu_time(pid).saturating_sub(cpu_before) / event_count,
        calls: (aws.calls() - calls_before) as f64 / f64::from(event_count),
        memory: peak_memory(pid),
        start: Times::new(start_times),
        warm_up: Times::new(warm_up),
        first: Times::new(first),
        warm: Times::new(warm),
        program,
    };
    print_measurement(&measurement);
    measurement
}

/// Ensures that the benchmark does not measure failures.
fn assert_success(response: &Value) {
    let failures = response["batchItemFailures"].as_array().map_or(0, Vec::len);
    assert_eq!(failures, 0, "{response}");
    let status = response["statusCode"].as_u64().unwrap_or(200);
    assert!(status < 400, "{response}");
}

/// Measures the minimum time of a table write: the same kind as a redemption's, but without an SDK.
async fn measure_round_trips(aws: &FakeAws) -> Times {
    let update = json!({
        "TableName": TABLE, "Key": {"item": {"S": "jobs/round-trip"}, "entry": {"S": "SHARE#1"}},
        "UpdateExpression": "ADD opens :one", "ExpressionAttributeValues": {":one": {"N": "1"}},
    });
    let (mut times, mut connection) = (Vec::new(), aws.connect().await);
    for _ in 0..EVENTS {
        let begin = Instant::now();
        let request = Request::post("/")
            .header("x-amz-target", "DynamoDB_20120810.UpdateItem")
            .body(Full::from(update.to_string()));
        connection.ready().await.unwrap();
        let response = connection.send_request(request.unwrap()).await.unwrap();
        assert_eq!(response.status(), 200);
        response.collect().await.unwrap();
        times.push(begin.elapsed());
    }
    Times::new(times)
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

fn print_header() {
    println!("\nTimes in ms: median and 99th percentile (for the {STARTS} starts, the maximum)\n");
    println!(
        "{:<18} {:>15} {:>16} {:>15} {:>15} {:>8} {:>6} {:>8}",
        "", "start", "of which warm-up", "first event", "warm event", "CPU", "calls", "memory"
    );
}

fn print_measurement(m: &Measurement) {
    let pair =
        |times: &Times| format!("{:.2} {:>7.2}", milliseconds(times.median()), milliseconds(times.p99()));
    println!(
        "{:<18} {:>15} {:>16} {:>15} {:>15} {:>8.3} {:>6.2} {:>5.1} MB",
        m.program.name,
        pair(&m.start),
        pair(&m.warm_up),
        pair(&m.first),
        pair(&m.warm),
        milliseconds(m.cpu),
        m.calls,
        megabytes(m.memory),
    );
}

fn print_round_trip(times: &Times) {
    println!(
        "A bare call to DynamoDB: {:.2} {:.2} ({} calls)",
        milliseconds(times.median()),
        milliseconds(times.p99()),
        times.count()
    );
}

/// Prints a measured value, and whether it meets its goal, which is an upper limit.
fn print_goal(name: &str, value: f64, unit: &str, goal: f64) {
    let verdict = if value <= goal { "met" } else { "NOT MET" };
    println!("{name:<64} {value:>7.2} {unit:<4} (goal: at most {goal}, {verdict})");
}

fn print_redemption(measurements: &[Measurement], starts: &AlternatingStarts) {
    let find = |name: &str| measurements.iter().find(|m| m.program.name == name).unwrap();
    let redeem = find("redeem-link");
    println!("\nRedemption\n");
    print_goal(
        &format!("start until connected, relative to hello ({} alternating starts)", starts.hello.count()),
        ratio(starts.redeem_link_connected.median(), starts.hello.median()),
        "",
        1.8,
    );
    println!(
        "{:<64} {:>7.2} ms",
        "warm-up, which creates two clients",
        milliseconds(redeem.warm_up.median())
    );
    println!(
        "{:<64} {:>7.2}",
        "whole start, relative to hello",
        ratio(starts.redeem_link.median(), starts.hello.median())
    );
    print_goal(
        "first event, relative to a warm event",
        ratio(redeem.first.median(), redeem.warm.median()),
        "",
        1.5,
    );
    print_goal("calls to AWS", redeem.calls, "", 2.0);
    print_goal("CPU time per event", milliseconds(redeem.cpu), "ms", 0.5);
    print_goal("peak memory", megabytes(redeem.memory), "MB", 20.0);
    for name in ["floor", "node", "python"] {
        let reference = find(name);
        println!(
            "{:<64} {:.1} start, {:.1} first event, {:.1} warm event, {:.2} CPU, {:.1} memory",
            format!("{name}, relative to redeem-link"),
            ratio(reference.start.median(), redeem.start.median()),
            ratio(reference.first.median(), redeem.first.median()),
            ratio(reference.warm.median(), redeem.warm.median()),
            ratio(reference.cpu, redeem.cpu),
            reference.memory as f64 / redeem.memory as f64,
        );
    }
}

fn print_sizes(directory: &Path, measurements: &[Measurement]) {
    println!("\nSizes\n");
    for m in measurements.iter().filter(|m| FUNCTIONS.contains(&m.program.name)) {
        print_goal(
            &format!("{}, zipped", m.program.name),
            megabytes(m.program.zip_size(directory)),
            "MB",
            4.0,
        );
    }
    // Check that the search finds the SDKs where they are used.
    assert!(function("notify-recipients").has_sdk("aws-sdk-sesv2"));
    assert!(function("redeem-link").has_sdk("aws-sdk-s3"));
    for (name, sdk) in [("redeem-link", "aws-sdk-sesv2"), ("notify-recipients", "aws-sdk-s3")] {
        let verdict = if function(name).has_sdk(sdk) { "NOT MET" } else { "met" };
        println!("{:<64} {verdict}", format!("{name} does not link {sdk}"));
    }
}

/// Prints how each change to the release profile affects a redemption.
async fn print_profiles(directory: &Path, aws: &FakeAws) {
    let redemption = EventFactory::new(aws).await.redemption().await;
    let mut rows = Vec::new();
    for profile in profiles::PROFILES {
        let build = profile.build();
        print_header();
        let measurement = measure(aws, build.program.clone(), async || redemption.clone()).await;
        rows.push((profile.name, build, measurement));
    }
    println!("\nA redemption by release profile: medians in ms, sizes in MB, builds in s\n");
    println!(
        "{:<32} {:>6} {:>6} {:>6} {:>7} {:>7} {:>6} {:>7}",
        "", "start", "warm", "CPU", "memory", "zip", "clean", "rebuild"
    );
    for (name, build, m) in &rows {
        println!(
            "{name:<32} {:>6.2} {:>6.2} {:>6.3} {:>7.1} {:>7.2} {:>6.0} {:>7.0}",
            milliseconds(m.start.median()),
            milliseconds(m.warm.median()),
            milliseconds(m.cpu),
            megabytes(m.memory),
            megabytes(build.program.zip_size(directory)),
            build.clean.as_secs_f64(),
            build.rebuild.as_secs_f64(),
        );
    }
}

/// Prints each function's throughput for different numbers of instances.
async fn print_loads(aws: &FakeAws, events: &EventFactory<'_>) {
    println!("\nLoad: events per second, times in ms, busy CPUs, and DynamoDB capacity units per event\n");
    println!(
        "{:<18} {:>9} {:>9} {:>8} {:>8} {:>14} {:>14} {:>7} {:>7}",
        "", "instances", "rate", "median", "p99", "functions' CPU", "benchmark CPU", "read", "written"
    );
    for name in FUNCTIONS {
        let program = function(name);
        let list_request = events.list_request().await;
        let loads = match name {
            "create-shares" => load::run_all(aws, &program, async || events.create_request()).await,
            "manage-shares" => load::run_all(aws, &program, async || list_request.clone()).await,
            "redeem-link" => load::run_all(aws, &program, async || events.redemption().await).await,
            "track-delivery" => load::run_all(aws, &program, async || events.email_delivery().await).await,
            _ => load::run_all(aws, &program, async || events.stream_insert().await).await,
        };
        for load in loads {
            print_load(name, &load);
        }
    }
}

fn print_load(name: &str, load: &Load) {
    println!(
        "{name:<18} {:>9} {:>9.0} {:>8.2} {:>8.2} {:>14.2} {:>14.2} {:>7.1} {:>7.1}",
        load.instances,
        load.rate,
        milliseconds(load.times.median()),
        milliseconds(load.times.p99()),
        load.instance_cpus,
        load.benchmark_cpus,
        load.consumed.read,
        load.consumed.written,
    );
}

/// Compares redemptions of one link with redemptions of many links to different items. Each partition has a
/// scaled-down write limit.
async fn print_hot_link(aws: &FakeAws, events: &EventFactory<'_>) {
    let limit = PARTITION_WRITE_UNITS * load::WRITE_LIMIT_SCALE;
    println!("\nRedemptions by four instances, with {limit} write units per second per partition\n");
    aws.limit_writes(Some(load::WRITE_LIMIT_SCALE));
    let program = function("redeem-link");
    let redemption = events.redemption().await;
    let hot = load::run(aws, &program, &async || redemption.clone(), 4).await;
    let spread = load::run(aws, &program, &async || events.redemption().await, 4).await;
    aws.limit_writes(None);
    for (name, load) in [("one link", hot), ("many links", spread)] {
        println!(
            "{name:<18} {:>6.0} per second, {:>4.0}% refused with 503, median {:.1} ms, p99 {:.0} ms",
            load.rate,
            load.refused * 100.0,
            milliseconds(load.times.median()),
            milliseconds(load.times.p99()),
        );
    }
}
