use aws_runtime::retries::classifiers::{THROTTLING_ERRORS, TRANSIENT_ERRORS};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use sharelink_domain::idempotency::KeyReused;
use thiserror::Error;

/// The error code of DynamoDB for a write that meets a transaction on the same row.
pub(crate) const CONFLICT: &str = "TransactionConflictException";

/// A failed call to AWS, after the SDK's retries.
///
/// Contains only the error code, because error messages and bodies may contain addresses and links.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum AwsError {
    /// A transient fault: throttling, a timeout, a lost connection, a conflict or an internal error.
    #[error("{service} is unavailable: {code}")]
    Unavailable { service: &'static str, code: String },
    /// A permanent fault: a missing resource, a missing permission or a malformed request.
    #[error("{service} rejected the request: {code}")]
    Rejected { service: &'static str, code: String },
    /// Stored data that cannot be decoded.
    #[error("{service} returned invalid data: {what}")]
    InvalidData { service: &'static str, what: &'static str },
}

/// A failure in Sharelink itself, not in AWS.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum InternalError {
    #[error("the system's random number generator failed")]
    Random,
    #[error("{0} could not be encoded")]
    Encoding(&'static str),
    #[error("a URL could not be signed")]
    Signing,
    #[error("the share has no link key")]
    NoLinkKey,
    #[error("the link's key is not in the key ring")]
    UnknownLinkKey,
}

/// A failure in an adapter.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Error {
    #[error(transparent)]
    Aws(#[from] AwsError),
    #[error(transparent)]
    Internal(#[from] InternalError),
}

/// The reason an idempotency record could not be used.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum IdempotencyError {
    #[error(transparent)]
    KeyReused(#[from] KeyReused),
    #[error(transparent)]
    Failed(#[from] Error),
}

impl From<AwsError> for IdempotencyError {
    fn from(error: AwsError) -> Self {
        Self::Failed(error.into())
    }
}

/// The reason the item resolver did not give a caller access to an item.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ResolveError {
    /// The platform's rules for this item do not allow it.
    #[error("the item resolver denies access")]
    Denied,
    /// There is no valid decision.
    #[error(transparent)]
    Failed(#[from] AwsError),
}

/// The reason a share was not changed.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ChangeError<E> {
    #[error("the share does not exist")]
    NotFound,
    /// The share's current state does not allow the change, for this reason.
    #[error("the change was refused: {0}")]
    Refused(E),
    #[error(transparent)]
    Failed(#[from] Error),
}

impl<E> From<AwsError> for ChangeError<E> {
    fn from(error: AwsError) -> Self {
        Self::Failed(error.into())
    }
}

impl AwsError {
    /// Classifies a failed call and counts it in the `CallFailures` metric.
    pub fn new<E>(service: &'static str, error: &SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata,
    {
        metrics::counter!("CallFailures", "Service" => service).increment(1);
        let unavailable = |code: &str| Self::Unavailable { service, code: code.to_owned() };
        match error {
            SdkError::TimeoutError(_) => unavailable("timeout"),
            SdkError::DispatchFailure(_) => unavailable("connection"),
            SdkError::ResponseError(_) => unavailable("response"),
            SdkError::ServiceError(response) => {
                let code = response.err().code().unwrap_or("unknown");
                let status = response.raw().status().as_u16();
                let is_transient =
                    THROTTLING_ERRORS.contains(&code) || TRANSIENT_ERRORS.contains(&code) || code == CONFLICT;
                if status >= 500 || is_transient {
                    unavailable(code)
                } else {
                    Self::Rejected { service, code: code.to_owned() }
                }
            }
            _ => Self::Rejected { service, code: "request".into() },
        }
    }
}

#[cfg(test)]
mod tests {
    use aws_smithy_types::body::SdkBody;
    use aws_smithy_types::error::ErrorMetadata;

    use super::*;

    #[test]
    fn conflict_with_a_transaction_passes() {
        let error = |code: &str| {
            let response = HttpResponse::new(400.try_into().unwrap(), SdkBody::empty());
            let error = SdkError::service_error(ErrorMetadata::builder().code(code).build(), response);
            AwsError::new("dynamodb", &error)
        };
        let is_unavailable = |code| matches!(error(code), AwsError::Unavailable { .. });
        assert!(is_unavailable(CONFLICT) && is_unavailable("ThrottlingException"));
        assert!(!is_unavailable("ValidationException"));
    }
}
