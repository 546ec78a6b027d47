//! What went wrong, as RFC 9457 has it: the one place where errors become HTTP.

use std::fmt::Display;

use chrono::TimeDelta;
use lambda_http::http::StatusCode;
use lambda_http::http::header::{HeaderValue, RETRY_AFTER};
use serde::Serialize;
use sharelink_aws::{AwsError, IdempotencyError};
use sharelink_domain::idempotency::KeyReused;

use crate::event::{Response, json_response};

/// Where a problem's `type` is documented, under its name. A path of the API, so that it is the same for every
/// deployment and leads to a page on each (RFC 9457, section 3.1.1).
const BASE: &str = "/problems/";

macro_rules! problem_types {
    ($($(#[doc = $help:literal])+ $kind:ident = $status:ident $name:literal $title:literal;)+) => {
        /// What kind of problem, with a stable `type`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum ProblemType {
            $($(#[doc = $help])+ $kind,)+
        }

        impl ProblemType {
            /// Every kind, for those who read names.
            pub const ALL: &[Self] = &[$(Self::$kind),+];

            /// The status that it is answered with.
            #[must_use]
            pub fn status(self) -> StatusCode {
                match self { $(Self::$kind => StatusCode::$status,)+ }
            }

            /// The end of its `type`.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$kind => $name,)+ }
            }

            /// What happened, in a few words.
            #[must_use]
            pub fn title(self) -> &'static str {
                match self { $(Self::$kind => $title,)+ }
            }

            /// What it means, and what to do about it.
            #[must_use]
            pub fn help(self) -> &'static str {
                match self { $(Self::$kind => concat!($($help),+).trim_ascii(),)+ }
            }
        }
    };
}

problem_types! {
    /// The body is missing or is no JSON text in UTF-8; `detail` says where it stops being one. Send valid
    /// JSON.
    MalformedBody = BAD_REQUEST "malformed-body" "The body is not valid JSON";
    /// Names in the path, parameters, headers or fields of the body are wrong; nothing was done. `errors` says
    /// which, and what is wrong with each. Correct them and send the request again.
    InvalidRequest = UNPROCESSABLE_ENTITY "invalid-request" "The request has invalid fields";
    /// The token does not say who the caller is, or is not the one that was verified. Log in to the platform
    /// again, and send the new token.
    Unauthenticated = UNAUTHORIZED "unauthenticated" "The caller is not known";
    /// The caller does not hold the Share permission in the item's module. Ask an administrator of the
    /// platform for it; a frontend asks `share-permission` first, and does not show the Share button.
    SharePermissionMissing = FORBIDDEN "share-permission-missing" "The Share permission is missing";
    /// The item has no share with this id, or the share was purged after its time of retention. List the
    /// item's shares again.
    ShareNotFound = NOT_FOUND "share-not-found" "There is no such share";
    /// The API has nothing at this path. Compare the method and the path with the API's document.
    RouteNotFound = NOT_FOUND "route-not-found" "There is no such route";
    /// The body has more than 256 KiB, which is more than any valid request needs. Send less at once.
    BodyTooLarge = PAYLOAD_TOO_LARGE "body-too-large" "The body is too large";
    /// An item and an address have one share at most, and this one is active; nothing was changed. The result
    /// has the share: open it on the tab Active, where its expiration can be changed and its email sent again.
    AlreadyActive = CONFLICT "already-active" "The recipient has an active share of this item";
    /// An item and an address have one share at most, and this one has expired or was revoked; nothing was
    /// changed. The result has the share: open it on the tab Inactive, and change its expiration to make the
    /// same link work again.
    AlreadyInactive = CONFLICT "already-inactive" "The recipient has an inactive share of this item";
    /// The text is no address that mail can be sent to; `detail` says why. Correct the address and share with
    /// it again.
    InvalidRecipient = UNPROCESSABLE_ENTITY "invalid-recipient" "The recipient is no email address";
    /// The same address is earlier in the request, and its result is there. There is nothing to do.
    DuplicateRecipient = UNPROCESSABLE_ENTITY "duplicate-recipient" "The recipient is in the request twice";
    /// No recipient got a share, and not all for the same reason. Each result has a problem of its own that
    /// says why.
    NothingCreated = CONFLICT "nothing-created" "No share was created";
    /// The link was never given out, was cut off or altered on its way, belongs to a share that was purged, or
    /// has no file of this number. Open the link from the email once more.
    UnknownLink = NOT_FOUND "unknown-link" "The link opens nothing";
    /// The files behind the link are no longer shared. Ask the person who sent it.
    AccessEnded = GONE "access-ended" "Access has ended";
    /// The link is good, and the file was moved or removed. Try again later, or ask the person who sent the
    /// link.
    FileMissing = NOT_FOUND "file-missing" "The file is not there at the moment";
    /// A change of the expiration must say which version of the share it is meant for; nothing was changed.
    /// Read the share, and send its `ETag` as `If-Match`.
    IfMatchMissing = PRECONDITION_REQUIRED "if-match-missing" "The If-Match header is missing";
    /// The share is not the version that `If-Match` names: somebody else has changed it; nothing was changed
    /// now. Read the share again, and let the sharer decide again.
    StaleVersion = PRECONDITION_FAILED "stale-version" "The share has changed in the meantime";
    /// In the last 24 hours the caller used the same `Idempotency-Key` with another body, or for another item
    /// or share; nothing was done. Use a new key for each new request, and an old one only to repeat the very
    /// same request.
    IdempotencyKeyReused = UNPROCESSABLE_ENTITY "idempotency-key-reused" "The idempotency key was used for another request";
    /// The share has expired or was revoked, and a link that opens nothing is not emailed again. Change the
    /// expiration first.
    ShareInactive = CONFLICT "share-inactive" "The share is inactive";
    /// The last email was asked for too short a time ago, or is still on its way. Try again after the seconds
    /// in `Retry-After`; the wait is 5 minutes at first, twice as long each time, a day at most.
    ResendTooSoon = TOO_MANY_REQUESTS "resend-too-soon" "It is too soon for another email";
    /// A service that is needed does not answer at the moment. Try again after the seconds in `Retry-After`,
    /// with the same `Idempotency-Key` where there was one.
    TemporarilyUnavailable = SERVICE_UNAVAILABLE "temporarily-unavailable" "Please try again in a moment";
    /// A mistake of ours. Trying again at once will not help; tell whoever operates the API.
    Internal = INTERNAL_SERVER_ERROR "internal" "Something went wrong on our side";
}

impl ProblemType {
    /// Counts the problem, for operators. Not a recipient's, which is a refusal.
    pub fn count(self) {
        metrics::counter!("Problems", "Type" => self.name()).increment(1);
    }

    /// Says in an answer when to try again, where that helps.
    pub fn set_retry_after(self, answer: &mut Response) {
        if self == Self::TemporarilyUnavailable {
            answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("2"));
        }
    }

    /// The problem as a part of an answer.
    #[must_use]
    pub fn body(self, detail: Option<String>) -> ProblemBody {
        ProblemBody {
            r#type: format!("{BASE}{}", self.name()),
            title: self.title(),
            status: self.status().as_u16(),
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
    Header(&'static str),
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

    /// A header.
    pub fn header(name: &'static str, detail: impl Display) -> Self {
        Self { place: Place::Header(name), detail: detail.to_string() }
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
    /// Another email was asked for, this long too soon.
    TooSoon(TimeDelta),
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

impl From<IdempotencyError> for Problem {
    fn from(error: IdempotencyError) -> Self {
        match error {
            IdempotencyError::Aws(error) => Self::Aws(error),
            IdempotencyError::Reused(KeyReused) => ProblemType::IdempotencyKeyReused.into(),
        }
    }
}

impl Problem {
    /// What kind of problem it is.
    #[must_use]
    pub fn kind(&self) -> ProblemType {
        match self {
            Self::Of(kind) => *kind,
            Self::Malformed(_) => ProblemType::MalformedBody,
            Self::Invalid(_) => ProblemType::InvalidRequest,
            Self::TooSoon(_) => ProblemType::ResendTooSoon,
            Self::Aws(error) => aws_problem(error),
        }
    }

    /// The problem's answer. What AWS said goes to the log and not to the caller.
    #[must_use]
    pub fn into_response(self) -> Response {
        let kind = self.kind();
        let mut retry_after = None;
        let body = match self {
            Self::Of(_) => kind.body(None),
            Self::Malformed(detail) => kind.body(Some(detail)),
            Self::Invalid(errors) => ProblemBody { errors, ..kind.body(None) },
            Self::TooSoon(wait) => {
                // Whole seconds, and not a moment too early.
                retry_after = Some(HeaderValue::from(wait.num_seconds().max(0) + 1));
                kind.body(None)
            }
            Self::Aws(error) => {
                tracing::error!(%error, "a request failed");
                kind.body(None)
            }
        };
        let mut answer = problem_response(kind, &body);
        if let Some(retry_after) = retry_after {
            answer.headers_mut().insert(RETRY_AFTER, retry_after);
        }
        answer
    }
}

/// An answer with this problem, whose body may say more than [`ProblemType::body`].
pub fn problem_response(kind: ProblemType, body: &impl Serialize) -> Response {
    let mut answer = json_response(kind.status(), "application/problem+json", body);
    kind.set_retry_after(&mut answer);
    answer
}

/// What a caller is told of a failure of AWS.
#[must_use]
pub fn aws_problem(error: &AwsError) -> ProblemType {
    match error {
        AwsError::Unavailable { .. } => ProblemType::TemporarilyUnavailable,
        AwsError::Rejected { .. } | AwsError::InvalidData { .. } => ProblemType::Internal,
    }
}
