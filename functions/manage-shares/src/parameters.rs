//! Path and query parameters.

use std::fmt::Display;

use sharelink_aws::share_table::{PAGE_LIMIT, StatusFilter};
use sharelink_domain::ShareId;
use sharelink_http::{FieldError, Problem, ProblemType, Request, path_parameter, query_parameter};

/// The page size if the request does not specify `limit`.
const DEFAULT_LIMIT: usize = 50;

/// Parses `shareId`. A malformed id is reported as not found, because no share can have such an id.
pub(crate) fn parse_share_id(request: &Request) -> Result<ShareId, Problem> {
    path_parameter(request, "shareId").parse().map_err(|_| ProblemType::ShareNotFound.into())
}

pub(crate) fn parse_status(request: &Request) -> Result<Option<StatusFilter>, Problem> {
    match query_parameter(request, "status").as_deref() {
        None => Ok(None),
        Some("active") => Ok(Some(StatusFilter::Active)),
        Some("inactive") => Ok(Some(StatusFilter::Inactive)),
        Some(_) => invalid("status", "must be \"active\" or \"inactive\""),
    }
}

pub(crate) fn parse_limit(request: &Request) -> Result<usize, Problem> {
    let Some(text) = query_parameter(request, "limit") else { return Ok(DEFAULT_LIMIT) };
    match text.parse() {
        Ok(limit) if (1..=PAGE_LIMIT).contains(&limit) => Ok(limit),
        _ => invalid("limit", format!("must be a whole number from 1 to {PAGE_LIMIT}")),
    }
}

pub(crate) fn invalid<T>(parameter: &'static str, detail: impl Display) -> Result<T, Problem> {
    Err(Problem::Invalid(vec![FieldError::parameter(parameter, detail)]))
}
