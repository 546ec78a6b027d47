//! HTTP for the functions behind the API.
//!
//! A function hands [`run`] its handler, which answers a [`Request`] with an [`Response`] or a [`Problem`].
//! Problems become HTTP in one place, [`problem`].

mod authorization;
mod body;
mod cursor;
mod event;
mod idempotency;
pub mod problem;
mod share_response;

pub use authorization::Authorization;
pub use body::{Object, parse_json_body, require_empty_body};
pub use cursor::{cursor, encode_cursor};
pub use event::{
    Request, Response, header, json_response, parse_item, path_parameter, query_parameter, read_event, route,
    run,
};
pub use idempotency::idempotent_request;
pub use problem::{FieldError, Problem, ProblemType};
pub use share_response::{ShareResponse, etag, parse_if_match, rfc3339};
