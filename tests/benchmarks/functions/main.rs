//! How fast and how large the functions are: each one's own program, built as for a deployment, under a Lambda runtime
//! API of this benchmark's, with AWS answered in this process. `cargo test --workspace --bench functions` prints the
//! tables, and with `-- profiles` what the settings of the release profile are worth. A local AWS answers in a fraction
//! of a millisecond, so ratios within one run are what counts.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::cast_precision_loss,
    reason = "a benchmark"
)]
#![allow(dead_code, unused_imports, reason = "it needs only some of what tests need")]

#[path = "../../acceptance/support/mod.rs"]
mod support;

mod cloud;
mod events;
mod load;
mod measure;
mod profiles;
mod programs;

use std::path::Path;
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Full};
use hyper::Request;
use serde_json::{Value, json};

use crate::support::function::Function;
use cloud::{Cloud, TABLE};
use events::Shares;
use load::Load;
use measure::{Times, cpu_time, peak_memory};
use programs::{FUNCTIONS, Program, function, hello};

/// How many instances of each program are started.
const STARTS: usize = 21;

/// How many events its last instance then gets, one after the other.
const EVENTS: usize = 500;

/// What was measured of a program.
struct Measured {
    program: Program,
    /// From the start of its process until it asks for an event.
    start: Times,
    /// The part of it from the first connection to AWS on: fetching the key ring, opening connections, and making the other clients meanwhile.
    warm_up: Times,
    first: Times,
    warm: Times,
    /// Its own time on a CPU, for each event.
    cpu: Duration,
    /// Calls to AWS, for each event.
    calls: f64,
    memory: u64,
}

#[tokio::main]
async fn main() {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let cloud = Cloud::start(directory).await;
    if std::env::args().any(|argument| argument == "profiles") {
        return print_profiles(directory, &cloud).await;
    }
    programs::build();
    let references = programs::references();
    let shares = Shares::of(&cloud).await;
    let opened = shares.opened().await;

    print_heads();
    let mut measured = vec![measure(&cloud, hello(), async || opened.clone()).await];
    for name in FUNCTIONS {
        let program = function(name);
        measured.push(match name {
            "create-shares" => measure(&cloud, program, async || shares.created()).await,
            "manage-shares" => {
                let listed = shares.listed().await;
                measure(&cloud, program, async || listed.clone()).await
            }
            "redeem-link" => measure(&cloud, program, async || opened.clone()).await,
            "track-delivery" => measure(&cloud, program, async || shares.delivered().await).await,
            _ => measure(&cloud, program, async || shares.inserted().await).await,
        });
    }
    for program in references {
        measured.push(measure(&cloud, program, async || opened.clone()).await);
    }
    println!(
        "\n{STARTS} starts, then {EVENTS} events one after the other; CPU and calls to AWS are for each event."
    );
    print_round_trip(&round_trips(&cloud).await);
    print_redemption(&measured, &starts_in_turn(&cloud).await);
    print_sizes(directory, &measured);

    print_loads(&cloud, &shares).await;
    print_hot_item(&cloud, &shares).await;
}

/// A new instance, how long it took until it asked for an event, and how long until it connected to AWS.
async fn start_one(cloud: &Cloud, program: &Program) -> (Function, Duration, Duration) {
    let function = program.deploy(cloud).await;
    cloud.connected();
    let begin = Instant::now();
    let ready = function.start_instance().await;
    let connected = cloud.connected().map_or(ready, |connected| connected.duration_since(begin).min(ready));
    (function, ready, connected)
}

/// Starts of `hello` and of `redeem-link` in turn, so that both have the same machine: how long the one takes, the other
/// until it connects, and the other as a whole.
async fn starts_in_turn(cloud: &Cloud) -> [Times; 3] {
    let mut times = [Vec::new(), Vec::new(), Vec::new()];
    for _ in 0..3 * STARTS {
        times[0].push(start_one(cloud, &hello()).await.1);
        let (_, ready, connected) = start_one(cloud, &function("redeem-link")).await;
        times[1].push(connected);
        times[2].push(ready);
    }
    times.map(Times::of)
}

async fn measure(cloud: &Cloud, program: Program, event: impl AsyncFn() -> Value) -> Measured {
    let (mut start, mut warm_up, mut first) = (Vec::new(), Vec::new(), Vec::new());
    let mut last = None;
    for _ in 0..STARTS {
        let event = event().await;
        let (function, ready, connected) = start_one(cloud, &program).await;
        start.push(ready);
        warm_up.push(ready.saturating_sub(connected));
        let begin = Instant::now();
        succeed(&function.invoke(&event).await.unwrap());
        first.push(begin.elapsed());
        last = Some(function);
    }
    let function = last.unwrap();
    let pid = function.pid().await;
    let mut events = Vec::with_capacity(EVENTS);
    for _ in 0..EVENTS {
        events.push(event().await);
    }
    let (calls, cpu) = (cloud.calls(), cpu_time(pid));
    let mut warm = Vec::with_capacity(EVENTS);
    for event in &events {
        let begin = Instant::now();
        let answer = function.invoke(event).await.unwrap();
        warm.push(begin.elapsed());
        succeed(&answer);
    }
    let of_each = u32::try_from(EVENTS).unwrap();
    let measured = Measured {
        cpu: cpu_time(pid).saturating_sub(cpu) / of_each,
        calls: (cloud.calls() - calls) as f64 / f64::from(of_each),
        memory: peak_memory(pid),
        start: Times::of(start),
        warm_up: Times::of(warm_up),
        first: Times::of(first),
        warm: Times::of(warm),
        program,
    };
    print_row(&measured);
    measured
}

/// A benchmark of failures would be worth nothing.
fn succeed(answer: &Value) {
    let failed = answer["batchItemFailures"].as_array().is_some_and(|failures| !failures.is_empty());
    let status = answer["statusCode"].as_u64().unwrap_or(200);
    assert!(!failed && status < 400, "{answer}");
}

/// What every call to the table takes at the least: a count, as a redemption writes it, sent without an SDK.
async fn round_trips(cloud: &Cloud) -> Times {
    let count = json!({
        "TableName": TABLE, "Key": {"item": {"S": "jobs/round-trip"}, "entry": {"S": "SHARE#1"}},
        "UpdateExpression": "ADD opens :one", "ExpressionAttributeValues": {":one": {"N": "1"}},
    });
    let (mut times, mut connection) = (Vec::new(), cloud.connect().await);
    for _ in 0..EVENTS {
        let begin = Instant::now();
        let request = Request::post("/")
            .header("x-amz-target", "DynamoDB_20120810.UpdateItem")
            .body(Full::from(count.to_string()));
        connection.ready().await.unwrap();
        let answer = connection.send_request(request.unwrap()).await.unwrap();
        assert_eq!(answer.status(), 200);
        answer.collect().await.unwrap();
        times.push(begin.elapsed());
    }
    Times::of(times)
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1_000_000.0
}

fn ratio(a: Duration, b: Duration) -> f64 {
    a.as_secs_f64() / b.as_secs_f64()
}

fn print_heads() {
    println!("\nTimes in ms: median and 99th percentile (of {STARTS} starts, the longest)\n");
    println!(
        "{:<18} {:>15} {:>15} {:>15} {:>15} {:>8} {:>6} {:>8}",
        "", "start", "of it, warm-up", "first event", "warm event", "CPU", "calls", "memory"
    );
}

fn print_row(m: &Measured) {
    let pair =
        |times: &Times| format!("{:.2} {:>7.2}", milliseconds(times.median()), milliseconds(times.p99()));
    println!(
        "{:<18} {:>15} {:>15} {:>15} {:>15} {:>8.3} {:>6.2} {:>5.1} MB",
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

/// A line that holds a measured value to what it is to be.
fn print_goal(what: &str, value: f64, unit: &str, goal: f64) {
    let met = if value <= goal { "met" } else { "NOT MET" };
    println!("{what:<64} {value:>7.2} {unit:<4} (at most {goal}: {met})");
}

fn print_redemption(measured: &[Measured], [hello, alone, whole]: &[Times; 3]) {
    let of = |name: &str| measured.iter().find(|m| m.program.name == name).unwrap();
    let redeem = of("redeem-link");
    println!("\nA redemption\n");
    print_goal(
        &format!("its start until it connects, to hello's ({} of each in turn)", hello.count()),
        ratio(alone.median(), hello.median()),
        "",
        1.8,
    );
    println!(
        "{:<64} {:>7.2} ms",
        "its warm-up, in which it makes two clients",
        milliseconds(redeem.warm_up.median())
    );
    println!("{:<64} {:>7.2}", "its whole start, to hello's", ratio(whole.median(), hello.median()));
    print_goal("its first event, to a warm one", ratio(redeem.first.median(), redeem.warm.median()), "", 1.5);
    print_goal("its calls to AWS", redeem.calls, "", 2.0);
    print_goal("its own time on a CPU", milliseconds(redeem.cpu), "ms", 0.5);
    print_goal("its peak memory", megabytes(redeem.memory), "MB", 20.0);
    for name in ["node", "python"] {
        let other = of(name);
        println!(
            "{:<64} {:.1} start, {:.1} first event, {:.1} warm event, {:.1} CPU, {:.1} memory",
            format!("{name}, to it"),
            ratio(other.start.median(), redeem.start.median()),
            ratio(other.first.median(), redeem.first.median()),
            ratio(other.warm.median(), redeem.warm.median()),
            ratio(other.cpu, redeem.cpu),
            other.memory as f64 / redeem.memory as f64,
        );
    }
}

fn print_sizes(directory: &Path, measured: &[Measured]) {
    println!("\nSizes\n");
    for m in measured.iter().filter(|m| FUNCTIONS.contains(&m.program.name)) {
        print_goal(
            &format!("{}, zipped", m.program.name),
            megabytes(m.program.zip_size(directory)),
            "MB",
            4.0,
        );
    }
    // The search finds what is there.
    assert!(
        function("notify-recipients").links("aws-sdk-sesv2") && function("redeem-link").links("aws-sdk-s3")
    );
    for (name, sdk) in [("redeem-link", "aws-sdk-sesv2"), ("notify-recipients", "aws-sdk-s3")] {
        let links = if function(name).links(sdk) { "YES: NOT MET" } else { "no: met" };
        println!("{:<64} {links}", format!("{name} links {sdk}"));
    }
}

/// What each setting of the release profile is worth to a redemption.
async fn print_profiles(directory: &Path, cloud: &Cloud) {
    let opened = Shares::of(cloud).await.opened().await;
    let mut rows = Vec::new();
    for profile in profiles::PROFILES {
        let built = profile.build();
        print_heads();
        let measured = measure(cloud, built.program.clone(), async || opened.clone()).await;
        rows.push((profile.name, built, measured));
    }
    println!("\nA redemption with other release profiles: medians in ms, sizes in MB, builds in s\n");
    println!(
        "{:<32} {:>6} {:>6} {:>6} {:>7} {:>7} {:>6} {:>6}",
        "", "start", "warm", "CPU", "memory", "zip", "clean", "again"
    );
    for (name, built, m) in &rows {
        println!(
            "{name:<32} {:>6.2} {:>6.2} {:>6.3} {:>7.1} {:>7.2} {:>6.0} {:>6.0}",
            milliseconds(m.start.median()),
            milliseconds(m.warm.median()),
            milliseconds(m.cpu),
            megabytes(m.memory),
            megabytes(built.program.zip_size(directory)),
            built.clean.as_secs_f64(),
            built.again.as_secs_f64(),
        );
    }
}

/// What each path does under load.
async fn print_loads(cloud: &Cloud, shares: &Shares<'_>) {
    println!(
        "\nUnder load: events a second, times in ms, CPUs kept busy, and units of DynamoDB for each event\n"
    );
    println!(
        "{:<18} {:>9} {:>9} {:>8} {:>8} {:>10} {:>10} {:>7} {:>7}",
        "", "instances", "rate", "median", "p99", "functions", "the rest", "read", "written"
    );
    for name in FUNCTIONS {
        let program = function(name);
        let listed = shares.listed().await;
        let loads = match name {
            "create-shares" => load::run(cloud, &program, async || shares.created()).await,
            "manage-shares" => load::run(cloud, &program, async || listed.clone()).await,
            "redeem-link" => load::run(cloud, &program, async || shares.opened().await).await,
            "track-delivery" => load::run(cloud, &program, async || shares.delivered().await).await,
            _ => load::run(cloud, &program, async || shares.inserted().await).await,
        };
        for load in loads {
            print_load(name, &load);
        }
    }
}

fn print_load(name: &str, load: &Load) {
    println!(
        "{name:<18} {:>9} {:>9.0} {:>8.2} {:>8.2} {:>10.2} {:>10.2} {:>7.1} {:>7.1}",
        load.instances,
        load.rate,
        milliseconds(load.times.median()),
        milliseconds(load.times.p99()),
        load.busy.0,
        load.busy.1,
        load.units.read,
        load.units.written,
    );
}

/// One link that everybody opens, beside as many links that are of an item each, where a partition takes no more than a
/// part of what DynamoDB's take.
async fn print_hot_item(cloud: &Cloud, shares: &Shares<'_>) {
    let limit = 1000.0 * load::SCALE;
    println!("\nWhere a partition takes {limit} write units a second, for four instances\n");
    cloud.limit(Some(load::SCALE));
    let program = function("redeem-link");
    let opened = shares.opened().await;
    let hot = load::of(cloud, &program, &async || opened.clone(), 4).await;
    let spread = load::of(cloud, &program, &async || shares.opened().await, 4).await;
    cloud.limit(None);
    for (what, load) in [("one link", hot), ("a link for each", spread)] {
        println!(
            "{what:<18} {:>6.0} a second, {:>4.0} % are told to try again, median {:.1} ms, p99 {:.0} ms",
            load.rate,
            load.refused * 100.0,
            milliseconds(load.times.median()),
            milliseconds(load.times.p99()),
        );
    }
}
