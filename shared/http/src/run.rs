//! The main loop of an API function.

use std::time::{Duration, Instant, SystemTime};

use lambda_http::LambdaEvent;
use lambda_runtime::{Error, service_fn};
use sharelink_runtime::Metrics;
use tokio::time::timeout;

use crate::event::HttpApiEvent;
use crate::response::GatewayResponse;
use crate::{Problem, ProblemType, Request, Response, route_key};

/// Time reserved for sending the timeout response.
const RESPONSE_MARGIN: Duration = Duration::from_secs(1);

/// Runs an API function, with one handler for all of its routes.
///
/// Every request gets a response before the function times out: a handler that takes too long is canceled,
/// and the caller gets [`ProblemType::TemporarilyUnavailable`].
pub async fn run<H, F>(metrics: &Metrics, handler: H) -> Result<(), Error>
where
    H: Fn(Request) -> F,
    F: Future<Output = Result<Response, Problem>>,
{
    lambda_runtime::run(service_fn(|event: LambdaEvent<HttpApiEvent>| {
        let start = Instant::now();
        let request = Request::from(event.payload.0);
        let route = route_key(&request).to_owned();
        let time_left = event.context.deadline().duration_since(SystemTime::now()).unwrap_or_default();
        // Box the future, because it is large: it contains all state that the handler keeps across AWS calls.
        let completion = timeout(time_left.saturating_sub(RESPONSE_MARGIN), Box::pin(handler(request)));
        async move {
            let result = completion.await.unwrap_or_else(|_| {
                tracing::error!("a request timed out");
                Err(ProblemType::TemporarilyUnavailable.into())
            });
            let response = result.unwrap_or_else(|problem| {
                problem.problem_type().count();
                problem.into_response()
            });
            let duration_ms = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
            tracing::info!(route, status = response.status().as_u16(), duration_ms, "request handled");
            metrics.flush();
            Ok::<_, Error>(GatewayResponse::from(response))
        }
    }))
    .await
}
