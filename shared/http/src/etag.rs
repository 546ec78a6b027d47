//! Entity tags: a share's version as an `ETag`, and the expected version in `If-Match`.

use lambda_http::http::header::HeaderValue;
use sharelink_domain::Share;
use sharelink_domain::share::ExpectedVersion;

use crate::{ProblemType, Request, header};

/// Returns the share's version as a strong entity tag.
#[must_use]
pub fn etag(share: &Share) -> HeaderValue {
    HeaderValue::from_str(&entity_tag(share.version)).unwrap_or(HeaderValue::from_static("\"\""))
}

/// Parses the required `If-Match` header: an entity tag made by [`etag`], or `*` for any version. Any other
/// tag is treated as stale, because it cannot match the share's version.
pub fn parse_if_match(request: &Request) -> Result<ExpectedVersion, ProblemType> {
    match header(request, "if-match").map(str::trim) {
        None => Err(ProblemType::IfMatchMissing),
        Some("*") => Ok(ExpectedVersion::Any),
        Some(tag) => {
            let version = tag.trim_matches('"').parse().ok().filter(|version| entity_tag(*version) == tag);
            version.map(ExpectedVersion::Exactly).ok_or(ProblemType::StaleVersion)
        }
    }
}

fn entity_tag(version: u64) -> String {
    format!("\"{version}\"")
}
