//! The rules of a deployment: how long access may last, who may get it, and how it is given.
//!
//! A rule says when access may be *given*. It applies to new shares, and to every change that gives access or
//! prolongs it. An existing share keeps what it has when a rule changes: its link works until its expiry, and
//! access can always be revoked, shortened or left as it is.

use std::num::NonZeroU16;
use std::ops::Deref;

use chrono::{Days, NaiveDate};
use thiserror::Error;

use crate::mail::MailState;
use crate::request::{FILES_LIMIT, RECIPIENTS_LIMIT};
use crate::{EmailAddress, Expiry, RecipientDomain, Share, Timestamp};

/// The rules of a deployment. By default, nothing is restricted except by the product's own limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShareRules {
    /// The maximum number of whole days after the day of the request on which access may end. `None` means
    /// the product's limit of ten years.
    pub max_access_days: Option<NonZeroU16>,
    /// Whether shares may be created without an email, and links copied.
    pub allows_links_without_email: bool,
    /// The only domains whose addresses may get access. If there are none, all may.
    pub allowed_domains: Vec<RecipientDomain>,
    /// The domains whose addresses may not get access, even if they are allowed, with the other domains of the
    /// same mailboxes.
    pub blocked_domains: Vec<RecipientDomain>,
    /// The maximum number of recipients in a request.
    pub max_recipients: usize,
    /// The maximum number of files in a share.
    pub max_files: usize,
}

impl Default for ShareRules {
    fn default() -> Self {
        Self {
            max_access_days: None,
            allows_links_without_email: true,
            allowed_domains: vec![],
            blocked_domains: vec![],
            max_recipients: RECIPIENTS_LIMIT,
            max_files: FILES_LIMIT,
        }
    }
}

/// The rule that a share or a change to it would break.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum RuleViolation {
    #[error("must be on or before {last_day}: the maximum number of days is {max_days}")]
    AccessTooLong { last_day: NaiveDate, max_days: NonZeroU16 },
    #[error("the recipient's domain is not allowed")]
    RecipientNotAllowed,
    #[error("links are only sent by email")]
    EmailRequired,
    #[error("must contain at most {max_files} files")]
    TooManyFiles { max_files: usize },
}

/// A new share that the deployment's rules permit. Only [`ShareRules::permit`] creates one, and only such a
/// share can be stored as a new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PermittedShare<'a>(&'a Share);

impl<'a> PermittedShare<'a> {
    /// Returns the share.
    #[must_use]
    pub fn share(self) -> &'a Share {
        self.0
    }
}

impl Deref for PermittedShare<'_> {
    type Target = Share;

    fn deref(&self) -> &Share {
        self.0
    }
}

impl ShareRules {
    /// Permits a new share, or returns the rule that it would break.
    pub fn permit<'a>(&self, share: &'a Share) -> Result<PermittedShare<'a>, RuleViolation> {
        self.check_email(share.mail.state != MailState::None)?;
        self.check_access(share, share.created_at)?;
        Ok(PermittedShare(share))
    }

    /// Checks a share to which a request at `now` gives access, or longer access than before.
    pub(crate) fn check_access(&self, share: &Share, now: Timestamp) -> Result<(), RuleViolation> {
        self.check_recipient(&share.recipient)?;
        self.check_file_count(share.files.len())?;
        self.check_last_day(
            share.local_expiry().date_naive(),
            now.with_timezone(&share.expires_offset).date_naive(),
        )
    }

    /// Checks a new share's expiry, as of a request at `now`.
    pub fn check_expiry(&self, expiry: Expiry, now: Timestamp) -> Result<(), RuleViolation> {
        let local = |time: Timestamp| time.with_timezone(&expiry.offset()).date_naive();
        self.check_last_day(local(expiry.at()), local(now))
    }

    /// Checks the day on which access ends. The request's offset determines which day today is. Because the
    /// same offset applies to both days, no offset gains a whole day.
    fn check_last_day(&self, day: NaiveDate, today: NaiveDate) -> Result<(), RuleViolation> {
        let Some(max_days) = self.max_access_days else { return Ok(()) };
        match today.checked_add_days(Days::new(max_days.get().into())) {
            Some(last_day) if day > last_day => Err(RuleViolation::AccessTooLong { last_day, max_days }),
            _ => Ok(()),
        }
    }

    /// Checks whether an address may get access.
    pub fn check_recipient(&self, address: &EmailAddress) -> Result<(), RuleViolation> {
        let is_covered = self.allowed_domains.iter().any(|domain| domain.covers(address));
        let is_allowed = self.allowed_domains.is_empty() || is_covered;
        let is_blocked = self.blocked_domains.iter().any(|domain| domain.blocks(address));
        if is_allowed && !is_blocked { Ok(()) } else { Err(RuleViolation::RecipientNotAllowed) }
    }

    /// Checks whether a link may be given with or without an email to the recipient.
    pub fn check_email(&self, notify: bool) -> Result<(), RuleViolation> {
        if notify || self.allows_links_without_email { Ok(()) } else { Err(RuleViolation::EmailRequired) }
    }

    /// Checks the number of a share's files.
    pub fn check_file_count(&self, count: usize) -> Result<(), RuleViolation> {
        let max_files = self.max_files;
        if count <= max_files { Ok(()) } else { Err(RuleViolation::TooManyFiles { max_files }) }
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use proptest::prelude::*;

    use super::*;
    use crate::expiry::ExpiryError;
    use crate::recipient_domain::parse_domains;
    use crate::share::{ChangeExpirationError, ExpectedVersion, RenewError, Renewal, ResendError};
    use crate::testing::{NOW, ShareBuilder, action_by, ann, file, requested_expiry, share, time};
    use crate::{Action, Generation, Mail, Status, WriteId};

    const MAX_DAYS: u16 = 30;

    fn at_most_30_days() -> ShareRules {
        ShareRules { max_access_days: NonZeroU16::new(MAX_DAYS), ..ShareRules::default() }
    }

    fn blocked(domains: &str) -> ShareRules {
        ShareRules { blocked_domains: parse_domains(domains).unwrap(), ..ShareRules::default() }
    }

    fn allowed(domains: &str) -> ShareRules {
        ShareRules { allowed_domains: parse_domains(domains).unwrap(), ..ShareRules::default() }
    }

    fn too_long(last_day: &str) -> RuleViolation {
        let max_days = NonZeroU16::new(MAX_DAYS).unwrap();
        RuleViolation::AccessTooLong { last_day: last_day.parse().unwrap(), max_days }
    }

    fn check_expiry(text: &str, now: &str) -> Result<(), RuleViolation> {
        let expiry = Expiry::parse(text, time(now)).unwrap();
        at_most_30_days().check_expiry(expiry, time(now))
    }

    #[test]
    fn access_may_last_until_the_end_of_the_last_day() {
        for last in ["2026-04-09T12:00:00Z", "2026-04-09T23:59:59.999Z", "2026-04-09T23:59:59.999+01:00"] {
            assert_eq!(check_expiry(last, NOW), Ok(()), "{last}");
        }
        for late in ["2026-04-10T00:00:00Z", "2026-04-10T00:00:00.001Z", "2026-04-10T00:00:00+01:00"] {
            assert_eq!(check_expiry(late, NOW), Err(too_long("2026-04-09")), "{late}");
        }
        assert_eq!(
            ShareRules::default()
                .check_expiry(Expiry::parse("2036-03-10T12:00:00Z", time(NOW)).unwrap(), time(NOW)),
            Ok(())
        );
    }

    #[test]
    fn last_day_counts_from_the_day_at_the_requested_offset() {
        let (noon, morning, night) = (NOW, "2026-03-10T00:00:00Z", "2026-03-10T23:59:59.999Z");
        for (now, last, late, last_day) in [
            // At +14:00, noon UTC is already the next day.
            (noon, "2026-04-10T23:59:59+14:00", "2026-04-11T00:00:00+14:00", "2026-04-10"),
            (noon, "2026-04-09T23:59:59-12:00", "2026-04-10T00:00:00-12:00", "2026-04-09"),
            (morning, "2026-04-09T23:59:59+14:00", "2026-04-10T00:00:00+14:00", "2026-04-09"),
            (morning, "2026-04-08T23:59:59-00:01", "2026-04-09T00:00:00-00:01", "2026-04-08"),
            (night, "2026-04-10T23:59:59+00:01", "2026-04-11T00:00:00+00:01", "2026-04-10"),
        ] {
            assert_eq!(check_expiry(last, now), Ok(()), "{last} at {now}");
            assert_eq!(check_expiry(late, now), Err(too_long(last_day)), "{late} at {now}");
        }
    }

    #[test]
    fn new_share_must_meet_every_rule() {
        let builder = || ShareBuilder::new().recipient("ann@mail.blocked.com");
        let share = builder().build();
        assert!(ShareRules::default().permit(&share).is_ok());
        let refused = |rules: &ShareRules, share: &Share| rules.permit(share).unwrap_err();
        assert_eq!(refused(&blocked("blocked.com"), &share), RuleViolation::RecipientNotAllowed);
        let long = builder().expires_in(TimeDelta::days(31)).build();
        assert_eq!(refused(&at_most_30_days(), &long), too_long("2026-04-09"));
        assert!(at_most_30_days().permit(&builder().expires_in(TimeDelta::days(30)).build()).is_ok());
        let by_email = ShareRules { allows_links_without_email: false, ..ShareRules::default() };
        assert_eq!(refused(&by_email, &builder().notify(false).build()), RuleViolation::EmailRequired);
        assert!(by_email.permit(&share).is_ok());
        let two_files = ShareRules { max_files: 2, ..ShareRules::default() };
        let with = |names: [&str; 3], count| {
            builder().files(names.iter().take(count).map(|name| file(name)).collect()).build()
        };
        assert!(two_files.permit(&with(["a", "b", "c"], 2)).is_ok());
        let too_many = RuleViolation::TooManyFiles { max_files: 2 };
        assert_eq!(refused(&two_files, &with(["a", "b", "c"], 3)), too_many);
    }

    #[test]
    fn recipient_must_be_allowed_and_not_blocked() {
        let both = ShareRules {
            blocked_domains: parse_domains("x.ok.com").unwrap(),
            ..allowed("ok.com,bücher.example")
        };
        for (address, is_allowed) in [
            ("a@ok.com", true),
            ("a@y.ok.com", true),
            ("a@x.ok.com", false),
            ("a@z.x.ok.com", false),
            ("a@XN--BCHER-KVA.example", true),
            ("a@bucher.example", false),
            ("a@ok.com.evil.com", false),
            ("a@notok.com", false),
            ("ok.com@evil.com", false),
        ] {
            assert_eq!(both.check_recipient(&address.parse().unwrap()).is_ok(), is_allowed, "{address}");
        }
    }

    #[test]
    fn no_spelling_hides_a_blocked_domain() {
        let rules = blocked("blocked.com,bücher.example");
        for typed in [
            "a@blocked.com",
            "a@BLOCKED.Com",
            "a@blocked.com.",
            "<a@blocked.com>",
            "mailto:a@blocked.com?subject=x",
            "a@mail.blocked.com",
            "a@ｂｌｏｃｋｅｄ．ｃｏｍ",
            "a@blocked。com",
            "a@bloc\u{ad}ked.com",
            "a@bloc\u{200b}ked.com",
            "\"A, B\" <a@blocked.com>",
            "a@bücher.example",
            "a@BU\u{308}CHER.example",
            "a@xn--bcher-kva.example",
            "a@XN--BCHER-KVA.EXAMPLE",
            "a@x.Xn--Bcher-Kva.example",
            // Cyrillic and Greek letters, which look like Latin ones.
            "a@bl\u{43e}cked.com",
            "a@bl\u{3bf}cked.com",
            "a@blocked.c\u{43e}m",
        ] {
            let is_refused = match EmailAddress::read(typed) {
                Ok(address) => rules.check_recipient(&address).is_err(),
                Err(_) => true,
            };
            assert!(is_refused, "{typed:?}");
        }
        for quoted in
            ["\"a@blocked.com\"@ok.com", "\"a b\"@blocked.com", "a@[127.0.0.1]", "a@blocked.com@ok.com"]
        {
            assert!(EmailAddress::read(quoted).is_err(), "{quoted:?}");
        }
    }

    const TODAY: &str = "2026-03-10T18:00:00Z";
    const IN_30_DAYS: &str = "2026-04-09T23:59:59Z";
    const IN_31_DAYS: &str = "2026-04-10T00:00:00Z";
    const IN_90_DAYS: &str = "2026-06-08T12:00:00Z";
    const IN_100_DAYS: &str = "2026-06-18T12:00:00Z";

    /// Returns a share that was created under other rules, and its state after a revocation and an expiry.
    fn earlier_shares() -> [Share; 3] {
        let active = ShareBuilder::new().recipient("ann@blocked.com").expires_in(TimeDelta::days(90)).build();
        let revoked = active.revoked(&ann()).unwrap();
        let expired = Share { expires_at: time(NOW) - TimeDelta::hours(1), ..active.clone() };
        [active, revoked, expired]
    }

    fn change(
        share: &Share,
        expiry: &str,
        rules: &ShareRules,
    ) -> Result<Option<Share>, ChangeExpirationError> {
        share.with_expiration(requested_expiry(expiry), &ann(), ExpectedVersion::Any, rules)
    }

    #[test]
    fn longer_or_new_access_must_end_within_the_maximum() {
        let rules = at_most_30_days();
        let too_long = Err(ChangeExpirationError::Rule(too_long("2026-04-09")));
        let [active, revoked, expired] = earlier_shares();
        assert_eq!(change(&active, IN_100_DAYS, &rules), too_long, "prolonged");
        assert_eq!(change(&active, "2026-06-08T12:00:00.001Z", &rules), too_long, "prolonged by a moment");
        for inactive in [revoked, expired] {
            for late in [IN_31_DAYS, IN_90_DAYS, IN_100_DAYS] {
                assert_eq!(change(&inactive, late, &rules), too_long, "reactivated, {late}");
            }
            let changed = change(&inactive, IN_30_DAYS, &rules).unwrap().unwrap();
            assert_eq!(changed.status(time(NOW)), Status::Active);
        }
        let short = share(&["a"]);
        assert_eq!(change(&short, IN_31_DAYS, &rules), too_long);
        assert!(change(&short, IN_30_DAYS, &rules).unwrap().is_some());
    }

    #[test]
    fn lower_maximum_leaves_an_existing_share_as_it_is() {
        let rules = at_most_30_days();
        let [active, ..] = earlier_shares();
        for same in [IN_90_DAYS, "2026-06-08T14:00:00+02:00"] {
            assert_eq!(change(&active, same, &rules), Ok(None), "{same}");
        }
        for shorter in ["2026-06-08T11:59:59Z", IN_31_DAYS, TODAY, "2026-03-10T01:00:00Z"] {
            let changed = change(&active, shorter, &rules).unwrap().unwrap();
            assert!(changed.expires_at < active.expires_at, "{shorter}");
        }
        assert!(active.revoked(&ann()).is_some());
        assert!(active.resent(&Action { at: time(TODAY), ..ann() }, &rules).is_ok());
        assert!(active.copied(&ann(), WriteId::from_bytes([1; 16]), &rules).is_ok());
    }

    #[test]
    fn shares_with_blocked_recipients_can_only_lose_access() {
        let [active, revoked, expired] = earlier_shares();
        let violation = RuleViolation::RecipientNotAllowed;
        for rules in [blocked("blocked.com"), allowed("ok.com")] {
            let refused = Err(ChangeExpirationError::Rule(violation));
            assert_eq!(change(&active, IN_100_DAYS, &rules), refused, "prolonged");
            for inactive in [&revoked, &expired] {
                assert_eq!(change(inactive, TODAY, &rules), refused, "reactivated");
                let renewal = renewal(Some(TODAY), true);
                assert_eq!(renew(inactive, &renewal, &rules), Err(RenewError::Rule(violation)));
            }
            for renewal in [renewal(None, true), renewal(Some(TODAY), true), renewal(None, false)] {
                assert_eq!(renew(&active, &renewal, &rules), Err(RenewError::Rule(violation)), "{renewal:?}");
            }
            let later = Action { at: time(TODAY), ..ann() };
            assert_eq!(active.resent(&later, &rules), Err(ResendError::Rule(violation)));
            assert_eq!(active.copied(&ann(), WriteId::from_bytes([1; 16]), &rules), Err(violation));

            assert!(change(&active, TODAY, &rules).unwrap().is_some(), "shortened");
            assert_eq!(change(&active, IN_90_DAYS, &rules), Ok(None), "unchanged");
            assert!(change(&revoked, "2026-03-10T01:00:00Z", &rules).unwrap().is_some(), "still inactive");
            assert!(active.revoked(&later).is_some());
        }
    }

    #[test]
    fn alias_domain_does_not_avoid_a_block_and_is_not_allowed() {
        let check = |rules: &ShareRules, address: &str| rules.check_recipient(&address.parse().unwrap());
        let refused = Err(RuleViolation::RecipientNotAllowed);
        assert_eq!(check(&blocked("gmail.com"), "a@googlemail.com"), refused);
        assert_eq!(check(&allowed("gmail.com"), "a@googlemail.com"), refused);
        assert_eq!(check(&allowed("gmail.com"), "a@gmail.com"), Ok(()));
    }

    #[test]
    fn share_with_too_many_files_is_not_prolonged() {
        let rules = ShareRules { max_files: 1, ..ShareRules::default() };
        let two_files = share(&["a", "b"]);
        let refused = RuleViolation::TooManyFiles { max_files: 1 };
        assert_eq!(change(&two_files, IN_30_DAYS, &rules), Err(ChangeExpirationError::Rule(refused)));
        let renewed = renew(&two_files, &renewal(Some(IN_30_DAYS), true), &rules);
        assert_eq!(renewed, Err(RenewError::Rule(refused)));
        assert!(renew(&two_files, &renewal(None, true), &rules).unwrap().is_some(), "the same access");
        assert!(change(&two_files, "2026-03-10T12:30:00Z", &rules).unwrap().is_some(), "shortened");
    }

    fn renewal(expiry: Option<&str>, notify: bool) -> Renewal {
        let generation = Generation::from_bytes([9; 16]);
        Renewal { generation, expiry: expiry.map(requested_expiry), notify }
    }

    fn renew(share: &Share, renewal: &Renewal, rules: &ShareRules) -> Result<Option<Share>, RenewError> {
        share.renewed(renewal, &ann(), ExpectedVersion::Any, rules)
    }

    #[test]
    fn renewal_must_not_prolong_access_beyond_the_maximum() {
        let rules = at_most_30_days();
        let too_long = Err(RenewError::Rule(too_long("2026-04-09")));
        let [active, revoked, expired] = earlier_shares();
        let kept = renew(&active, &renewal(None, true), &rules).unwrap().unwrap();
        assert_eq!(kept.expires_at, active.expires_at, "a renewal keeps the expiry");
        assert!(renew(&active, &renewal(Some(IN_90_DAYS), true), &rules).unwrap().is_some(), "the same");
        assert!(renew(&active, &renewal(Some(IN_31_DAYS), true), &rules).unwrap().is_some(), "shorter");
        assert_eq!(renew(&active, &renewal(Some(IN_100_DAYS), true), &rules), too_long);
        for inactive in [revoked, expired] {
            assert_eq!(renew(&inactive, &renewal(Some(IN_31_DAYS), true), &rules), too_long);
            assert!(renew(&inactive, &renewal(Some(IN_30_DAYS), true), &rules).unwrap().is_some());
        }
        let past = renew(&active, &renewal(Some(NOW), true), &rules);
        assert_eq!(past, Err(RenewError::Expiry(ExpiryError::NotInFuture)));
    }

    #[test]
    fn links_only_by_email_are_neither_copied_nor_renewed_without_one() {
        let rules = ShareRules { allows_links_without_email: false, ..ShareRules::default() };
        let quiet = Share { mail: Mail::none(), ..share(&["a"]) };
        assert_eq!(
            renew(&quiet, &renewal(None, false), &rules),
            Err(RenewError::Rule(RuleViolation::EmailRequired))
        );
        assert!(renew(&quiet, &renewal(None, true), &rules).unwrap().is_some());
        let id = WriteId::from_bytes([1; 16]);
        assert_eq!(quiet.copied(&ann(), id, &rules), Err(RuleViolation::EmailRequired));
        assert_eq!(quiet.copied(&ann(), id, &ShareRules::default()).unwrap().id, id);
        assert!(quiet.resent(&ann(), &rules).is_ok(), "the way to send its link");
    }

    #[test]
    fn retry_reports_what_was_done_before_a_rule_changed() {
        let [_, revoked, _] = earlier_shares();
        let before = ShareRules::default();
        let after = ShareRules { allows_links_without_email: false, max_files: 0, ..blocked("blocked.com") };
        let version = ExpectedVersion::Exactly(revoked.version);
        let expiry = requested_expiry(IN_100_DAYS);
        let changed = revoked.with_expiration(expiry, &ann(), version, &before).unwrap().unwrap();
        assert_eq!(changed.with_expiration(expiry, &ann(), version, &after), Ok(None));
        let renewal = renewal(Some(IN_100_DAYS), false);
        let renewed = revoked.renewed(&renewal, &ann(), version, &before).unwrap().unwrap();
        assert_eq!(renewed.renewed(&renewal, &ann(), version, &after), Ok(None));
        let other = changed.with_expiration(expiry, &action_by("bob"), version, &after);
        assert_eq!(other, Err(ChangeExpirationError::StaleVersion), "another caller");
    }

    proptest! {
        #[test]
        fn no_change_gives_access_beyond_the_maximum(
            minutes in -1439_i32..1440,
            millis in 0_i64..100 * 86_400_000,
            is_revoked in any::<bool>(),
            renews in any::<bool>(),
        ) {
            let [active, revoked, _] = earlier_shares();
            let share = if is_revoked { revoked } else { active };
            let offset = chrono::FixedOffset::east_opt(minutes * 60).unwrap();
            let expiry = (time(NOW) + TimeDelta::milliseconds(millis)).with_timezone(&offset).to_rfc3339();
            let rules = at_most_30_days();
            let changed = if renews {
                renew(&share, &renewal(Some(&expiry), true), &rules).ok().flatten()
            } else {
                change(&share, &expiry, &rules).ok().flatten()
            };
            if let Some(changed) = changed.filter(|changed| changed.status(time(NOW)) == Status::Active) {
                let limit = time(NOW) + TimeDelta::days(i64::from(MAX_DAYS) + 1);
                let is_longer = is_revoked || changed.expires_at > share.expires_at;
                prop_assert!(!is_longer || changed.expires_at < limit, "{expiry}");
            }
        }
    }
}
