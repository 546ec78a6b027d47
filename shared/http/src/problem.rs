//! Problem responses (RFC 9457), and the mapping from errors to problem types.

use std::fmt::Display;

use chrono::TimeDelta;
use lambda_http::http::header::{HeaderValue, RETRY_AFTER};
use serde::Serialize;
use sharelink_aws::{AwsError, Error, IdempotencyError, InternalError, ResolveError};
use sharelink_domain::email_limits::LimitReached;
use sharelink_domain::rules::RuleViolation;

use crate::{ProblemType, Response, json_response};

/// The path prefix of the pages that document problem types. Because the path is a relative URI, a problem's
/// `type` is the same in every deployment and resolves to the page that documents it (RFC 9457, section
/// 3.1.1).
const TYPE_BASE: &str = "/problems/";

/// A problem with a request.
#[derive(Debug)]
pub enum Problem {
    /// A problem that its type fully describes.
    Type(ProblemType),
    /// The body is not JSON. Contains the syntax error.
    Malformed(String),
    /// The request has these invalid fields.
    Invalid(Vec<FieldError>),
    /// An email was requested again too soon. Contains the remaining wait.
    TooSoon(TimeDelta),
    /// An email would exceed a daily limit. Contains the remaining wait.
    LimitReached(LimitReached, TimeDelta),
    /// An AWS call or an internal operation failed.
    Failed(Error),
}

impl From<ProblemType> for Problem {
    fn from(problem_type: ProblemType) -> Self {
        Self::Type(problem_type)
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<AwsError> for Problem {
    fn from(error: AwsError) -> Self {
        Self::Failed(error.into())
    }
}

impl From<InternalError> for Problem {
    fn from(error: InternalError) -> Self {
        Self::Failed(error.into())
    }
}

impl From<IdempotencyError> for Problem {
    fn from(error: IdempotencyError) -> Self {
        match error {
            IdempotencyError::KeyReused(_) => ProblemType::IdempotencyKeyReused.into(),
            IdempotencyError::Failed(error) => Self::Failed(error),
        }
    }
}

impl From<ResolveError> for Problem {
    fn from(error: ResolveError) -> Self {
        match error {
            ResolveError::Denied => ProblemType::ItemAccessDenied.into(),
            ResolveError::Failed(error) => error.into(),
        }
    }
}

impl From<RuleViolation> for Problem {
    fn from(violation: RuleViolation) -> Self {
        match violation {
            RuleViolation::AccessTooLong { .. } => {
                Self::Invalid(vec![FieldError::access_too_long(violation)])
            }
            RuleViolation::RecipientNotAllowed => ProblemType::RecipientNotAllowed.into(),
            RuleViolation::EmailRequired => ProblemType::EmailRequired.into(),
            RuleViolation::TooManyFiles { .. } => ProblemType::TooManyFiles.into(),
        }
    }
}

impl Problem {
    /// Returns the type of the problem.
    #[must_use]
    pub fn problem_type(&self) -> ProblemType {
        match self {
            Self::Type(problem_type) => *problem_type,
            Self::Malformed(_) => ProblemType::MalformedBody,
            Self::Invalid(_) => ProblemType::InvalidRequest,
            Self::TooSoon(_) => ProblemType::ResendTooSoon,
            Self::LimitReached(limit, _) => (*limit).into(),
            Self::Failed(error) => error.into(),
        }
    }

    /// Converts the problem to its JSON body. The error behind a failure is logged, not sent to the caller.
    #[must_use]
    pub fn into_body(self) -> ProblemBody {
        let problem_type = self.problem_type();
        match self {
            Self::Type(_) | Self::TooSoon(_) => problem_type.body(None),
            Self::Malformed(detail) => problem_type.body(Some(detail)),
            Self::Invalid(errors) => ProblemBody { errors, ..problem_type.body(None) },
            Self::LimitReached(limit, _) => problem_type.body(Some(limit_detail(limit))),
            Self::Failed(error) => {
                tracing::error!(%error, "a request failed");
                problem_type.body(None)
            }
        }
    }

    /// Converts the problem to a response. The error behind a failure is logged, not sent to the caller.
    #[must_use]
    pub fn into_response(self) -> Response {
        let problem_type = self.problem_type();
        let retry_after = match &self {
            Self::TooSoon(wait) | Self::LimitReached(_, wait) => Some(whole_seconds(*wait)),
            _ => None,
        };
        let mut response = problem_response(problem_type, &self.into_body());
        if let Some(retry_after) = retry_after {
            response.headers_mut().insert(RETRY_AFTER, retry_after);
        }
        response
    }
}

/// Returns a wait as the value of `Retry-After`, which is in whole seconds. Rounds up, so that the caller's
/// next request is not early.
#[must_use]
pub fn whole_seconds(wait: TimeDelta) -> HeaderValue {
    HeaderValue::from(wait.num_seconds().max(0) + 1)
}

/// Describes how many emails a limit leaves.
#[must_use]
pub fn limit_detail(limit: LimitReached) -> String {
    match limit {
        LimitReached::Sharer { left, limit } => {
            format!("Of the caller's {limit} emails a day, {left} are left. The day ends at midnight in UTC.")
        }
        LimitReached::Mailbox => "The day ends at midnight in UTC.".to_owned(),
    }
}

impl From<LimitReached> for ProblemType {
    fn from(limit: LimitReached) -> Self {
        match limit {
            LimitReached::Sharer { .. } => Self::SharerLimitReached,
            LimitReached::Mailbox => Self::MailboxLimitReached,
        }
    }
}

impl From<&Error> for ProblemType {
    fn from(error: &Error) -> Self {
        match error {
            Error::Aws(AwsError::Unavailable { .. }) => Self::TemporarilyUnavailable,
            Error::Aws(AwsError::Rejected { .. } | AwsError::InvalidData { .. }) | Error::Internal(_) => {
                Self::Internal
            }
        }
    }
}

/// Creates a problem response. The body may add fields to [`ProblemType::body`].
pub fn problem_response(problem_type: ProblemType, body: &impl Serialize) -> Response {
    let mut response = json_response(problem_type.status(), "application/problem+json", body);
    problem_type.set_retry_after(&mut response);
    response
}

/// The JSON body of a problem response.
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

impl ProblemType {
    /// Creates the JSON body of a problem of this type.
    #[must_use]
    pub fn body(self, detail: Option<String>) -> ProblemBody {
        ProblemBody {
            r#type: format!("{TYPE_BASE}{}", self.name()),
            title: self.title(),
            status: self.status().as_u16(),
            detail,
            errors: vec![],
        }
    }
}

/// An invalid field's location, and a description of the error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FieldError {
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(flatten)]
    location: FieldLocation,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
enum FieldLocation {
    /// A JSON pointer (RFC 6901) into the body.
    Pointer(String),
    /// The name of a path or query parameter.
    Parameter(&'static str),
    /// The name of a header.
    Header(&'static str),
}

impl FieldError {
    /// Describes an invalid field in the body.
    pub fn pointer(pointer: impl Into<String>, detail: impl Display) -> Self {
        Self::new(FieldLocation::Pointer(pointer.into()), detail)
    }

    /// Describes an invalid path or query parameter.
    pub fn parameter(name: &'static str, detail: impl Display) -> Self {
        Self::new(FieldLocation::Parameter(name), detail)
    }

    /// Describes an invalid header.
    pub fn header(name: &'static str, detail: impl Display) -> Self {
        Self::new(FieldLocation::Header(name), detail)
    }

    /// Describes an expiry after the last day that the deployment's rules allow.
    #[must_use]
    pub fn access_too_long(violation: RuleViolation) -> Self {
        Self::pointer("/expiresAt", violation).with_reason("accessTooLong")
    }

    fn new(location: FieldLocation, detail: impl Display) -> Self {
        Self { location, detail: detail.to_string(), reason: None }
    }

    /// Adds a reason that clients can tell apart from others at the same location.
    #[must_use]
    pub fn with_reason(self, reason: &'static str) -> Self {
        Self { reason: Some(reason), ..self }
    }
}
