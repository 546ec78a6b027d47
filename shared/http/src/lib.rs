//! The HTTP layer of the API functions.
//!
//! Each function passes its handler to [`run`]. For each [`Request`], the handler returns a [`Response`] or a
//! [`Problem`]. The [`problem`] module converts a problem to an HTTP response.

mod authorization;
mod body;
mod claim_path;
mod cursor;
mod etag;
mod event;
mod idempotency;
mod origin;
pub mod problem;
mod problem_type;
#[cfg(test)]
mod provider_tests;
mod request;
mod response;
mod run;
mod share_response;
#[cfg(test)]
mod testing;
mod verified_claims;

pub use authorization::{Authorization, AuthorizationError, Caller, CallerClaims};
pub use body::{Object, parse_json_body, require_empty_body};
pub use claim_path::{ClaimPath, ClaimPathError};
pub use cursor::{encode_cursor, parse_cursor};
pub use etag::{etag, parse_if_match};
pub use event::{ALLOWED_HEADERS, parse_event};
pub use idempotency::idempotent_request;
pub use problem::{FieldError, Problem};
pub use problem_type::ProblemType;
pub use request::{Request, header, parse_item, path_parameter, query_parameter, route_key, source_ip};
pub use response::{Response, json_response, text_response};
pub use run::{run, run_with_callers};
pub use share_response::{FileResponse, ListedShareResponse, ShareResponse, SharerResponse, to_rfc3339};
