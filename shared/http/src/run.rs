//! The main loop of an API function.

use std::time::{Duration, Instant, SystemTime};

use lambda_http::LambdaEvent;
use lambda_runtime::{Error, service_fn};
use sharelink_runtime::Metrics;
use tokio::time::timeout;

use crate::event::HttpApiEvent;
use crate::origin::Origin;
use crate::response::{GatewayResponse, with_security_headers};
use crate::{Problem, ProblemType, Request, Response};

/// Time reserved for sending the timeout response.
const RESPONSE_MARGIN: Duration = Duration::from_secs(1);

/// Runs an API function, with one handler for all of its routes.
///
/// Every request gets a response before the function times out: a handler that takes too long is canceled,
/// and the caller gets [`ProblemType::TemporarilyUnavailable`]. A request that did not come through the
/// distribution is refused before the handler sees it.
pub async fn run<H, F>(metrics: &Metrics, handler: H) -> Result<(), Error>
where
    H: Fn(Request) -> F,
    F: Future<Output = Result<Response, Problem>>,
{
    // The text of the error, because only its `Debug` output reaches the log.
    let origin = Origin::from_env().map_err(|error| error.to_string())?;
    lambda_runtime::run(service_fn(|event: LambdaEvent<HttpApiEvent>| {
        let start = Instant::now();
        let route = event.payload.route_key().to_owned();
        let time_left = event.context.deadline().duration_since(SystemTime::now()).unwrap_or_default();
        let completion = origin.admit(event.payload).map(|request| {
            // Box the future, because it is large: it contains all state that the handler keeps across AWS
            // calls.
            timeout(time_left.saturating_sub(RESPONSE_MARGIN), Box::pin(handler(request)))
        });
        async move {
            let result = match completion {
                Ok(completion) => completion.await.unwrap_or_else(|_| {
                    tracing::error!("a request timed out");
                    Err(ProblemType::TemporarilyUnavailable.into())
                }),
                Err(refusal) => Err(refusal.into()),
            };
            let response = result.unwrap_or_else(|problem| {
                problem.problem_type().count();
                problem.into_response()
            });
            let response = with_security_headers(response);
            let duration_ms = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
            tracing::info!(route, status = response.status().as_u16(), duration_ms, "request handled");
            metrics.flush();
            Ok::<_, Error>(GatewayResponse::from(response))
        }
    }))
    .await
}
