use metrics_cloudwatch_embedded::{Builder, Collector};

use crate::{SettingError, required};

/// What was counted since it was last told. `CloudWatch` reads it from the function's output (embedded metric format).
pub struct Metrics(&'static Collector);

impl Metrics {
    /// Starts counting, for this deployment.
    pub fn start() -> Result<Self, SettingError> {
        let builder =
            Builder::new().cloudwatch_namespace("Sharelink").with_dimension("Stack", required("STACK_NAME")?);
        builder.init().map(Self).map_err(|_| SettingError::Metrics)
    }

    /// Tells what was counted, at the end of an invocation.
    pub fn tell(&self) {
        // Metrics are not worth an invocation that has done its work.
        let _ = self.0.flush(std::io::stdout());
    }
}
