//! The recipient's choice whether to get emails about a share.
//!
//! A recipient who has stopped them gets neither reminders nor resends. The choice is about one share: it
//! neither depends on the share's status nor changes it, and a renewed link does not undo it.

use crate::access::RedeemError;
use crate::{Generation, Share, Timestamp};

/// The recipient's latest choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EmailChoice {
    pub wants_emails: bool,
    pub at: Timestamp,
    /// The number of choices so far, including this one.
    pub number: u64,
}

impl Share {
    /// Returns when the recipient stopped emails about the share, unless the recipient has allowed them
    /// again.
    #[must_use]
    pub fn emails_stopped_at(&self) -> Option<Timestamp> {
        self.email_choice.filter(|choice| !choice.wants_emails).map(|choice| choice.at)
    }

    /// Returns the share after the holder of a link with this generation has chosen, or `None` if this was
    /// the choice before.
    pub fn with_email_choice(
        &self,
        generation: Generation,
        wants_emails: bool,
        now: Timestamp,
    ) -> Result<Option<Self>, RedeemError> {
        if self.generation != generation {
            return Err(RedeemError::UnknownLink);
        }
        if wants_emails == self.emails_stopped_at().is_none() {
            return Ok(None);
        }
        let number = self.email_choice.map_or(0, |choice| choice.number) + 1;
        let choice = EmailChoice { wants_emails, at: now, number };
        Ok(Some(Self { email_choice: Some(choice), ..self.clone() }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{NOW, share, time};

    fn choose(share: &Share, wants_emails: bool) -> Option<Share> {
        share.with_email_choice(share.generation, wants_emails, time(NOW)).unwrap()
    }

    #[test]
    fn emails_are_stopped_and_allowed_again() {
        let share = share(&["a"]);
        assert_eq!(choose(&share, true), None, "allowed from the start");
        let stopped = choose(&share, false).unwrap();
        assert_eq!(stopped.emails_stopped_at(), Some(time(NOW)));
        assert_eq!(choose(&stopped, false), None, "stopped twice");
        let allowed = choose(&stopped, true).unwrap();
        assert_eq!(allowed.emails_stopped_at(), None);
        assert_eq!(allowed.email_choice.unwrap().number, 2);
        assert_eq!(choose(&allowed, true), None, "allowed twice");
    }

    #[test]
    fn holder_of_an_old_link_has_no_choice() {
        let share = share(&["a"]);
        let old = Generation::from_bytes([9; 16]);
        assert_eq!(share.with_email_choice(old, false, time(NOW)), Err(RedeemError::UnknownLink));
    }
}
