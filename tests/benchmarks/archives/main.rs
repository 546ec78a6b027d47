//! Speed and memory of making archives, and the first byte of an archive that is ready.
//!
//! `archive-files`, built as for a deployment, runs against a local Lambda runtime API, the fake AWS in this
//! process, and an S3 that keeps its objects on disk. `cargo test --workspace --bench archives` prints the
//! tables for a tenth of each case, and needs 2 GB of disk; with `-- full`, it prints them for the whole
//! cases, and needs 16 GB. Compare ratios within one run.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::cast_precision_loss,
    reason = "a benchmark"
)]
#![allow(dead_code, unused_imports, reason = "uses only part of the test support and of the other benchmark")]

#[path = "../../acceptance/support/mod.rs"]
mod support;

#[path = "../functions/connection.rs"]
mod connection;
#[path = "../functions/events.rs"]
mod events;
#[path = "../functions/fake_aws.rs"]
mod fake_aws;
#[path = "../functions/measure.rs"]
mod measure;
#[path = "../functions/programs.rs"]
mod programs;

mod case;
mod disk_s3;
mod first_byte;
mod on_paper;

use std::path::Path;
use std::time::{Duration, Instant};

use case::{CASES, Case, PreparedCase};
use disk_s3::{Counts, DiskS3};
use events::EventFactory;
use fake_aws::FakeAws;
use measure::{Times, megabytes, peak_memory, ratio, total_cpu_time};
use programs::{Program, function};

/// The streamed case, in which every byte passes through the function.
const STREAMED: usize = 1;

/// How often a tenth of a case is run. The runs of all programs alternate, and the table has the medians.
const ROUNDS: usize = 3;

/// One program's runs of a case.
struct Measurement {
    program: &'static str,
    wall: Duration,
    cpu: Duration,
    /// The maximum of all runs, in bytes.
    memory: u64,
    counts: Counts,
}

#[tokio::main]
async fn main() {
    let is_full = std::env::args().any(|argument| argument == "full");
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let aws = FakeAws::start(directory).await;
    programs::build(&["archive-files", "disk-s3", "mover", "redeem-link"]);
    let references = programs::references("archive");
    let programs = [[function("archive-files"), function("mover")], references].concat();
    let events = EventFactory::new(&aws).await;
    let s3 = DiskS3::start(directory);

    print_header();
    let mut measured = Vec::new();
    for case in CASES {
        let case = if is_full { case } else { case.tenth() };
        let case = PreparedCase::new(case, &s3, &events).await;
        let measurements = measure(&aws, &s3, &case, &programs, if is_full { 1 } else { ROUNDS }).await;
        print_case(&case.case, &measurements);
        measured.push((case.case, measurements));
        s3.remove_sources();
    }
    print_goals(&measured);
    first_byte::print(&aws, &s3, &events).await;
    on_paper::print();
}

/// Makes the case's archive with each program in turn.
async fn measure(
    aws: &FakeAws,
    s3: &DiskS3,
    case: &PreparedCase<'_>,
    programs: &[Program],
    rounds: usize,
) -> Vec<Measurement> {
    let mut runs: Vec<Vec<Measurement>> = programs.iter().map(|_| Vec::new()).collect();
    for round in 0..rounds {
        for (program, runs) in programs.iter().zip(&mut runs) {
            let run = measure_once(aws, s3, case, program, round == 0).await;
            runs.push(run);
        }
    }
    runs.into_iter().map(summarize).collect()
}

async fn measure_once(
    aws: &FakeAws,
    s3: &DiskS3,
    case: &PreparedCase<'_>,
    program: &Program,
    is_checked: bool,
) -> Measurement {
    let function = program.deploy_with_s3(aws, &s3.counted).await;
    function.start_instance().await;
    let (key, event) = case.order(program.name).await;
    let pid = function.pid().await;
    s3.take_counts().await;
    let (cpu_before, begin) = (total_cpu_time(pid), Instant::now());
    let response = function.invoke(&event).await.unwrap();
    let wall = begin.elapsed();
    let cpu = total_cpu_time(pid).saturating_sub(cpu_before);
    let failures = response["batchItemFailures"].as_array().map_or(0, Vec::len);
    assert_eq!(failures, 0, "{}", function.output());
    let measurement = Measurement {
        program: program.name,
        wall,
        cpu,
        memory: peak_memory(pid),
        counts: s3.take_counts().await,
    };
    drop(function);
    // The bare moves make no archive.
    if program.name == "mover" {
        assert!(s3.size(&key).await > case.case.bytes());
    } else if is_checked {
        s3.check_archive(&key, case.case.files);
    }
    s3.delete(&key).await;
    measurement
}

/// Returns the median of the times, and the maximum of the memory.
fn summarize(runs: Vec<Measurement>) -> Measurement {
    let times = |time: fn(&Measurement) -> Duration| Times::new(runs.iter().map(time).collect()).median();
    let (wall, cpu) = (times(|run| run.wall), times(|run| run.cpu));
    let memory = runs.iter().map(|run| run.memory).max().unwrap();
    Measurement { wall, cpu, memory, ..runs.into_iter().next().unwrap() }
}

fn print_header() {
    println!("\nTimes in s; sizes in MB; ratios to archive-files: wall and CPU time\n");
    println!(
        "{:<28} {:<14} {:>7} {:>6} {:>7} {:>8} {:>8} {:>8} {:>6} {:>12}",
        "case", "program", "wall", "CPU", "memory", "read", "written", "copied", "calls", "ratios"
    );
}

fn print_case(case: &Case, measurements: &[Measurement]) {
    let function = &measurements[0];
    for (index, m) in measurements.iter().enumerate() {
        println!(
            "{:<28} {:<14} {:>7.2} {:>6.2} {:>7.1} {:>8.0} {:>8.0} {:>8.0} {:>6} {:>5.2} {:>6.2}",
            if index == 0 { case.to_string() } else { String::new() },
            m.program,
            m.wall.as_secs_f64(),
            m.cpu.as_secs_f64(),
            megabytes(m.memory),
            megabytes(m.counts.read),
            megabytes(m.counts.written),
            megabytes(m.counts.copied),
            m.counts.calls,
            ratio(m.wall, function.wall),
            ratio(m.cpu, function.cpu),
        );
    }
}

/// Prints a measured value, and whether it meets its goal.
fn print_goal(name: &str, value: f64, unit: &str, bound: &str, goal: f64) {
    let is_met = if bound == "at most" { value <= goal } else { value >= goal };
    let verdict = if is_met { "met" } else { "NOT MET" };
    println!("{name:<64} {value:>7.2} {unit:<4} (goal: {bound} {goal}, {verdict})");
}

fn print_goals(measured: &[(Case, Vec<Measurement>)]) {
    println!("\nGoals\n");
    let functions = || measured.iter().map(|(case, measurements)| (case, &measurements[0]));
    let per_file = functions()
        .filter(|(case, _)| case.has_checksums && case.is_copied())
        .map(|(case, m)| m.counts.read.max(m.counts.written) as f64 / case.files as f64 / f64::from(1 << 20))
        .fold(0.0, f64::max);
    // The directory and the records of the last part are not a file's bytes.
    print_goal("bytes of a file with a known CRC through the function", per_file, "MiB", "at most", 5.05);
    let memory = functions().map(|(_, m)| m.memory).max().unwrap();
    print_goal("peak memory of any archive", megabytes(memory), "MB", "at most", 96.0);
    for (index, (case, measurements)) in measured.iter().enumerate() {
        let [function, bare, references @ ..] = &measurements[..] else { panic!("too few programs") };
        let name = format!("{case}: wall time, relative to the bare moves");
        let wall = ratio(function.wall, bare.wall);
        if index == STREAMED {
            print_goal(&name, wall, "", "at most", 1.3);
        } else {
            println!("{name:<64} {wall:>7.2}");
        }
        for reference in references {
            let name = format!("{case}: CPU time of {}, relative to this", reference.program);
            print_goal(&name, ratio(reference.cpu, function.cpu), "", "at least", 3.0);
        }
        let name = format!("{case}: CPU time of the bare moves, relative to this");
        println!("{name:<64} {:>7.2}", ratio(bare.cpu, function.cpu));
    }
}
