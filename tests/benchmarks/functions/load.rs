//! Throughput of several concurrent instances.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::Value;

use super::fake_aws::{Capacity, FakeAws};
use super::measure::{Times, cpu_time};
use super::programs::Program;

/// Numbers of concurrent instances to measure.
const INSTANCES: [usize; 4] = [1, 2, 4, 8];

/// Number of events in a load, across all instances.
const EVENTS: usize = 400;

/// Fraction of DynamoDB's write limit per partition that the fake AWS applies, so that this machine can reach
/// it.
pub(crate) const WRITE_LIMIT_SCALE: f64 = 0.05;

/// A load's measurements.
pub(crate) struct Load {
    pub(crate) instances: usize,
    /// Successful responses per second.
    pub(crate) rate: f64,
    pub(crate) times: Times,
    /// Fraction of the responses that were 503.
    pub(crate) refused: f64,
    /// CPUs that the instances kept busy, on average.
    pub(crate) instance_cpus: f64,
    /// CPUs that this process kept busy with the benchmark and the fake AWS, on average.
    pub(crate) benchmark_cpus: f64,
    /// DynamoDB capacity per event.
    pub(crate) consumed: Capacity,
}

/// Runs a load for each number of instances.
pub(crate) async fn run_all(aws: &FakeAws, program: &Program, event: impl AsyncFn() -> Value) -> Vec<Load> {
    let mut loads = Vec::new();
    for instances in INSTANCES {
        loads.push(run(aws, program, &event, instances).await);
    }
    loads
}

/// Distributes the events across this many instances, each of which processes its events sequentially.
pub(crate) async fn run(
    aws: &FakeAws,
    program: &Program,
    event: &impl AsyncFn() -> Value,
    instances: usize,
) -> Load {
    let mut functions = Vec::new();
    let mut pids = Vec::new();
    for _ in 0..instances {
        let (function, mut events) = (program.deploy(aws).await, Vec::new());
        function.start_instance().await;
        for _ in 0..EVENTS / instances {
            events.push(event().await);
        }
        pids.push(function.pid().await);
        functions.push((function, events));
    }
    let instance_time = || pids.iter().map(|pid| cpu_time(*pid)).sum::<Duration>();
    let benchmark_time = || cpu_time(std::process::id());
    aws.take_consumed();
    let (instances_before, benchmark_before) = (instance_time(), benchmark_time());
    let start = Instant::now();
    let responses = join_all(functions.iter().map(|(function, events)| async move {
        let mut responses = Vec::new();
        for event in events {
            let start = Instant::now();
            let response = function.invoke(event).await.unwrap();
            responses.push((start.elapsed(), response["statusCode"] == 503));
        }
        responses
    }))
    .await
    .concat();
    let seconds = start.elapsed().as_secs_f64();
    let refused = responses.iter().filter(|(_, is_refused)| *is_refused).count();
    Load {
        instances,
        rate: (responses.len() - refused) as f64 / seconds,
        refused: refused as f64 / responses.len() as f64,
        instance_cpus: instance_time().saturating_sub(instances_before).as_secs_f64() / seconds,
        benchmark_cpus: benchmark_time().saturating_sub(benchmark_before).as_secs_f64() / seconds,
        consumed: aws.take_consumed().divided_by(responses.len()),
        times: Times::new(responses.into_iter().map(|(time, _)| time).collect()),
    }
}
