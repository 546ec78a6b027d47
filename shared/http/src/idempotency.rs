//! Requests under an `Idempotency-Key`.

use serde::Serialize;
use sharelink_domain::Sharer;
use sharelink_domain::idempotency::IdempotentRequest;

use crate::event::{header, path_parameter, route};
use crate::{FieldError, Problem, Request};

const NAME: &str = "Idempotency-Key";

/// The request as one that may be repeated, where its caller gave it a key. Its contents are the path and the
/// body as it was read: how the body was written makes no difference.
pub fn idempotent_request(
    request: &Request,
    caller: &Sharer,
    body: &impl Serialize,
) -> Result<Option<IdempotentRequest>, Problem> {
    let Some(key) = header(request, NAME) else { return Ok(None) };
    let invalid = |error| Problem::Invalid(vec![FieldError::header(NAME, error)]);
    let key = key.trim().parse().map_err(invalid)?;
    let path = ["module", "item", "shareId"].map(|name| path_parameter(request, name));
    let contents =
        serde_json::to_vec(&(path, body)).map_err(|error| Problem::Malformed(error.to_string()))?;
    Ok(Some(IdempotentRequest::new(caller, route(request), &key, &contents)))
}
