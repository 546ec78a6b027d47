//! Opaque cursors for paged lists.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::{FieldError, Problem, Request, query_parameter};

/// Parses the `cursor` query parameter, if the request has one. A cursor contains only a position. The path
/// determines which list it applies to.
pub fn parse_cursor<T, E>(
    request: &Request,
    parse_position: impl Fn(&str) -> Result<T, E>,
) -> Result<Option<T>, Problem> {
    let Some(cursor) = query_parameter(request, "cursor") else { return Ok(None) };
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok();
    let position = bytes.and_then(|bytes| parse_position(std::str::from_utf8(&bytes).ok()?).ok());
    let invalid = || FieldError::parameter("cursor", "is not a cursor returned by this list");
    position.map(Some).ok_or_else(|| Problem::Invalid(vec![invalid()]))
}

/// Encodes a position in a list as the cursor of the next page.
#[must_use]
pub fn encode_cursor(position: &str) -> String {
    URL_SAFE_NO_PAD.encode(position)
}
