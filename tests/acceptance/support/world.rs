//! A world of a test's own: the deployed functions' programs on a DynamoDB in this process, with a clock that the
//! test moves and faults that it lets happen. Only the emulator's SES, secrets and parameters are shared.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use aws_types::SdkConfig;
use chrono::{DateTime, TimeDelta, Utc};
use dynoxide::Database;
use dynoxide::storage_backend::ManualClock;
use serde_json::{Value, json};
use sharelink_aws::share_table::{Creation, ShareTable};
use sharelink_aws::{AwsError, new_generation, new_write_id};
use sharelink_domain::request::ShareRequest;
use sharelink_domain::share::ExpectedVersion;
use sharelink_domain::{Action, Expiry, Item, Share, ShareId, SharedFile, Sharer};

use super::function::{Failure, Function};
use super::pump::{Pump, Settings};
use super::stack::set_clock;
use super::{Aws, Mail, Proxy, Stack, mails_to, rfc3339, unique};

/// How long shares of a world are kept after their access has ended.
pub(crate) const RETENTION: TimeDelta = TimeDelta::days(30);

pub(crate) struct World<'a> {
    stack: &'a Stack,
    pub(crate) item: Item,
    /// The table, without any faults.
    pub(crate) table: ShareTable,
    /// Between the functions and DynamoDB.
    pub(crate) dynamodb: Proxy,
    /// Between the functions and SES.
    pub(crate) ses: Proxy,
    /// Between the functions and S3.
    pub(crate) s3: Proxy,
    /// Between the functions and Secrets Manager.
    pub(crate) secrets: Proxy,
    /// Sends emails.
    pub(crate) notify: Worker,
    /// Fills the log.
    pub(crate) sweep: Worker,
    environment: HashMap<String, String>,
    clock: Clock,
    config: SdkConfig,
}

/// A function and its place in the stream.
pub(crate) struct Worker {
    pub(crate) function: Arc<Function>,
    pub(crate) pump: Pump,
}

struct Clock {
    file: PathBuf,
    now: DateTime<Utc>,
    /// That of the database, if it is one of ours.
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

    /// A world whose links are sealed with the ring in this secret.
    pub(crate) async fn with_key_ring(stack: &'a Stack, secret: &str) -> Self {
        Self::in_process(stack, HashMap::from([("KEY_RING_SECRET".to_owned(), secret.to_owned())])).await
    }

    async fn in_process(stack: &'a Stack, environment: HashMap<String, String>) -> Self {
        let clock = ManualClock::default();
        let database = Database::memory_with_clock(clock.arc()).unwrap();
        let config = Aws::of(stack).serve_dynoxide(database.clone()).await;
        let now = "2030-03-10T12:00:00Z".parse().unwrap();
        Self::on(stack, config, now, Some((database, clock)), environment).await
    }

    /// A world on a DynamoDB whose time is the real one, with a table without indexes: DynamoDB Local's TTL
    /// passes over rows that lack the key of one.
    #[cfg(feature = "dynamodb-local")]
    pub(crate) async fn on_endpoint(stack: &'a Stack, endpoint: &str) -> Self {
        let config = Aws::of(stack).copy_table(endpoint, false).await;
        Self::on(stack, config, sharelink_domain::to_millis(Utc::now()), None, HashMap::new()).await
    }

    async fn on(
        stack: &'a Stack,
        config: SdkConfig,
        now: DateTime<Utc>,
        database: Option<(Database, ManualClock)>,
        mut environment: HashMap<String, String>,
    ) -> Self {
        let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(unique("clock"));
        let mut clock = Clock { file, now, database };
        clock.set(now);
        let dynamodb = Proxy::before(config.endpoint_url().unwrap()).await;
        let ses = Proxy::before(&stack.info.aws_endpoint_url).await;
        let s3 = Proxy::before(&stack.info.aws_endpoint_url).await;
        let secrets = Proxy::before(&stack.info.aws_endpoint_url).await;
        environment.extend([
            ("AWS_ENDPOINT_URL_DYNAMODB".to_owned(), dynamodb.url.clone()),
            ("AWS_ENDPOINT_URL_SESV2".to_owned(), ses.url.clone()),
            ("AWS_ENDPOINT_URL_S3".to_owned(), s3.url.clone()),
            ("AWS_ENDPOINT_URL_SECRETS_MANAGER".to_owned(), secrets.url.clone()),
            ("SHARELINK_CLOCK_FILE".to_owned(), clock.file.display().to_string()),
            // Faster than any SES, so that tests do not wait.
            ("EMAILS_PER_SECOND".to_owned(), "500".to_owned()),
            ("AWS_REGION".to_owned(), stack.info.region.clone()),
            ("AWS_ACCESS_KEY_ID".to_owned(), "test".to_owned()),
            ("AWS_SECRET_ACCESS_KEY".to_owned(), "test".to_owned()),
        ]);
        Self {
            stack,
            item: Item { module: "jobs".parse().unwrap(), name: unique("world").parse().unwrap() },
            table: ShareTable::new(&config, &stack.info.table_name),
            notify: Worker::new(stack, "NotifyRecipients", &environment).await,
            sweep: Worker::new(stack, "SweepShares", &environment).await,
            dynamodb,
            ses,
            s3,
            secrets,
            environment,
            clock,
            config,
        }
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.clock.now
    }

    /// Lets time pass. TTL does its work only when it is told to.
    pub(crate) fn pass(&mut self, time: TimeDelta) {
        let now = self.clock.now + time;
        self.clock.set(now);
    }

    /// Lets TTL delete what is due. It is never early, so it is a second late.
    pub(crate) fn run_ttl(&self) -> usize {
        let (database, clock) = self.clock.database.as_ref().unwrap();
        clock.tick(Duration::from_secs(1));
        database.sweep_ttl().unwrap()
    }

    /// Shares one file with a recipient for this long; their email is pending.
    pub(crate) async fn share(&self, recipient: &str, life: TimeDelta) -> Share {
        let share = self.new_share(recipient, life);
        let created = self.table.create(&share, RETENTION, new_write_id().unwrap()).await.unwrap();
        assert_eq!(created, Creation::Created);
        share
    }

    /// Shares a file that is there with a recipient for a week, and sends the email; returns its link.
    pub(crate) async fn emailed(&mut self, recipient: &str) -> (Share, String) {
        self.upload().await;
        let share = self.share(recipient, TimeDelta::days(7)).await;
        self.run_notify().await;
        let [link] = self.links_to(recipient).await.try_into().unwrap();
        (share, link)
    }

    /// Puts the file there that shares of this world are of.
    pub(crate) async fn upload(&self) {
        Aws::of(self.stack).upload(&format!("{}/brief.pdf", self.item), b"abc").await;
    }

    /// The links that a recipient has got.
    pub(crate) async fn links_to(&self, recipient: &str) -> Vec<String> {
        mails_to(self.stack, recipient).await.iter().map(Mail::link).collect()
    }

    /// The same through the faults between the functions and DynamoDB, until it is there.
    pub(crate) async fn share_under_faults(&self, recipient: &str, life: TimeDelta) -> (Share, Creation) {
        let config = self.config.to_builder().endpoint_url(&self.dynamodb.url).build();
        let table = ShareTable::new(&config, &self.stack.info.table_name);
        let (share, write) = (self.new_share(recipient, life), new_write_id().unwrap());
        loop {
            match table.create(&share, RETENTION, write).await {
                Ok(Creation::Exists(_)) => panic!("a false conflict"),
                Ok(creation) => return (share, creation),
                Err(AwsError::Unavailable { .. }) => {}
                Err(error) => panic!("{error}"),
            }
        }
    }

    fn new_share(&self, recipient: &str, life: TimeDelta) -> Share {
        let request = ShareRequest {
            item: self.item.clone(),
            files: vec![SharedFile { name: "brief.pdf".parse().unwrap(), size: 3 }],
            sharer: tess(),
            message: None,
            expiry: Expiry::parse(&rfc3339(self.now() + life), self.now()).unwrap(),
            notify: true,
        };
        request.share_with(recipient.parse().unwrap(), new_generation().unwrap(), self.now())
    }

    /// The share as it is now.
    pub(crate) async fn read(&self, share: &Share) -> Option<Share> {
        self.table.get(&share.item, share.id).await.unwrap()
    }

    pub(crate) async fn revoke(&self, share: &Share) {
        let action = self.action();
        let revoke = |share: &Share| Ok::<_, ()>(share.revoked(&action));
        let write = new_write_id().unwrap();
        self.table.change(&share.item, share.id, RETENTION, write, revoke).await.unwrap();
    }

    /// Changes a share's expiration, to this long from now.
    pub(crate) async fn expire_in(&self, share: &Share, life: TimeDelta) {
        let action = self.action();
        let expiry = rfc3339(self.now() + life).parse().unwrap();
        let change = |share: &Share| share.with_expiration(expiry, &action, ExpectedVersion::Any);
        let write = new_write_id().unwrap();
        self.table.change(&share.item, share.id, RETENTION, write, change).await.unwrap().unwrap().unwrap();
    }

    pub(crate) async fn resend(&self, share: &Share) {
        let action = self.action();
        let resend = |share: &Share| share.resent(&action).map(Some);
        let write = new_write_id().unwrap();
        self.table.resend(&share.item, share.id, write, resend).await.unwrap().unwrap().unwrap();
    }

    fn action(&self) -> Action {
        Action { by: tess(), at: self.now() }
    }

    /// Another instance of a function.
    pub(crate) async fn another(&self, name: &str) -> Arc<Function> {
        Arc::new(Function::new(name, self.function_environment(name).await).await)
    }

    /// An instance that has this long for an invocation.
    pub(crate) async fn hurried(&self, name: &str, time_limit: Duration) -> Function {
        Function::hurried(name, time_limit, self.function_environment(name).await).await
    }

    async fn function_environment(&self, name: &str) -> HashMap<String, String> {
        let mut variables = Aws::of(self.stack).function_environment(name).await;
        variables.extend(self.environment.clone());
        variables
    }

    /// Writes a row with this id that is no share, though it looks like one whose email is pending. Returns its
    /// sequence number.
    pub(crate) async fn poison(&self, id: &str) -> String {
        let entry = format!("SHARE#{id}");
        let row = json!({
            "item": {"S": self.item.to_string()}, "entry": {"S": entry}, "mailShard": {"S": "0"},
            "mailDue": {"N": "0"},
        });
        let put = json!({"TableName": self.stack.info.table_name, "Item": row});
        Aws::with(self.stack, self.config.clone()).call("dynamodb", "DynamoDB_20120810.PutItem", &put).await;
        let records = self.records().await;
        let of_poison = |record: &&Value| record["dynamodb"]["Keys"]["entry"]["S"] == entry.as_str();
        let record = records.iter().rfind(of_poison).unwrap();
        record["dynamodb"]["SequenceNumber"].as_str().unwrap().to_owned()
    }

    /// All records of the stream.
    pub(crate) async fn records(&self) -> Vec<Value> {
        Aws::with(self.stack, self.config.clone()).stream_records().await
    }

    /// Delivers what is new in the stream to the sender of emails.
    pub(crate) async fn run_notify(&mut self) {
        let records = self.records().await;
        self.notify.work(&records, self.clock.now).await;
    }

    /// Delivers what is new in the stream to the sweeper, until nothing is.
    pub(crate) async fn run_sweep(&mut self) {
        loop {
            let records = self.records().await;
            if self.sweep.work(&records, self.clock.now).await == 0 {
                return;
            }
        }
    }

    /// Another minute has passed: the schedule's event.
    pub(crate) async fn run_schedule(&self) -> Result<Value, Failure> {
        self.notify.function.invoke(&schedule()).await
    }

    /// Lets minutes pass, with the schedule's event in each.
    pub(crate) async fn minutes(&mut self, minutes: usize) {
        for _ in 0..minutes {
            self.pass(TimeDelta::minutes(1));
            self.run_schedule().await.unwrap();
        }
    }

    /// How many emails a recipient has got.
    pub(crate) async fn mails_to(&self, share: &Share) -> usize {
        mails_to(self.stack, share.recipient.as_str()).await.len()
    }

    /// What the log says of a share, oldest first.
    pub(crate) async fn log_of(&self, id: ShareId) -> Vec<String> {
        self.log().await.remove(&id).unwrap_or_default()
    }

    /// What the log says of each share, oldest first.
    pub(crate) async fn log(&self) -> HashMap<ShareId, Vec<String>> {
        let (mut entries, mut cursor) = (Vec::new(), None);
        loop {
            let page = self.table.log(&self.item, 100, cursor.as_ref()).await.unwrap();
            entries.extend(page.entries);
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        let mut log: HashMap<_, Vec<String>> = HashMap::new();
        for entry in entries.into_iter().rev() {
            let event = serde_json::to_value(entry.event).unwrap()["event"].as_str().unwrap().to_owned();
            log.entry(entry.share).or_default().push(event);
        }
        log
    }
}

impl Worker {
    async fn new(stack: &Stack, name: &str, environment: &HashMap<String, String>) -> Self {
        let aws = Aws::of(stack);
        let mut variables = aws.function_environment(name).await;
        variables.extend(environment.clone());
        Self {
            function: Arc::new(Function::new(name, variables).await),
            pump: Pump::new(Settings::of(&aws.event_source_mapping(name).await)),
        }
    }

    async fn work(&mut self, records: &[Value], now: DateTime<Utc>) -> usize {
        let records = self.pump.select(records);
        self.pump.deliver(records, now, async |event| self.function.invoke(event).await).await
    }
}

/// As `EventBridge` sends it.
pub(crate) fn schedule() -> Value {
    json!({
        "version": "0", "id": "53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa", "detail-type": "Scheduled Event",
        "source": "aws.events", "account": "123456789012", "time": "2030-03-10T12:00:00Z", "region": "us-east-1",
        "resources": ["arn:aws:events:us-east-1:123456789012:rule/overdue-emails"], "detail": {},
    })
}

fn tess() -> Sharer {
    Sharer { sub: "tess".into(), name: Some("Tess".into()), email: None }
}
