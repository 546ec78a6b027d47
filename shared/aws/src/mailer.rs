//! Sending email, through SES.

use aws_config::SdkConfig;
use aws_sdk_sesv2::Client;
use aws_sdk_sesv2::error::SdkError;
use aws_sdk_sesv2::operation::send_email::SendEmailError;
use aws_sdk_sesv2::types::{Body, Content, Destination, EmailContent, Message, MessageTag};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sharelink_domain::EmailAddress;
use sharelink_domain::mail::SendError;

use crate::AwsError;

/// One email to one recipient.
#[derive(Clone, Debug)]
pub struct Email<'a> {
    pub to: &'a EmailAddress,
    /// Whom a reply goes to, with a name to show.
    pub reply_to: Option<(&'a EmailAddress, &'a str)>,
    pub subject: String,
    pub text: String,
    pub html: String,
    /// Names and values of `A-Z a-z 0-9 - _`, with which SES events are told apart.
    pub tags: [(&'static str, String); 4],
}

/// Sends email from one address, under one configuration set.
#[derive(Clone, Debug)]
pub struct Mailer {
    client: Client,
    from: String,
    configuration_set: String,
}

impl Mailer {
    /// A mailer that sends from this address, which SES must have verified.
    #[must_use]
    pub fn new(config: &SdkConfig, from: impl Into<String>, configuration_set: impl Into<String>) -> Self {
        Self { client: Client::new(config), from: from.into(), configuration_set: configuration_set.into() }
    }

    /// Sends an email, to its recipient alone.
    pub async fn send(&self, email: &Email<'_>) -> Result<(), SendError> {
        let content =
            email_content(email).map_err(|()| SendError::Refused("the email could not be composed"))?;
        let tags =
            email.tags.iter().map(|(name, value)| MessageTag::builder().name(*name).value(value).build());
        let tags = tags.collect::<Result<Vec<_>, _>>();
        let sent = self
            .client
            .send_email()
            .from_email_address(&self.from)
            .configuration_set_name(&self.configuration_set)
            .destination(Destination::builder().to_addresses(email.to.as_str()).build())
            .set_reply_to_addresses(email.reply_to.map(|(address, name)| vec![mailbox(address, name)]))
            .content(content)
            .set_email_tags(tags.ok())
            .send()
            .await;
        match sent {
            Ok(_) => Ok(()),
            Err(error) => {
                let code = AwsError::new("ses", &error);
                tracing::warn!(error = %code, "SES did not take an email");
                Err(classify(&error))
            }
        }
    }
}

/// Only what SES says of this very message is final; anything else may pass, or be mended by an operator.
fn classify<R>(error: &SdkError<SendEmailError, R>) -> SendError {
    match error {
        SdkError::ConstructionFailure(_) => SendError::Refused("the email could not be composed"),
        SdkError::ServiceError(answer) => match answer.err() {
            // The sender's identity, or in the sandbox the recipient's: what an operator is about to verify.
            SendEmailError::MessageRejected(e) if e.message().is_some_and(|m| m.contains("not verified")) => {
                SendError::Passing
            }
            SendEmailError::MessageRejected(_) => SendError::Refused("SES rejected the message"),
            SendEmailError::BadRequestException(_) => {
                SendError::Refused("SES did not accept the address or the message")
            }
            _ => SendError::Passing,
        },
        _ => SendError::Passing,
    }
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
    use aws_sdk_sesv2::types::error::{
        BadRequestException, MessageRejected, SendingPausedException, TooManyRequestsException,
    };

    use super::*;

    #[test]
    fn only_what_ses_says_of_the_message_itself_is_final() {
        let classify = |error: SendEmailError| classify(&SdkError::service_error(error, ()));
        let refused = [
            SendEmailError::MessageRejected(MessageRejected::builder().build()),
            SendEmailError::BadRequestException(BadRequestException::builder().build()),
        ];
        for error in refused {
            assert!(matches!(classify(error), SendError::Refused(_)));
        }
        let passing = [
            SendEmailError::TooManyRequestsException(TooManyRequestsException::builder().build()),
            SendEmailError::SendingPausedException(SendingPausedException::builder().build()),
            SendEmailError::MessageRejected(
                MessageRejected::builder().message("Email address is not verified.").build(),
            ),
        ];
        for error in passing {
            assert_eq!(classify(error), SendError::Passing);
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
