//! The deployed stack: the one that runs, or one that the tests start, once for all of them.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use super::{Aws, Proxy};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use reqwest::Client;
use reqwest::redirect::Policy;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::{OnceCell, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// What `stack.json` says, as far as tests need it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StackInfo {
    pub(crate) api_url: String,
    pub(crate) aws_endpoint_url: String,
    pub(crate) region: String,
    pub(crate) files_bucket: String,
    pub(crate) table_name: String,
    pub(crate) issuer: String,
    pub(crate) mail_url: String,
    clock_file: PathBuf,
}

/// The stack, held for one test.
pub(crate) struct Stack {
    pub(crate) info: StackInfo,
    pub(crate) client: Client,
    _shared: Option<RwLockReadGuard<'static, ()>>,
}

/// The functions' clock, which only the test that holds it can move; back to the real time with its end.
pub(crate) struct Clock {
    stack: StackInfo,
    /// The variable of the functions' environment that this test has changed, and what it was.
    changed: Option<(&'static str, Option<String>)>,
    _alone: RwLockWriteGuard<'static, ()>,
}

/// Where an SDK finds DynamoDB, apart from everything else.
const DYNAMODB: &str = "AWS_ENDPOINT_URL_DYNAMODB";

/// How many days a share is kept after its access has ended.
const RETENTION: &str = "RETENTION_DAYS";

/// Held shared by tests in real time, and alone by those that move the clock.
static TIME: LazyLock<RwLock<()>> = LazyLock::new(RwLock::default);

impl Stack {
    /// The stack in real time.
    pub(crate) async fn get() -> Self {
        let shared = TIME.read().await;
        Self { _shared: Some(shared), ..Self::connect().await }
    }

    /// The stack with a clock to move, for this test alone.
    pub(crate) async fn with_clock() -> (Self, Clock) {
        let alone = TIME.write().await;
        let stack = Self::connect().await;
        let clock = Clock { stack: stack.info.clone(), changed: None, _alone: alone };
        (stack, clock)
    }

    /// The stack for this test alone, with a proxy between the functions and DynamoDB.
    pub(crate) async fn with_lossy_dynamodb() -> (Self, Proxy, Clock) {
        let (stack, mut clock) = Self::with_clock().await;
        let proxy = Proxy::before(&stack.info.aws_endpoint_url).await;
        clock.changed = Some((DYNAMODB, None));
        Aws::of(&stack).set_function_variable(DYNAMODB, Some(&proxy.url)).await;
        (stack, proxy, clock)
    }

    /// The stack for this test alone, with shares that are kept for a day: a clock that passes it does not purge
    /// what all the other tests have left.
    pub(crate) async fn with_short_retention() -> (Self, Clock) {
        let (stack, mut clock) = Self::with_clock().await;
        let aws = Aws::of(&stack);
        let days = aws.function_environment("CreateShares").await.remove(RETENTION);
        clock.changed = Some((RETENTION, days));
        aws.set_function_variable(RETENTION, Some("1")).await;
        (stack, clock)
    }

    async fn connect() -> Self {
        static INFO: OnceCell<StackInfo> = OnceCell::const_new();
        let info = INFO.get_or_init(running_or_started).await.clone();
        let client =
            Client::builder().redirect(Policy::none()).timeout(Duration::from_mins(2)).build().unwrap();
        Self { info, client, _shared: None }
    }

    /// A token of a user with these access rights.
    pub(crate) async fn token(&self, rights: &[&str]) -> String {
        self.token_with(&json!({
            "sub": "test-user", "name": "Tess Tester", "email": "tess@sharelink.example", "accessRights": rights,
        }))
        .await
    }

    /// A token with these claims.
    pub(crate) async fn token_with(&self, claims: &serde_json::Value) -> String {
        let query = URL_SAFE_NO_PAD.encode(claims.to_string());
        let answer = self.client.get(format!("{}/token?{query}", self.info.issuer)).send().await.unwrap();
        answer.error_for_status().unwrap().text().await.unwrap()
    }
}

impl Clock {
    /// Stops time at a moment.
    pub(crate) fn stop_at(&self, time: DateTime<Utc>) {
        set_clock(&self.stack.clock_file, &time.to_rfc3339());
    }
}

impl Drop for Clock {
    fn drop(&mut self) {
        set_clock(&self.stack.clock_file, "0");
        if let Some((variable, value)) = self.changed.take() {
            let info = self.stack.clone();
            // A drop cannot wait, but another thread can.
            let restore = async move {
                let stack = Stack { info, client: Client::new(), _shared: None };
                Aws::of(&stack).set_function_variable(variable, value.as_deref()).await;
            };
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let restored =
                std::thread::spawn(move || runtime.map(|runtime| runtime.block_on(restore))).join();
            let restored = matches!(restored, Ok(Ok(())));
            assert!(
                restored || std::thread::panicking(),
                "the functions have a changed environment: restart the stack"
            );
        }
    }
}

/// In one step, or a function would read an empty file.
pub(super) fn set_clock(file: &Path, text: &str) {
    let next = file.with_extension("next");
    fs::write(&next, text).unwrap();
    fs::rename(next, file).unwrap();
}

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

async fn running_or_started() -> StackInfo {
    if let Some(running) = running().await {
        return running;
    }
    let mut up = start();
    let deadline = Instant::now() + STARTED_WITHIN;
    loop {
        if let Some(running) = running().await {
            // Its standard input closes with this process, however that ends; then it stops.
            std::mem::forget(up);
            return running;
        }
        if let Some(status) = up.try_wait().unwrap() {
            panic!("`cargo local up` ended ({status}); see target/local-stack.log");
        }
        assert!(Instant::now() < deadline, "`cargo local up` takes too long; see target/local-stack.log");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// The first start compiles the functions.
const STARTED_WITHIN: Duration = Duration::from_mins(30);

fn start() -> Child {
    let log = File::create(root().join("target/local-stack.log")).unwrap();
    Command::new(env!("CARGO"))
        .current_dir(root())
        .args(["local", "up", "--until-stdin-closes"])
        .stdin(Stdio::piped())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap()
}

async fn running() -> Option<StackInfo> {
    let info: StackInfo =
        serde_json::from_slice(&fs::read(root().join("target/local/stack.json")).ok()?).ok()?;
    let answer = reqwest::get(format!("{}/.well-known/openid-configuration", info.issuer)).await.ok()?;
    answer.status().is_success().then_some(info)
}
