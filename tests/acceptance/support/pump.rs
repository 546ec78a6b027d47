//! What Lambda does with a stream of DynamoDB: an event source mapping, with the settings of a deployed one.
//!
//! No local emulator does it, so this keeps to what AWS documents of it: filters, batches, partial failures,
//! bisecting, retries, a maximum age and a destination for what is given up. One shard, as local streams have.

use std::collections::VecDeque;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::function::Failure;

/// An event source mapping.
pub(crate) struct Pump {
    settings: Settings,
    /// Where it reads on: a sequence number that is done with.
    after: Option<String>,
    /// What was sent to the destination for failures.
    pub(crate) set_aside: Vec<SetAside>,
}

/// Records that were given up.
#[derive(Debug, PartialEq)]
pub(crate) struct SetAside {
    pub(crate) condition: &'static str,
    pub(crate) sequence_numbers: Vec<String>,
}

/// The settings of a mapping, as Lambda's API tells them.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) filters: Vec<Value>,
    pub(crate) batch_size: usize,
    pub(crate) bisect: bool,
    pub(crate) retries: usize,
    pub(crate) maximum_age: Option<TimeDelta>,
    pub(crate) partial_failures: bool,
}

impl Settings {
    pub(crate) fn of(mapping: &Value) -> Self {
        let filters = mapping["FilterCriteria"]["Filters"].as_array().unwrap();
        let pattern = |filter: &Value| serde_json::from_str(filter["Pattern"].as_str().unwrap()).unwrap();
        let number = |name: &str| mapping[name].as_i64();
        assert!(mapping["DestinationConfig"]["OnFailure"]["Destination"].is_string(), "{mapping}");
        Self {
            filters: filters.iter().map(pattern).collect(),
            batch_size: number("BatchSize").unwrap().try_into().unwrap(),
            bisect: mapping["BisectBatchOnFunctionError"] == true,
            retries: number("MaximumRetryAttempts").unwrap().try_into().unwrap(),
            maximum_age: number("MaximumRecordAgeInSeconds").filter(|age| *age > 0).map(TimeDelta::seconds),
            partial_failures: mapping["FunctionResponseTypes"] == json!(["ReportBatchItemFailures"]),
        }
    }
}

impl Pump {
    pub(crate) fn new(settings: Settings) -> Self {
        Self { settings, after: None, set_aside: Vec::new() }
    }

    /// The records of these that are new to it and that its filters let through.
    pub(crate) fn select(&mut self, records: &[Value]) -> Vec<Value> {
        let new = records.iter().filter(|record| {
            let number = sequence_number(record);
            self.after.as_deref().is_none_or(|after| (number.len(), number.as_str()) > (after.len(), after))
        });
        let new: Vec<Value> = new.cloned().collect();
        self.after = new.last().map(sequence_number).or(self.after.take());
        let matches = |record: &Value| self.settings.filters.iter().any(|filter| matches(filter, record));
        new.into_iter().filter(matches).collect()
    }

    /// Delivers records, until each is done or given up. Says how often the function was invoked.
    pub(crate) async fn deliver(
        &mut self,
        records: Vec<Value>,
        now: DateTime<Utc>,
        invoke: impl AsyncFn(&Value) -> Result<Value, Failure>,
    ) -> usize {
        let batches = records.chunks(self.settings.batch_size).map(|batch| (batch.to_vec(), 0));
        let mut work: VecDeque<(Vec<Value>, usize)> = batches.collect();
        let mut invocations = 0;
        while let Some((mut batch, tries)) = work.pop_front() {
            if let Some(age) = self.settings.maximum_age {
                let (kept, old): (_, Vec<Value>) =
                    batch.into_iter().partition(|record| created(record) + age >= now);
                self.give_up("RecordAgeExceeded", &old);
                batch = kept;
            }
            if batch.is_empty() {
                continue;
            }
            invocations += 1;
            let answer = invoke(&json!({"Records": batch})).await;
            let failed_at = match &answer {
                Ok(answer) if self.settings.partial_failures => first_failure(answer, &batch),
                Ok(_) => batch.len(),
                Err(_) => 0,
            };
            let rest = batch.split_off(failed_at);
            if rest.is_empty() {
                continue;
            }
            // What comes before the failure that the function told is done. Where it told nothing, the batch is
            // halved, which is no retry.
            if self.settings.bisect && answer.is_err() && rest.len() > 1 {
                let (first, second) = rest.split_at(rest.len() / 2);
                work.push_front((second.to_vec(), tries));
                work.push_front((first.to_vec(), tries));
            } else if tries < self.settings.retries {
                work.push_front((rest, tries + 1));
            } else {
                self.give_up("RetryAttemptsExhausted", &rest);
            }
        }
        invocations
    }

    fn give_up(&mut self, condition: &'static str, records: &[Value]) {
        if !records.is_empty() {
            let sequence_numbers = records.iter().map(sequence_number).collect();
            self.set_aside.push(SetAside { condition, sequence_numbers });
        }
    }
}

fn sequence_number(record: &Value) -> String {
    record["dynamodb"]["SequenceNumber"].as_str().unwrap().to_owned()
}

fn created(record: &Value) -> DateTime<Utc> {
    let time = record["dynamodb"]["ApproximateCreationDateTime"].as_f64().unwrap();
    DateTime::UNIX_EPOCH + TimeDelta::from_std(Duration::from_secs_f64(time)).unwrap()
}

/// Where the first of the records is that an answer says have failed: the lowest sequence number is the
/// checkpoint. An answer that names no record of the batch fails all of it.
fn first_failure(answer: &Value, batch: &[Value]) -> usize {
    let Some(failures) = answer["batchItemFailures"].as_array() else { return batch.len() };
    let place = |failure: &Value| {
        batch.iter().position(|record| record["dynamodb"]["SequenceNumber"] == failure["itemIdentifier"])
    };
    failures.iter().map(|failure| place(failure).unwrap_or(0)).min().unwrap_or(batch.len())
}

/// Whether a record matches a filter's pattern: every field that it names has one of the values, or meets one of
/// the conditions, that it lists.
fn matches(pattern: &Value, value: &Value) -> bool {
    match pattern {
        Value::Object(fields) => fields.iter().all(|(name, pattern)| matches(pattern, &value[name])),
        Value::Array(options) => options.iter().any(|option| match option {
            Value::Object(condition) => {
                let prefix = condition.get("prefix").and_then(Value::as_str);
                let exists = condition.get("exists").and_then(Value::as_bool);
                assert!(prefix.is_some() || exists.is_some(), "an unknown condition: {option}");
                prefix.is_some_and(|prefix| value.as_str().is_some_and(|text| text.starts_with(prefix)))
                    || exists.is_some_and(|exists| exists != value.is_null())
            }
            option => option == value,
        }),
        _ => panic!("not a pattern: {pattern}"),
    }
}
