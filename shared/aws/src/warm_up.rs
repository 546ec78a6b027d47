use std::time::Duration;

use tokio::time::timeout;

use crate::AwsError;

/// How long a start waits for AWS. Lambda begins a start anew that takes ten seconds; the first request has time of its
/// own, and an answer of its own for an AWS that is away.
const LIMIT: Duration = Duration::from_secs(2);

/// Calls a service before the first request does, which then finds an open connection.
pub(crate) async fn warm_up<T>(service: &'static str, call: impl Future<Output = Result<T, AwsError>>) {
    let late = || AwsError::Unavailable { service, code: "start".into() };
    if let Err(error) = timeout(LIMIT, call).await.map_err(|_| late()).and_then(|called| called) {
        tracing::warn!(%error, "a service does not answer yet");
    }
}
