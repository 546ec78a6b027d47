//! Runs the operator's program on a world's tables.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::process::Stdio;

use serde_json::{Value, json};
use sharelink_aws::new_write_id;
use sharelink_aws::share_table::Creation;
use sharelink_domain::Share;
use sharelink_domain::index_key::IndexKey;
use sharelink_domain::testing::permitted;
use tokio::process::Command;

use super::fixtures::RETENTION;
use super::manager::index_key;
use super::{Aws, Proxy, World, unique};

/// The operator's program, with a queue of failed reports that only this test uses.
pub(crate) struct Operator {
    pub(crate) index_key: IndexKey,
    pub(crate) queue: String,
    sqs: Proxy,
    environment: HashMap<String, String>,
    tables: [String; 2],
    /// The secrets with the keys of the indexes and of the counters.
    secrets: [String; 2],
}

/// The result of a command.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) is_success: bool,
    pub(crate) output: String,
    pub(crate) errors: String,
}

impl Report {
    /// Returns the number in the line that contains this text.
    pub(crate) fn number(&self, label: &str) -> u64 {
        let line = self.output.lines().find(|line| line.contains(label));
        let line = line.unwrap_or_else(|| panic!("no line has {label:?}: {self:?}"));
        line.split_whitespace().next().unwrap().parse().unwrap()
    }

    /// Returns every number in the report.
    pub(crate) fn numbers(&self) -> Vec<u64> {
        let first_words = self.output.lines().filter_map(|line| line.split_whitespace().next());
        first_words.filter_map(|word| word.parse().ok()).collect()
    }
}

impl Operator {
    pub(crate) async fn new(world: &World<'_>) -> Self {
        let aws = Aws::new(world.stack);
        let variables = aws.function_environment("CreateShares").await;
        let secrets = ["INDEX_KEY_SECRET", "HASH_KEY_SECRET"].map(|name| variables[name].clone());
        let queue = json!({"QueueName": unique("failures")});
        let queue = aws.call("sqs", "AmazonSQS.CreateQueue", &queue).await["QueueUrl"].clone();
        let sqs = Proxy::start(&world.stack.info.aws_endpoint_url).await;
        let mut environment = world.environment();
        environment.insert("AWS_ENDPOINT_URL_SQS".to_owned(), sqs.url.clone());
        let info = &world.stack.info;
        Self {
            index_key: index_key(world.stack).await,
            queue: queue.as_str().unwrap().to_owned(),
            sqs,
            environment,
            tables: [info.table_name.clone(), info.log_table_name.clone()],
            secrets,
        }
    }

    /// Stores a share, which the indexes find by the deployment's key.
    pub(crate) async fn store(&self, world: &World<'_>, share: &Share) {
        let (hashes, write) = (self.index_key.hashes(share), new_write_id().unwrap());
        assert_eq!(
            world.table.create(permitted(share), hashes, RETENTION, write).await.unwrap(),
            Creation::Created
        );
    }

    /// Runs a command on the shares.
    pub(crate) async fn run_on_shares(&self, command: &str, arguments: &[&str]) -> Report {
        let [table, _] = &self.tables;
        let [index_key, _] = &self.secrets;
        self.run(&[&[command, "--table", table, "--index-key", index_key], arguments].concat()).await
    }

    /// Switches a sharer off or on.
    pub(crate) async fn switch_sharer(&self, state: &str, sub: &str) -> Report {
        let [table, _] = &self.tables;
        let [index_key, _] = &self.secrets;
        self.run(&["switch", state, "sharer", sub, "--table", table, "--index-key", index_key]).await
    }

    /// Runs a command on everything that contains addresses.
    pub(crate) async fn run_on_people(&self, command: &str, arguments: &[&str]) -> Report {
        let ([table, log], [index_key, hash_key]) = (&self.tables, &self.secrets);
        let shares = [command, "--table", table, "--log-table", log];
        let keys = ["--index-key", index_key, "--hash-key", hash_key, "--track-failures", &self.queue];
        self.run(&[shares.as_slice(), &keys, arguments].concat()).await
    }

    /// Restores all rows from these backups of the shares and of the log.
    pub(crate) async fn restore(&self, [shares, log]: &[String; 2], arguments: &[&str]) -> Report {
        let [live, live_log] = &self.tables;
        let [index_key, _] = &self.secrets;
        let tables = ["restore", "--from", shares, "--to", live, "--log-from", log, "--log-to", live_log];
        let settings = ["--index-key", index_key, "--max-writes-per-second", "10000"];
        self.run(&[tables.as_slice(), &settings, arguments].concat()).await
    }

    /// Runs the program with these arguments.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Report {
        let output = Command::new(program())
            .args(arguments)
            .env_clear()
            .envs(&self.environment)
            .env("USER", "opal")
            .stdin(Stdio::null())
            .output()
            .await
            .unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Report {
            is_success: output.status.success(),
            output: text(output.stdout),
            errors: text(output.stderr),
        }
    }

    /// Sends a message to the queue of failed reports.
    pub(crate) async fn send_report(&self, world: &World<'_>, report: &Value) {
        let message = json!({"QueueUrl": self.queue, "MessageBody": report.to_string()});
        Aws::new(world.stack).call("sqs", "AmazonSQS.SendMessage", &message).await;
    }

    /// Returns the bodies of the messages that are visible in the queue of failed reports, and hides them.
    pub(crate) async fn take_reports(&self, world: &World<'_>) -> Vec<String> {
        let receive = json!({"QueueUrl": self.queue, "MaxNumberOfMessages": 10});
        let response = Aws::new(world.stack).call("sqs", "AmazonSQS.ReceiveMessage", &receive).await;
        let messages = response["Messages"].as_array().cloned().unwrap_or_default();
        messages.iter().map(|message| message["Body"].as_str().unwrap().to_owned()).collect()
    }

    /// Returns the actions of all calls to AWS since the last time, as IAM names them.
    pub(crate) fn take_actions(&self, world: &World<'_>) -> BTreeSet<String> {
        let proxies = [&world.dynamodb, &world.secrets, &self.sqs];
        let calls = proxies.into_iter().flat_map(|proxy| proxy.take_calls(&[""]));
        calls.filter_map(|call| action(&call)).collect()
    }
}

/// Returns the IAM action of a recorded call.
fn action(call: &str) -> Option<String> {
    let target = call.split("\"x-amz-target\": \"").nth(1)?.split('"').next()?;
    let (service, operation) = target.split_once('.')?;
    let service = match service {
        "secretsmanager" => "secretsmanager",
        "AmazonSQS" => "sqs",
        _ => "dynamodb",
    };
    let operation = match operation {
        "TransactWriteItems" => "PutItem",
        "DeleteMessageBatch" => "DeleteMessage",
        "ChangeMessageVisibilityBatch" => "ChangeMessageVisibility",
        operation => operation,
    };
    Some(format!("{service}:{operation}"))
}

/// Returns the path of the program, which the local stack compiles with the functions.
pub(crate) fn program() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.ancestors().nth(2).unwrap().join("sharelink-operator")
}
