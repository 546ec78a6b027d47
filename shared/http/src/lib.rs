//! HTTP for the functions behind the API.
//!
//! A function hands [`run`] its handler, which answers a [`Request`] with an [`Answer`] or a [`Problem`].
//! Problems become HTTP in one place, [`problem`].

mod authorization;
mod body;
mod cursor;
mod event;
mod idempotency;
pub mod problem;
mod share_answer;

pub use authorization::Authorization;
pub use body::{Object, json_body, no_body};
pub use cursor::{cursor, next_cursor};
pub use event::{
    Answer, Request, answer, header, item, path_parameter, query_parameter, read_event, route, run,
};
pub use idempotency::repeatable_request;
pub use problem::{FieldError, Problem, ProblemType};
pub use share_answer::{ShareAnswer, etag, if_match, rfc3339};
