use std::io::{Write, stdout};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use metrics::Unit;
use metrics_cloudwatch_embedded::{Builder, Collector};

use crate::{SettingError, required};

/// How many values of a metric one line may hold.
const VALUES: usize = 100;

static COLLECTOR: OnceLock<&Collector> = OnceLock::new();

/// How many calls were measured since they were last told.
static MEASURED: AtomicUsize = AtomicUsize::new(0);

/// What was counted and measured since it was last told. `CloudWatch` reads it from the function's output (embedded
/// metric format).
pub struct Metrics(());

impl Metrics {
    /// Starts counting, for this deployment; this start of a function of this name comes first.
    pub fn start(function: &'static str) -> Result<Self, SettingError> {
        let builder =
            Builder::new().cloudwatch_namespace("Sharelink").with_dimension("Stack", required("STACK_NAME")?);
        let collector = builder.init().map_err(|_| SettingError::Metrics)?;
        COLLECTOR.get_or_init(|| collector);
        metrics::describe_histogram!("CallDuration", Unit::Milliseconds, "");
        metrics::describe_histogram!("LongestOverdue", Unit::Seconds, "");
        metrics::counter!("ColdStarts", "Function" => function).increment(1);
        Ok(Self(()))
    }

    /// Tells what was counted, at the end of an invocation.
    pub fn flush(&self) {
        tell();
    }
}

/// Measures a call to a service. Many calls of one invocation are told before its end, since a line holds only so many.
pub fn record_call_duration(service: &'static str, duration: Duration) {
    metrics::histogram!("CallDuration", "Service" => service).record(duration.as_secs_f64() * 1000.0);
    if MEASURED.fetch_add(1, Ordering::Relaxed) + 1 >= VALUES {
        tell();
    }
}

fn tell() {
    MEASURED.store(0, Ordering::Relaxed);
    let Some(collector) = COLLECTOR.get() else { return };
    // In one go, and not line by line.
    let mut told = Vec::new();
    let told = collector.flush(&mut told).and_then(|()| stdout().write_all(&told));
    // Metrics are not worth an invocation that has done its work.
    let _ = told;
}
