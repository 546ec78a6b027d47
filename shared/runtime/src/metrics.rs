use std::io::{Write, stdout};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use metrics::Unit;
use metrics_cloudwatch_embedded::{Builder, Collector};

use crate::{SettingError, required};

/// The maximum number of values per metric in one line of the embedded metric format.
const MAX_VALUES_PER_LINE: usize = 100;

static COLLECTOR: OnceLock<&Collector> = OnceLock::new();

/// The number of call durations recorded since the last flush.
static UNFLUSHED_CALLS: AtomicUsize = AtomicUsize::new(0);

/// Collects metrics and writes them to standard output in the embedded metric format. `CloudWatch` extracts
/// them from the log.
pub struct Metrics(());

impl Metrics {
    /// Starts collecting metrics for this deployment, and counts a cold start of the named function.
    pub fn start(function: &'static str) -> Result<Self, SettingError> {
        let builder =
            Builder::new().cloudwatch_namespace("Sharelink").with_dimension("Stack", required("STACK_NAME")?);
        let collector = builder.init().map_err(|_| SettingError::MetricsStarted)?;
        COLLECTOR.get_or_init(|| collector);
        metrics::describe_histogram!("CallDuration", Unit::Milliseconds, "");
        metrics::describe_histogram!("LongestOverdue", Unit::Seconds, "");
        metrics::counter!("ColdStarts", "Function" => function).increment(1);
        Ok(Self(()))
    }

    /// Writes the collected metrics. Call it at the end of each invocation.
    pub fn flush(&self) {
        flush();
    }
}

/// Records the duration of one call to an AWS service. Flushes early if an invocation makes so many calls
/// that their durations would not fit in one line.
pub fn record_call_duration(service: &'static str, duration: Duration) {
    metrics::histogram!("CallDuration", "Service" => service).record(duration.as_secs_f64() * 1000.0);
    if UNFLUSHED_CALLS.fetch_add(1, Ordering::Relaxed) + 1 >= MAX_VALUES_PER_LINE {
        flush();
    }
}

fn flush() {
    UNFLUSHED_CALLS.store(0, Ordering::Relaxed);
    let Some(collector) = COLLECTOR.get() else { return };
    // Buffer the output, so that there is one write in total instead of one per line.
    let mut lines = Vec::new();
    // Ignore a write error: losing metrics must not fail an invocation that has done its work.
    let _ = collector.flush(&mut lines).and_then(|()| stdout().write_all(&lines));
}
