//! The reference model. It applies operations one at a time, without conditional writes or indexes.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use sharelink_domain::mail::LEASE;
use sharelink_domain::share::ExpectedVersion;
use sharelink_domain::{Generation, WriteId};

use super::Time;
use super::operations::{Call, Operation, Response};
use crate::support::fixtures::RETENTION;

/// What the last change to a share changed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum LastChange {
    Expiration(Time),
    Revocation,
    Renewal { notify: bool },
}

/// The observable state of a share.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ModelShare {
    pub(super) generation: Generation,
    pub(super) created_at: Time,
    pub(super) expires_at: Time,
    pub(super) revoked_at: Option<Time>,
    pub(super) version: u64,
    /// The actor who made the last change, and what the change was.
    pub(super) last_change: Option<(usize, LastChange)>,
    pub(super) mails: u32,
    pub(super) mail_requested_at: Time,
    pub(super) mail_due: Option<Time>,
    pub(super) is_mail_claimed: bool,
    pub(super) opens: u64,
    pub(super) downloads: u64,
}

/// The writes that have been applied to a share, by which the model recognizes retries.
#[derive(Clone, Debug, Default)]
struct AppliedWrites {
    create: Option<WriteId>,
    changes: Vec<WriteId>,
    resend: Option<WriteId>,
    claim: Option<WriteId>,
    uses: Vec<UseWrite>,
}

/// A write that counts a use, or the write that records its failed download.
#[derive(Clone, Copy, Debug, PartialEq)]
enum UseWrite {
    Use(WriteId),
    Failure(WriteId),
}

/// Adds a write, and keeps only the last four: a share's row stores no more.
fn remember<T>(writes: &mut Vec<T>, write: T) {
    writes.insert(0, write);
    writes.truncate(4);
}

/// Returns the wait after the request of the email with this number.
fn resend_wait(mails: u32) -> TimeDelta {
    TimeDelta::minutes(5 * 2_i64.pow((mails - 1).min(10))).min(TimeDelta::days(1))
}

impl ModelShare {
    pub(super) fn is_active(&self, now: Time) -> bool {
        self.revoked_at.is_none() && now < self.expires_at
    }

    fn may_be_purged(&self, now: Time) -> bool {
        let end = self.revoked_at.map_or(self.expires_at, |revoked| revoked.min(self.expires_at));
        (end.max(self.created_at) + RETENTION).timestamp() <= now.timestamp()
    }
}

#[derive(Clone, Debug, Default)]
pub(super) struct Model {
    pub(super) shares: BTreeMap<usize, ModelShare>,
    writes: BTreeMap<usize, AppliedWrites>,
}

impl Model {
    /// Applies a call and returns its response. A send stays in progress until `finish_send`, and an open of
    /// an unavailable file until `finish_open`.
    #[expect(clippy::too_many_lines, reason = "one match arm per operation")]
    fn apply(&mut self, call: &Call, now: Time) -> Response {
        let &Call { recipient, actor, expires_at, expected, generation, write, .. } = call;
        let writes = self.writes.entry(recipient).or_default();
        if let Operation::Create { .. } = call.operation {
            if let Some(share) = self.shares.get(&recipient) {
                let is_retry = writes.create == Some(write);
                return if is_retry { Response::Retried } else { Response::Exists(share.generation) };
            }
            *writes = AppliedWrites { create: Some(write), ..AppliedWrites::default() };
            let share = ModelShare {
                generation,
                created_at: now,
                expires_at,
                revoked_at: None,
                version: 1,
                last_change: None,
                mails: 1,
                mail_requested_at: now,
                mail_due: Some(now),
                is_mail_claimed: false,
                opens: 0,
                downloads: 0,
            };
            self.shares.insert(recipient, share);
            return Response::Created;
        }
        let Some(share) = self.shares.get_mut(&recipient) else {
            return match call.operation {
                Operation::Send | Operation::Purge => Response::Nothing,
                Operation::Open { .. } => Response::UnknownLink,
                _ => Response::NotFound,
            };
        };
        match call.operation {
            Operation::Create { .. } => unreachable!(),
            Operation::Change { .. } | Operation::Revoke | Operation::Renew { .. }
                if writes.changes.contains(&write) =>
            {
                Response::Version(share.version)
            }
            Operation::Change { .. } => {
                let repeats_last_change = expected == ExpectedVersion::Exactly(share.version - 1)
                    && share.last_change == Some((actor, LastChange::Expiration(expires_at)));
                if expected == ExpectedVersion::Any || expected == ExpectedVersion::Exactly(share.version) {
                    if expires_at.date_naive() < now.date_naive() {
                        return Response::PastExpiry;
                    }
                    let ends_revocation = share.revoked_at.is_some() && expires_at > now;
                    if ends_revocation || expires_at != share.expires_at {
                        share.expires_at = expires_at;
                        share.revoked_at = share.revoked_at.filter(|_| !ends_revocation);
                        share.version += 1;
                        share.last_change = Some((actor, LastChange::Expiration(expires_at)));
                        remember(&mut writes.changes, write);
                    }
                } else if !repeats_last_change {
                    return Response::Stale;
                }
                Response::Version(share.version)
            }
            Operation::Revoke => {
                if share.revoked_at.is_none() {
                    share.revoked_at = Some(now);
                    share.version += 1;
                    share.last_change = Some((actor, LastChange::Revocation));
                    remember(&mut writes.changes, write);
                }
                Response::Version(share.version)
            }
            Operation::Renew { notify, life, .. } => {
                let change = (actor, LastChange::Renewal { notify });
                if expected != ExpectedVersion::Any && expected != ExpectedVersion::Exactly(share.version) {
                    let repeats_last_change = expected == ExpectedVersion::Exactly(share.version - 1)
                        && share.last_change == Some(change)
                        && (life.is_none() || share.expires_at == expires_at);
                    return if repeats_last_change {
                        Response::Version(share.version)
                    } else {
                        Response::Stale
                    };
                }
                if life.is_some() && expires_at <= now {
                    return Response::PastExpiry;
                }
                if life.is_none() && !share.is_active(now) {
                    return Response::Inactive;
                }
                if life.is_some() {
                    share.expires_at = expires_at;
                }
                share.revoked_at = None;
                share.generation = generation;
                share.version += 1;
                share.last_change = Some(change);
                remember(&mut writes.changes, write);
                let stays_pending = share.mail_due.is_some() && !share.is_mail_claimed;
                if notify && !stays_pending {
                    let lease_end = share.mail_due.map_or(now, |due| due.min(now + LEASE));
                    let wait_end = share.mail_requested_at + resend_wait(share.mails);
                    share.mail_due = Some(now.max(lease_end).max(wait_end));
                    share.mails += 1;
                    share.mail_requested_at = now;
                }
                if !notify {
                    share.mail_due = None;
                }
                if !notify || !stays_pending {
                    share.is_mail_claimed = false;
                    writes.claim = None;
                }
                Response::Version(share.version)
            }
            Operation::Resend if writes.resend == Some(write) => Response::Queued(share.mails),
            Operation::Resend => {
                let wait = resend_wait(share.mails);
                if !share.is_active(now) {
                    Response::Inactive
                } else if now < share.mail_requested_at + wait
                    || share.mail_due.is_some_and(|due| now < due + LEASE)
                {
                    Response::TooSoon
                } else {
                    share.mails += 1;
                    share.mail_requested_at = now;
                    share.mail_due = Some(now);
                    share.is_mail_claimed = false;
                    (writes.resend, writes.claim) = (Some(write), None);
                    Response::Queued(share.mails)
                }
            }
            Operation::Send if share.mail_due.is_some_and(|due| due <= now + TimeDelta::seconds(30)) => {
                share.mail_due = Some(now + LEASE);
                share.is_mail_claimed = true;
                writes.claim = Some(write);
                Response::Sent(share.generation)
            }
            Operation::Open { .. } if share.generation != generation => Response::UnknownLink,
            // A signed URL must be valid for at least one second.
            Operation::Open { .. }
                if !share.is_active(now) || share.expires_at - now < TimeDelta::seconds(1) =>
            {
                Response::AccessEnded
            }
            Operation::Open { .. } => {
                // Each use of a one-file share is both an open and a download.
                if !writes.uses.contains(&UseWrite::Use(write)) {
                    share.opens += 1;
                    share.downloads += 1;
                    remember(&mut writes.uses, UseWrite::Use(write));
                }
                Response::Redeemed
            }
            Operation::Purge if share.may_be_purged(now) => {
                self.shares.remove(&recipient);
                Response::Purged
            }
            Operation::Send | Operation::Purge => Response::Nothing,
        }
    }

    /// Ends a send: marks its email as sent, unless another claim, a resend or a renewal has invalidated its
    /// claim.
    fn finish_send(&mut self, call: &Call) {
        let has_claim =
            self.writes.get(&call.recipient).is_some_and(|writes| writes.claim == Some(call.write));
        if let Some(share) = self.shares.get_mut(&call.recipient).filter(|_| has_claim) {
            share.mail_due = None;
            share.is_mail_claimed = false;
        }
    }

    /// Ends an open of an unavailable file: removes the failed download from the count.
    fn finish_open(&mut self, call: &Call) {
        let failure = UseWrite::Failure(call.write);
        let writes = self.writes.entry(call.recipient).or_default();
        let share = self.shares.get_mut(&call.recipient);
        let is_counted = |share: &&mut ModelShare| share.generation == call.generation && share.downloads > 0;
        if let Some(share) = share.filter(is_counted)
            && !writes.uses.contains(&failure)
        {
            share.downloads -= 1;
            remember(&mut writes.uses, failure);
        }
    }

    /// Finds an order of the calls in which the model returns the actual responses and ends with these
    /// shares. Returns the model after those calls, or `None` if there is no such order.
    ///
    /// `done` lists the events so far. Each event is the index of its call, and whether it is the end of the
    /// call.
    pub(super) fn linearize(
        &self,
        calls: &[(&Call, &Response)],
        done: &mut Vec<(usize, bool)>,
        now: Time,
        shares: &BTreeMap<usize, ModelShare>,
    ) -> Option<Self> {
        // A send, and an open of an unavailable file, has two events: its start and its end. Other calls may
        // take effect in between.
        let has_end = |(call, response): &(&Call, &Response)| match call.operation {
            Operation::Send => true,
            Operation::Open { is_available, .. } => !is_available && **response == Response::Redeemed,
            _ => false,
        };
        let all_events = (0..calls.len())
            .flat_map(|i| [(i, false), (i, true)])
            .filter(|(i, is_end)| !is_end || has_end(&calls[*i]));
        let remaining: Vec<_> = all_events.filter(|event| !done.contains(event)).collect();
        if remaining.is_empty() {
            return (self.shares == *shares).then(|| self.clone());
        }
        for (i, is_end) in remaining {
            let (call, response) = calls[i];
            let mut model = self.clone();
            let is_possible = if is_end {
                match call.operation {
                    Operation::Send => model.finish_send(call),
                    _ => model.finish_open(call),
                }
                done.contains(&(i, false))
            } else {
                model.apply(call, now) == *response
            };
            if is_possible {
                done.push((i, is_end));
                let linearized = model.linearize(calls, done, now, shares);
                done.pop();
                if linearized.is_some() {
                    return linearized;
                }
            }
        }
        None
    }
}
