//! Runs histories against the table: executes each round's calls concurrently, then finds an order that
//! explains their responses.

use std::collections::BTreeMap;
use std::mem::discriminant;
use std::sync::LazyLock;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use chrono::{NaiveTime, TimeDelta};
use futures_util::future::{BoxFuture, join_all};
use sharelink_aws::share_table::{Creation, ShareTable, StatusFilter};
use sharelink_aws::{ChangeError, new_generation, new_write_id};
use sharelink_domain::access::{DownloadError, RedeemError, Target};
use sharelink_domain::history::{Change, ChangeKind, FailedDownload, LinkUse};
use sharelink_domain::link::Link;
use sharelink_domain::sending::SendOutcome;
use sharelink_domain::share::{ChangeExpirationError, ExpectedVersion, RenewError, Renewal, ResendError};
use sharelink_domain::testing::permitted;
use sharelink_domain::{Action, EmailAddress, Generation, Item, Mail, ShareId, Sharer};
use tokio::runtime::Runtime;

use super::operations::{ACTORS, Call, Operation, RECIPIENTS, Response, Step};
use super::reference::{LastChange, Model, ModelShare};
use super::{Round, Time};
use crate::support::fixtures::{RETENTION, index_hashes, new_item, new_share};
use crate::support::table::{change_expiration, renew, resend, revoke};
use crate::support::{Aws, Stack, rfc3339};

/// The table, and a runtime that outlives the individual test cases.
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
        let config = Aws::new(&stack).start_dynoxide().await;
        (ShareTable::new(&config, &name), Client::new(&config), name)
    });
    World { runtime, table, client, name }
});

/// A running history: an item in the table, and a model of the item's shares.
pub(super) struct History {
    item: Item,
    now: Time,
    model: Model,
    /// The generations of each recipient's links, including those of refused requests.
    links: BTreeMap<usize, Vec<Generation>>,
    /// All calls so far.
    calls: Vec<Call>,
}

impl History {
    pub(super) fn new() -> Self {
        Self {
            item: new_item(),
            now: "2030-01-01T12:00:00Z".parse().unwrap(),
            model: Model::default(),
            links: BTreeMap::new(),
            calls: Vec::new(),
        }
    }

    pub(super) fn run_blocking(&mut self, round: Round) {
        WORLD.runtime.block_on(self.run(round));
    }

    fn id(&self, recipient: usize) -> ShareId {
        let address: EmailAddress = RECIPIENTS[recipient].parse().unwrap();
        ShareId::new(&self.item, &address)
    }

    /// Chooses the inputs for a step's operation. A retry reuses the inputs of a recent call.
    fn prepare(&mut self, step: Step) -> Call {
        let Step { recipient, actor, operation, is_retry } = step;
        let is_same_operation = |call: &&Call| {
            call.recipient == recipient && discriminant(&call.operation) == discriminant(&operation)
        };
        // Only client requests are retried. Sending and purging are not client requests.
        if is_retry
            && !matches!(operation, Operation::Send | Operation::Purge)
            && let Some(call) = self.calls.iter().rev().take(8).find(is_same_operation)
        {
            let mut call = call.clone();
            // Every attempt at a renewal chooses another generation.
            if let Operation::Renew { .. } = operation {
                call.generation = new_generation().unwrap();
                self.links.entry(recipient).or_default().push(call.generation);
            }
            return call;
        }
        let midnight = self.now.date_naive().and_time(NaiveTime::MIN).and_utc();
        let expires_at = match operation {
            Operation::Create { life }
            | Operation::Change { life, .. }
            | Operation::Renew { life: Some(life), .. } => (self.now + life).max(midnight),
            _ => self.now,
        };
        let version = self.model.shares.get(&recipient).map_or(1, |share| share.version);
        let expected = match operation {
            Operation::Change { behind: Some(behind), .. }
            | Operation::Renew { behind: Some(behind), .. } => {
                ExpectedVersion::Exactly(version.saturating_sub(behind))
            }
            _ => ExpectedVersion::Any,
        };
        let fresh = new_generation().unwrap();
        let links = self.links.entry(recipient).or_default();
        let generation = match operation {
            Operation::Open { ago, .. } => links.iter().rev().nth(ago).copied().unwrap_or(fresh),
            _ => fresh,
        };
        if let Operation::Create { .. } | Operation::Renew { .. } = operation {
            links.push(generation);
        }
        let write = new_write_id().unwrap();
        Call { recipient, actor, operation, expires_at, expected, generation, write }
    }

    /// Executes a call against the table.
    fn execute(&self, call: &Call) -> BoxFuture<'_, Response> {
        let World { table, .. } = &*WORLD;
        let (item, id, now) = (&self.item, self.id(call.recipient), self.now);
        let sharer = Sharer { sub: ACTORS[call.actor].into(), name: None, email: None };
        let action = Action { by: sharer, at: now };
        let Call { recipient, expires_at, expected, generation, write, .. } = *call;
        match call.operation {
            Operation::Create { .. } => Box::pin(async move {
                let mut share = new_share(item, RECIPIENTS[recipient], TimeDelta::days(1), now);
                share.expires_at = expires_at;
                share.generation = generation;
                share.mail = Mail::queued(now);
                match table.create(permitted(&share), index_hashes(&share), RETENTION, write).await.unwrap() {
                    Creation::Created => Response::Created,
                    Creation::Retried { .. } => Response::Retried,
                    Creation::Exists(existing) => Response::Exists(existing.generation),
                }
            }),
            Operation::Change { .. } => Box::pin(async move {
                let change = (rfc3339(expires_at).parse().unwrap(), expected);
                match change_expiration(table, item, id, change, &action, write).await {
                    Ok(share) => Response::Version(share.version),
                    Err(ChangeError::NotFound) => Response::NotFound,
                    Err(ChangeError::Refused(ChangeExpirationError::StaleVersion)) => Response::Stale,
                    Err(ChangeError::Refused(ChangeExpirationError::Expiry(_))) => Response::PastExpiry,
                    Err(error) => panic!("{error}"),
                }
            }),
            Operation::Revoke => Box::pin(async move {
                match revoke(table, item, id, &action, write).await {
                    Ok(share) => Response::Version(share.version),
                    Err(ChangeError::NotFound) => Response::NotFound,
                    Err(error) => panic!("{error}"),
                }
            }),
            Operation::Renew { notify, life, .. } => Box::pin(async move {
                let expiry = life.map(|_| rfc3339(expires_at).parse().unwrap());
                let change = (Renewal { generation, expiry, notify }, expected);
                match renew(table, item, id, change, &action, write).await {
                    Ok(share) => Response::Version(share.version),
                    Err(ChangeError::NotFound) => Response::NotFound,
                    Err(ChangeError::Refused(RenewError::StaleVersion)) => Response::Stale,
                    Err(ChangeError::Refused(RenewError::Inactive)) => Response::Inactive,
                    Err(ChangeError::Refused(RenewError::Expiry(_))) => Response::PastExpiry,
                    Err(error) => panic!("{error}"),
                }
            }),
            Operation::Resend => Box::pin(async move {
                match resend(table, item, id, &action, write).await {
                    Ok(share) => Response::Queued(share.mail.attempt),
                    Err(ChangeError::NotFound) => Response::NotFound,
                    Err(ChangeError::Refused(ResendError::TooSoon { .. })) => Response::TooSoon,
                    Err(ChangeError::Refused(ResendError::Inactive)) => Response::Inactive,
                    Err(error) => panic!("{error}"),
                }
            }),
            Operation::Send => Box::pin(async move {
                let key = "k1".parse().unwrap();
                match table.claim_email(item, id, Some(&key), write, now).await.unwrap() {
                    None => Response::Nothing,
                    Some((share, _)) => {
                        table.record_send_outcome(&share, write, SendOutcome::Sent, now).await.unwrap();
                        Response::Sent(share.generation)
                    }
                }
            }),
            Operation::Open { is_available, .. } => Box::pin(async move {
                let link = Link { item: item.clone(), share: id, generation };
                let link_use = LinkUse { id: write, at: now, source: None };
                match table.redeem(&link, Target::Link, &link_use).await.unwrap() {
                    None => Response::UnknownLink,
                    Some(share) => match share.redeem(generation, Target::Link, now) {
                        Ok(_) => {
                            if !is_available {
                                let (error, source) = (DownloadError::Missing, None);
                                let number = share.usage.download_number(write);
                                let failed = FailedDownload { id: write, at: now, error, number, source };
                                table.record_failed_download(&link, &failed).await.unwrap();
                            }
                            Response::Redeemed
                        }
                        Err(RedeemError::AccessEnded) => Response::AccessEnded,
                        Err(RedeemError::UnknownLink) => Response::UnknownLink,
                    },
                }
            }),
            Operation::Purge => Box::pin(async move {
                let delete = WORLD.client.delete_item().table_name(&WORLD.name);
                let deleted = delete
                    .key("item", AttributeValue::S(item.to_string()))
                    .key("entry", AttributeValue::S(format!("SHARE#{id}")))
                    .condition_expression("#ttl <= :now")
                    .expression_attribute_names("#ttl", "ttl")
                    .expression_attribute_values(":now", AttributeValue::N(now.timestamp().to_string()))
                    .send()
                    .await;
                if deleted.is_ok() { Response::Purged } else { Response::Nothing }
            }),
        }
    }

    /// Reads a share from the table, and converts it to the model's representation.
    async fn stored(&self, recipient: usize) -> Option<ModelShare> {
        let share = WORLD.table.get(&self.item, self.id(recipient)).await.unwrap()?;
        let last_change = |change: &Change| {
            let actor = ACTORS.iter().position(|actor| *actor == change.action.by.sub).unwrap();
            let change = match change.kind {
                ChangeKind::Expiration => LastChange::Expiration(share.expires_at),
                ChangeKind::Revocation => LastChange::Revocation,
                ChangeKind::Renewal { notify } => LastChange::Renewal { notify },
            };
            (actor, change)
        };
        Some(ModelShare {
            generation: share.generation,
            created_at: share.created_at,
            expires_at: share.expires_at,
            revoked_at: share.revoked_at,
            version: share.version,
            last_change: share.changed.as_ref().map(last_change),
            mails: share.mail.attempt,
            mail_requested_at: share.mail.requested.as_ref().map_or(share.created_at, |action| action.at),
            mail_due: share.mail.pending().map(|pending| pending.due),
            is_mail_claimed: share.mail.pending().is_some_and(|pending| pending.tries > 0),
            opens: share.usage.opens,
            downloads: share.usage.downloads,
        })
    }

    /// Lists all shares on a tab, one share per page.
    async fn list_tab(&self, tab: StatusFilter) -> Vec<ShareId> {
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

    async fn run(&mut self, round: Round) {
        self.now += round.delay;
        let calls: Vec<Call> = round.steps.into_iter().map(|step| self.prepare(step)).collect();
        let responses = join_all(calls.iter().map(|call| self.execute(call))).await;
        self.calls.extend(calls.iter().cloned());
        let mut stored = BTreeMap::new();
        for recipient in 0..RECIPIENTS.len() {
            if let Some(share) = self.stored(recipient).await {
                stored.insert(recipient, share);
            }
        }
        let calls_with_responses: Vec<_> = calls.iter().zip(&responses).collect();
        let linearized = self.model.linearize(&calls_with_responses, &mut Vec::new(), self.now, &stored);
        let (before, now) = (&self.model, self.now);
        self.model = linearized.unwrap_or_else(|| {
            panic!("at {now}, no order explains {calls_with_responses:?}\nfrom {before:?}\nto {stored:?}")
        });
        self.assert_tabs_match().await;
    }

    async fn assert_tabs_match(&self) {
        let mut newest_first: Vec<_> = self.model.shares.iter().collect();
        newest_first.sort_by_key(|(recipient, share)| (share.created_at, self.id(**recipient).to_bytes()));
        newest_first.reverse();
        for (tab, is_active) in [(StatusFilter::Active, true), (StatusFilter::Inactive, false)] {
            let on_tab = newest_first.iter().filter(|(_, share)| share.is_active(self.now) == is_active);
            let expected: Vec<ShareId> = on_tab.map(|(recipient, _)| self.id(**recipient)).collect();
            assert_eq!(self.list_tab(tab).await, expected, "{tab:?}");
        }
    }
}
