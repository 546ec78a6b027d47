//! Places in lists, as callers get them and give them back.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::{FieldError, Problem, Request, query_parameter};

/// Where a page begins. What the list is of is never part of it: that always comes from the path.
pub fn cursor<T, E>(request: &Request, parse: impl Fn(&str) -> Result<T, E>) -> Result<Option<T>, Problem> {
    let Some(text) = query_parameter(request, "cursor") else { return Ok(None) };
    let bytes = URL_SAFE_NO_PAD.decode(text).ok();
    let cursor = bytes.and_then(|bytes| parse(std::str::from_utf8(&bytes).ok()?).ok());
    let invalid = || FieldError::parameter("cursor", "is not a cursor that this list gave");
    cursor.map(Some).ok_or_else(|| Problem::Invalid(vec![invalid()]))
}

/// A place as a caller gets it, to be given back as the cursor of the next page.
#[must_use]
pub fn encode_cursor(place: &str) -> String {
    URL_SAFE_NO_PAD.encode(place)
}
