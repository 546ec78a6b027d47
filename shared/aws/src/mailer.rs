//! Sends email through SES.

use std::time::Duration;

use aws_runtime::retries::classifiers::THROTTLING_ERRORS;
use aws_sdk_sesv2::Client;
use aws_sdk_sesv2::config::Builder;
use aws_sdk_sesv2::error::{BuildError, ProvideErrorMetadata, SdkError};
use aws_sdk_sesv2::operation::send_email::SendEmailError;
use aws_sdk_sesv2::types::{Body, Content, Destination, EmailContent, Message, MessageHeader, MessageTag};
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sharelink_domain::sending::{Fault, SendError};
use sharelink_domain::{EmailAddress, MailReason};

use crate::call_timer::CallTimer;
use crate::{AwsConfig, AwsError};

/// One email to one recipient.
#[derive(Clone, Debug)]
pub struct Email<'a> {
    pub to: &'a EmailAddress,
    /// The display name in the From header.
    pub from_name: Option<String>,
    /// The address that receives replies, and its display name.
    pub reply_to: Option<(&'a EmailAddress, String)>,
    pub subject: String,
    pub text: String,
    pub html: String,
    /// The message tags, which SES includes in its reports.
    pub tags: Vec<(&'static str, String)>,
    /// Distinguishes the email from all others.
    pub reference: String,
}

const SERVICE: &str = "sesv2";

/// Generous, because an email is sent again if SES's response is lost.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(20);

/// Gmail shows emails with different values in separate conversations, even if their subjects are equal. In
/// one conversation, it folds what a later email repeats, such as the link ([source]).
///
/// [source]: https://resend.com/docs/dashboard/emails/custom-headers
const REFERENCE_HEADER: &str = "X-Entity-Ref-ID";

/// Headers that prevent automatic replies, which the sharer would receive: the standard's (RFC 3834) and
/// Exchange's (MS-OXCMAIL). The latter's value `All` would also suppress bounces.
///
/// There is no `List-Unsubscribe`, because there is no list: a sharer addresses each email to one recipient.
/// With its one-click form (RFC 8058), anything that handles the email could silence the share. The email
/// links to a page that asks first instead.
const AUTOMATIC_REPLY_HEADERS: [(&str, &str); 2] =
    [("Auto-Submitted", "auto-generated"), ("X-Auto-Response-Suppress", "OOF, AutoReply")];

const NOT_COMPOSED: SendError = SendError::Permanent(MailReason::NotComposed);

/// The sender of all emails.
#[derive(Clone, Debug)]
pub struct Sender {
    /// The address, exactly as in the deployment's setting. IAM compares it with `ses:FromAddress`, and the
    /// display name with `ses:FromDisplayName`:
    /// <https://docs.aws.amazon.com/ses/latest/dg/sending-authorization-policy-examples.html>.
    pub address: String,
    /// The ARN of the SES identity that the address belongs to. It may be another account's identity whose
    /// policy allows this account to send. `None` is the identity of this account.
    pub identity_arn: Option<String>,
}

/// Sends email from one address, with one configuration set.
#[derive(Clone, Debug)]
pub struct Mailer {
    client: Client,
    sender: Sender,
    configuration_set: String,
}

impl Mailer {
    /// Creates a mailer that sends from this sender, whose identity must be verified in SES.
    ///
    /// The mailer never retries. SES does not recognize retries, so a retry after a lost response would send
    /// a second email. The outbox retries later.
    ///
    /// Without retries, a connection that SES has closed would defer an email, so each email opens its own.
    /// Sharing connections would save little: the emails of a batch are sent at the same time.
    #[must_use]
    pub fn new(config: &AwsConfig, sender: Sender, configuration_set: impl Into<String>) -> Self {
        let timeouts = TimeoutConfig::builder().operation_timeout(RESPONSE_TIMEOUT);
        let settings = Builder::from(&config.sdk)
            .http_client(config.network.unpooled())
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts.build())
            .interceptor(CallTimer(SERVICE))
            .build();
        Self { client: Client::from_conf(settings), sender, configuration_set: configuration_set.into() }
    }

    /// Sends an email to its recipient only.
    pub async fn send(&self, email: &Email<'_>) -> Result<(), SendError> {
        let content = email_content(email).map_err(|_| NOT_COMPOSED)?;
        let tags = email
            .tags
            .iter()
            .map(|(name, value)| MessageTag::builder().name(*name).value(value).build())
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_| NOT_COMPOSED)?;
        let sent = self
            .client
            .send_email()
            .from_email_address(match &email.from_name {
                Some(name) => mailbox(&self.sender.address, name),
                None => self.sender.address.clone(),
            })
            .set_from_email_address_identity_arn(self.sender.identity_arn.clone())
            .configuration_set_name(&self.configuration_set)
            .destination(Destination::builder().to_addresses(email.to.as_str()).build())
            .set_reply_to_addresses(
                email.reply_to.as_ref().map(|(address, name)| vec![mailbox(address.as_str(), name)]),
            )
            .content(content)
            .set_email_tags(Some(tags))
            .send()
            .await;
        match sent {
            Ok(_) => Ok(()),
            Err(error) => {
                let aws_error = AwsError::new(SERVICE, &error);
                tracing::warn!(error = %aws_error, "SES did not accept an email");
                Err(classify(&error))
            }
        }
    }
}

/// Classifies a failure. A failure is permanent only if SES rejects the message itself, or if the message
/// cannot be composed. Any other fault may go away, or an operator can fix it.
fn classify<R>(error: &SdkError<SendEmailError, R>) -> SendError {
    let service_error = match error {
        SdkError::ConstructionFailure(_) => return NOT_COMPOSED,
        SdkError::ServiceError(response) => response.err(),
        _ => return SendError::Transient(Fault::Unavailable),
    };
    let mentions = |words| service_error.message().is_some_and(|message| message.contains(words));
    let is_throttled = service_error.is_too_many_requests_exception()
        || service_error.is_limit_exceeded_exception()
        || service_error.code().is_some_and(|code| THROTTLING_ERRORS.contains(&code));
    SendError::Transient(match service_error {
        _ if is_throttled && mentions("Daily") => Fault::QuotaSpent,
        _ if is_throttled => Fault::Throttled,
        SendEmailError::SendingPausedException(_) | SendEmailError::AccountSuspendedException(_) => {
            Fault::Paused
        }
        SendEmailError::MailFromDomainNotVerifiedException(_) => Fault::Unverified,
        // The unverified identity is the sender's or, in the sandbox, the recipient's.
        SendEmailError::MessageRejected(_) if mentions("not verified") => Fault::Unverified,
        SendEmailError::MessageRejected(_) => return SendError::Permanent(MailReason::Rejected),
        SendEmailError::BadRequestException(_) => return SendError::Permanent(MailReason::AddressRejected),
        _ => Fault::Unavailable,
    })
}

fn email_content(email: &Email<'_>) -> Result<EmailContent, BuildError> {
    let content = |text: &str| Content::builder().data(text).charset("UTF-8").build();
    let body = Body::builder().text(content(&email.text)?).html(content(&email.html)?).build();
    let header = |name: &str, value: &str| MessageHeader::builder().name(name).value(value).build();
    let mut headers = vec![header(REFERENCE_HEADER, &email.reference)?];
    for (name, value) in AUTOMATIC_REPLY_HEADERS {
        headers.push(header(name, value)?);
    }
    let message =
        Message::builder().subject(content(&email.subject)?).body(body).set_headers(Some(headers)).build();
    Ok(EmailContent::builder().simple(message).build())
}

/// Formats an address with a display name. The name is encoded (RFC 2047), so that it cannot inject another
/// address or header.
fn mailbox(address: &str, name: &str) -> String {
    // An encoded word has at most 75 characters, enough for 45 bytes of text. Split the text only between
    // characters.
    let mut chunks = vec![String::new()];
    for c in name.chars() {
        if chunks.last().is_some_and(|chunk| chunk.len() + c.len_utf8() > 45) {
            chunks.push(String::new());
        }
        if let Some(chunk) = chunks.last_mut() {
            chunk.push(c);
        }
    }
    let words: Vec<String> =
        chunks.iter().map(|chunk| format!("=?UTF-8?B?{}?=", STANDARD.encode(chunk))).collect();
    format!("{} <{address}>", words.join(" "))
}

#[cfg(test)]
mod tests {
    use aws_sdk_sesv2::error::ErrorMetadata;
    use aws_sdk_sesv2::types::error::{
        AccountSuspendedException, BadRequestException, LimitExceededException, MessageRejected,
        NotFoundException, SendingPausedException, TooManyRequestsException,
    };

    use super::*;

    fn classify(error: impl Into<SendEmailError>) -> SendError {
        super::classify(&SdkError::service_error(error.into(), ()))
    }

    fn generic(code: &str, message: &str) -> SendEmailError {
        SendEmailError::generic(ErrorMetadata::builder().code(code).message(message).build())
    }

    fn too_many(message: &str) -> SendEmailError {
        let metadata = ErrorMetadata::builder().message(message).build();
        SendEmailError::TooManyRequestsException(
            TooManyRequestsException::builder().message(message).meta(metadata).build(),
        )
    }

    fn rejected(message: &str) -> SendEmailError {
        let metadata = ErrorMetadata::builder().message(message).build();
        SendEmailError::MessageRejected(MessageRejected::builder().message(message).meta(metadata).build())
    }

    #[test]
    fn rejection_of_the_message_is_permanent() {
        let rejections = [
            rejected("Email address is on the suppression list."),
            SendEmailError::BadRequestException(BadRequestException::builder().build()),
        ];
        for error in rejections {
            assert!(matches!(classify(error), SendError::Permanent(_)));
        }
    }

    #[test]
    fn other_faults_are_transient() {
        let paused = SendEmailError::SendingPausedException(SendingPausedException::builder().build());
        let suspended =
            SendEmailError::AccountSuspendedException(AccountSuspendedException::builder().build());
        let limit = SendEmailError::LimitExceededException(LimitExceededException::builder().build());
        let no_set = SendEmailError::NotFoundException(NotFoundException::builder().build());
        for (error, fault) in [
            (too_many("Maximum sending rate exceeded."), Fault::Throttled),
            (too_many("Daily message quota exceeded."), Fault::QuotaSpent),
            (generic("ThrottlingException", "Daily message quota exceeded"), Fault::QuotaSpent),
            (generic("ThrottlingException", "Rate exceeded"), Fault::Throttled),
            (limit, Fault::Throttled),
            (paused, Fault::Paused),
            (suspended, Fault::Paused),
            (rejected("Email address is not verified."), Fault::Unverified),
            (generic("InternalFailure", ""), Fault::Unavailable),
            // An operator's mistake, such as a deleted configuration set.
            (no_set, Fault::Unavailable),
        ] {
            let description = format!("{error:?}");
            assert_eq!(classify(error), SendError::Transient(fault), "{description}");
        }
    }

    #[test]
    fn each_attempt_has_its_own_reference_header() {
        let share = sharelink_domain::testing::share(&["a"]);
        let headers = |attempt: u32| {
            let email = Email {
                to: &share.recipient,
                from_name: None,
                reply_to: None,
                subject: "s".into(),
                text: "t".into(),
                html: "h".into(),
                tags: vec![],
                reference: attempt.to_string(),
            };
            let content = email_content(&email).unwrap();
            let headers = content.simple().unwrap().headers();
            headers.iter().map(|h| (h.name().to_owned(), h.value().to_owned())).collect::<Vec<_>>()
        };
        assert_eq!(headers(1)[0].0, "X-Entity-Ref-ID");
        assert_eq!(headers(1), headers(1));
        assert_ne!(headers(1)[0], headers(2)[0]);
        assert_eq!(headers(1)[1..], headers(2)[1..]);
    }

    #[test]
    fn display_name_cannot_inject_another_address() {
        let ann = "ann@example.com";
        assert_eq!(mailbox(ann, "Zoë"), "=?UTF-8?B?Wm/Dqw==?= <ann@example.com>");
        for name in ["\"x\" <eve@example.com>,", "a\r\nBcc: eve@example.com", &"長".repeat(100)] {
            let mailbox = mailbox(ann, name);
            let words: Vec<&str> = mailbox.strip_suffix(" <ann@example.com>").unwrap().split(' ').collect();
            assert!(words.iter().all(|word| word.len() <= 75), "{mailbox}");
            assert!(words.iter().all(|word| word.starts_with("=?UTF-8?B?")), "{mailbox}");
        }
    }
}
