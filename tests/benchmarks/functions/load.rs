//! Many events at once: what gives first.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::Value;

use super::cloud::{Cloud, Units};
use super::measure::{Times, cpu_time};
use super::programs::Program;

/// How many instances work side by side.
const INSTANCES: [usize; 4] = [1, 2, 4, 8];

/// How many events each load has, all instances together.
const EVENTS: usize = 400;

/// What DynamoDB lets through to a partition in a second, scaled down so that this machine can reach it.
pub(crate) const SCALE: f64 = 0.05;

/// What became of a load.
pub(crate) struct Load {
    pub(crate) instances: usize,
    /// Answers in a second that were as asked.
    pub(crate) rate: f64,
    pub(crate) times: Times,
    /// Of all answers, those that say to try again later.
    pub(crate) refused: f64,
    /// How many CPUs the instances kept busy, and how many everything else did: AWS's stand-in and the harness.
    pub(crate) busy: (f64, f64),
    /// What each event costs at DynamoDB.
    pub(crate) units: Units,
}

/// Hands these events to ever more instances of a program.
pub(crate) async fn run(cloud: &Cloud, program: &Program, event: impl AsyncFn() -> Value) -> Vec<Load> {
    let mut loads = Vec::new();
    for instances in INSTANCES {
        loads.push(of(cloud, program, &event, instances).await);
    }
    loads
}

pub(crate) async fn of(
    cloud: &Cloud,
    program: &Program,
    event: &impl AsyncFn() -> Value,
    instances: usize,
) -> Load {
    let mut functions = Vec::new();
    for _ in 0..instances {
        let (function, mut events) = (program.deploy(cloud).await, Vec::new());
        function.start_instance().await;
        for _ in 0..EVENTS / instances {
            events.push(event().await);
        }
        functions.push((function, events));
    }
    let mut pids = Vec::new();
    for (function, _) in &functions {
        pids.push(function.pid().await);
    }
    let used = || pids.iter().map(|pid| cpu_time(*pid)).sum::<Duration>();
    cloud.units();
    let (theirs, ours, begin) = (used(), cpu_time(std::process::id()), Instant::now());
    let answers = join_all(functions.iter().map(|(function, events)| async move {
        let mut answers = Vec::new();
        for event in events {
            let begin = Instant::now();
            let answer = function.invoke(event).await.unwrap();
            answers.push((begin.elapsed(), answer["statusCode"] == 503));
        }
        answers
    }))
    .await
    .concat();
    let time = begin.elapsed().as_secs_f64();
    let refused = answers.iter().filter(|(_, refused)| *refused).count();
    Load {
        instances,
        rate: (answers.len() - refused) as f64 / time,
        refused: refused as f64 / answers.len() as f64,
        busy: (
            used().saturating_sub(theirs).as_secs_f64() / time,
            cpu_time(std::process::id()).saturating_sub(ours).as_secs_f64() / time,
        ),
        units: cloud.units().of_each(answers.len()),
        times: Times::of(answers.into_iter().map(|(time, _)| time).collect()),
    }
}
