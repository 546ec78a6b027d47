//! What the rows of both tables say about people.
//!
//! Works on the rows' attributes, not on decoded shares, so that it also finds people in damaged rows.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use sharelink_domain::erasure::People;
use sharelink_domain::index_key::IndexKey;
use sharelink_domain::{EmailAddress, Item, ShareId, Sharer};

use super::record::SHARE_PREFIX;
use super::{Attributes, SERVICE, idempotency, string_attribute};
use crate::{AwsError, Error};

/// The paths to the sharers in a share's row.
const SHARE_SHARERS: [&[&str]; 4] =
    [&["createdBy"], &["changed", "action", "by"], &["linkCopied", "action", "by"], &["mailRequested", "by"]];

/// The path to the sharer in a log entry's row.
const LOG_SHARERS: [&[&str]; 1] = [&["by"]];

/// The path to the sharer in an idempotency record.
const REQUEST_SHARERS: [&[&str]; 1] = [&["settled", "sharer"]];

/// The texts in a share's row that people wrote, and that a share can do without.
const SHARE_TEXTS: [&str; 3] = ["message", "title", "recipientName"];

/// What a row says about people.
pub(super) enum Trace {
    Nothing,
    /// The row is about one of the recipients, or remembers a request of one of the people.
    Row,
    Parts(Parts),
}

/// The parts of a row that name people, although the row is about someone else.
#[derive(Default)]
pub(super) struct Parts {
    /// Each sharer's path, and what replaces the sharer.
    pub(super) sharers: Vec<(&'static [&'static str], Sharer)>,
    /// The attributes whose texts mention one of the recipients.
    pub(super) texts: Vec<&'static str>,
    /// The number of other texts that mention one of the recipients, such as file names.
    pub(super) other_texts: u64,
}

/// Finds people in rows.
pub(super) struct Finder<'a> {
    people: &'a People,
    /// The hashes of the recipients in the index.
    hashes: Vec<String>,
}

impl<'a> Finder<'a> {
    pub(super) fn new(people: &'a People, key: &IndexKey) -> Self {
        let hashes = people.recipients().iter().map(|recipient| key.recipient(recipient).to_string());
        Self { people, hashes: hashes.collect() }
    }

    /// Returns what a row of the table of shares says.
    pub(super) fn trace_in_share(&self, row: &Attributes) -> Trace {
        let entry = string_attribute(row, "entry").unwrap_or_default();
        let item = string_attribute(row, "item").unwrap_or_default();
        if entry.starts_with(SHARE_PREFIX) {
            let id = entry.strip_prefix(SHARE_PREFIX);
            return if self.is_about_recipient(row, item, id) {
                Trace::Row
            } else {
                self.parts(row, &SHARE_SHARERS, &SHARE_TEXTS)
            };
        }
        let is_request = item.starts_with(idempotency::PARTITION);
        if is_request && !self.sharers(row, &REQUEST_SHARERS).is_empty() {
            return Trace::Row;
        }
        let alarm = item.strip_prefix(super::alarms::PREFIX);
        if alarm.is_some_and(|item| self.is_id_of_recipient(item, entry)) {
            return Trace::Row;
        }
        self.parts(row, &[], &[])
    }

    /// Returns what a row of the share log says.
    pub(super) fn trace_in_log(&self, row: &Attributes) -> Trace {
        let item = string_attribute(row, "item").unwrap_or_default();
        if self.is_about_recipient(row, item, string_attribute(row, "shareId")) {
            Trace::Row
        } else {
            self.parts(row, &LOG_SHARERS, &[])
        }
    }

    /// Returns the recipients that a share's row is about: at most one, unless the row is damaged.
    pub(super) fn recipients_of(&self, row: &Attributes) -> impl Iterator<Item = &EmailAddress> {
        let item = string_attribute(row, "item").and_then(|item| Item::parse(item).ok());
        let id =
            string_attribute(row, "entry").and_then(|entry| entry.strip_prefix(SHARE_PREFIX)?.parse().ok());
        let key: Option<(Item, ShareId)> = item.zip(id);
        let (address, hash) = (recipient(row), recipient_hash(row).map(str::to_owned));
        let recipients = self.people.recipients().iter().zip(&self.hashes);
        let about = recipients.filter(move |(recipient, recipient_hash)| {
            address.as_ref().is_some_and(|address| address.identity() == recipient.identity())
                || hash.as_ref() == Some(recipient_hash)
                || key.as_ref().is_some_and(|(item, id)| ShareId::new(item, recipient) == *id)
        });
        about.map(|(recipient, _)| recipient)
    }

    fn is_about_recipient(&self, row: &Attributes, item: &str, id: Option<&str>) -> bool {
        recipient(row).is_some_and(|address| self.people.includes_recipient(&address))
            || recipient_hash(row).is_some_and(|hash| self.hashes.iter().any(|other| other == hash))
            || id.is_some_and(|id| self.is_id_of_recipient(item, id))
    }

    fn is_id_of_recipient(&self, item: &str, id: &str) -> bool {
        let (item, id): (Option<Item>, Option<ShareId>) = (Item::parse(item).ok(), id.parse().ok());
        item.zip(id).is_some_and(|(item, id)| self.people.includes_share(&item, id))
    }

    fn sharers(
        &self,
        row: &Attributes,
        paths: &[&'static [&'static str]],
    ) -> Vec<(&'static [&'static str], Sharer)> {
        let replacement = |path: &&'static [&'static str]| {
            let sharer = value_at(row, path).and_then(parse_sharer)?;
            Some((*path, self.people.replace_sharer(&sharer)?))
        };
        paths.iter().filter_map(replacement).collect()
    }

    fn parts(&self, row: &Attributes, sharers: &[&'static [&'static str]], texts: &[&'static str]) -> Trace {
        let sharers = self.sharers(row, sharers);
        let is_mentioned =
            |name: &&str| string_attribute(row, name).is_some_and(|text| self.people.are_mentioned_in(text));
        let texts: Vec<&'static str> = texts.iter().copied().filter(is_mentioned).collect();
        let mut rest = row.clone();
        rest.retain(|name, _| {
            !texts.contains(&name.as_str())
                && !sharers.iter().any(|(path, _)| path.first() == Some(&name.as_str()))
        });
        let kept = sharers.iter().flat_map(|(_, sharer)| [Some(&sharer.sub), sharer.name.as_ref()]).flatten();
        let kept = kept.filter(|text| self.people.are_mentioned_in(text)).count() as u64;
        let other_texts = kept + rest.values().map(|value| self.count_mentions(value)).sum::<u64>();
        if sharers.is_empty() && texts.is_empty() && other_texts == 0 {
            Trace::Nothing
        } else {
            Trace::Parts(Parts { sharers, texts, other_texts })
        }
    }

    fn count_mentions(&self, value: &AttributeValue) -> u64 {
        match value {
            AttributeValue::S(text) => self.people.are_mentioned_in(text).into(),
            AttributeValue::Ss(texts) => {
                texts.iter().map(|text| u64::from(self.people.are_mentioned_in(text))).sum()
            }
            AttributeValue::L(values) => values.iter().map(|value| self.count_mentions(value)).sum(),
            AttributeValue::M(values) => values.values().map(|value| self.count_mentions(value)).sum(),
            _ => 0,
        }
    }
}

fn recipient(row: &Attributes) -> Option<EmailAddress> {
    string_attribute(row, "recipient")?.parse().ok()
}

/// Returns the hash of a share's recipient in the index.
fn recipient_hash(row: &Attributes) -> Option<&str> {
    string_attribute(row, "recipientKey")?.split('#').next()
}

/// Returns the value at a path of nested maps.
pub(super) fn value_at<'a>(row: &'a Attributes, path: &[&str]) -> Option<&'a AttributeValue> {
    let (first, rest) = path.split_first()?;
    rest.iter().try_fold(row.get(*first)?, |value, name| value.as_m().ok()?.get(*name))
}

/// Parses a stored sharer. An unreadable address counts as missing.
fn parse_sharer(value: &AttributeValue) -> Option<Sharer> {
    let map = value.as_m().ok()?;
    let text = |name: &str| map.get(name)?.as_s().ok().cloned();
    Some(Sharer {
        sub: text("sub")?,
        name: text("name"),
        email: text("email").and_then(|email| email.parse().ok()),
    })
}

/// Scans a table with strong consistency, page by page.
pub(super) async fn scan(
    client: &Client,
    table: &str,
    mut handle: impl AsyncFnMut(Vec<Attributes>) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut pages = client.scan().table_name(table).consistent_read(true).into_paginator().send();
    while let Some(page) = pages.next().await {
        handle(page.map_err(|e| AwsError::new(SERVICE, &e))?.items.unwrap_or_default()).await?;
    }
    Ok(())
}
