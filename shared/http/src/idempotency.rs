//! Requests with an `Idempotency-Key`.

use serde::Serialize;
use sharelink_domain::Sharer;
use sharelink_domain::idempotency::IdempotentRequest;

use crate::{FieldError, Problem, Request, header, path_parameter, route_key};

const HEADER: &str = "Idempotency-Key";

/// Returns the idempotent form of a request, or `None` if the request has no `Idempotency-Key`.
///
/// Two requests with the same key are treated as identical if their path parameters and parsed bodies are
/// equal. JSON formatting does not matter.
pub fn idempotent_request(
    request: &Request,
    caller: &Sharer,
    body: &impl Serialize,
) -> Result<Option<IdempotentRequest>, Problem> {
    let Some(value) = header(request, HEADER) else { return Ok(None) };
    let invalid = |error| Problem::Invalid(vec![FieldError::header(HEADER, error)]);
    let key = value.trim().parse().map_err(invalid)?;
    let path = ["module", "item", "shareId"].map(|name| path_parameter(request, name));
    let contents =
        serde_json::to_vec(&(path, body)).map_err(|error| Problem::Malformed(error.to_string()))?;
    Ok(Some(IdempotentRequest::new(caller, route_key(request), &key, &contents)))
}
