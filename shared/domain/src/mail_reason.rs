//! The reasons that an email failed, bounced or was withdrawn.

/// Why an email did not reach its recipient, or why there is none.
///
/// Every reason is in our own words, because a mail server's explanation may contain an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MailReason {
    /// The share was revoked before the email was sent.
    Withdrawn,
    /// The link was renewed without an email, before the email was sent.
    LinkReplaced,
    /// The recipient stopped emails about the share.
    StoppedByRecipient,
    /// The sender gave up after days of transient faults.
    GivenUp,
    /// SES rejected the message.
    Rejected,
    /// SES rejected the request: the address or the message.
    AddressRejected,
    NotComposed,
    /// SES accepted the email, but found malicious content in it.
    MaliciousContent,
    AddressUnknown,
    /// The address is on a suppression list of SES.
    AddressSuppressed,
    Unsubscribed,
    MailboxFull,
    TooLarge,
    ContentRefused,
    /// The mail server rejected every attempt for as long as SES tried.
    TimedOut,
    /// The mail server rejected the email, and SES names no other reason.
    Refused,
    /// The share was purged before the email was sent.
    Purged,
    /// The share was restored from a backup.
    Restored,
    /// Stored by another version of the program, or not at all.
    Unknown,
}

impl MailReason {
    pub const ALL: [Self; 19] = [
        Self::Withdrawn,
        Self::LinkReplaced,
        Self::StoppedByRecipient,
        Self::GivenUp,
        Self::Rejected,
        Self::AddressRejected,
        Self::NotComposed,
        Self::MaliciousContent,
        Self::AddressUnknown,
        Self::AddressSuppressed,
        Self::Unsubscribed,
        Self::MailboxFull,
        Self::TooLarge,
        Self::ContentRefused,
        Self::TimedOut,
        Self::Refused,
        Self::Purged,
        Self::Restored,
        Self::Unknown,
    ];

    /// Returns the reason's code in the table, in the share log and in responses.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Withdrawn => "withdrawn",
            Self::LinkReplaced => "linkReplaced",
            Self::StoppedByRecipient => "stoppedByRecipient",
            Self::GivenUp => "givenUp",
            Self::Rejected => "rejected",
            Self::AddressRejected => "addressRejected",
            Self::NotComposed => "notComposed",
            Self::MaliciousContent => "maliciousContent",
            Self::AddressUnknown => "addressUnknown",
            Self::AddressSuppressed => "addressSuppressed",
            Self::Unsubscribed => "unsubscribed",
            Self::MailboxFull => "mailboxFull",
            Self::TooLarge => "tooLarge",
            Self::ContentRefused => "contentRefused",
            Self::TimedOut => "timedOut",
            Self::Refused => "refused",
            Self::Purged => "purged",
            Self::Restored => "restored",
            Self::Unknown => "unknown",
        }
    }

    /// Returns the reason with this code. An unknown code must not hide the share or the log entry that has
    /// it.
    #[must_use]
    pub fn parse(code: &str) -> Self {
        Self::ALL.into_iter().find(|reason| reason.code() == code).unwrap_or(Self::Unknown)
    }

    /// Returns the reason in English, for the API.
    #[must_use]
    pub fn detail(self) -> &'static str {
        match self {
            Self::Withdrawn => "revoked before the email was sent",
            Self::LinkReplaced => "the link was replaced before the email was sent",
            Self::StoppedByRecipient => "the recipient wants no more emails about this share",
            Self::GivenUp => "the email could not be sent for several days",
            Self::Rejected => "the mail service rejected the message",
            Self::AddressRejected => "the mail service rejected the address or the message",
            Self::NotComposed => "the email could not be composed",
            Self::MaliciousContent => "the mail service found malicious content in the email",
            Self::AddressUnknown => "the address does not exist",
            Self::AddressSuppressed => {
                "not sent, because an earlier email to the address bounced or was reported as spam"
            }
            Self::Unsubscribed => "not sent, because the recipient has unsubscribed",
            Self::MailboxFull => "the mailbox is full",
            Self::TooLarge => "the email is too large for the mail server",
            Self::ContentRefused => "the mail server rejected the content",
            Self::TimedOut => "the mail server did not accept the email in time",
            Self::Refused => "the mail server rejected the email",
            Self::Purged => "the share was purged before the email was sent",
            Self::Restored => "the share was restored from a backup; its email may not have been sent",
            Self::Unknown => "the reason is not known",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The table and the API use these codes.
    #[test]
    fn reason_codes_are_frozen() {
        let codes = "withdrawn linkReplaced stoppedByRecipient givenUp rejected addressRejected notComposed \
                     maliciousContent addressUnknown addressSuppressed unsubscribed mailboxFull tooLarge \
                     contentRefused timedOut refused purged restored unknown";
        assert_eq!(MailReason::ALL.map(MailReason::code).join(" "), codes);
    }

    #[test]
    fn reasons_round_trip_through_their_codes() {
        for reason in MailReason::ALL {
            assert_eq!(MailReason::parse(reason.code()), reason);
        }
        for unknown in ["", "Refused", "550 5.1.1 <ann@example.com>"] {
            assert_eq!(MailReason::parse(unknown), MailReason::Unknown, "{unknown}");
        }
    }

    #[test]
    fn each_reason_has_its_own_detail() {
        assert_eq!(BTreeSet::from(MailReason::ALL.map(MailReason::detail)).len(), MailReason::ALL.len());
    }
}
