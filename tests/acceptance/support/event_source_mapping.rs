//! Simulates a Lambda event source mapping for a DynamoDB stream, with the settings of a deployed mapping.
//!
//! No local emulator implements these settings. The simulation follows AWS's documentation for filters,
//! batches, partial failures, bisecting, retries, the maximum record age and the on-failure destination. It
//! reads only one shard, because local streams have only one.

use std::collections::VecDeque;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::function::Failure;

/// A simulated event source mapping.
pub(crate) struct EventSourceMapping {
    settings: Settings,
    /// The sequence number of the last record that `select` read, if any.
    position: Option<String>,
    /// The batches sent to the on-failure destination.
    pub(crate) discarded: Vec<DiscardedBatch>,
}

/// A batch sent to the on-failure destination.
#[derive(Debug, PartialEq)]
pub(crate) struct DiscardedBatch {
    pub(crate) condition: &'static str,
    pub(crate) sequence_numbers: Vec<String>,
}

/// The settings of an event source mapping.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) filters: Vec<Value>,
    pub(crate) batch_size: usize,
    pub(crate) bisects_on_error: bool,
    pub(crate) maximum_retries: usize,
    pub(crate) maximum_record_age: Option<TimeDelta>,
    pub(crate) reports_partial_failures: bool,
}

impl Settings {
    pub(crate) fn from_deployed(mapping: &Value) -> Self {
        let filters = mapping["FilterCriteria"]["Filters"].as_array().unwrap();
        let pattern = |filter: &Value| serde_json::from_str(filter["Pattern"].as_str().unwrap()).unwrap();
        let number = |name: &str| mapping[name].as_i64();
        assert!(mapping["DestinationConfig"]["OnFailure"]["Destination"].is_string(), "{mapping}");
        Self {
            filters: filters.iter().map(pattern).collect(),
            batch_size: number("BatchSize").unwrap().try_into().unwrap(),
            bisects_on_error: mapping["BisectBatchOnFunctionError"] == true,
            // -1 retries until the stream drops the record.
            maximum_retries: number("MaximumRetryAttempts").unwrap().try_into().unwrap_or(usize::MAX),
            maximum_record_age: number("MaximumRecordAgeInSeconds")
                .filter(|age| *age > 0)
                .map(TimeDelta::seconds),
            reports_partial_failures: mapping["FunctionResponseTypes"] == json!(["ReportBatchItemFailures"]),
        }
    }
}

impl EventSourceMapping {
    pub(crate) fn new(settings: Settings) -> Self {
        Self { settings, position: None, discarded: Vec::new() }
    }

    /// Returns the records that follow the current position and match a filter. Advances the position to the
    /// last record.
    pub(crate) fn select(&mut self, records: &[Value]) -> Vec<Value> {
        let is_new = |record: &&Value| {
            let number = sequence_number(record);
            self.position.as_deref().is_none_or(|last| (number.len(), number.as_str()) > (last.len(), last))
        };
        let new: Vec<Value> = records.iter().filter(is_new).cloned().collect();
        self.position = new.last().map(sequence_number).or(self.position.take());
        let matches_filter =
            |record: &Value| self.settings.filters.iter().any(|filter| matches_pattern(filter, record));
        new.into_iter().filter(matches_filter).collect()
    }

    /// Delivers records in batches until each record is processed or discarded. Returns the number of
    /// invocations.
    pub(crate) async fn deliver(
        &mut self,
        records: Vec<Value>,
        now: DateTime<Utc>,
        invoke: impl AsyncFn(&Value) -> Result<Value, Failure>,
    ) -> usize {
        let batches = records.chunks(self.settings.batch_size).map(|batch| (batch.to_vec(), 0));
        let mut queue: VecDeque<(Vec<Value>, usize)> = batches.collect();
        let mut invocations = 0;
        while let Some((mut batch, tries)) = queue.pop_front() {
            if let Some(age) = self.settings.maximum_record_age {
                let (kept, old): (_, Vec<Value>) =
                    batch.into_iter().partition(|record| creation_time(record) + age >= now);
                self.discard("RecordAgeExceeded", &old);
                batch = kept;
            }
            if batch.is_empty() {
                continue;
            }
            invocations += 1;
            let response = invoke(&json!({"Records": batch})).await;
            let checkpoint = match &response {
                Ok(response) if self.settings.reports_partial_failures => checkpoint(response, &batch),
                Ok(_) => Some(batch.len()),
                Err(_) => None,
            };
            let rest = batch.split_off(checkpoint.unwrap_or(0));
            if rest.is_empty() {
                continue;
            }
            // The records before the checkpoint have been processed. Bisecting does not count as a retry.
            if self.settings.bisects_on_error && checkpoint.is_none() && rest.len() > 1 {
                let (first, second) = rest.split_at(rest.len() / 2);
                queue.push_front((second.to_vec(), tries));
                queue.push_front((first.to_vec(), tries));
            } else if tries < self.settings.maximum_retries {
                queue.push_front((rest, tries + 1));
            } else {
                self.discard("RetryAttemptsExhausted", &rest);
            }
        }
        invocations
    }

    fn discard(&mut self, condition: &'static str, records: &[Value]) {
        if !records.is_empty() {
            let sequence_numbers = records.iter().map(sequence_number).collect();
            self.discarded.push(DiscardedBatch { condition, sequence_numbers });
        }
    }
}

fn sequence_number(record: &Value) -> String {
    record["dynamodb"]["SequenceNumber"].as_str().unwrap().to_owned()
}

fn creation_time(record: &Value) -> DateTime<Utc> {
    let time = record["dynamodb"]["ApproximateCreationDateTime"].as_f64().unwrap();
    DateTime::UNIX_EPOCH + TimeDelta::from_std(Duration::from_secs_f64(time)).unwrap()
}

/// Returns the index of the first record that failed according to the response, or the batch's length if none
/// failed.
///
/// Returns `None` if the response names a record that is not in the batch. Lambda then treats the whole batch
/// as failed.
fn checkpoint(response: &Value, batch: &[Value]) -> Option<usize> {
    let Some(failures) = response["batchItemFailures"].as_array() else { return Some(batch.len()) };
    let index = |failure: &Value| {
        batch.iter().position(|record| record["dynamodb"]["SequenceNumber"] == failure["itemIdentifier"])
    };
    let indexes: Option<Vec<usize>> = failures.iter().map(index).collect();
    Some(indexes?.into_iter().min().unwrap_or(batch.len()))
}

/// Whether a value matches the pattern of a Lambda event filter or an `EventBridge` rule.
///
/// Every field named in the pattern must have one of the listed values or meet one of the listed conditions.
/// If the field is a list, one matching element is enough.
pub(crate) fn matches_pattern(pattern: &Value, value: &Value) -> bool {
    match (pattern, value) {
        (Value::Object(fields), _) => {
            fields.iter().all(|(name, pattern)| matches_pattern(pattern, &value[name]))
        }
        (_, Value::Array(values)) => values.iter().any(|value| matches_pattern(pattern, value)),
        (Value::Array(options), _) => options.iter().any(|option| match option {
            Value::Object(condition) => {
                let prefix = condition.get("prefix").and_then(Value::as_str);
                let exists = condition.get("exists").and_then(Value::as_bool);
                assert!(prefix.is_some() || exists.is_some(), "unsupported condition: {option}");
                prefix.is_some_and(|prefix| value.as_str().is_some_and(|text| text.starts_with(prefix)))
                    || exists.is_some_and(|exists| exists != value.is_null())
            }
            option => option == value,
        }),
        _ => panic!("not a pattern: {pattern}"),
    }
}

/// Checks that the simulation behaves as AWS documents.
#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    fn record(n: usize) -> Value {
        json!({
            "eventName": "INSERT",
            "dynamodb": {"SequenceNumber": n.to_string(), "ApproximateCreationDateTime": 1_000 + n},
        })
    }

    fn settings() -> Settings {
        Settings {
            filters: vec![json!({"eventName": ["INSERT"]})],
            batch_size: 4,
            bisects_on_error: true,
            maximum_retries: 2,
            maximum_record_age: None,
            reports_partial_failures: true,
        }
    }

    fn numbers(event: &Value) -> Vec<usize> {
        let records = event["Records"].as_array().unwrap();
        records.iter().map(|record| sequence_number(record).parse().unwrap()).collect()
    }

    /// Delivers six records to a function. Returns the batches that the function received, and the batches
    /// that were discarded.
    async fn deliver(
        settings: Settings,
        now: i64,
        respond: impl Fn(&[usize]) -> Result<Value, Failure>,
    ) -> (Vec<Vec<usize>>, Vec<DiscardedBatch>) {
        let mut mapping = EventSourceMapping::new(settings);
        let records = mapping.select(&(1..=6).map(record).collect::<Vec<_>>());
        let received = Mutex::new(Vec::new());
        let invoke = async |event: &Value| {
            let batch = numbers(event);
            received.lock().unwrap().push(batch.clone());
            respond(&batch)
        };
        mapping.deliver(records, DateTime::from_timestamp(now, 0).unwrap(), invoke).await;
        (received.into_inner().unwrap(), mapping.discarded)
    }

    fn discarded(condition: &'static str, numbers: &[usize]) -> Vec<DiscardedBatch> {
        let sequence_numbers = numbers.iter().map(ToString::to_string).collect();
        vec![DiscardedBatch { condition, sequence_numbers }]
    }

    fn failures(numbers: impl IntoIterator<Item = usize>) -> Value {
        let failures = numbers.into_iter().map(|n| json!({"itemIdentifier": n.to_string()}));
        json!({"batchItemFailures": failures.collect::<Vec<_>>()})
    }

    #[expect(clippy::unnecessary_wraps, reason = "must have the same signature as the failing responses")]
    fn succeed(_: &[usize]) -> Result<Value, Failure> {
        Ok(failures([]))
    }

    fn crash_on_two(batch: &[usize]) -> Result<Value, Failure> {
        if batch.contains(&2) { Err(Failure::Crash) } else { Ok(json!(null)) }
    }

    #[tokio::test]
    async fn records_are_delivered_in_full_batches() {
        let (received, discarded) = deliver(settings(), 0, succeed).await;
        assert_eq!(received, [vec![1, 2, 3, 4], vec![5, 6]]);
        assert_eq!(discarded, []);
    }

    #[tokio::test]
    async fn partial_failure_is_retried_from_the_first_failed_record() {
        let fail = |batch: &[usize]| Ok(failures(batch.iter().copied().filter(|n| [2, 3].contains(n))));
        let (received, given_up) = deliver(settings(), 0, fail).await;
        assert_eq!(received, [vec![1, 2, 3, 4], vec![2, 3, 4], vec![2, 3, 4], vec![5, 6]]);
        assert_eq!(given_up, discarded("RetryAttemptsExhausted", &[2, 3, 4]));
    }

    #[tokio::test]
    async fn failed_batch_is_bisected_down_to_the_failing_record() {
        let (received, given_up) = deliver(settings(), 0, crash_on_two).await;
        let halves = [&[1, 2, 3, 4][..], &[1, 2], &[1], &[2], &[2], &[2], &[3, 4], &[5, 6]];
        assert_eq!(received, halves);
        assert_eq!(given_up, discarded("RetryAttemptsExhausted", &[2]));
    }

    #[tokio::test]
    async fn unknown_record_id_in_the_response_fails_the_batch() {
        let respond = |batch: &[usize]| {
            let unknown = if batch.contains(&2) { json!([{"itemIdentifier": ""}]) } else { json!([]) };
            Ok(json!({"batchItemFailures": unknown}))
        };
        let (_, given_up) = deliver(settings(), 0, respond).await;
        assert_eq!(given_up, discarded("RetryAttemptsExhausted", &[2]));
    }

    #[tokio::test]
    async fn whole_failed_batch_is_discarded_if_bisecting_is_off() {
        let settings = Settings { bisects_on_error: false, ..settings() };
        let (_, given_up) = deliver(settings, 0, crash_on_two).await;
        assert_eq!(given_up, discarded("RetryAttemptsExhausted", &[1, 2, 3, 4]));
    }

    #[tokio::test]
    async fn records_past_the_maximum_age_are_never_delivered() {
        let settings = Settings { maximum_record_age: Some(TimeDelta::seconds(60)), ..settings() };
        let (received, given_up) = deliver(settings, 1_063, succeed).await;
        assert_eq!(received, [vec![3, 4], vec![5, 6]]);
        assert_eq!(given_up, discarded("RecordAgeExceeded", &[1, 2]));
    }

    #[test]
    fn matching_record_is_selected_once() {
        let mut mapping = EventSourceMapping::new(Settings {
            filters: vec![json!({"dynamodb": {"SequenceNumber": [{"prefix": "1"}]}})],
            ..settings()
        });
        let records: Vec<Value> = [1, 2, 10].map(record).to_vec();
        let first = mapping.select(&records[..2]);
        let second = mapping.select(&records);
        assert_eq!(numbers(&json!({"Records": first})), [1]);
        assert_eq!(numbers(&json!({"Records": second})), [10]);
    }

    #[test]
    fn pattern_matches_list_elements_and_absent_fields() {
        let absent_and_listed = json!({"a": [{"exists": false}], "b": ["x"]});
        assert!(matches_pattern(&absent_and_listed, &json!({"b": ["y", "x"]})));
        assert!(!matches_pattern(&json!({"a": [{"exists": true}]}), &json!({"b": 1})));
    }
}
