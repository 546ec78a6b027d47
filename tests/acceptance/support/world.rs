//! An isolated environment for one test. It runs the deployed functions' programs against an in-process
//! DynamoDB. The test controls the clock and injects faults. Only the emulator's SES, S3, secrets and
//! parameters are shared with other tests.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use aws_types::SdkConfig;
use chrono::{DateTime, TimeDelta, Utc};
use dynoxide::Database;
use dynoxide::storage_backend::ManualClock;
use futures_util::future::join;
use serde_json::{Value, json};
use sharelink_aws::share_table::{Creation, ShareLog, ShareTable};
use sharelink_aws::{AwsError, Error, new_generation, new_write_id};
use sharelink_domain::log::LogEvent;
use sharelink_domain::share::{ExpectedVersion, Renewal};
use sharelink_domain::testing::permitted;
use sharelink_domain::{Item, Share, ShareId};

use super::event_source_mapping::{EventSourceMapping, Settings};
use super::fixtures::{RETENTION, action, index_hashes, new_item, share_builder};
use super::function::{Failure, Function};
use super::proxy::StaleReaction;
use super::stack::set_clock;
use super::table::{change_expiration, renew, resend, revoke};
use super::{Aws, Email, Proxy, Stack, emails_to, rfc3339, unique};

pub(crate) struct World<'a> {
    pub(crate) stack: &'a Stack,
    pub(crate) item: Item,
    /// The table, accessed directly, so that the proxy's faults do not apply.
    pub(crate) table: ShareTable,
    /// The share log, accessed directly.
    pub(crate) log: ShareLog,
    /// The proxy between the functions and DynamoDB.
    pub(crate) dynamodb: Proxy,
    /// The proxy between the functions and SES.
    pub(crate) ses: Proxy,
    /// The proxy between the functions and S3.
    pub(crate) s3: Proxy,
    /// The proxy between the functions and Secrets Manager.
    pub(crate) secrets: Proxy,
    /// The proxy between the functions and Lambda, which runs the item resolver.
    #[allow(dead_code, reason = "only the platform tests inject faults here")]
    pub(crate) lambda: Proxy,
    /// The proxy between the functions and Parameter Store.
    pub(crate) parameters: Proxy,
    /// The proxy between the functions and `EventBridge`.
    #[allow(dead_code, reason = "only the acceptance tests inject faults here")]
    pub(crate) event_bus: Proxy,
    /// `notify-recipients`, which sends the emails.
    pub(crate) notify: StreamConsumer,
    /// `sweep-shares`, which writes the share log.
    pub(crate) sweep: StreamConsumer,
    environment: HashMap<String, String>,
    clock: Clock,
    config: SdkConfig,
}

/// A function and its event source mapping for the table's stream.
pub(crate) struct StreamConsumer {
    pub(crate) function: Arc<Function>,
    pub(crate) mapping: EventSourceMapping,
}

struct Clock {
    file: PathBuf,
    now: DateTime<Utc>,
    /// The in-process database and its clock, or `None` if DynamoDB runs at another endpoint.
    database: Option<(Database, ManualClock)>,
}

impl Clock {
    fn set(&mut self, now: DateTime<Utc>) {
        self.now = now;
        set_clock(&self.file, &now.to_rfc3339());
        if let Some((_, clock)) = &self.database {
            clock.set(now.timestamp().try_into().unwrap());
        }
    }
}

impl Drop for Clock {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.file);
    }
}

impl<'a> World<'a> {
    pub(crate) async fn new(stack: &'a Stack) -> Self {
        Self::in_process(stack, HashMap::new()).await
    }

    /// Creates a world whose functions read the key ring from this secret.
    pub(crate) async fn with_key_ring(stack: &'a Stack, secret: &str) -> Self {
        Self::with_variables(stack, &[("KEY_RING_SECRET", secret)]).await
    }

    /// Creates a world whose functions have these environment variables.
    pub(crate) async fn with_variables(stack: &'a Stack, variables: &[(&str, &str)]) -> Self {
        let variables = variables.iter().map(|&(name, value)| (name.to_owned(), value.to_owned()));
        Self::in_process(stack, variables.collect()).await
    }

    async fn in_process(stack: &'a Stack, environment: HashMap<String, String>) -> Self {
        let clock = ManualClock::default();
        let database = Database::memory_with_clock(clock.arc()).unwrap();
        let config = Aws::new(stack).serve_dynoxide(database.clone()).await;
        let now = "2030-03-10T12:00:00Z".parse().unwrap();
        Self::build(stack, config, now, Some((database, clock)), environment).await
    }

    /// Creates a world on the DynamoDB at `endpoint`, which runs in real time.
    ///
    /// The table has no indexes, because DynamoDB Local's TTL ignores rows that lack an index's key
    /// attributes.
    #[cfg(feature = "dynamodb-local")]
    pub(crate) async fn on_endpoint(stack: &'a Stack, endpoint: &str) -> Self {
        let config = Aws::new(stack).copy_tables(endpoint, false).await;
        Self::build(stack, config, super::fixtures::now(), None, HashMap::new()).await
    }

    async fn build(
        stack: &'a Stack,
        config: SdkConfig,
        now: DateTime<Utc>,
        database: Option<(Database, ManualClock)>,
        mut environment: HashMap<String, String>,
    ) -> Self {
        let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(unique("clock"));
        let mut clock = Clock { file, now, database };
        clock.set(now);
        let dynamodb = Proxy::start(config.endpoint_url().unwrap()).await;
        let ses = Proxy::start(&stack.info.aws_endpoint_url).await;
        let s3 = Proxy::start(&stack.info.aws_endpoint_url).await;
        let secrets = Proxy::start(&stack.info.aws_endpoint_url).await;
        let lambda = Proxy::start(&stack.info.aws_endpoint_url).await;
        let parameters = Proxy::start(&stack.info.aws_endpoint_url).await;
        let event_bus = Proxy::start(&stack.info.aws_endpoint_url).await;
        environment.extend([
            ("AWS_ENDPOINT_URL_EVENTBRIDGE".to_owned(), event_bus.url.clone()),
            ("AWS_ENDPOINT_URL_DYNAMODB".to_owned(), dynamodb.url.clone()),
            ("AWS_ENDPOINT_URL_SESV2".to_owned(), ses.url.clone()),
            ("AWS_ENDPOINT_URL_S3".to_owned(), s3.url.clone()),
            ("AWS_ENDPOINT_URL_SECRETS_MANAGER".to_owned(), secrets.url.clone()),
            ("AWS_ENDPOINT_URL_LAMBDA".to_owned(), lambda.url.clone()),
            ("AWS_ENDPOINT_URL_SSM".to_owned(), parameters.url.clone()),
            ("SHARELINK_CLOCK_FILE".to_owned(), clock.file.display().to_string()),
            // High enough that the rate limiter does not slow the tests down.
            ("EMAILS_PER_SECOND".to_owned(), "500".to_owned()),
            ("AWS_REGION".to_owned(), stack.info.region.clone()),
            ("AWS_ACCESS_KEY_ID".to_owned(), stack.info.credentials.aws_access_key_id.clone()),
            ("AWS_SECRET_ACCESS_KEY".to_owned(), stack.info.credentials.aws_secret_access_key.clone()),
        ]);
        let shares = &stack.info.table_name;
        let table = ShareTable::new(&config, shares);
        Self {
            stack,
            item: new_item(),
            log: ShareLog::beside(&table, &stack.info.log_table_name),
            table,
            notify: StreamConsumer::new(stack, "NotifyRecipients", shares, &environment).await,
            sweep: StreamConsumer::new(stack, "SweepShares", shares, &environment).await,
            dynamodb,
            ses,
            s3,
            secrets,
            lambda,
            parameters,
            event_bus,
            environment,
            clock,
            config,
        }
    }

    /// Returns the environment variables of this world's functions.
    pub(crate) fn environment(&self) -> HashMap<String, String> {
        self.environment.clone()
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.clock.now
    }

    /// The proxies between the functions and AWS.
    pub(crate) fn proxies(&self) -> [&Proxy; 5] {
        [&self.dynamodb, &self.ses, &self.s3, &self.secrets, &self.parameters]
    }

    /// Lets a minute pass in which the functions are frozen and all of their connections become stale.
    pub(crate) fn freeze(&mut self, reaction: StaleReaction) {
        self.advance(TimeDelta::minutes(1));
        for proxy in self.proxies() {
            proxy.make_connections_stale(reaction);
        }
    }

    /// Advances the clock. TTL deletes rows only when `run_ttl` is called.
    pub(crate) fn advance(&mut self, time: TimeDelta) {
        let now = self.clock.now + time;
        self.clock.set(now);
    }

    /// Deletes the rows whose TTL has passed, and returns their number. First advances the database's clock
    /// by one second, because TTL deletes rows late, never early.
    pub(crate) fn run_ttl(&self) -> usize {
        let (database, clock) = self.clock.database.as_ref().unwrap();
        clock.tick(Duration::from_secs(1));
        database.sweep_ttl().unwrap()
    }

    /// Creates a share of one file for a recipient. The share expires at the current time plus `life`, and
    /// its email is pending.
    pub(crate) async fn share(&self, recipient: &str, life: TimeDelta) -> Share {
        self.store(self.new_share(recipient, life)).await
    }

    /// Stores a new share.
    pub(crate) async fn store(&self, share: Share) -> Share {
        let created = self
            .table
            .create(permitted(&share), index_hashes(&share), RETENTION, new_write_id().unwrap())
            .await
            .unwrap();
        assert_eq!(created, Creation::Created);
        share
    }

    /// Shares one file with each of `count` new recipients. The shares expire at the current time plus
    /// `life`, and their emails are pending.
    pub(crate) async fn share_many(&self, count: usize, life: TimeDelta) -> Vec<Share> {
        let mut shares = Vec::new();
        for _ in 0..count {
            shares.push(self.share(&super::address("ann"), life).await);
        }
        shares
    }

    /// Uploads a file, shares it for a week and sends the email. Returns the share and its link.
    pub(crate) async fn share_by_email(&mut self, recipient: &str) -> (Share, String) {
        self.upload().await;
        let share = self.share(recipient, TimeDelta::days(7)).await;
        self.run_notify().await;
        let [link] = self.links_to(recipient).await.try_into().unwrap();
        (share, link)
    }

    /// Uploads the file that this world's shares contain.
    pub(crate) async fn upload(&self) {
        let key = self.stack.info.file_key(&self.item.to_string(), "brief.pdf");
        let aws = Aws::new(self.stack);
        aws.open_item(&self.item.to_string()).await;
        aws.upload(&key, b"abc").await;
    }

    /// Stores a share, sends its email, and returns the link in it.
    pub(crate) async fn send_link(&mut self, share: &Share) -> String {
        self.table
            .create(permitted(share), index_hashes(share), RETENTION, new_write_id().unwrap())
            .await
            .unwrap();
        self.run_notify().await;
        let [link] = self.links_to(share.recipient.as_str()).await.try_into().unwrap();
        link
    }

    /// Returns the link in each email to a recipient.
    pub(crate) async fn links_to(&self, recipient: &str) -> Vec<String> {
        emails_to(self.stack, recipient).await.iter().map(Email::link).collect()
    }

    /// Returns a client for the table with this name, through the DynamoDB proxy and its faults.
    pub(crate) fn table_under_faults(&self, name: &str) -> ShareTable {
        let config = self.config.to_builder().endpoint_url(&self.dynamodb.url).build();
        ShareTable::new(&config, name)
    }

    /// Like `store`, but through the DynamoDB proxy and its faults. Retries until the share exists.
    pub(crate) async fn store_under_faults(&self, share: Share) -> (Share, Creation) {
        let table = self.table_under_faults(&self.stack.info.table_name);
        let write = new_write_id().unwrap();
        loop {
            match table.create(permitted(&share), index_hashes(&share), RETENTION, write).await {
                Ok(Creation::Exists(_)) => panic!("a retry was mistaken for a conflict"),
                Ok(creation) => return (share, creation),
                Err(Error::Aws(AwsError::Unavailable { .. })) => {}
                Err(error) => panic!("{error}"),
            }
        }
    }

    fn new_share(&self, recipient: &str, life: TimeDelta) -> Share {
        share_builder(&self.item, life, self.now()).notify(true).recipient(recipient).build()
    }

    /// Reads a share from the table.
    pub(crate) async fn read(&self, share: &Share) -> Option<Share> {
        self.table.get(&share.item, share.id).await.unwrap()
    }

    pub(crate) async fn revoke(&self, share: &Share) {
        let (action, write) = (action(self.now()), new_write_id().unwrap());
        revoke(&self.table, &share.item, share.id, &action, write).await.unwrap();
    }

    /// Changes a share's expiration: the share then expires at the current time plus `life`.
    pub(crate) async fn expire_in(&self, share: &Share, life: TimeDelta) {
        let (action, write) = (action(self.now()), new_write_id().unwrap());
        let change = (rfc3339(self.now() + life).parse().unwrap(), ExpectedVersion::Any);
        let changed = change_expiration(&self.table, &share.item, share.id, change, &action, write).await;
        changed.unwrap();
    }

    /// Renews the link to an active share.
    pub(crate) async fn renew(&self, share: &Share, notify: bool) {
        let (action, write) = (action(self.now()), new_write_id().unwrap());
        let renewal = Renewal { generation: new_generation().unwrap(), expiry: None, notify };
        let change = (renewal, ExpectedVersion::Any);
        renew(&self.table, &share.item, share.id, change, &action, write).await.unwrap();
    }

    /// Queues another email for a share.
    pub(crate) async fn resend(&self, share: &Share) {
        let (action, write) = (action(self.now()), new_write_id().unwrap());
        resend(&self.table, &share.item, share.id, &action, write).await.unwrap();
    }

    /// Creates a function in this world. Its first invocation starts an instance.
    pub(crate) async fn new_function(&self, name: &str) -> Arc<Function> {
        Arc::new(Function::new(name, self.function_environment(name).await).await)
    }

    /// Like `new_function`, but with these environment variables.
    pub(crate) async fn new_function_with(&self, name: &str, variables: &[(&str, &str)]) -> Function {
        let mut environment = self.function_environment(name).await;
        environment.extend(variables.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())));
        Function::new(name, environment).await
    }

    /// Like `new_function`, but with this time limit.
    pub(crate) async fn new_function_with_time_limit(&self, name: &str, time_limit: Duration) -> Function {
        Function::with_time_limit(name, time_limit, self.function_environment(name).await).await
    }

    async fn function_environment(&self, name: &str) -> HashMap<String, String> {
        let mut variables = Aws::new(self.stack).function_environment(name).await;
        variables.extend(self.environment.clone());
        variables
    }

    /// Inserts an unreadable row that looks like a share with a pending email. Returns the sequence number of
    /// the row's stream record.
    pub(crate) async fn insert_poison_row(&self, id: &str) -> String {
        let entry = format!("SHARE#{id}");
        let row = json!({
            "item": {"S": self.item.to_string()}, "entry": {"S": entry}, "mailShard": {"S": "0"},
            "mailDue": {"N": "0"}, "mailState": {"S": "queued"},
        });
        let put = json!({"TableName": self.stack.info.table_name, "Item": row});
        self.aws().call("dynamodb", "DynamoDB_20120810.PutItem", &put).await;
        let records = self.records().await;
        let is_poison = |record: &&Value| record["dynamodb"]["Keys"]["entry"]["S"] == entry.as_str();
        let record = records.iter().rfind(is_poison).unwrap();
        record["dynamodb"]["SequenceNumber"].as_str().unwrap().to_owned()
    }

    /// Returns a client for this world's DynamoDB.
    pub(crate) fn aws(&self) -> Aws<'a> {
        Aws::with_config(self.stack, self.config.clone())
    }

    /// Deletes a share's row, as an operator's mistake does.
    pub(crate) async fn lose(&self, share: &Share) {
        self.aws().delete_row(&share.item.to_string(), &format!("SHARE#{}", share.id)).await;
    }

    /// Returns every record in the stream.
    pub(crate) async fn records(&self) -> Vec<Value> {
        self.aws().stream_records().await
    }

    /// Delivers the stream's new records to `notify-recipients`.
    pub(crate) async fn run_notify(&mut self) {
        let records = self.records().await;
        self.notify.deliver(&records, self.clock.now).await;
    }

    /// Passes the records to two sweepers concurrently. The second receives them one at a time, in reverse
    /// order.
    pub(crate) async fn sweep_forwards_and_backwards(&self, records: &[Value]) {
        let another = self.new_function("SweepShares").await;
        let forwards = json!({"Records": records});
        let backwards = async {
            for record in records.iter().rev() {
                another.invoke(&json!({"Records": [record]})).await.unwrap();
            }
        };
        let (swept, ()) = join(self.sweep.function.invoke(&forwards), backwards).await;
        assert_eq!(swept.unwrap(), json!({"batchItemFailures": []}));
    }

    /// Delivers the stream's new records to `sweep-shares`, and repeats until there are no more.
    pub(crate) async fn run_sweep(&mut self) {
        loop {
            let records = self.records().await;
            if self.sweep.deliver(&records, self.clock.now).await == 0 {
                return;
            }
        }
    }

    /// Creates a consumer of the log's stream, which publishes the entries as events.
    pub(crate) async fn event_publisher(&self) -> StreamConsumer {
        let log = &self.stack.info.log_table_name;
        StreamConsumer::new(self.stack, "SweepShares", log, &self.environment).await
    }

    /// Delivers the log's new entries to a consumer of the log's stream.
    pub(crate) async fn publish(&self, publisher: &mut StreamConsumer) {
        let records = self.aws().log_records().await;
        publisher.deliver(&records, self.clock.now).await;
    }

    /// Invokes `notify-recipients` with the event that its schedule sends.
    pub(crate) async fn run_schedule(&self) -> Result<Value, Failure> {
        self.notify.function.invoke(&schedule_event()).await
    }

    /// Advances the clock one minute at a time, and runs the schedule after each minute.
    pub(crate) async fn run_minutes(&mut self, minutes: usize) {
        for _ in 0..minutes {
            self.advance(TimeDelta::minutes(1));
            self.run_schedule().await.unwrap();
        }
    }

    /// Returns the number of emails sent to a share's recipient.
    pub(crate) async fn email_count(&self, share: &Share) -> usize {
        emails_to(self.stack, share.recipient.as_str()).await.len()
    }

    /// Returns the names of a share's log events, oldest first.
    pub(crate) async fn log_events(&self, id: ShareId) -> Vec<String> {
        self.all_log_events().await.remove(&id).unwrap_or_default()
    }

    /// Returns the names of each share's log events, oldest first.
    pub(crate) async fn all_log_events(&self) -> HashMap<ShareId, Vec<String>> {
        let (mut entries, mut cursor) = (Vec::new(), None);
        loop {
            let page = self.log.list(&self.item, 100, cursor.as_ref()).await.unwrap();
            entries.extend(page.entries);
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        let mut log: HashMap<_, Vec<String>> = HashMap::new();
        for entry in entries.into_iter().rev() {
            let event = event_name(&entry.event);
            log.entry(entry.share).or_default().push(event);
        }
        log
    }
}

impl StreamConsumer {
    async fn new(stack: &Stack, name: &str, table: &str, environment: &HashMap<String, String>) -> Self {
        let aws = Aws::new(stack);
        let mut variables = aws.function_environment(name).await;
        variables.extend(environment.clone());
        let settings = Settings::from_deployed(&aws.event_source_mapping(name, table).await);
        Self {
            function: Arc::new(Function::new(name, variables).await),
            mapping: EventSourceMapping::new(settings),
        }
    }

    /// Selects the new records from `records` and delivers them. Returns the number of invocations.
    async fn deliver(&mut self, records: &[Value], now: DateTime<Utc>) -> usize {
        let selected = self.mapping.select(records);
        self.mapping.deliver(selected, now, async |event| self.function.invoke(event).await).await
    }
}

/// Returns the event that `EventBridge` sends every minute.
fn schedule_event() -> Value {
    json!({
        "version": "0", "id": "53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa", "detail-type": "Scheduled Event",
        "source": "aws.events", "account": "123456789012", "time": "2030-03-10T12:00:00Z", "region": "us-east-1",
        "resources": ["arn:aws:events:us-east-1:123456789012:rule/overdue-emails"], "detail": {},
    })
}

/// Returns the API's name for a log event, such as `expirationChanged`.
fn event_name(event: &LogEvent) -> String {
    let debug = format!("{event:?}");
    let variant = debug.split(' ').next().unwrap();
    variant[..1].to_lowercase() + &variant[1..]
}
