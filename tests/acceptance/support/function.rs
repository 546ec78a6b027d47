//! A function's own program, run by a Lambda of ours: its runtime API, one instance at a time. What becomes of the
//! instance is the test's to decide.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::sync::{Mutex, Notify, mpsc, oneshot};

/// Why an invocation has no answer.
#[derive(Debug, PartialEq)]
pub(crate) enum Failure {
    /// The function said so.
    Error(Value),
    /// Its process ended.
    Crash,
}

/// How long an invocation may take, if nobody says anything else.
const TIMEOUT: Duration = Duration::from_mins(2);

/// A function, with one instance.
pub(crate) struct Function {
    program: PathBuf,
    arguments: Vec<OsString>,
    environment: HashMap<String, String>,
    runtime_api: Arc<RuntimeApi>,
    address: String,
    /// The file that its output goes to, removed with it.
    output: PathBuf,
    /// The instance that runs, if one does.
    instance: Mutex<Option<Child>>,
    killed: Notify,
}

/// What stands between an invocation and an instance.
struct RuntimeApi {
    events: Mutex<mpsc::UnboundedReceiver<String>>,
    send: mpsc::UnboundedSender<String>,
    /// An instance has asked for an event.
    asked: Notify,
    /// How long the function is told that it may take.
    time_limit: Duration,
    answer: Mutex<Option<oneshot::Sender<Result<Value, Failure>>>>,
    requests: AtomicU64,
}

impl Function {
    /// A function of the deployed stack, by its name in the template, with this environment.
    pub(crate) async fn new(name: &str, environment: HashMap<String, String>) -> Self {
        Self::of(deployed(name), vec![], environment).await
    }

    /// The same, with this time limit.
    pub(crate) async fn hurried(
        name: &str,
        time_limit: Duration,
        environment: HashMap<String, String>,
    ) -> Self {
        Self::within(time_limit, deployed(name), vec![], environment).await
    }

    /// A function whose program is this one, called with these arguments.
    pub(crate) async fn of(
        program: PathBuf,
        arguments: Vec<OsString>,
        environment: HashMap<String, String>,
    ) -> Self {
        Self::within(TIMEOUT, program, arguments, environment).await
    }

    async fn within(
        time_limit: Duration,
        program: PathBuf,
        arguments: Vec<OsString>,
        environment: HashMap<String, String>,
    ) -> Self {
        assert!(program.exists(), "{} is not built", program.display());
        let (send, events) = mpsc::unbounded_channel();
        let runtime_api = Arc::new(RuntimeApi {
            events: Mutex::new(events),
            send,
            asked: Notify::new(),
            time_limit,
            answer: Mutex::default(),
            requests: AtomicU64::new(0),
        });
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let served = Arc::clone(&runtime_api);
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                // Lambda's own does not wait for more to send, either.
                connection.set_nodelay(true).unwrap();
                let api = Arc::clone(&served);
                let service = service_fn(move |request| Arc::clone(&api).serve(request));
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(connection), service));
            }
        });
        Self {
            program,
            arguments,
            environment,
            runtime_api,
            address,
            output: Path::new(env!("CARGO_TARGET_TMPDIR")).join(super::unique("output")),
            instance: Mutex::default(),
            killed: Notify::new(),
        }
    }

    /// Starts an instance, and tells how long it took until it asked for an event.
    pub(crate) async fn ready(&self) -> Duration {
        let start = Instant::now();
        *self.instance.lock().await = Some(self.start());
        let asked = tokio::time::timeout(TIMEOUT, self.runtime_api.asked.notified()).await;
        asked.unwrap_or_else(|_| panic!("{} asks for no event: {}", self.program.display(), self.output()));
        start.elapsed()
    }

    /// The process of the instance that runs.
    #[allow(dead_code, reason = "only benchmarks look at it")]
    pub(crate) async fn pid(&self) -> u32 {
        self.instance.lock().await.as_ref().and_then(Child::id).expect("no instance runs")
    }

    /// Invokes it, on the instance that there is or on a new one.
    pub(crate) async fn invoke(&self, event: &Value) -> Result<Value, Failure> {
        let (send, answer) = oneshot::channel();
        *self.runtime_api.answer.lock().await = Some(send);
        self.runtime_api.send.send(event.to_string()).unwrap();
        let mut instance = self.instance.lock().await;
        let process = instance.get_or_insert_with(|| self.start());
        let ended = tokio::select! {
            answer = answer => return answer.unwrap(),
            () = self.killed.notified() => "killed",
            _ = process.wait() => "ended",
            () = tokio::time::sleep(TIMEOUT) => panic!("{} does not answer", self.program.display()),
        };
        let _ = process.kill().await;
        *instance = None;
        // Nobody may take the event afterwards.
        let _ = self.runtime_api.events.lock().await.try_recv();
        assert!(ended == "killed", "{} crashed by itself", self.program.display());
        Err(Failure::Crash)
    }

    /// Kills the instance in the middle of its invocation.
    pub(crate) fn kill(&self) {
        self.killed.notify_one();
    }

    /// All that its instances have printed.
    pub(crate) fn output(&self) -> String {
        fs::read_to_string(&self.output).unwrap_or_default()
    }

    fn start(&self) -> Child {
        let output = OpenOptions::new().create(true).append(true).open(&self.output).unwrap();
        Command::new(&self.program)
            .args(&self.arguments)
            .env_clear()
            .envs(&self.environment)
            .env("AWS_LAMBDA_RUNTIME_API", &self.address)
            .env("AWS_LAMBDA_FUNCTION_NAME", "function")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .kill_on_drop(true)
            .spawn()
            .unwrap()
    }
}

fn deployed(name: &str) -> PathBuf {
    super::stack::root().join("target/local/sam").join(name).join("bootstrap")
}

impl Drop for Function {
    #[expect(clippy::print_stderr, reason = "whoever wonders why a test failed may read it")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}: its output is in {}", self.program.display(), self.output.display());
        } else {
            // Whatever a test has made of it: it has told nobody's secrets.
            let leak = super::leaks::leak(&self.output());
            assert_eq!(leak, None, "{}: see {}", self.program.display(), self.output.display());
            let _ = fs::remove_file(&self.output);
        }
    }
}

impl RuntimeApi {
    async fn serve(
        self: Arc<Self>,
        request: Request<Incoming>,
    ) -> Result<Response<Full<Bytes>>, std::convert::Infallible> {
        let (head, body) = request.into_parts();
        let path = head.uri.path();
        if path.ends_with("/invocation/next") {
            self.asked.notify_one();
            let event = self.events.lock().await.recv().await.unwrap();
            let deadline = SystemTime::now() + self.time_limit;
            let id = self.requests.fetch_add(1, Ordering::Relaxed);
            let answer = Response::builder()
                .header("lambda-runtime-aws-request-id", format!("request-{id}"))
                .header("lambda-runtime-trace-id", format!("trace-{id}"))
                .header(
                    "lambda-runtime-deadline-ms",
                    deadline.duration_since(UNIX_EPOCH).unwrap().as_millis().to_string(),
                )
                .header(
                    "lambda-runtime-invoked-function-arn",
                    "arn:aws:lambda:us-east-1:0:function:function",
                );
            return Ok(answer.body(Full::from(event)).unwrap());
        }
        let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
        let value = serde_json::from_slice(&body).unwrap_or_default();
        let answer = if path.ends_with("/response") { Ok(value) } else { Err(Failure::Error(value)) };
        if let Some(waiting) = self.answer.lock().await.take() {
            let _ = waiting.send(answer);
        }
        Ok(Response::builder().status(202).body(Full::default()).unwrap())
    }
}
