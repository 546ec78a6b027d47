//! What went wrong, as RFC 9457 has it: the one place where errors become HTTP.

use std::fmt::Display;

use lambda_http::http::StatusCode;
use lambda_http::http::header::{HeaderValue, RETRY_AFTER};
use serde::Serialize;
use sharelink_aws::AwsError;

use crate::event::{Answer, answer};

/// What every problem's `type` begins with. A name, not an address: clients compare it whole.
const BASE: &str = "https://sharelink.example/problems/";

/// What kind of problem, with a stable `type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProblemType {
    /// The body is not JSON.
    MalformedBody,
    /// Fields of the request are wrong; each is named.
    InvalidRequest,
    /// The caller is not known.
    Unauthenticated,
    /// The caller does not hold the Share permission in the item's module.
    SharePermissionMissing,
    /// There is no such share.
    ShareNotFound,
    /// The API has no such route.
    RouteNotFound,
    /// The body is too large.
    BodyTooLarge,
    /// The recipient has an active share of this item.
    AlreadyActive,
    /// The recipient has an inactive share of this item.
    AlreadyInactive,
    /// The recipient is no address that mail can go to.
    InvalidRecipient,
    /// The recipient is in the request twice.
    DuplicateRecipient,
    /// No share was created, for several reasons.
    NothingCreated,
    /// The link opens nothing.
    UnknownLink,
    /// Access has ended.
    AccessEnded,
    /// The shared file is not there at the moment.
    FileMissing,
    /// A change needs to say which version of the share it is meant for.
    IfMatchMissing,
    /// The share has changed since the caller looked.
    StaleVersion,
    /// A service that is needed is not available.
    TemporarilyUnavailable,
    /// A mistake of ours.
    Internal,
}

impl ProblemType {
    /// Its status, the end of its `type`, and its title.
    fn describe(self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::MalformedBody => (StatusCode::BAD_REQUEST, "malformed-body", "The body is not valid JSON"),
            Self::InvalidRequest => {
                (StatusCode::UNPROCESSABLE_ENTITY, "invalid-request", "The request has invalid fields")
            }
            Self::Unauthenticated => (StatusCode::UNAUTHORIZED, "unauthenticated", "The caller is not known"),
            Self::SharePermissionMissing => {
                (StatusCode::FORBIDDEN, "share-permission-missing", "The Share permission is missing")
            }
            Self::ShareNotFound => (StatusCode::NOT_FOUND, "share-not-found", "There is no such share"),
            Self::RouteNotFound => (StatusCode::NOT_FOUND, "route-not-found", "There is no such route"),
            Self::BodyTooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "body-too-large", "The body is too large"),
            Self::AlreadyActive => {
                (StatusCode::CONFLICT, "already-active", "The recipient has an active share of this item")
            }
            Self::AlreadyInactive => {
                (StatusCode::CONFLICT, "already-inactive", "The recipient has an inactive share of this item")
            }
            Self::InvalidRecipient => {
                (StatusCode::UNPROCESSABLE_ENTITY, "invalid-recipient", "The recipient is no email address")
            }
            Self::DuplicateRecipient => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "duplicate-recipient",
                "The recipient is in the request twice",
            ),
            Self::NothingCreated => (StatusCode::CONFLICT, "nothing-created", "No share was created"),
            Self::UnknownLink => (StatusCode::NOT_FOUND, "unknown-link", "The link opens nothing"),
            Self::AccessEnded => (StatusCode::GONE, "access-ended", "Access has ended"),
            Self::FileMissing => {
                (StatusCode::NOT_FOUND, "file-missing", "The file is not there at the moment")
            }
            Self::IfMatchMissing => {
                (StatusCode::PRECONDITION_REQUIRED, "if-match-missing", "The If-Match header is missing")
            }
            Self::StaleVersion => {
                (StatusCode::PRECONDITION_FAILED, "stale-version", "The share has changed in the meantime")
            }
            Self::TemporarilyUnavailable => {
                (StatusCode::SERVICE_UNAVAILABLE, "temporarily-unavailable", "Please try again in a moment")
            }
            Self::Internal => {
                (StatusCode::INTERNAL_SERVER_ERROR, "internal", "Something went wrong on our side")
            }
        }
    }

    /// The status that it is answered with.
    #[must_use]
    pub fn status(self) -> StatusCode {
        self.describe().0
    }

    /// Says in an answer when to try again, where that helps.
    pub fn set_retry_after(self, answer: &mut Answer) {
        if self == Self::TemporarilyUnavailable {
            answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("2"));
        }
    }

    /// The problem as a part of an answer.
    #[must_use]
    pub fn body(self, detail: Option<String>) -> ProblemBody {
        let (status, name, title) = self.describe();
        ProblemBody {
            r#type: format!("{BASE}{name}"),
            title,
            status: status.as_u16(),
            detail,
            errors: vec![],
        }
    }
}

/// A problem in JSON.
#[derive(Debug, Serialize)]
pub struct ProblemBody {
    r#type: String,
    title: &'static str,
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldError>,
}

/// One wrong field: where it is, and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FieldError {
    detail: String,
    #[serde(flatten)]
    place: Place,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
enum Place {
    /// A JSON pointer (RFC 6901) into the body.
    Pointer(String),
    /// A parameter of the path or the query.
    Parameter(&'static str),
}

impl FieldError {
    /// A field of the body.
    pub fn pointer(pointer: impl Into<String>, detail: impl Display) -> Self {
        Self { place: Place::Pointer(pointer.into()), detail: detail.to_string() }
    }

    /// A parameter of the path or the query.
    pub fn parameter(name: &'static str, detail: impl Display) -> Self {
        Self { place: Place::Parameter(name), detail: detail.to_string() }
    }
}

/// Why a request was not done.
#[derive(Debug)]
pub enum Problem {
    /// The kind says it all.
    Of(ProblemType),
    /// The body is not JSON, for this reason.
    Malformed(String),
    /// These fields are wrong.
    Invalid(Vec<FieldError>),
    /// AWS failed us.
    Aws(AwsError),
}

impl From<ProblemType> for Problem {
    fn from(kind: ProblemType) -> Self {
        Self::Of(kind)
    }
}

impl From<AwsError> for Problem {
    fn from(error: AwsError) -> Self {
        Self::Aws(error)
    }
}

impl Problem {
    /// The problem's answer. What AWS said goes to the log and not to the caller.
    #[must_use]
    pub fn into_answer(self) -> Answer {
        let (kind, body) = match self {
            Self::Of(kind) => (kind, kind.body(None)),
            Self::Malformed(detail) => {
                (ProblemType::MalformedBody, ProblemType::MalformedBody.body(Some(detail)))
            }
            Self::Invalid(errors) => {
                let body = ProblemType::InvalidRequest.body(None);
                (ProblemType::InvalidRequest, ProblemBody { errors, ..body })
            }
            Self::Aws(error) => {
                tracing::error!(%error, "a request failed");
                let kind = aws_problem(&error);
                (kind, kind.body(None))
            }
        };
        problem_answer(kind, &body)
    }
}

/// An answer with this problem, whose body may say more than [`ProblemType::body`].
pub fn problem_answer(kind: ProblemType, body: &impl Serialize) -> Answer {
    let mut answer = answer(kind.status(), "application/problem+json", body);
    kind.set_retry_after(&mut answer);
    answer
}

/// What a caller is told of a failure of AWS.
#[must_use]
pub fn aws_problem(error: &AwsError) -> ProblemType {
    match error {
        AwsError::Unavailable { .. } => ProblemType::TemporarilyUnavailable,
        AwsError::Unexpected { .. } | AwsError::Unreadable { .. } => ProblemType::Internal,
    }
}
