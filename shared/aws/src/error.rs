use aws_runtime::retries::classifiers::{THROTTLING_ERRORS, TRANSIENT_ERRORS};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use sharelink_domain::idempotency::KeyReused;
use thiserror::Error;

/// AWS did not do what it was asked, after the SDK's own retries.
///
/// Holds the error's code and nothing else: messages and bodies may hold addresses and links.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum AwsError {
    /// The fault may pass: throttling, a timeout, a lost connection, an internal error.
    #[error("{service} is unavailable: {code}")]
    Unavailable { service: &'static str, code: String },
    /// It will not pass by itself: a missing resource, a missing permission, a mistake of ours.
    #[error("{service} refused: {code}")]
    Rejected { service: &'static str, code: String },
    /// What was read is not what we write.
    #[error("{service} holds something unreadable: {what}")]
    InvalidData { service: &'static str, what: &'static str },
}

/// A request under an idempotency key could not be looked up, or is another one.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum IdempotencyError {
    #[error(transparent)]
    Aws(#[from] AwsError),
    #[error(transparent)]
    Reused(#[from] KeyReused),
}

impl AwsError {
    /// Classifies a failed call.
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
            SdkError::ServiceError(answer) => {
                let code = answer.err().code().unwrap_or("unknown");
                let status = answer.raw().status().as_u16();
                if status >= 500 || THROTTLING_ERRORS.contains(&code) || TRANSIENT_ERRORS.contains(&code) {
                    unavailable(code)
                } else {
                    Self::Rejected { service, code: code.to_owned() }
                }
            }
            _ => Self::Rejected { service, code: "request".into() },
        }
    }
}
