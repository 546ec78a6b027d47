//! The table of shares against a small model of it, driven together through made-up histories in which several
//! actors do things at the same time.
//!
//! What happened at the same time must have happened in some order: there must be one in which the model gives
//! every actor the answer that the table gave, and ends as the table did. The model knows nothing of versions
//! compared on writing, of loops or of indexes; it does one thing after the other. Some deeds are done again under
//! the same id, as an SDK or a client does them that lost the answer.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::mem::discriminant;
use std::sync::LazyLock;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use chrono::{DateTime, NaiveTime, TimeDelta, Utc};
use futures_util::future::{BoxFuture, join_all};
use proptest::prelude::*;
use proptest::test_runner::Config;
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest, prop_state_machine};
use sharelink_aws::share_table::{Creation, ShareTable, StatusFilter};
use sharelink_aws::{new_generation, new_write_id};
use sharelink_domain::link::Link;
use sharelink_domain::mail::{LEASE, SendOutcome};
use sharelink_domain::share::{
    Change, ChangeError, Changed, ExpectedVersion, RedeemError, ResendError, Target, WriteId,
};
use sharelink_domain::{Action, EmailAddress, Generation, Item, Mail, Share, ShareId, Sharer};
use tokio::runtime::Runtime;

use crate::share_table::{RETENTION, new_item, share};
use crate::support::{Aws, Stack, rfc3339};

type Time = DateTime<Utc>;

const RECIPIENTS: [&str; 2] = ["ann@example.com", "bob@example.com"];
const ACTORS: [&str; 2] = ["tess", "tom"];

/// What an actor does.
#[derive(Clone, Debug)]
enum Deed {
    Create {
        life: TimeDelta,
    },
    /// Having seen the version that the share had before anybody acted, or one before that, or not minding.
    Change {
        life: TimeDelta,
        behind: Option<u64>,
    },
    Revoke,
    Resend,
    /// The email that is pending is sent.
    Send,
    /// A recipient follows the link that was given out this many links ago.
    Open {
        ago: usize,
    },
    /// What TTL does in its own time.
    Purge,
}

/// Who does what to whose share; or who does again what was done, since nobody heard of it.
#[derive(Clone, Debug)]
struct Step {
    recipient: usize,
    actor: usize,
    deed: Deed,
    again: bool,
}

/// What an actor is told.
#[derive(Clone, Debug, PartialEq)]
enum Told {
    Created,
    /// By this very request, before.
    Repeated,
    /// The share that there is, by its generation.
    Exists(Generation),
    /// The share's version afterwards.
    Version(u64),
    Stale,
    /// The date is on a day before today.
    Refused,
    Missing,
    Queued(u32),
    TooSoon,
    Inactive,
    Sent,
    Nothing,
    Given,
    Gone,
    Unknown,
    Purged,
}

/// A share, as the model knows it.
#[derive(Clone, Debug, PartialEq)]
struct ModelShare {
    generation: Generation,
    created_at: Time,
    expires_at: Time,
    revoked_at: Option<Time>,
    version: u64,
    /// Who made the last change, and which expiry that gave the share, if it was no revocation.
    last_change: Option<(usize, Option<Time>)>,
    mails: u32,
    mail_asked_at: Time,
    mail_due: Option<Time>,
    opens: u64,
}

/// What the model alone remembers of a share: which writes it has seen.
#[derive(Clone, Debug, Default)]
struct Seen {
    created: Option<WriteId>,
    changes: Vec<WriteId>,
    resent: Option<WriteId>,
    claimed: Option<WriteId>,
    uses: Vec<WriteId>,
}

/// As many as a share remembers.
fn remember(writes: &mut Vec<WriteId>, write: WriteId) {
    writes.insert(0, write);
    writes.truncate(4);
}

impl ModelShare {
    fn is_active(&self, now: Time) -> bool {
        self.revoked_at.is_none() && now < self.expires_at
    }

    fn may_be_purged(&self, now: Time) -> bool {
        let end = self.revoked_at.map_or(self.expires_at, |revoked| revoked.min(self.expires_at));
        (end.max(self.created_at) + RETENTION).timestamp() <= now.timestamp()
    }
}

/// What a deed needs to be done: it is fixed before anybody acts.
#[derive(Clone, Debug)]
struct Prepared {
    recipient: usize,
    actor: usize,
    deed: Deed,
    expires_at: Time,
    seen: ExpectedVersion,
    generation: Generation,
    write: WriteId,
}

#[derive(Clone, Debug, Default)]
struct Model {
    shares: BTreeMap<usize, ModelShare>,
    seen: BTreeMap<usize, Seen>,
}

impl Model {
    #[expect(clippy::too_many_lines, reason = "one deed after the other")]
    fn apply(&mut self, step: &Prepared, now: Time) -> Told {
        let &Prepared { recipient, actor, expires_at, seen, generation, write, .. } = step;
        let writes = self.seen.entry(recipient).or_default();
        if let Deed::Create { .. } = step.deed {
            if let Some(share) = self.shares.get(&recipient) {
                let ours = writes.created == Some(write);
                return if ours { Told::Repeated } else { Told::Exists(share.generation) };
            }
            *writes = Seen { created: Some(write), ..Seen::default() };
            let share = ModelShare {
                generation,
                created_at: now,
                expires_at,
                revoked_at: None,
                version: 1,
                last_change: None,
                mails: 1,
                mail_asked_at: now,
                mail_due: Some(now),
                opens: 0,
            };
            self.shares.insert(recipient, share);
            return Told::Created;
        }
        let Some(share) = self.shares.get_mut(&recipient) else {
            return match step.deed {
                Deed::Send | Deed::Purge => Told::Nothing,
                Deed::Open { .. } => Told::Unknown,
                _ => Told::Missing,
            };
        };
        match step.deed {
            Deed::Create { .. } => unreachable!(),
            Deed::Change { .. } | Deed::Revoke if writes.changes.contains(&write) => {
                Told::Version(share.version)
            }
            Deed::Change { .. } => {
                let repeated = seen == ExpectedVersion::Exactly(share.version - 1)
                    && share.last_change == Some((actor, Some(expires_at)));
                if seen == ExpectedVersion::Any || seen == ExpectedVersion::Exactly(share.version) {
                    if expires_at.date_naive() < now.date_naive() {
                        return Told::Refused;
                    }
                    share.expires_at = expires_at;
                    if expires_at > now {
                        share.revoked_at = None;
                    }
                    share.version += 1;
                    share.last_change = Some((actor, Some(expires_at)));
                    remember(&mut writes.changes, write);
                } else if !repeated {
                    return Told::Stale;
                }
                Told::Version(share.version)
            }
            Deed::Revoke => {
                if share.revoked_at.is_none() {
                    share.revoked_at = Some(now);
                    share.version += 1;
                    share.last_change = Some((actor, None));
                    remember(&mut writes.changes, write);
                }
                Told::Version(share.version)
            }
            Deed::Resend if writes.resent == Some(write) => Told::Queued(share.mails),
            Deed::Resend => {
                let wait = TimeDelta::minutes(5 * 2_i64.pow(share.mails - 1)).min(TimeDelta::days(1));
                if !share.is_active(now) {
                    Told::Inactive
                } else if now < share.mail_asked_at + wait
                    || share.mail_due.is_some_and(|due| now < due + LEASE)
                {
                    Told::TooSoon
                } else {
                    share.mails += 1;
                    share.mail_asked_at = now;
                    share.mail_due = Some(now);
                    (writes.resent, writes.claimed) = (Some(write), None);
                    Told::Queued(share.mails)
                }
            }
            Deed::Send if share.mail_due.is_some_and(|due| due <= now + TimeDelta::seconds(30)) => {
                share.mail_due = Some(now + LEASE);
                writes.claimed = Some(write);
                Told::Sent
            }
            Deed::Open { .. } if share.generation != generation => Told::Unknown,
            // A signed URL lives a second at least.
            Deed::Open { .. } if !share.is_active(now) || share.expires_at - now < TimeDelta::seconds(1) => {
                Told::Gone
            }
            Deed::Open { .. } => {
                if !writes.uses.contains(&write) {
                    share.opens += 1;
                    remember(&mut writes.uses, write);
                }
                Told::Given
            }
            Deed::Purge if share.may_be_purged(now) => {
                self.shares.remove(&recipient);
                Told::Purged
            }
            Deed::Send | Deed::Purge => Told::Nothing,
        }
    }
}

impl Model {
    /// The end of a sending: until then, the email is on its way.
    fn end(&mut self, step: &Prepared) {
        let claimed = self.seen.get(&step.recipient).is_some_and(|seen| seen.claimed == Some(step.write));
        if let Some(share) = self.shares.get_mut(&step.recipient).filter(|_| claimed) {
            share.mail_due = None;
        }
    }

    /// The model after some order of these steps in which every actor is told this, and which ends with these
    /// shares.
    fn explain(
        &self,
        steps: &[(&Prepared, &Told)],
        done: &mut Vec<(usize, bool)>,
        now: Time,
        shares: &BTreeMap<usize, ModelShare>,
    ) -> Option<Self> {
        // Sending begins and ends, and others may act in between.
        let all = (0..steps.len()).flat_map(|i| [(i, false), (i, true)]);
        let all = all.filter(|(i, end)| !end || matches!(steps[*i].0.deed, Deed::Send));
        let left: Vec<_> = all.filter(|event| !done.contains(event)).collect();
        if left.is_empty() {
            return (self.shares == *shares).then(|| self.clone());
        }
        for (i, end) in left {
            let (step, told) = steps[i];
            let mut model = self.clone();
            let possible = if end {
                model.end(step);
                done.contains(&(i, false))
            } else {
                model.apply(step, now) == *told
            };
            if possible {
                done.push((i, end));
                let explained = model.explain(steps, done, now, shares);
                done.pop();
                if explained.is_some() {
                    return explained;
                }
            }
        }
        None
    }
}

/// What happens next: time passes, and then these act at once.
#[derive(Clone, Debug)]
struct Moment {
    later: TimeDelta,
    steps: Vec<Step>,
}

/// Histories. What is possible does not depend on what was before: everything may be tried at any time.
struct Histories;

impl ReferenceStateMachine for Histories {
    type State = ();
    type Transition = Moment;

    fn init_state() -> BoxedStrategy<()> {
        Just(()).boxed()
    }

    fn transitions((): &()) -> BoxedStrategy<Moment> {
        let life = prop::sample::select(vec![
            TimeDelta::hours(-3),
            TimeDelta::zero(),
            TimeDelta::milliseconds(500),
            TimeDelta::minutes(10),
            TimeDelta::days(2),
            TimeDelta::days(60),
        ]);
        let behind = prop::sample::select(vec![Some(0), Some(0), Some(1), None]);
        let deed = prop_oneof![
            3 => life.clone().prop_map(|life| Deed::Create { life }),
            4 => (life, behind).prop_map(|(life, behind)| Deed::Change { life, behind }),
            2 => Just(Deed::Revoke),
            2 => Just(Deed::Resend),
            2 => Just(Deed::Send),
            3 => prop::sample::select(vec![0_usize, 0, 0, 1, 2]).prop_map(|ago| Deed::Open { ago }),
            1 => Just(Deed::Purge),
        ];
        // Mostly the same share, so that they meet.
        let recipient = prop::sample::select(vec![0_usize, 0, 0, 1]);
        let step = (recipient, 0..ACTORS.len(), deed, prop::bool::weighted(0.2));
        let step = step.prop_map(|(recipient, actor, deed, again)| Step { recipient, actor, deed, again });
        let later = prop::sample::select(vec![
            TimeDelta::zero(),
            TimeDelta::zero(),
            TimeDelta::milliseconds(1),
            TimeDelta::minutes(3),
            TimeDelta::minutes(11),
            TimeDelta::days(1),
            TimeDelta::days(31),
        ]);
        (later, prop::collection::vec(step, 1..5)).prop_map(|(later, steps)| Moment { later, steps }).boxed()
    }

    fn apply((): (), _: &Moment) {}
}

/// Where the table is, in a runtime that outlives the cases.
struct World {
    runtime: Runtime,
    table: ShareTable,
    client: Client,
    name: String,
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let (table, client, name) = runtime.block_on(async {
        let stack = Stack::get().await;
        let name = stack.info.table_name.clone();
        let config = Aws::of(&stack).dynoxide().await;
        (ShareTable::new(&config, &name), Client::new(&config), name)
    });
    World { runtime, table, client, name }
});

/// A history under way: an item in the table, and what the model thinks of it.
struct History {
    item: Item,
    now: Time,
    model: Model,
    /// Every link that was made for a recipient, whether or not its share was created.
    links: BTreeMap<usize, Vec<Generation>>,
    /// Everything that was done.
    done: Vec<Prepared>,
}

impl History {
    fn id(&self, recipient: usize) -> ShareId {
        let address: EmailAddress = RECIPIENTS[recipient].parse().unwrap();
        ShareId::new(&self.item, &address)
    }

    fn prepare(&mut self, step: Step) -> Prepared {
        let Step { recipient, actor, deed, again } = step;
        let same = |before: &&Prepared| {
            before.recipient == recipient && discriminant(&before.deed) == discriminant(&deed)
        };
        // Sending and purging are nobody's requests.
        if again
            && !matches!(deed, Deed::Send | Deed::Purge)
            && let Some(before) = self.done.iter().rev().take(8).find(same)
        {
            return before.clone();
        }
        let midnight = self.now.date_naive().and_time(NaiveTime::MIN).and_utc();
        let expires_at = match deed {
            Deed::Create { life } | Deed::Change { life, .. } => (self.now + life).max(midnight),
            _ => self.now,
        };
        let version = self.model.shares.get(&recipient).map_or(1, |share| share.version);
        let seen = match deed {
            Deed::Change { behind: Some(behind), .. } => {
                ExpectedVersion::Exactly(version.saturating_sub(behind))
            }
            _ => ExpectedVersion::Any,
        };
        let fresh = new_generation().unwrap();
        let links = self.links.entry(recipient).or_default();
        let generation = match deed {
            Deed::Open { ago } => links.iter().rev().nth(ago).copied().unwrap_or(fresh),
            _ => fresh,
        };
        if let Deed::Create { .. } = deed {
            links.push(generation);
        }
        let write = new_write_id().unwrap();
        Prepared { recipient, actor, deed, expires_at, seen, generation, write }
    }

    /// Does it, and says what the actor is told.
    fn act(&self, step: &Prepared) -> BoxFuture<'_, Told> {
        let World { table, .. } = &*WORLD;
        let (item, id, now) = (&self.item, self.id(step.recipient), self.now);
        let sharer = Sharer { sub: ACTORS[step.actor].into(), name: None, email: None };
        let action = Action { by: sharer, at: now };
        let Prepared { recipient, expires_at, seen, generation, write, .. } = *step;
        match step.deed {
            Deed::Create { .. } => Box::pin(async move {
                let mut share = share(item, RECIPIENTS[recipient], 1, TimeDelta::days(1), now);
                share.expires_at = expires_at;
                share.generation = generation;
                share.mail = Mail::queued(now);
                match table.create(&share, RETENTION, write).await.unwrap() {
                    Creation::Created => Told::Created,
                    Creation::Retried => Told::Repeated,
                    Creation::Exists(existing) => Told::Exists(existing.generation),
                }
            }),
            Deed::Change { .. } => Box::pin(async move {
                let expiry = rfc3339(expires_at).parse().unwrap();
                let change = |share: &Share| share.with_expiration(expiry, &action, seen);
                match table.change(item, id, RETENTION, write, change).await.unwrap() {
                    None => Told::Missing,
                    Some(Ok(share)) => Told::Version(share.version),
                    Some(Err(ChangeError::Stale)) => Told::Stale,
                    Some(Err(ChangeError::Expiry(_))) => Told::Refused,
                }
            }),
            Deed::Revoke => Box::pin(async move {
                let revoke = |share: &Share| Ok::<_, Infallible>(share.revoked(&action));
                let revoked = table.change(item, id, RETENTION, write, revoke).await.unwrap();
                revoked.map_or(Told::Missing, |share| Told::Version(share.unwrap().version))
            }),
            Deed::Resend => Box::pin(async move {
                let resend = |share: &Share| share.resent(&action).map(Some);
                match table.resend(item, id, write, resend).await.unwrap() {
                    None => Told::Missing,
                    Some(Ok(share)) => Told::Queued(share.mail.attempt),
                    Some(Err(ResendError::TooSoon { .. })) => Told::TooSoon,
                    Some(Err(ResendError::Inactive)) => Told::Inactive,
                }
            }),
            Deed::Send => Box::pin(async move {
                let key = "k1".parse().unwrap();
                match table.claim_email(item, id, Some(&key), write, now).await.unwrap() {
                    None => Told::Nothing,
                    Some(share) => {
                        table.record_send_outcome(&share, write, SendOutcome::Sent, now).await.unwrap();
                        Told::Sent
                    }
                }
            }),
            Deed::Open { .. } => Box::pin(async move {
                let link = Link { item: item.clone(), share: id, generation };
                match table.redeem(&link, Target::Link, write, now).await.unwrap() {
                    None => Told::Unknown,
                    Some(share) => match share.redeem(generation, Target::Link, now) {
                        Ok(_) => Told::Given,
                        Err(RedeemError::AccessEnded) => Told::Gone,
                        Err(RedeemError::UnknownLink) => Told::Unknown,
                    },
                }
            }),
            Deed::Purge => Box::pin(async move {
                let delete = WORLD.client.delete_item().table_name(&WORLD.name);
                let deleted = delete
                    .key("item", AttributeValue::S(item.to_string()))
                    .key("entry", AttributeValue::S(format!("SHARE#{id}")))
                    .condition_expression("#ttl <= :now")
                    .expression_attribute_names("#ttl", "ttl")
                    .expression_attribute_values(":now", AttributeValue::N(now.timestamp().to_string()))
                    .send()
                    .await;
                if deleted.is_ok() { Told::Purged } else { Told::Nothing }
            }),
        }
    }

    /// The share that the table holds, as far as the model knows shares.
    async fn stored(&self, recipient: usize) -> Option<ModelShare> {
        let share = WORLD.table.get(&self.item, self.id(recipient)).await.unwrap()?;
        assert_eq!(share.usage.opens, share.usage.downloads, "it has one file");
        let change = |change: &Change| {
            let actor = ACTORS.iter().position(|actor| *actor == change.action.by.sub).unwrap();
            (actor, (change.of == Changed::Expiration).then_some(share.expires_at))
        };
        Some(ModelShare {
            generation: share.generation,
            created_at: share.created_at,
            expires_at: share.expires_at,
            revoked_at: share.revoked_at,
            version: share.version,
            last_change: share.changed.as_ref().map(change),
            mails: share.mail.attempt,
            mail_asked_at: share.mail.requested.as_ref().map_or(share.created_at, |action| action.at),
            mail_due: share.mail.pending().map(|pending| pending.due),
            opens: share.usage.opens,
        })
    }

    /// A tab, by pages of one share.
    async fn tab(&self, tab: StatusFilter) -> Vec<ShareId> {
        let (mut ids, mut cursor) = (Vec::new(), None);
        loop {
            let page = WORLD.table.list(&self.item, Some(tab), 1, cursor.as_ref(), self.now).await.unwrap();
            ids.extend(page.shares.iter().map(|share| share.id));
            match page.next {
                Some(next) => cursor = Some(next),
                None => return ids,
            }
        }
    }

    async fn live(&mut self, moment: Moment) {
        self.now += moment.later;
        let steps: Vec<Prepared> = moment.steps.into_iter().map(|step| self.prepare(step)).collect();
        let told = join_all(steps.iter().map(|step| self.act(step))).await;
        self.done.extend(steps.iter().cloned());
        let mut stored = BTreeMap::new();
        for recipient in 0..RECIPIENTS.len() {
            if let Some(share) = self.stored(recipient).await {
                stored.insert(recipient, share);
            }
        }
        let told: Vec<_> = steps.iter().zip(&told).collect();
        let explained = self.model.explain(&told, &mut Vec::new(), self.now, &stored);
        let (before, now) = (&self.model, self.now);
        self.model = explained.unwrap_or_else(|| {
            panic!("at {now}, no order explains {told:#?}\nfrom {before:#?}\nto {stored:#?}")
        });

        let mut newest_first: Vec<_> = self.model.shares.iter().collect();
        newest_first.sort_by_key(|(recipient, share)| (share.created_at, self.id(**recipient).to_bytes()));
        newest_first.reverse();
        for (tab, active) in [(StatusFilter::Active, true), (StatusFilter::Inactive, false)] {
            let of_tab = newest_first.iter().filter(|(_, share)| share.is_active(self.now) == active);
            let expected: Vec<ShareId> = of_tab.map(|(recipient, _)| self.id(**recipient)).collect();
            assert_eq!(self.tab(tab).await, expected, "{tab:?}");
        }
    }
}

struct TableIsTheModel;

impl StateMachineTest for TableIsTheModel {
    type SystemUnderTest = History;
    type Reference = Histories;

    fn init_test((): &()) -> History {
        History {
            item: new_item(),
            now: "2030-01-01T12:00:00Z".parse().unwrap(),
            model: Model::default(),
            links: BTreeMap::new(),
            done: Vec::new(),
        }
    }

    fn apply(mut history: History, (): &(), moment: Moment) -> History {
        WORLD.runtime.block_on(history.live(moment));
        history
    }
}

/// `PROPTEST_CASES` says how many histories; 48 take a quarter of a minute.
fn config() -> Config {
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { Config::default().cases } else { 48 };
    Config { cases, failure_persistence: None, max_shrink_iters: 500, ..Config::default() }
}

prop_state_machine! {
    #![proptest_config(config())]
    #[test]
    fn the_table_does_what_the_model_does(sequential 1..25 => TableIsTheModel);
}
