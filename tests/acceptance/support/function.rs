//! Runs a function's deployed program against a simulated Lambda runtime API, one instance at a time.
//!
//! Tests can start, invoke and kill the instance, and set the time limit for its invocations.

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

/// The reason that an invocation got no response.
#[derive(Debug, PartialEq)]
pub(crate) enum Failure {
    /// The function reported this error.
    Error(Value),
    /// The process was killed before it responded.
    Crash,
}

/// Default time limit for an invocation.
const TIMEOUT: Duration = Duration::from_mins(2);

/// A function with at most one running instance.
pub(crate) struct Function {
    program: PathBuf,
    arguments: Vec<OsString>,
    environment: HashMap<String, String>,
    runtime_api: Arc<RuntimeApi>,
    address: String,
    /// The file that receives the output of all instances. It is deleted on drop, unless the test has failed.
    output: PathBuf,
    /// The running instance, if any.
    instance: Mutex<Option<Child>>,
    killed: Notify,
}

/// The state of the runtime API, shared by the invocations and the HTTP server.
struct RuntimeApi {
    events: Mutex<mpsc::UnboundedReceiver<String>>,
    send: mpsc::UnboundedSender<String>,
    /// Notified when an instance requests an event.
    event_requested: Notify,
    /// The time limit that determines the deadline of each invocation.
    time_limit: Duration,
    response: Mutex<Option<oneshot::Sender<Result<Value, Failure>>>>,
    requests: AtomicU64,
}

impl Function {
    /// Creates the function that has this name in the template. It runs the deployed program, with these
    /// environment variables.
    pub(crate) async fn new(name: &str, environment: HashMap<String, String>) -> Self {
        Self::from_program(TIMEOUT, deployed_program(name), vec![], environment).await
    }

    /// Like `new`, but with this time limit.
    pub(crate) async fn with_time_limit(
        name: &str,
        time_limit: Duration,
        environment: HashMap<String, String>,
    ) -> Self {
        Self::from_program(time_limit, deployed_program(name), vec![], environment).await
    }

    /// Creates a function that runs this program with these arguments and this time limit.
    pub(crate) async fn from_program(
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
            event_requested: Notify::new(),
            time_limit,
            response: Mutex::default(),
            requests: AtomicU64::new(0),
        });
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let served = Arc::clone(&runtime_api);
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                // Send small packets without delay, as Lambda's runtime API does.
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

    /// Starts an instance. Returns the time that the instance took to request its first event.
    pub(crate) async fn start_instance(&self) -> Duration {
        let start = Instant::now();
        *self.instance.lock().await = Some(self.spawn());
        let requested = tokio::time::timeout(TIMEOUT, self.runtime_api.event_requested.notified()).await;
        requested.unwrap_or_else(|_| {
            panic!("{} did not request an event: {}", self.program.display(), self.output())
        });
        start.elapsed()
    }

    /// Returns the process id of the running instance.
    #[allow(dead_code, reason = "only benchmarks use it")]
    pub(crate) async fn pid(&self) -> u32 {
        self.instance.lock().await.as_ref().and_then(Child::id).expect("no running instance")
    }

    /// Invokes the running instance. Starts one first if none is running.
    pub(crate) async fn invoke(&self, event: &Value) -> Result<Value, Failure> {
        let (send, response) = oneshot::channel();
        *self.runtime_api.response.lock().await = Some(send);
        self.runtime_api.send.send(event.to_string()).unwrap();
        let mut instance = self.instance.lock().await;
        let process = instance.get_or_insert_with(|| self.spawn());
        let was_killed = tokio::select! {
            response = response => return response.unwrap(),
            () = self.killed.notified() => true,
            _ = process.wait() => false,
            () = tokio::time::sleep(TIMEOUT.max(self.runtime_api.time_limit)) => panic!("{} did not respond", self.program.display()),
        };
        let _ = process.kill().await;
        *instance = None;
        // Remove the event if it is still queued: the next instance must not receive it.
        let _ = self.runtime_api.events.lock().await.try_recv();
        assert!(was_killed, "{} exited unexpectedly", self.program.display());
        Err(Failure::Crash)
    }

    /// Starts an instance that exits without an event, because its settings are invalid. Returns its output.
    pub(crate) async fn fail_to_start(&self) -> String {
        let exit = tokio::time::timeout(TIMEOUT, self.spawn().wait()).await.expect("the function started");
        assert!(!exit.unwrap().success());
        self.output()
    }

    /// Kills the instance while it handles an invocation.
    pub(crate) fn kill(&self) {
        self.killed.notify_one();
    }

    /// Returns the output of all instances.
    pub(crate) fn output(&self) -> String {
        fs::read_to_string(&self.output).unwrap_or_default()
    }

    fn spawn(&self) -> Child {
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

fn deployed_program(name: &str) -> PathBuf {
    super::stack::root().join("target/local/sam").join(name).join("bootstrap")
}

impl Drop for Function {
    #[expect(clippy::print_stderr, reason = "points to the output of a failed test")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}: see its output in {}", self.program.display(), self.output.display());
        } else {
            // No test's output may contain secrets.
            let leak = super::leaks::find_leak(&self.output());
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
            self.event_requested.notify_one();
            let event = self.events.lock().await.recv().await.unwrap();
            let deadline = SystemTime::now() + self.time_limit;
            let id = self.requests.fetch_add(1, Ordering::Relaxed);
            let response = Response::builder()
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
            return Ok(response.body(Full::from(event)).unwrap());
        }
        let bytes = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
        let value = serde_json::from_slice(&bytes).unwrap_or_default();
        let result = if path.ends_with("/response") { Ok(value) } else { Err(Failure::Error(value)) };
        if let Some(invocation) = self.response.lock().await.take() {
            let _ = invocation.send(result);
        }
        Ok(Response::builder().status(202).body(Full::default()).unwrap())
    }
}
