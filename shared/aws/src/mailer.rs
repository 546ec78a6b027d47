//! Sending email, through SES.

use std::time::Duration;

use aws_runtime::retries::classifiers::THROTTLING_ERRORS;
use aws_sdk_sesv2::Client;
use aws_sdk_sesv2::config::Builder;
use aws_sdk_sesv2::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sesv2::operation::send_email::SendEmailError;
use aws_sdk_sesv2::types::{Body, Content, Destination, EmailContent, Message, MessageTag};
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SdkConfig;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sharelink_domain::EmailAddress;
use sharelink_domain::delivery::EmailId;
use sharelink_domain::mail::{Fault, SendError};

use crate::AwsError;
use crate::calls::CallTimer;

/// One email to one recipient.
#[derive(Clone, Debug)]
pub struct Email<'a> {
    pub to: &'a EmailAddress,
    /// Whom a reply goes to, with a name to show.
    pub reply_to: Option<(&'a EmailAddress, String)>,
    pub subject: String,
    pub text: String,
    pub html: String,
    /// By which SES's reports on it are known.
    pub id: EmailId,
}

const SERVICE: &str = "sesv2";

const CONNECT_WITHIN: Duration = Duration::from_secs(2);

/// Long, since an answer that is not waited for may be another email.
const ANSWER_WITHIN: Duration = Duration::from_secs(20);

/// Sends email from one address, under one configuration set.
#[derive(Clone, Debug)]
pub struct Mailer {
    client: Client,
    from: String,
    configuration_set: String,
}

impl Mailer {
    /// A mailer that sends from this address, which SES must have verified.
    ///
    /// It tries once: SES cannot tell a repetition, so each one after an answer that was lost is another email. The
    /// outbox tries again, and later.
    #[must_use]
    pub fn new(config: &SdkConfig, from: impl Into<String>, configuration_set: impl Into<String>) -> Self {
        let timeouts =
            TimeoutConfig::builder().connect_timeout(CONNECT_WITHIN).operation_timeout(ANSWER_WITHIN);
        let config = Builder::from(config)
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts.build())
            .interceptor(CallTimer(SERVICE))
            .build();
        Self {
            client: Client::from_conf(config),
            from: from.into(),
            configuration_set: configuration_set.into(),
        }
    }

    /// Sends an email, to its recipient alone.
    pub async fn send(&self, email: &Email<'_>) -> Result<(), SendError> {
        let content =
            email_content(email).map_err(|()| SendError::Permanent("the email could not be composed"))?;
        let tags = email.id.to_tags();
        let tags =
            tags.into_iter().map(|(name, value)| MessageTag::builder().name(name).value(value).build());
        let tags = tags.collect::<Result<Vec<_>, _>>();
        let sent = self
            .client
            .send_email()
            .from_email_address(&self.from)
            .configuration_set_name(&self.configuration_set)
            .destination(Destination::builder().to_addresses(email.to.as_str()).build())
            .set_reply_to_addresses(
                email.reply_to.as_ref().map(|(address, name)| vec![mailbox(address, name)]),
            )
            .content(content)
            .set_email_tags(tags.ok())
            .send()
            .await;
        match sent {
            Ok(_) => Ok(()),
            Err(error) => {
                let code = AwsError::new(SERVICE, &error);
                tracing::warn!(error = %code, "SES did not take an email");
                Err(classify(&error))
            }
        }
    }
}

/// Only what SES says of this very message is final; anything else may pass, or be mended by an operator.
fn classify<R>(error: &SdkError<SendEmailError, R>) -> SendError {
    let error = match error {
        SdkError::ConstructionFailure(_) => return SendError::Permanent("the email could not be composed"),
        SdkError::ServiceError(answer) => answer.err(),
        _ => return SendError::Transient(Fault::Unavailable),
    };
    let says = |words| error.message().is_some_and(|message| message.contains(words));
    let throttled = error.is_too_many_requests_exception()
        || error.is_limit_exceeded_exception()
        || error.code().is_some_and(|code| THROTTLING_ERRORS.contains(&code));
    SendError::Transient(match error {
        _ if throttled && says("Daily") => Fault::QuotaSpent,
        _ if throttled => Fault::Throttled,
        SendEmailError::SendingPausedException(_) | SendEmailError::AccountSuspendedException(_) => {
            Fault::Paused
        }
        SendEmailError::MailFromDomainNotVerifiedException(_) => Fault::Unverified,
        // The sender's identity, or in the sandbox the recipient's.
        SendEmailError::MessageRejected(_) if says("not verified") => Fault::Unverified,
        SendEmailError::MessageRejected(_) => {
            return SendError::Permanent("the mail service rejected the message");
        }
        SendEmailError::BadRequestException(_) => {
            return SendError::Permanent("the mail service did not accept the address or the message");
        }
        _ => Fault::Unavailable,
    })
}

fn email_content(email: &Email<'_>) -> Result<EmailContent, ()> {
    let content = |text: &str| Content::builder().data(text).charset("UTF-8").build().map_err(|_| ());
    let body = Body::builder().text(content(&email.text)?).html(content(&email.html)?).build();
    let message = Message::builder().subject(content(&email.subject)?).body(body).build();
    Ok(EmailContent::builder().simple(message).build())
}

/// An address with a display name, encoded (RFC 2047) so that no name can break out of it.
fn mailbox(address: &EmailAddress, name: &str) -> String {
    // An encoded word has at most 75 characters: 45 bytes of text, cut between characters.
    let mut words = vec![String::new()];
    for c in name.chars() {
        if words.last().is_some_and(|word| word.len() + c.len_utf8() > 45) {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut() {
            word.push(c);
        }
    }
    let words: Vec<String> =
        words.iter().map(|word| format!("=?UTF-8?B?{}?=", STANDARD.encode(word))).collect();
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
    fn only_what_ses_says_of_the_message_itself_is_final() {
        let refused = [
            rejected("Email address is on the suppression list."),
            SendEmailError::BadRequestException(BadRequestException::builder().build()),
        ];
        for error in refused {
            assert!(matches!(classify(error), SendError::Permanent(_)));
        }
    }

    #[test]
    fn what_may_pass_is_told_apart() {
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
            // An operator's mistake, such as a configuration set that is gone.
            (no_set, Fault::Unavailable),
        ] {
            let told = format!("{error:?}");
            assert_eq!(classify(error), SendError::Transient(fault), "{told}");
        }
    }

    #[test]
    fn a_display_name_cannot_break_out_of_its_mailbox() {
        let ann: EmailAddress = "ann@example.com".parse().unwrap();
        assert_eq!(mailbox(&ann, "Zoë"), "=?UTF-8?B?Wm/Dqw==?= <ann@example.com>");
        for name in ["\"x\" <eve@example.com>,", "a\r\nBcc: eve@example.com", &"長".repeat(100)] {
            let mailbox = mailbox(&ann, name);
            let words: Vec<&str> = mailbox.strip_suffix(" <ann@example.com>").unwrap().split(' ').collect();
            assert!(words.iter().all(|word| word.len() <= 75 && word.starts_with("=?UTF-8?B?")), "{mailbox}");
        }
    }
}
