//! Switches by which an operator pauses sharing: all of it, one module, one sharer or one recipient domain.
//!
//! A switch changes no share. Once it is on again, the same links work.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use chrono::TimeDelta;
use thiserror::Error;

use crate::access::MAX_URL_LIFETIME;

use crate::{EmailAddress, ModuleName, RecipientDomain, SharerKey, Timestamp};

/// How long a reading of the switches is used before they are read again.
pub const MAX_READING_AGE: TimeDelta = TimeDelta::seconds(15);

/// The minimum lifetime that a reading must leave a signed URL. A shorter one may expire before a slow client
/// starts the download.
const MIN_LIFETIME_LEFT: Duration = Duration::from_secs(10);

/// The maximum number of switches that are off. Bounds the size of the row that busy functions read often.
pub const SWITCHES_LIMIT: usize = 200;

/// The maximum length of a [`Note`], in characters.
const NOTE_LIMIT: usize = 200;

/// What a switch pauses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Switch {
    Everything,
    /// The shares of the module's items.
    Module(ModuleName),
    /// The shares that this sharer created, and whatever this sharer would share.
    Sharer(SharerKey),
    /// The shares whose recipients have an address at this domain, at a subdomain, or at another domain of the
    /// same mailboxes.
    RecipientDomain(RecipientDomain),
}

/// A switch that is off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SwitchedOff {
    pub switch: Switch,
    /// The operator's name.
    pub by: Note,
    pub at: Timestamp,
    pub reason: Option<Note>,
}

/// A line of text from an operator: 1 to 200 characters without control characters.
#[derive(Clone, PartialEq, Eq)]
pub struct Note(String);

/// The reason a string is not a [`Note`].
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum NoteError {
    #[error("must not be empty")]
    Empty,
    #[error("must be at most {NOTE_LIMIT} characters")]
    TooLong,
    #[error("must not contain line breaks or other control characters")]
    Control,
}

/// A change to a switch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SwitchChange {
    Off(SwitchedOff),
    On(Switch),
}

/// Too many switches are off.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("{SWITCHES_LIMIT} switches are off, which is the limit; switch off a whole module or everything")]
pub struct TooManySwitches;

/// The switches that are off.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Switches(Vec<SwitchedOff>);

/// Whether the shares of a module's items are paused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModuleState {
    On,
    Off,
    /// Some sharers or recipients are switched off, so the state depends on the share.
    DependsOnShare,
}

/// The switches as of a point in time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SwitchReading {
    pub switches: Switches,
    /// A time before the switches were read: a change that the reading does not show was made later.
    pub read_at: Timestamp,
}

impl Note {
    /// Returns the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Note {
    type Err = NoteError;

    fn from_str(text: &str) -> Result<Self, NoteError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(NoteError::Empty);
        }
        if text.chars().any(char::is_control) {
            return Err(NoteError::Control);
        }
        if text.chars().count() > NOTE_LIMIT {
            return Err(NoteError::TooLong);
        }
        Ok(Self(text.to_owned()))
    }
}

/// Hides the text, which may name a person: debug output may reach a log.
impl fmt::Debug for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Note(..)")
    }
}

impl Switches {
    /// Creates the set of switches that are off.
    #[must_use]
    pub fn new(off: Vec<SwitchedOff>) -> Self {
        Self(off)
    }

    /// Returns the switches that are off, in the order in which they were switched off.
    #[must_use]
    pub fn off(&self) -> &[SwitchedOff] {
        &self.0
    }

    /// Returns the state of a module, as far as it does not depend on the share.
    #[must_use]
    pub fn module_state(&self, module: &ModuleName) -> ModuleState {
        let mut state = ModuleState::On;
        for SwitchedOff { switch, .. } in &self.0 {
            match switch {
                Switch::Everything => return ModuleState::Off,
                Switch::Module(off) if off == module => return ModuleState::Off,
                Switch::Module(_) => {}
                Switch::Sharer(_) | Switch::RecipientDomain(_) => state = ModuleState::DependsOnShare,
            }
        }
        state
    }

    /// Returns whether any sharer is switched off.
    #[must_use]
    pub fn has_sharers(&self) -> bool {
        self.0.iter().any(|off| matches!(off.switch, Switch::Sharer(_)))
    }

    /// Returns whether a sharer is switched off.
    #[must_use]
    pub fn is_sharer_off(&self, sharer: SharerKey) -> bool {
        self.0.iter().any(|off| off.switch == Switch::Sharer(sharer))
    }

    /// Returns whether the notices to a sharer are paused, whatever module they are about.
    #[must_use]
    pub fn are_notices_off(&self, sharer: SharerKey) -> bool {
        self.0.iter().any(|off| off.switch == Switch::Everything) || self.is_sharer_off(sharer)
    }

    /// Returns whether the domain of a recipient is switched off.
    #[must_use]
    pub fn is_recipient_off(&self, recipient: &EmailAddress) -> bool {
        self.0.iter().any(|off| match &off.switch {
            Switch::RecipientDomain(domain) => domain.blocks(recipient),
            _ => false,
        })
    }

    /// Returns whether a share of a module's item is paused.
    #[must_use]
    pub fn is_share_off(&self, module: &ModuleName, sharer: SharerKey, recipient: &EmailAddress) -> bool {
        match self.module_state(module) {
            ModuleState::On => false,
            ModuleState::Off => true,
            ModuleState::DependsOnShare => self.is_sharer_off(sharer) || self.is_recipient_off(recipient),
        }
    }

    /// Returns the switches after a change, or `None` if the change is already made. Switching off again keeps
    /// the first operator, time and reason.
    pub fn changed(&self, change: &SwitchChange) -> Result<Option<Self>, TooManySwitches> {
        let (SwitchChange::Off(SwitchedOff { switch, .. }) | SwitchChange::On(switch)) = change;
        let is_off = self.0.iter().any(|off| off.switch == *switch);
        match change {
            SwitchChange::Off(_) if is_off => Ok(None),
            SwitchChange::Off(_) if self.0.len() >= SWITCHES_LIMIT && *switch != Switch::Everything => {
                Err(TooManySwitches)
            }
            SwitchChange::Off(off) => Ok(Some(Self(self.0.iter().chain([off]).cloned().collect()))),
            SwitchChange::On(_) if !is_off => Ok(None),
            SwitchChange::On(switch) => {
                Ok(Some(Self(self.0.iter().filter(|off| off.switch != *switch).cloned().collect())))
            }
        }
    }
}

impl SwitchReading {
    /// Returns whether the reading may be used without reading the switches again.
    #[must_use]
    pub fn is_fresh(&self, now: Timestamp) -> bool {
        self.age(now) < MAX_READING_AGE
    }

    /// Returns the maximum lifetime of a URL that is signed at `now`, or `None` if the reading is too old. The
    /// lifetime starts at the reading: a URL that was signed because the reading did not show a later change
    /// expires within [`MAX_URL_LIFETIME`] of that change.
    #[must_use]
    pub fn url_lifetime(&self, now: Timestamp) -> Option<Duration> {
        let left = MAX_URL_LIFETIME.checked_sub(self.age(now).to_std().ok()?)?;
        Some(Duration::from_secs(left.as_secs())).filter(|left| *left >= MIN_LIFETIME_LEFT)
    }

    /// Returns the absolute age: a reading made before the clock was set back must not stay fresh until the
    /// clock catches up.
    fn age(&self, now: Timestamp) -> TimeDelta {
        (now - self.read_at).abs()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::{NOW, time};

    fn off(switch: Switch) -> SwitchedOff {
        SwitchedOff { switch, by: "olga".parse().unwrap(), at: time(NOW), reason: None }
    }

    fn switches(off_switches: &[Switch]) -> Switches {
        Switches::new(off_switches.iter().cloned().map(off).collect())
    }

    fn module(name: &str) -> ModuleName {
        name.parse().unwrap()
    }

    fn domain(name: &str) -> Switch {
        Switch::RecipientDomain(name.parse().unwrap())
    }

    fn sharer(n: u8) -> SharerKey {
        SharerKey::from_bytes([n; 16])
    }

    fn address(typed: &str) -> EmailAddress {
        typed.parse().unwrap()
    }

    #[test]
    fn nothing_is_off_by_default() {
        let none = Switches::default();
        assert_eq!(none.module_state(&module("jobs")), ModuleState::On);
        assert!(!none.is_share_off(&module("jobs"), sharer(1), &address("ann@example.com")));
    }

    #[test]
    fn module_is_off_for_its_own_items_only() {
        let off = switches(&[Switch::Module(module("jobs"))]);
        assert_eq!(off.module_state(&module("jobs")), ModuleState::Off);
        for other in ["job", "jobs2", "Jobs", "projects"] {
            assert_eq!(off.module_state(&module(other)), ModuleState::On, "{other}");
        }
    }

    #[test]
    fn everything_and_modules_need_no_share() {
        let everything = switches(&[Switch::Sharer(sharer(1)), Switch::Everything]);
        assert_eq!(everything.module_state(&module("jobs")), ModuleState::Off);
        let several = switches(&[domain("example.com"), Switch::Module(module("jobs"))]);
        assert_eq!(several.module_state(&module("jobs")), ModuleState::Off);
        assert_eq!(several.module_state(&module("projects")), ModuleState::DependsOnShare);
    }

    #[test]
    fn notices_are_off_with_everything_or_their_sharer() {
        let [ann, bob] = [1, 2].map(|n| SharerKey::from_bytes([n; 16]));
        let jobs = Switch::Module("jobs".parse().unwrap());
        for (switch, is_off) in [(Switch::Everything, true), (Switch::Sharer(ann), true), (jobs, false)] {
            assert_eq!(switches(std::slice::from_ref(&switch)).are_notices_off(ann), is_off, "{switch:?}");
        }
        assert!(!switches(&[Switch::Sharer(ann)]).are_notices_off(bob));
    }

    #[test]
    fn sharer_and_domain_are_off_in_every_module() {
        let off = switches(&[Switch::Sharer(sharer(1)), domain("blocked.example")]);
        let is_off = |sharer, recipient| off.is_share_off(&module("jobs"), sharer, &address(recipient));
        assert!(is_off(sharer(1), "ann@example.com"));
        assert!(is_off(sharer(2), "ann@blocked.example"));
        assert!(is_off(sharer(2), "ann@mail.BLOCKED.example"));
        assert!(!is_off(sharer(2), "ann@notblocked.example"));
        assert!(!is_off(sharer(2), "blocked.example@example.com"));
    }

    #[test]
    fn domain_is_off_with_the_other_domains_of_its_mailboxes() {
        let off = switches(&[domain("gmail.com")]);
        assert!(off.is_recipient_off(&address("ann@googlemail.com")));
        assert!(off.is_share_off(&module("jobs"), sharer(1), &address("ann@GOOGLEMAIL.com")));
        assert!(!off.is_recipient_off(&address("ann@google.com")));
    }

    #[test]
    fn domain_is_off_in_every_spelling() {
        for typed in ["bücher.example", "XN--BCHER-KVA.example", "ｂücher．ｅｘａｍｐｌｅ"] {
            let off = switches(&[domain(typed)]);
            for recipient in ["a@BÜCHER.example", "a@xn--bcher-kva.example", "a@shop.bu\u{308}cher.example"]
            {
                assert!(off.is_recipient_off(&address(recipient)), "{typed}, {recipient}");
            }
            // Cyrillic letters that look the same make another domain.
            assert!(!off.is_recipient_off(&address("a@bücheг.example")), "{typed}");
        }
    }

    #[test]
    fn switching_off_again_keeps_the_first_entry() {
        let first = switches(&[Switch::Everything]);
        let again = SwitchedOff { by: "otto".parse().unwrap(), ..off(Switch::Everything) };
        assert_eq!(first.changed(&SwitchChange::Off(again)), Ok(None));
        assert_eq!(first.changed(&SwitchChange::On(Switch::Everything)), Ok(Some(Switches::default())));
        assert_eq!(first.changed(&SwitchChange::On(domain("example.com"))), Ok(None));
    }

    #[test]
    fn switching_on_leaves_the_other_switches_off() {
        let all = [Switch::Module(module("jobs")), domain("example.com"), Switch::Sharer(sharer(1))];
        let changed = switches(&all).changed(&SwitchChange::On(domain("EXAMPLE.com")));
        assert_eq!(changed, Ok(Some(switches(&[all[0].clone(), all[2].clone()]))));
    }

    #[test]
    fn everything_can_be_switched_off_at_the_limit() {
        let full: Vec<Switch> = (0..SWITCHES_LIMIT).map(|n| domain(&format!("d{n}.example"))).collect();
        let full = switches(&full);
        assert_eq!(full.changed(&SwitchChange::Off(off(domain("one.more")))), Err(TooManySwitches));
        let everything = full.changed(&SwitchChange::Off(off(Switch::Everything))).unwrap().unwrap();
        assert_eq!(everything.module_state(&module("jobs")), ModuleState::Off);
    }

    #[test]
    fn note_is_one_short_line() {
        assert_eq!(" incident 7 ".parse::<Note>().unwrap().as_str(), "incident 7");
        assert_eq!("".parse::<Note>(), Err(NoteError::Empty));
        assert_eq!("a\nb".parse::<Note>(), Err(NoteError::Control));
        assert!("ü".repeat(NOTE_LIMIT).parse::<Note>().is_ok());
        assert_eq!("ü".repeat(NOTE_LIMIT + 1).parse::<Note>(), Err(NoteError::TooLong));
        assert_eq!(format!("{:?}", "Ann".parse::<Note>().unwrap()), "Note(..)");
    }

    #[test]
    fn url_lifetime_counts_from_the_reading() {
        let reading = SwitchReading { switches: Switches::default(), read_at: time(NOW) };
        for (age, lifetime) in [
            (0, Some(60)),
            (1, Some(59)),
            (14_999, Some(45)),
            (50_000, Some(10)),
            (50_001, None),
            (60_001, None),
            (i64::from(u32::MAX), None),
            (-3_600_000, None),
        ] {
            let now = time(NOW) + TimeDelta::milliseconds(age);
            assert_eq!(reading.url_lifetime(now), lifetime.map(Duration::from_secs), "{age} ms");
        }
    }

    #[test]
    fn reading_is_fresh_for_fifteen_seconds() {
        let reading = SwitchReading { switches: Switches::default(), read_at: time(NOW) };
        for (age, is_fresh) in [(0, true), (14_999, true), (15_000, false), (-15_000, false)] {
            assert_eq!(reading.is_fresh(time(NOW) + TimeDelta::milliseconds(age)), is_fresh, "{age} ms");
        }
    }

    proptest! {
        #[test]
        fn no_url_outlives_a_switch_by_more_than_a_minute(age in 0_i64..100_000) {
            let reading = SwitchReading { switches: Switches::default(), read_at: time(NOW) };
            let now = time(NOW) + TimeDelta::milliseconds(age);
            if let Some(lifetime) = reading.url_lifetime(now) {
                prop_assert!(now + lifetime <= reading.read_at + MAX_URL_LIFETIME);
            } else {
                prop_assert!(!reading.is_fresh(now));
            }
        }

        #[test]
        fn switching_off_and_on_again_changes_nothing(names in prop::collection::vec("[a-c]{1,2}", 0..6)) {
            let mut before = Switches::default();
            for name in &names {
                let change = SwitchChange::Off(off(Switch::Module(module(name))));
                before = before.changed(&change).unwrap().unwrap_or(before);
            }
            let switch = domain("example.com");
            let off = before.changed(&SwitchChange::Off(off(switch.clone()))).unwrap().unwrap();
            prop_assert_eq!(off.changed(&SwitchChange::On(switch)).unwrap(), Some(before));
        }
    }
}
