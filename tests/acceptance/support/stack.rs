//! The deployed stack. Tests connect to a stack that is already running, or start one that they all share.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use reqwest::Client;
use reqwest::redirect::Policy;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::{OnceCell, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::signature::Credentials;
use super::{Aws, Proxy};

/// The fields of `stack.json` that tests need.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StackInfo {
    environment: String,
    pub(crate) api_url: String,
    pub(crate) aws_endpoint_url: String,
    pub(crate) region: String,
    #[serde(flatten)]
    pub(crate) credentials: Credentials,
    pub(crate) files_bucket: String,
    file_key_pattern: String,
    document_key_pattern: Option<String>,
    pub(crate) table_name: String,
    pub(crate) log_table_name: String,
    pub(crate) issuer: String,
    pub(crate) mail_url: String,
    clock_file: PathBuf,
    /// The process with which the stack stops, if there is one.
    owner: Option<u32>,
}

/// One test's connection to the stack.
pub(crate) struct Stack {
    pub(crate) info: StackInfo,
    pub(crate) client: Client,
    _shared: Option<RwLockReadGuard<'static, ()>>,
}

/// Exclusive control of the functions' clock. Dropping this value restores real time and the functions'
/// environment variables.
pub(crate) struct Clock {
    stack: StackInfo,
    /// The environment variables that the test changed, and their previous values.
    changed_variables: Vec<(&'static str, Option<String>)>,
    _exclusive: RwLockWriteGuard<'static, ()>,
}

/// Environment variable for the SDK's DynamoDB endpoint.
const DYNAMODB_ENDPOINT: &str = "AWS_ENDPOINT_URL_DYNAMODB";

/// Environment variable for the number of days between the end of a share's access and the share's deletion.
const RETENTION_DAYS: &str = "RETENTION_DAYS";

/// Tests that run in real time take the read lock. Tests that set the clock take the write lock.
static TIME: LazyLock<RwLock<()>> = LazyLock::new(RwLock::default);

impl Stack {
    /// Connects to the stack, for a test that runs in real time.
    pub(crate) async fn get() -> Self {
        let shared = TIME.read().await;
        Self { _shared: Some(shared), ..Self::connect().await }
    }

    /// Connects with exclusive use of the stack, and control of its clock.
    pub(crate) async fn with_clock() -> (Self, Clock) {
        let exclusive = TIME.write().await;
        let stack = Self::connect().await;
        let clock = Clock { stack: stack.info.clone(), changed_variables: vec![], _exclusive: exclusive };
        (stack, clock)
    }

    /// Connects with exclusive use of the stack, and puts a proxy between the functions and DynamoDB.
    pub(crate) async fn with_dynamodb_proxy() -> (Self, Proxy, Clock) {
        let (stack, mut clock) = Self::with_clock().await;
        let proxy = Proxy::start(&stack.info.aws_endpoint_url).await;
        clock.changed_variables.push((DYNAMODB_ENDPOINT, None));
        Aws::new(&stack).set_function_variable(DYNAMODB_ENDPOINT, Some(&proxy.url)).await;
        (stack, proxy, clock)
    }

    /// Connects with exclusive use of the stack, and sets the retention of new shares to one day.
    ///
    /// A test can then move the clock past the retention of its own shares without purging other tests'
    /// shares.
    pub(crate) async fn with_short_retention() -> (Self, Clock) {
        Self::with_function_variable(RETENTION_DAYS, "1").await
    }

    /// Connects with exclusive use of the stack, and sets an environment variable that `create-shares` or
    /// `manage-shares` has.
    pub(crate) async fn with_function_variable(variable: &'static str, value: &str) -> (Self, Clock) {
        Self::with_function_variables(&[(variable, value)]).await
    }

    /// Like `with_function_variable`, for several variables.
    pub(crate) async fn with_function_variables(variables: &[(&'static str, &str)]) -> (Self, Clock) {
        let (stack, mut clock) = Self::with_clock().await;
        let aws = Aws::new(&stack);
        let mut environment = aws.function_environment("ManageShares").await;
        environment.extend(aws.function_environment("CreateShares").await);
        for &(variable, value) in variables {
            clock.changed_variables.push((variable, environment.remove(variable)));
            aws.set_function_variable(variable, Some(value)).await;
        }
        (stack, clock)
    }

    async fn connect() -> Self {
        static INFO: OnceCell<StackInfo> = OnceCell::const_new();
        let info = INFO.get_or_init(connect_or_start).await.clone();
        let client =
            Client::builder().redirect(Policy::none()).timeout(Duration::from_mins(2)).build().unwrap();
        Self { info, client, _shared: None }
    }

    /// Returns a token for a user with these access rights.
    pub(crate) async fn token(&self, rights: &[&str]) -> String {
        self.token_with_claims(&json!({
            "sub": "test-user", "name": "Tess Tester", "email": "tess@sharelink.example", "accessRights": rights,
        }))
        .await
    }

    /// Returns a token with these claims.
    pub(crate) async fn token_with_claims(&self, claims: &serde_json::Value) -> String {
        let query = URL_SAFE_NO_PAD.encode(claims.to_string());
        let response = self.client.get(format!("{}/token?{query}", self.info.issuer)).send().await.unwrap();
        response.error_for_status().unwrap().text().await.unwrap()
    }
}

impl StackInfo {
    /// Returns the key at which the platform uploads a file of the item at this path, such as `jobs/1042`.
    pub(crate) fn file_key(&self, item: &str, file: &str) -> String {
        let (module, name) = item.split_once('/').unwrap();
        self.file_key_pattern.replace("{module}", module).replace("{item}", name).replace("{file}", file)
    }

    /// Returns the key of the document that the sample item resolver reads, if the platform has one.
    pub(crate) fn document_key(&self, item: &str) -> Option<String> {
        let (module, name) = item.split_once('/').unwrap();
        Some(self.document_key_pattern.as_ref()?.replace("{module}", module).replace("{item}", name))
    }
}

impl Clock {
    /// Stops the functions' clock at this time.
    pub(crate) fn stop_at(&self, time: DateTime<Utc>) {
        set_clock(&self.stack.clock_file, &time.to_rfc3339());
    }
}

impl Drop for Clock {
    fn drop(&mut self) {
        set_clock(&self.stack.clock_file, "0");
        for (variable, value) in std::mem::take(&mut self.changed_variables) {
            let info = self.stack.clone();
            // `drop` cannot await, so the restore runs on another thread.
            let restore = async move {
                let stack = Stack { info, client: Client::new(), _shared: None };
                Aws::new(&stack).set_function_variable(variable, value.as_deref()).await;
            };
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let result = std::thread::spawn(move || runtime.map(|runtime| runtime.block_on(restore))).join();
            let is_restored = matches!(result, Ok(Ok(())));
            assert!(
                is_restored || std::thread::panicking(),
                "could not restore the functions' environment variables: restart the stack"
            );
        }
    }
}

/// Replaces the clock file atomically, so that no function reads an empty file.
pub(super) fn set_clock(file: &Path, text: &str) {
    let next = file.with_extension("next");
    fs::write(&next, text).unwrap();
    fs::rename(next, file).unwrap();
}

/// Returns the root directory of the workspace.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// Returns the environment in `samconfig.toml` that this test program runs on.
fn environment() -> &'static str {
    if env!("CARGO_CRATE_NAME") == "platform" { "platform" } else { "local" }
}

async fn connect_or_start() -> StackInfo {
    if let Some(running) = find_running().await {
        return running;
    }
    let mut process = spawn();
    let deadline = Instant::now() + STARTUP_TIMEOUT;
    loop {
        if let Some(running) = find_running().await {
            // Never close the pipe: the stack runs until its standard input closes, when this process exits.
            std::mem::forget(process);
            return running;
        }
        if let Some(status) = process.try_wait().unwrap() {
            panic!("`cargo local up` exited ({status}); see target/local-stack.log");
        }
        assert!(Instant::now() < deadline, "`cargo local up` timed out; see target/local-stack.log");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Long enough for the first start, which compiles the functions.
const STARTUP_TIMEOUT: Duration = Duration::from_mins(30);

fn spawn() -> Child {
    let log = File::create(root().join("target/local-stack.log")).unwrap();
    Command::new(env!("CARGO"))
        .current_dir(root())
        .args(["local", "up", "--until-stdin-closes", "--environment", environment()])
        .stdin(Stdio::piped())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap()
}

/// Returns the running stack of this program's environment, if there is one and its issuer responds. Ignores
/// a stack that is about to stop, because the test program that started it has exited.
async fn find_running() -> Option<StackInfo> {
    let info: StackInfo =
        serde_json::from_slice(&fs::read(root().join("target/local/stack.json")).ok()?).ok()?;
    if info.owner.is_some_and(|owner| !Path::new(&format!("/proc/{owner}")).exists()) {
        return None;
    }
    let response = reqwest::get(format!("{}/.well-known/openid-configuration", info.issuer)).await.ok()?;
    (response.status().is_success() && info.environment == environment()).then_some(info)
}
