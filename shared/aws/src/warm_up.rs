use std::time::Duration;

use tokio::time::timeout;

use crate::AwsError;

/// The maximum duration of a warm-up. Lambda restarts an initialization that takes more than ten seconds. If
/// AWS is unreachable, the first request reports the error to its caller.
const WARM_UP_TIMEOUT: Duration = Duration::from_secs(2);

/// Calls a service during initialization, so that the first request finds an open connection.
pub(crate) async fn warm_up<T>(service: &'static str, call: impl Future<Output = Result<T, AwsError>>) {
    let timed_out = || AwsError::Unavailable { service, code: "timeout".into() };
    if let Err(error) = timeout(WARM_UP_TIMEOUT, call).await.map_err(|_| timed_out()).flatten() {
        tracing::warn!(%error, "a service is not responding yet");
    }
}
