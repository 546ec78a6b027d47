//! A share: one recipient's access to the files of an item.

use std::fmt;
use std::num::NonZeroUsize;
use std::str::FromStr;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use chrono::{DateTime, FixedOffset, TimeDelta};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::expiry::{ExpiryError, RequestedExpiry};
use crate::link::KeyId;
use crate::request::Message;
use crate::{EmailAddress, FileName, Item, Mail, Timestamp, mail};

/// A text that is not 32 lower-case hexadecimal digits.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("is not an id: 32 lower-case hexadecimal digits")]
pub struct IdError;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash)]
        pub struct $name(u128);

        impl $name {
            #[must_use]
            #[doc = "The id that these bytes stand for."]
            pub fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(u128::from_be_bytes(bytes))
            }

            #[must_use]
            #[doc = "The 128 bits of the id."]
            pub fn to_bytes(self) -> [u8; 16] {
                self.0.to_be_bytes()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:032x}", self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(..)"))
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                let hex = text.len() == 32 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
                if hex { u128::from_str_radix(text, 16).map(Self).map_err(|_| IdError) } else { Err(IdError) }
            }
        }
    };
}

id! {
    /// Which share: derived from the item and the recipient, so that there can be only one for the two.
    ShareId
}
id! {
    /// 128 random bits, fresh for every new share. They are part of the link, so a share that was purged and
    /// made again has another link.
    Generation
}
id! {
    /// One invocation's write. A write that the SDK retries can meet its own first attempt; it knows it by
    /// this id.
    WriteId
}

impl ShareId {
    /// The truncated SHA-256 of the item and the recipient's [identity](EmailAddress::identity).
    #[must_use]
    pub fn new(item: &Item, recipient: &EmailAddress) -> Self {
        let name = format!("sharelink share id 1\0{}\0{}\0{}", item.module, item.name, recipient.identity());
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&digest(&SHA256, name.as_bytes()).as_ref()[..16]);
        Self::from_bytes(bytes)
    }
}

/// A file of the item, as it was when it was shared.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct SharedFile {
    /// Its name; the key follows from it.
    pub name: FileName,
    /// Its size in bytes.
    pub size: u64,
}

/// Somebody who shared or changed a share, as their token described them.
#[derive(Clone, Deserialize, PartialEq, Eq, Serialize)]
pub struct Sharer {
    /// The token's subject: who it is.
    pub sub: String,
    /// The name to show a recipient.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Where a recipient's reply goes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<EmailAddress>,
}

/// Never shows who it is: a debug print may end up in a log.
impl fmt::Debug for Sharer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sharer(..)")
    }
}

/// That somebody did something, for the log.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Action {
    pub by: Sharer,
    #[serde(with = "chrono::serde::ts_milliseconds")]
    pub at: Timestamp,
}

/// The last change of a share, from which a repetition of it is known.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Change {
    pub of: Changed,
    pub action: Action,
}

/// What a change changed.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Changed {
    Expiration,
    Revocation,
}

/// That somebody was shown the link.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct LinkCopy {
    pub action: Action,
    /// Tells it from others of the same time.
    #[serde(with = "as_text")]
    pub id: WriteId,
}

/// How often and when a link was used. Counts are upper bounds: mail scanners follow links too, and a use
/// is counted before it turns out that the file is missing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// How often the link itself was answered, with a page or a file.
    pub opens: u64,
    /// How many signed URLs were handed out.
    pub downloads: u64,
    /// The first use.
    pub first_at: Option<Timestamp>,
    /// The last use.
    pub last_at: Option<Timestamp>,
}

/// One recipient's access to the files of an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    pub id: ShareId,
    pub item: Item,
    pub recipient: EmailAddress,
    /// Never empty.
    pub files: Vec<SharedFile>,
    pub created_by: Sharer,
    pub message: Option<Message>,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    /// The offset that the expiry was typed with, to spell it out for people.
    pub expires_offset: FixedOffset,
    pub revoked_at: Option<Timestamp>,
    /// Moves when the expiration or the revocation changes, and at nothing else.
    pub version: u64,
    pub generation: Generation,
    /// The key that sealed the link, once it has been sealed for the first time.
    pub link_key: Option<KeyId>,
    pub mail: Mail,
    pub usage: Usage,
    /// The last change of the expiration or the revocation.
    pub changed: Option<Change>,
    /// The last time that somebody was shown the link.
    pub link_copied: Option<LinkCopy>,
}

/// Whether a share gives access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Active,
    Inactive(Reason),
}

/// Why a share gives no access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    Expired,
    Revoked,
}

/// A signed URL dies this long after it was handed out, so that a revocation works at once.
pub const MAX_URL_LIFETIME: Duration = Duration::from_mins(1);

/// A signed URL's life is in whole seconds, so access is redeemable while at least this much of it is left.
pub const MIN_URL_LIFETIME: TimeDelta = TimeDelta::seconds(1);

/// What of a share a recipient asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// The link itself: the file, or the list of files.
    Link,
    /// The file at this place in the list, counted from 1.
    File(NonZeroUsize),
}

/// What a recipient gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Redemption<'a> {
    /// One file, through a URL that lives this long.
    File(&'a SharedFile, Duration),
    /// The list of several files.
    List(&'a [SharedFile]),
}

/// Which version of a share somebody had seen when they decided to change it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpectedVersion {
    /// This one.
    Exactly(u64),
    /// They do not mind.
    Any,
}

impl ExpectedVersion {
    fn is(self, version: u64) -> bool {
        self == Self::Any || self == Self::Exactly(version)
    }
}

/// Why an expiration was not changed.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum ChangeError {
    /// The share has changed since the caller looked.
    #[error("the share has changed in the meantime")]
    Stale,
    #[error(transparent)]
    Expiry(#[from] ExpiryError),
}

/// Why no other email is sent.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum ResendError {
    /// A link that opens nothing is not sent again.
    #[error("the share is inactive")]
    Inactive,
    /// The last one was asked for too short a time ago, or is still on its way.
    #[error("it is too soon for another email")]
    TooSoon { until: Timestamp },
}

/// Why a recipient gets nothing.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum RedeemError {
    /// There is no such share, or no such file in it.
    #[error("unknown link")]
    UnknownLink,
    /// Access has expired or was revoked; a recipient is not told which.
    #[error("access has ended")]
    AccessEnded,
}

impl Share {
    /// Computed from the clock, never stored: nothing depends on when a sweeper runs.
    #[must_use]
    pub fn status(&self, now: Timestamp) -> Status {
        status(self.expires_at, self.revoked_at, now)
    }

    /// What a recipient with a link of this generation gets now.
    pub fn redeem(
        &self,
        generation: Generation,
        target: Target,
        now: Timestamp,
    ) -> Result<Redemption<'_>, RedeemError> {
        if self.generation != generation {
            return Err(RedeemError::UnknownLink);
        }
        let life = self.expires_at - now;
        if self.status(now) != Status::Active || life < MIN_URL_LIFETIME {
            return Err(RedeemError::AccessEnded);
        }
        let file = match target {
            Target::File(n) => self.files.get(n.get() - 1).ok_or(RedeemError::UnknownLink)?,
            Target::Link => match self.files.as_slice() {
                [file] => file,
                files => return Ok(Redemption::List(files)),
            },
        };
        let life = Duration::from_secs(life.num_seconds().unsigned_abs());
        Ok(Redemption::File(file, life.min(MAX_URL_LIFETIME)))
    }

    /// The share as a revocation leaves it; none if it is revoked already.
    #[must_use]
    pub fn revoked(&self, action: &Action) -> Option<Self> {
        let revoked = || Self {
            revoked_at: Some(action.at),
            version: self.version + 1,
            changed: Some(Change { of: Changed::Revocation, action: action.clone() }),
            ..self.clone()
        };
        self.revoked_at.is_none().then(revoked)
    }

    /// The share as a change of its expiration leaves it; none if this very change has been made already. A
    /// future expiry makes an inactive share active again, expired or revoked; one that is already past ends
    /// access at once, and leaves a revocation as it is.
    ///
    /// The caller says which version of the share they had seen. One behind is no conflict where the present
    /// one is what the same caller's same change made: they repeat a change whose answer was lost, and its
    /// date may be on a day before today by now.
    pub fn with_expiration(
        &self,
        typed: RequestedExpiry,
        action: &Action,
        seen: ExpectedVersion,
    ) -> Result<Option<Self>, ChangeError> {
        if !seen.is(self.version) {
            let repeated = seen.is(self.version - 1) && self.was_given(typed, &action.by);
            return if repeated { Ok(None) } else { Err(ChangeError::Stale) };
        }
        let expiry = typed.accept(action.at)?;
        Ok(Some(Self {
            expires_at: expiry.at(),
            expires_offset: expiry.offset(),
            revoked_at: self.revoked_at.filter(|_| expiry.already_past()),
            version: self.version + 1,
            changed: Some(Change { of: Changed::Expiration, action: action.clone() }),
            ..self.clone()
        }))
    }

    /// Whether the last change gave the share this expiry, and was this sharer's.
    fn was_given(&self, typed: RequestedExpiry, by: &Sharer) -> bool {
        let same = |change: &Change| change.of == Changed::Expiration && change.action.by.sub == by.sub;
        self.changed.as_ref().is_some_and(same)
            && (self.expires_at, self.expires_offset) == (typed.at(), typed.offset())
    }

    /// How many downloads an open of the link is: one when it leads straight to the only file.
    #[must_use]
    pub fn downloads_per_open(&self) -> u64 {
        u64::from(self.files.len() == 1)
    }

    /// The expiry, spelled out in the calendar of whoever chose it: `10 March 2026 at 14:00 (UTC+01:00)`.
    #[must_use]
    pub fn expiry_in_words(&self) -> String {
        in_words(self.local_expiry())
    }

    /// The expiry in the sharer's calendar.
    #[must_use]
    pub fn local_expiry(&self) -> DateTime<FixedOffset> {
        self.expires_at.with_timezone(&self.expires_offset)
    }

    /// The share as a request for another email leaves it: the same link, in an email that is due at once.
    pub fn resent(&self, action: &Action) -> Result<Self, ResendError> {
        if self.status(action.at) != Status::Active {
            return Err(ResendError::Inactive);
        }
        match mail::resend_at(self) {
            Some(until) if action.at < until => Err(ResendError::TooSoon { until }),
            _ => Ok(Self { mail: self.mail.again(action), ..self.clone() }),
        }
    }

    /// When the share expires by time passing, whatever the clock says now; none if it is revoked, or if access
    /// had ended already when it was given this expiry.
    #[must_use]
    pub fn scheduled_expiry(&self) -> Option<Timestamp> {
        let given = self.changed.as_ref().filter(|change| change.of == Changed::Expiration);
        let given_at = given.map_or(self.created_at, |change| change.action.at);
        (self.revoked_at.is_none() && self.expires_at > given_at).then_some(self.expires_at)
    }

    /// When the share may be purged: its access has ended, and the retention after that. Access that had ended
    /// before the share was created ended with its creation.
    #[must_use]
    pub fn purge_at(&self, retention: TimeDelta) -> Timestamp {
        let end = self.revoked_at.map_or(self.expires_at, |revoked| revoked.min(self.expires_at));
        end.max(self.created_at) + retention
    }
}

/// The status of a share with these dates. Revoked comes first: it is what somebody decided.
#[must_use]
pub fn status(expires_at: Timestamp, revoked_at: Option<Timestamp>, now: Timestamp) -> Status {
    if revoked_at.is_some() {
        Status::Inactive(Reason::Revoked)
    } else if now >= expires_at {
        Status::Inactive(Reason::Expired)
    } else {
        Status::Active
    }
}

/// Ids in a row are written as they are shown.
mod as_text {
    use std::fmt::Display;
    use std::str::FromStr;

    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(super) fn serialize<S: Serializer>(id: &impl Display, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(id)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>, T>(deserializer: D) -> Result<T, D::Error>
    where
        T: FromStr<Err: Display>,
    {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// A time in English, with its offset.
#[must_use]
pub fn in_words(at: DateTime<FixedOffset>) -> String {
    let offset = if at.offset().local_minus_utc() == 0 { "" } else { "%:z" };
    at.format(&format!("%-d %B %Y at %H:%M (UTC{offset})")).to_string()
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::mail::Pending;
    use crate::request::ShareRequest;
    use crate::{Expiry, FileName, MailState};

    pub(crate) fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    pub(crate) fn item() -> Item {
        Item { module: "jobs".parse().unwrap(), name: "1042".parse().unwrap() }
    }

    pub(crate) const NOW: &str = "2026-03-10T12:00:00Z";
    const GENERATION: [u8; 16] = [7; 16];

    pub(crate) fn share(files: &[&str]) -> Share {
        let now = time(NOW);
        let file = |name: &&str| SharedFile { name: name.parse::<FileName>().unwrap(), size: 3 };
        ShareRequest {
            item: item(),
            files: files.iter().map(file).collect(),
            sharer: Sharer { sub: "u1".into(), name: None, email: None },
            message: None,
            expiry: Expiry::parse("2026-03-10T13:00:00Z", now).unwrap(),
            notify: true,
        }
        .share_with("ann@example.com".parse().unwrap(), Generation::from_bytes(GENERATION), now)
    }

    fn redeem(share: &Share, target: Target, now: Timestamp) -> Result<Redemption<'_>, RedeemError> {
        share.redeem(Generation::from_bytes(GENERATION), target, now)
    }

    /// Golden vectors: shares in existing tables are keyed by these ids. Never edit one.
    #[test]
    fn share_ids_are_frozen() {
        let id = |address: &str| ShareId::new(&item(), &address.parse().unwrap()).to_string();
        assert_eq!(id("ann@example.com"), "877fab806afa6fcb1a85617f9ffe0709");
        assert_eq!(id(" ANN@Example.com"), id("ann@example.com"));
        assert_eq!(id("bob@Bücher.example"), "fddd7533b511f49c6e3ccf5bb6dcf13f");
    }

    #[test]
    fn the_same_address_on_another_item_is_another_share() {
        let ann = "ann@example.com".parse().unwrap();
        let other = Item { module: "jobs".parse().unwrap(), name: "1043".parse().unwrap() };
        assert_ne!(ShareId::new(&item(), &ann), ShareId::new(&other, &ann));
    }

    #[test]
    fn ids_read_back_what_they_write() {
        let id = ShareId::from_bytes([0x0a; 16]);
        assert_eq!(id.to_string().parse(), Ok(id));
        for bad in ["", "0a", &"0A".repeat(16), &"+a".repeat(16), &"0a".repeat(17)] {
            assert_eq!(bad.parse::<ShareId>(), Err(IdError), "{bad}");
        }
    }

    #[test]
    fn a_debug_print_shows_neither_people_nor_ids() {
        let sharer = Sharer { sub: "u1".into(), name: Some("Ann".into()), email: None };
        let (share, generation) = (share(&["a"]).id, Generation::from_bytes(GENERATION));
        assert_eq!(format!("{sharer:?} {share:?} {generation:?}"), "Sharer(..) ShareId(..) Generation(..)");
    }

    #[test]
    fn a_share_is_active_until_the_moment_it_expires() {
        let share = share(&["brief.pdf"]);
        let expiry = time("2026-03-10T13:00:00Z");
        assert_eq!(share.status(expiry - TimeDelta::milliseconds(1)), Status::Active);
        assert_eq!(share.status(expiry), Status::Inactive(Reason::Expired));
    }

    #[test]
    fn a_revoked_share_stays_revoked_when_it_expires() {
        let mut share = share(&["brief.pdf"]);
        share.revoked_at = Some(time(NOW));
        assert_eq!(share.status(time(NOW)), Status::Inactive(Reason::Revoked));
        assert_eq!(share.status(time("2027-01-01T00:00:00Z")), Status::Inactive(Reason::Revoked));
    }

    #[test]
    fn a_signed_url_never_outlives_access() {
        let share = share(&["brief.pdf"]);
        let expiry = time("2026-03-10T13:00:00Z");
        for (left, life) in [(3_600_000, 60), (60_999, 60), (10_000, 10), (1_999, 1), (1_000, 1)] {
            assert_eq!(
                redeem(&share, Target::Link, expiry - TimeDelta::milliseconds(left)),
                Ok(Redemption::File(&share.files[0], Duration::from_secs(life))),
                "{left} ms left"
            );
        }
        for left in [999, 0, -1] {
            assert_eq!(
                redeem(&share, Target::Link, expiry - TimeDelta::milliseconds(left)),
                Err(RedeemError::AccessEnded),
                "{left} ms left"
            );
        }
    }

    #[test]
    fn several_files_are_listed_and_counted_from_one() {
        let one = share(&["a"]);
        let share = share(&["a", "b"]);
        let now = time(NOW);
        let file = |n| Target::File(NonZeroUsize::new(n).unwrap());
        assert_eq!(redeem(&share, Target::Link, now), Ok(Redemption::List(&share.files)));
        assert!(
            matches!(redeem(&share, file(2), now), Ok(Redemption::File(file, _)) if file.name.as_str() == "b")
        );
        assert_eq!(redeem(&share, file(3), now), Err(RedeemError::UnknownLink));
        assert_eq!(redeem(&share, file(usize::MAX), now), Err(RedeemError::UnknownLink));
        assert_eq!((share.downloads_per_open(), one.downloads_per_open()), (0, 1));
    }

    #[test]
    fn an_expiry_is_spelled_out_in_the_calendar_it_was_typed_in() {
        let mut share = share(&["a"]);
        assert_eq!(share.expiry_in_words(), "10 March 2026 at 13:00 (UTC)");
        share.expires_offset = FixedOffset::east_opt(-(5 * 60 + 30) * 60).unwrap();
        assert_eq!(share.expiry_in_words(), "10 March 2026 at 07:30 (UTC-05:30)");
    }

    pub(crate) fn pending(due: Timestamp, tries: u32) -> MailState {
        MailState::Queued(Pending { due, tries })
    }

    pub(crate) fn ann() -> Action {
        Action { by: Sharer { sub: "ann".into(), name: None, email: None }, at: time(NOW) }
    }

    pub(crate) fn expiry(text: &str) -> RequestedExpiry {
        text.parse().unwrap()
    }

    #[test]
    fn a_future_expiry_reactivates_and_a_past_one_does_not() {
        let active = share(&["a"]);
        let revoked = active.revoked(&ann()).unwrap();
        assert_eq!((revoked.version, revoked.status(time(NOW))), (2, Status::Inactive(Reason::Revoked)));
        assert_eq!(revoked.revoked(&ann()), None);

        let future = expiry("2026-03-11T10:00:00+02:00");
        let changed = revoked.with_expiration(future, &ann(), ExpectedVersion::Exactly(2)).unwrap().unwrap();
        assert_eq!((changed.version, changed.status(time(NOW))), (3, Status::Active));
        assert_eq!((changed.expires_at, changed.expires_offset), (future.at(), future.offset()));
        assert_eq!((changed.generation, &changed.mail), (active.generation, &active.mail));

        let past = expiry("2026-03-10T01:00:00Z");
        let changed = revoked.with_expiration(past, &ann(), ExpectedVersion::Exactly(2)).unwrap().unwrap();
        assert_eq!(changed.status(time(NOW)), Status::Inactive(Reason::Revoked));
        let changed = active.with_expiration(past, &ann(), ExpectedVersion::Any).unwrap().unwrap();
        assert_eq!(changed.status(time(NOW)), Status::Inactive(Reason::Expired));
    }

    #[test]
    fn a_change_needs_the_version_that_it_was_decided_on_or_to_be_a_repetition() {
        let bob = Action { by: Sharer { sub: "bob".into(), name: None, email: None }, ..ann() };
        let (one, other) = (expiry("2026-03-11T10:00:00Z"), expiry("2026-03-12T10:00:00Z"));
        let first = ExpectedVersion::Exactly(1);
        let changed = share(&["a"]).with_expiration(one, &ann(), first).unwrap().unwrap();
        assert_eq!(changed.with_expiration(one, &ann(), first), Ok(None));
        assert_eq!(changed.with_expiration(other, &ann(), first), Err(ChangeError::Stale));
        assert_eq!(changed.with_expiration(one, &bob, first), Err(ChangeError::Stale));
        assert_eq!(
            changed.with_expiration(one, &ann(), ExpectedVersion::Exactly(3)),
            Err(ChangeError::Stale)
        );
        let again = changed.with_expiration(one, &ann(), ExpectedVersion::Exactly(2)).unwrap().unwrap();
        assert_eq!(again.with_expiration(one, &ann(), first), Err(ChangeError::Stale));
        let revoked = changed.revoked(&ann()).unwrap();
        assert_eq!(
            revoked.with_expiration(one, &ann(), ExpectedVersion::Exactly(2)),
            Err(ChangeError::Stale)
        );
        // A past expiry leaves the revocation, and is a change all the same.
        let past = expiry("2026-03-10T01:00:00Z");
        let changed = revoked.with_expiration(past, &ann(), ExpectedVersion::Exactly(3)).unwrap().unwrap();
        assert_eq!(changed.with_expiration(past, &ann(), ExpectedVersion::Exactly(3)), Ok(None));
        // On the next day, too, when nobody else may give it to the share any more.
        let tomorrow = Action { at: time(NOW) + TimeDelta::days(1), ..ann() };
        assert_eq!(changed.with_expiration(past, &tomorrow, ExpectedVersion::Exactly(3)), Ok(None));
        assert_eq!(
            changed.with_expiration(past, &tomorrow, ExpectedVersion::Exactly(4)),
            Err(ChangeError::Expiry(ExpiryError::BeforeToday))
        );
        // The same moment in another calendar is another expiry.
        let other_calendar = expiry("2026-03-10T02:00:00+01:00");
        assert_eq!(
            changed.with_expiration(other_calendar, &ann(), ExpectedVersion::Exactly(3)),
            Err(ChangeError::Stale)
        );
    }

    #[test]
    fn only_an_active_share_gets_another_email_and_not_too_soon() {
        let at = |minutes| Action { at: time(NOW) + TimeDelta::minutes(minutes), ..ann() };
        let mut sent = share(&["a"]);
        sent.expires_at = time(NOW) + TimeDelta::days(9);
        let too_soon = sent.resent(&at(0));
        assert_eq!(too_soon, Err(ResendError::TooSoon { until: at(5).at }));
        // Whoever was to send it has had their time.
        assert_eq!(sent.resent(&at(5)).unwrap().mail.attempt, 2);
        sent.mail.state = pending(at(30).at, 3);
        assert_eq!(sent.resent(&at(31)), Err(ResendError::TooSoon { until: at(30).at + mail::LEASE }));
        sent.mail.state = MailState::Sent;
        assert_eq!(sent.resent(&at(4)), Err(ResendError::TooSoon { until: at(5).at }));

        let resent = sent.resent(&at(5)).unwrap();
        assert_eq!((resent.version, resent.generation), (sent.version, sent.generation));
        let mail = &resent.mail;
        assert_eq!((mail.state, mail.attempt), (pending(at(5).at, 0), 2));
        assert_eq!(mail.requested.as_ref(), Some(&at(5)));

        assert_eq!(sent.resent(&at(9 * 24 * 60)), Err(ResendError::Inactive));
        assert_eq!(sent.revoked(&ann()).unwrap().resent(&at(5)), Err(ResendError::Inactive));
        sent.mail = Mail::none();
        assert_eq!(sent.resent(&at(0)).unwrap().mail.attempt, 1);
    }

    #[test]
    fn a_link_of_an_earlier_generation_is_unknown() {
        let share = share(&["a"]);
        let earlier = Generation::from_bytes([8; 16]);
        assert_eq!(share.redeem(earlier, Target::Link, time(NOW)), Err(RedeemError::UnknownLink));
    }

    #[test]
    fn retention_counts_from_the_end_of_access() {
        let mut share = share(&["a"]);
        let retention = TimeDelta::days(30);
        assert_eq!(share.purge_at(retention), share.expires_at + retention);
        share.revoked_at = Some(time(NOW));
        assert_eq!(share.purge_at(retention), time(NOW) + retention);
        share.revoked_at = Some(share.expires_at + TimeDelta::days(1));
        assert_eq!(share.purge_at(retention), share.expires_at + retention);
        share.expires_at = share.created_at - TimeDelta::hours(1);
        assert_eq!(share.purge_at(retention), share.created_at + retention);
    }

    #[test]
    fn a_share_expires_by_time_passing_unless_access_ends_otherwise() {
        let share = share(&["a"]);
        assert_eq!(share.scheduled_expiry(), Some(share.expires_at));
        let revoked = share.revoked(&ann()).unwrap();
        assert_eq!(revoked.scheduled_expiry(), None);
        let changed = |share: &Share, to| share.with_expiration(expiry(to), &ann(), ExpectedVersion::Any);
        let ended = changed(&share, "2026-03-10T11:00:00Z").unwrap().unwrap();
        assert_eq!(ended.scheduled_expiry(), None);
        // Not even by an expiry that was still to come when the share was created.
        let later = Action { at: time(NOW) + TimeDelta::minutes(50), ..ann() };
        let past = expiry("2026-03-10T12:30:00Z");
        let ended = share.with_expiration(past, &later, ExpectedVersion::Any).unwrap().unwrap();
        assert_eq!(ended.scheduled_expiry(), None);
        let reactivated = changed(&revoked, "2026-03-12T11:00:00Z").unwrap().unwrap();
        assert_eq!(reactivated.scheduled_expiry(), Some(time("2026-03-12T11:00:00Z")));
        let born_expired = Share { expires_at: share.created_at, ..share };
        assert_eq!(born_expired.scheduled_expiry(), None);
    }

    proptest! {
        #[test]
        fn access_is_given_only_while_active(offset in -7_200_000_i64..7_200_000, revoked in any::<bool>()) {
            let mut share = share(&["a"]);
            share.revoked_at = revoked.then(|| time(NOW));
            let now = share.expires_at + TimeDelta::milliseconds(offset);
            if let Ok(Redemption::File(_, life)) = redeem(&share, Target::Link, now) {
                prop_assert_eq!(share.status(now), Status::Active);
                prop_assert!(now + life <= share.expires_at && life <= MAX_URL_LIFETIME);
            }
        }
    }
}
