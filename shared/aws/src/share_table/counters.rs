//! The counters behind the daily limits on emails.
//!
//! Each counter is a row, and counting is one conditional update. The row stores the ids under which it has
//! counted, so neither a retry by the SDK nor a retry by the client counts again.

use std::collections::HashSet;

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};
use chrono::TimeDelta;
use sharelink_domain::WriteId;
use sharelink_domain::email_limits::{Counter, LimitReached, admit};

use super::{Attributes, SERVICE, ShareTable, ignore_failed_condition, number, text};
use crate::AwsError;

/// The prefix of a counter's partition key.
const PARTITION: &str = "QUOTA#";

/// How long a counter is kept after its day. Functions' clocks may differ.
const KEPT: TimeDelta = TimeDelta::days(1);

/// The number of requests in a day for which a sharer's counter gives emails back. Without a limit, refused
/// requests could enlarge the row up to DynamoDB's limit of 400 KB.
const MAX_RELEASES: usize = 100;

impl ShareTable {
    /// Counts a request's emails for its sharer: all of them, or none if they exceed the limit.
    pub async fn reserve_emails(
        &self,
        sharer: &Counter,
        emails: usize,
        limit: usize,
        request: WriteId,
    ) -> Result<Result<(), LimitReached>, AwsError> {
        let is_possible = emails <= limit;
        let update = self
            .counter(sharer, "ADD emails :emails, requests :requests SET #ttl = :ttl")
            // A request that exceeds the limit alone fails even if there is no row yet.
            .condition_expression(if is_possible {
                "(attribute_not_exists(emails) OR emails <= :room) AND NOT contains(requests, :request)"
            } else {
                "emails < :room AND NOT contains(requests, :request)"
            })
            .expression_attribute_values(":emails", number(&emails))
            .expression_attribute_values(":room", number(&limit.saturating_sub(emails)))
            .expression_attribute_values(":request", id_value(request))
            .expression_attribute_values(":requests", id_set([request]));
        let Some(counted) = run(update).await? else { return Ok(Ok(())) };
        if ids(&counted, "requests").contains(&request) {
            return Ok(Ok(()));
        }
        let left = limit.saturating_sub(count(&counted));
        Ok(Err(LimitReached::Sharer { left, limit }))
    }

    /// Gives back some of the emails that a request has reserved, unless the day has had [`MAX_RELEASES`] of
    /// these.
    pub async fn release_emails(
        &self,
        sharer: &Counter,
        emails: usize,
        request: WriteId,
    ) -> Result<(), AwsError> {
        let update = self
            .counter(sharer, "SET emails = emails - :emails, #ttl = :ttl ADD released :requests")
            .condition_expression(
                "contains(requests, :request) AND NOT contains(released, :request) \
                 AND (attribute_not_exists(released) OR size(released) < :max)",
            )
            .expression_attribute_values(":emails", number(&emails))
            .expression_attribute_values(":max", number(&MAX_RELEASES))
            .expression_attribute_values(":request", id_value(request))
            .expression_attribute_values(":requests", id_set([request]));
        ignore_failed_condition(update.send().await)
    }

    /// Counts emails for their mailbox, and returns those that it may get.
    pub async fn count_emails(
        &self,
        mailbox: &Counter,
        emails: &[WriteId],
        limit: usize,
    ) -> Result<HashSet<WriteId>, AwsError> {
        let mut admitted = admit(emails, &HashSet::new(), limit);
        let mut new = admitted.clone();
        // If the emails do not fit, the row shows which of them do. Another request may take their place, but
        // the count only grows, so this ends.
        while !new.is_empty() {
            let update = self
                .counter(mailbox, "ADD counted :new SET #ttl = :ttl")
                .condition_expression("attribute_not_exists(counted) OR size(counted) <= :room")
                .expression_attribute_values(":new", id_set(new.iter().copied()))
                .expression_attribute_values(":room", number(&limit.saturating_sub(new.len())));
            let Some(row) = run(update).await? else { break };
            let counted = ids(&row, "counted");
            admitted = admit(emails, &counted, limit);
            new = admitted.difference(&counted).copied().collect();
        }
        Ok(admitted)
    }

    fn counter(&self, counter: &Counter, update: &str) -> UpdateItemFluentBuilder {
        self.client
            .update_item()
            .table_name(&self.name)
            .key("item", text(&partition(counter)))
            .key("entry", text(&counter.day))
            .update_expression(update)
            .expression_attribute_names("#ttl", "ttl")
            .expression_attribute_values(":ttl", number(&(counter.ends_at() + KEPT).timestamp()))
    }
}

/// Returns the partition of a counter's days.
pub(super) fn partition(counter: &Counter) -> String {
    format!("{PARTITION}{}", counter.hash)
}

/// Runs a conditional update. Returns the row as it is if the condition failed.
async fn run(update: UpdateItemFluentBuilder) -> Result<Option<Attributes>, AwsError> {
    let failed = ReturnValuesOnConditionCheckFailure::AllOld;
    match update.return_values_on_condition_check_failure(failed).send().await {
        Ok(_) => Ok(None),
        Err(error) => match error.as_service_error() {
            Some(UpdateItemError::ConditionalCheckFailedException(failure)) => {
                Ok(Some(failure.item.clone().unwrap_or_default()))
            }
            _ => Err(AwsError::new(SERVICE, &error)),
        },
    }
}

fn count(row: &Attributes) -> usize {
    row.get("emails").and_then(|emails| emails.as_n().ok()?.parse().ok()).unwrap_or_default()
}

fn ids(row: &Attributes, name: &str) -> HashSet<WriteId> {
    let values = row.get(name).and_then(|ids| ids.as_bs().ok()).into_iter().flatten();
    values.filter_map(|id| id.as_ref().try_into().ok().map(WriteId::from_bytes)).collect()
}

fn id_value(id: WriteId) -> AttributeValue {
    AttributeValue::B(Blob::new(id.to_bytes()))
}

fn id_set(ids: impl IntoIterator<Item = WriteId>) -> AttributeValue {
    AttributeValue::Bs(ids.into_iter().map(|id| Blob::new(id.to_bytes())).collect())
}
