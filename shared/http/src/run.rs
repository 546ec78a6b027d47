//! The main loop of an API function.

use std::time::{Duration, Instant, SystemTime};

use lambda_http::LambdaEvent;
use lambda_http::http::StatusCode;
use lambda_runtime::{Error, service_fn};
use sharelink_domain::Item;
use sharelink_domain::hash_key::HashKey;
use sharelink_runtime::Metrics;
use tokio::time::timeout;

use crate::event::HttpApiEvent;
use crate::origin::Origin;
use crate::request::verified_subject;
use crate::response::{GatewayResponse, with_security_headers};
use crate::{Problem, ProblemType, Request, Response, parse_item};

/// Time reserved for sending the timeout response.
const RESPONSE_MARGIN: Duration = Duration::from_secs(1);

/// The routes whose responses are logged with the caller whatever their status, because the share log does not
/// show who used them. Some only read, although they show what an item contains or who has its links. The
/// others respond with 200 although they may have refused the change of every share.
const AUDITED_ROUTES: [&str; 5] = [
    "GET /modules/{module}/items/{item}/files",
    "GET /modules/{module}/items/{item}/share-log",
    "GET /shares",
    "POST /shares/expiration",
    "POST /shares/revoke",
];

/// The caller and the item of a request, for its line in the function's log.
#[derive(Default)]
struct AuditTrail {
    sub: Option<String>,
    item: Option<Item>,
}

/// The hashes that stand for the caller and the item in a log line.
#[derive(Debug, Default, PartialEq, Eq)]
struct AuditHashes {
    caller: Option<String>,
    item: Option<String>,
}

impl AuditTrail {
    fn of(request: &Request) -> Self {
        Self { sub: verified_subject(request), item: parse_item(request).ok() }
    }

    /// Returns whether the response is logged with its caller: a refusal, or one of the [`AUDITED_ROUTES`].
    fn is_needed(route: &str, status: StatusCode) -> bool {
        let is_refusal = [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN].contains(&status);
        is_refusal || AUDITED_ROUTES.contains(&route)
    }

    fn hashes(&self, key: &HashKey) -> AuditHashes {
        AuditHashes {
            caller: self.sub.as_deref().map(|sub| key.hash_caller(sub)),
            item: self.item.as_ref().map(|item| key.hash_item(item)),
        }
    }
}

/// Runs an API function whose routes require no login. See [`run_with_callers`].
pub async fn run<H, F>(metrics: &Metrics, handler: H) -> Result<(), Error>
where
    H: Fn(Request) -> F,
    F: Future<Output = Result<Response, Problem>>,
{
    run_with_callers(metrics, async || None, handler).await
}

/// Runs an API function, with one handler for all of its routes.
///
/// Every request gets a response before the function times out: a handler that takes too long is canceled,
/// and the caller gets [`ProblemType::TemporarilyUnavailable`]. A request that did not come through the
/// distribution is refused before the handler sees it.
///
/// Every request is logged by its route. Refusals and the [`AUDITED_ROUTES`] are logged with hashes of the
/// caller and the item, if `hash_key` returns the key.
pub async fn run_with_callers<'k, K, H, F>(metrics: &Metrics, hash_key: K, handler: H) -> Result<(), Error>
where
    K: AsyncFn() -> Option<&'k HashKey>,
    H: Fn(Request) -> F,
    F: Future<Output = Result<Response, Problem>>,
{
    // The text of the error, because only its `Debug` output reaches the log.
    let origin = Origin::from_env().map_err(|error| error.to_string())?;
    let hash_key = &hash_key;
    lambda_runtime::run(service_fn(|event: LambdaEvent<HttpApiEvent>| {
        let start = Instant::now();
        let route = event.payload.route_key().to_owned();
        let time_left = event.context.deadline().duration_since(SystemTime::now()).unwrap_or_default();
        let admitted = origin.admit(event.payload).map(|request| {
            let trail = AuditTrail::of(&request);
            // Box the future, because it is large: it contains all state that the handler keeps across AWS
            // calls.
            let completion = timeout(time_left.saturating_sub(RESPONSE_MARGIN), Box::pin(handler(request)));
            (trail, completion)
        });
        async move {
            let (trail, result) = match admitted {
                Ok((trail, completion)) => (
                    trail,
                    completion.await.unwrap_or_else(|_| {
                        tracing::error!("a request timed out");
                        Err(ProblemType::TemporarilyUnavailable.into())
                    }),
                ),
                Err(refusal) => (AuditTrail::default(), Err(refusal.into())),
            };
            let response = result.unwrap_or_else(|problem| {
                problem.problem_type().count();
                problem.into_response()
            });
            let response = with_security_headers(response);
            let duration_ms = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
            let status = response.status();
            let key = if AuditTrail::is_needed(&route, status) { hash_key().await } else { None };
            let AuditHashes { caller, item } = key.map(|key| trail.hashes(key)).unwrap_or_default();
            tracing::info!(route, status = status.as_u16(), duration_ms, caller, item, "request handled");
            metrics.flush();
            Ok::<_, Error>(GatewayResponse::from(response))
        }
    }))
    .await
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::{event, request};

    fn key() -> HashKey {
        HashKey::new(&"k".repeat(32)).unwrap()
    }

    #[test]
    fn refusals_and_audited_routes_are_logged_with_their_caller() {
        let list = "GET /modules/{module}/items/{item}/shares";
        for (route, status, is_needed) in [
            (list, StatusCode::OK, false),
            (list, StatusCode::NOT_FOUND, false),
            (list, StatusCode::FORBIDDEN, true),
            (list, StatusCode::UNAUTHORIZED, true),
            ("GET /modules/{module}/items/{item}/files", StatusCode::OK, true),
            ("GET /modules/{module}/items/{item}/share-log", StatusCode::OK, true),
            ("GET /modules/{module}/items/{item}/share-log", StatusCode::SERVICE_UNAVAILABLE, true),
            ("POST /shares/revoke", StatusCode::OK, true),
            ("POST /shares/expiration", StatusCode::OK, true),
            ("POST /modules/{module}/items/{item}/shares/{shareId}/revoke", StatusCode::OK, false),
        ] {
            assert_eq!(AuditTrail::is_needed(route, status), is_needed, "{route}: {status}");
        }
    }

    #[test]
    fn trail_contains_only_hashes_of_the_verified_caller_and_the_item() {
        let claims = json!({"sub": "u-123", "name": "Ann Example", "email": "ann@example.com"});
        let hashes = AuditTrail::of(&request(&event(&json!({}), &claims))).hashes(&key());
        let item = Item::parse("jobs/1042").unwrap();
        let expected =
            AuditHashes { caller: Some(key().hash_caller("u-123")), item: Some(key().hash_item(&item)) };
        assert_eq!(hashes, expected);
    }

    #[test]
    fn trail_of_a_public_or_invalid_request_is_empty() {
        let mut event = event(&json!({"authorization": "Bearer a.b.c"}), &json!({}));
        event["requestContext"].as_object_mut().unwrap().remove("authorizer");
        event["pathParameters"] = json!({"module": "jobs", "item": ".."});
        assert_eq!(AuditTrail::of(&request(&event)).hashes(&key()), AuditHashes::default());
    }
}
