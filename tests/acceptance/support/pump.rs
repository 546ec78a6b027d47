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
            let checkpoint = match &answer {
                Ok(answer) if self.settings.partial_failures => checkpoint(answer, &batch),
                Ok(_) => Some(batch.len()),
                Err(_) => None,
            };
            let rest = batch.split_off(checkpoint.unwrap_or(0));
            if rest.is_empty() {
                continue;
            }
            // What comes before the checkpoint is done. A batch that failed as a whole is halved, which is no retry.
            if self.settings.bisect && checkpoint.is_none() && rest.len() > 1 {
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
/// checkpoint. An answer that names a record outside the batch fails all of it.
fn checkpoint(answer: &Value, batch: &[Value]) -> Option<usize> {
    let Some(failures) = answer["batchItemFailures"].as_array() else { return Some(batch.len()) };
    let place = |failure: &Value| {
        batch.iter().position(|record| record["dynamodb"]["SequenceNumber"] == failure["itemIdentifier"])
    };
    let places: Option<Vec<usize>> = failures.iter().map(place).collect();
    Some(places?.into_iter().min().unwrap_or(batch.len()))
}

/// Whether a record matches a pattern of Lambda's filters or `EventBridge`'s rules: every field that it names has one
/// of the values, or meets one of the conditions, that it lists; of a list, one of its values does.
pub(crate) fn matches(pattern: &Value, value: &Value) -> bool {
    match (pattern, value) {
        (Value::Object(fields), _) => fields.iter().all(|(name, pattern)| matches(pattern, &value[name])),
        (_, Value::Array(values)) => values.iter().any(|value| matches(pattern, value)),
        (Value::Array(options), _) => options.iter().any(|option| match option {
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

/// What AWS documents of it, with a function that does as it is told.
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
            bisect: true,
            retries: 2,
            maximum_age: None,
            partial_failures: true,
        }
    }

    fn numbers(event: &Value) -> Vec<usize> {
        let records = event["Records"].as_array().unwrap();
        records.iter().map(|record| sequence_number(record).parse().unwrap()).collect()
    }

    /// The batches that a function gets which answers so, and what is set aside.
    async fn batches(
        settings: Settings,
        now: i64,
        answer: impl Fn(&[usize]) -> Result<Value, Failure>,
    ) -> (Vec<Vec<usize>>, Vec<SetAside>) {
        let mut pump = Pump::new(settings);
        let records = pump.select(&(1..=6).map(record).collect::<Vec<_>>());
        let got = Mutex::new(Vec::new());
        let invoke = async |event: &Value| {
            let batch = numbers(event);
            got.lock().unwrap().push(batch.clone());
            answer(&batch)
        };
        pump.deliver(records, DateTime::from_timestamp(now, 0).unwrap(), invoke).await;
        (got.into_inner().unwrap(), pump.set_aside)
    }

    fn set_aside(condition: &'static str, numbers: &[usize]) -> Vec<SetAside> {
        vec![SetAside { condition, sequence_numbers: numbers.iter().map(ToString::to_string).collect() }]
    }

    #[tokio::test]
    async fn batches_are_as_large_as_they_may_be() {
        let done = |_: &[usize]| Ok(json!({"batchItemFailures": []}));
        assert_eq!(batches(settings(), 0, done).await, (vec![vec![1, 2, 3, 4], vec![5, 6]], vec![]));
    }

    #[tokio::test]
    async fn a_partial_failure_goes_on_at_the_lowest_number_until_the_retries_are_spent() {
        let fails = |batch: &[usize]| {
            let failed = batch.iter().filter(|n| [2, 3].contains(*n));
            Ok(
                json!({"batchItemFailures": failed.map(|n| json!({"itemIdentifier": n.to_string()})).collect::<Vec<_>>()}),
            )
        };
        let (got, aside) = batches(settings(), 0, fails).await;
        assert_eq!(got, [vec![1, 2, 3, 4], vec![2, 3, 4], vec![2, 3, 4], vec![5, 6]]);
        assert_eq!(aside, set_aside("RetryAttemptsExhausted", &[2, 3, 4]));
    }

    #[tokio::test]
    async fn a_failure_of_the_whole_is_halved_down_to_its_cause() {
        let crash = |batch: &[usize]| if batch.contains(&2) { Err(Failure::Crash) } else { Ok(json!(null)) };
        let halves =
            vec![vec![1, 2, 3, 4], vec![1, 2], vec![1], vec![2], vec![2], vec![2], vec![3, 4], vec![5, 6]];
        assert_eq!(batches(settings(), 0, crash).await, (halves, set_aside("RetryAttemptsExhausted", &[2])));
        // So is one whose answer names no record of the batch.
        let odd = |batch: &[usize]| {
            let failures = if batch.contains(&2) { json!([{"itemIdentifier": ""}]) } else { json!([]) };
            Ok(json!({"batchItemFailures": failures}))
        };
        assert_eq!(batches(settings(), 0, odd).await.1, set_aside("RetryAttemptsExhausted", &[2]));
        let whole = Settings { bisect: false, ..settings() };
        assert_eq!(batches(whole, 0, crash).await.1, set_aside("RetryAttemptsExhausted", &[1, 2, 3, 4]));
    }

    #[tokio::test]
    async fn what_is_too_old_is_set_aside_unseen() {
        let aging = Settings { maximum_age: Some(TimeDelta::seconds(60)), ..settings() };
        let done = |_: &[usize]| Ok(json!({"batchItemFailures": []}));
        let (got, aside) = batches(aging, 1_063, done).await;
        assert_eq!((got, aside), (vec![vec![3, 4], vec![5, 6]], set_aside("RecordAgeExceeded", &[1, 2])));
    }

    #[test]
    fn a_record_is_selected_once_and_by_the_filters() {
        let mut pump = Pump::new(Settings {
            filters: vec![json!({"dynamodb": {"SequenceNumber": [{"prefix": "1"}]}})],
            ..settings()
        });
        let records: Vec<Value> = [1, 2, 10].map(record).to_vec();
        let selected = |selected: Vec<Value>| numbers(&json!({"Records": selected}));
        assert_eq!(selected(pump.select(&records[..2])), [1]);
        assert_eq!(selected(pump.select(&records)), [10]);
        assert!(matches(&json!({"a": [{"exists": false}], "b": ["x"]}), &json!({"b": ["y", "x"]})));
        assert!(!matches(&json!({"a": [{"exists": true}]}), &json!({"b": 1})));
    }
}
