//! A proxy that loses answers (the request has been done, and nobody hears of it) or throttles requests (they are
//! not done), and counts calls.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};

/// Stands before a server, until the test's runtime ends.
pub(crate) struct Proxy {
    pub(crate) url: String,
    plans: Arc<Mutex<Vec<Plan>>>,
    calls: Arc<Mutex<Vec<String>>>,
}

/// A fault to come, for requests that have all of these marks in their head or body.
struct Plan {
    fault: Fault,
    marks: Vec<String>,
    left: usize,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    Lose,
    Throttle,
}

impl Proxy {
    pub(crate) async fn before(upstream: &str) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (plans, calls) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(Vec::new())));
        let forward = Forward {
            client: reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap(),
            upstream: upstream.to_owned(),
            plans: Arc::clone(&plans),
            calls: Arc::clone(&calls),
        };
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                tokio::spawn(serve(connection, forward.clone()));
            }
        });
        Self { url, plans, calls }
    }

    /// Loses the next answers to requests that have all of these marks.
    pub(crate) fn lose(&self, count: usize, marks: &[&str]) {
        self.plan(Fault::Lose, count, marks);
    }

    /// Throttles the next requests that have all of these marks, as DynamoDB would.
    pub(crate) fn throttle(&self, count: usize, marks: &[&str]) {
        self.plan(Fault::Throttle, count, marks);
    }

    fn plan(&self, fault: Fault, count: usize, marks: &[&str]) {
        let marks = marks.iter().map(|mark| (*mark).to_owned()).collect();
        self.plans.lock().unwrap().push(Plan { fault, marks, left: count });
    }

    /// The calls with this mark since it was last asked.
    pub(crate) fn calls(&self, mark: &str) -> usize {
        let calls = std::mem::take(&mut *self.calls.lock().unwrap());
        calls.iter().filter(|call| call.contains(mark)).count()
    }

    /// How many faults are still to come.
    pub(crate) fn left(&self) -> usize {
        self.plans.lock().unwrap().iter().map(|plan| plan.left).sum()
    }
}

#[derive(Clone)]
struct Forward {
    client: reqwest::Client,
    upstream: String,
    plans: Arc<Mutex<Vec<Plan>>>,
    calls: Arc<Mutex<Vec<String>>>,
}

/// Makes the server hang up.
#[derive(Debug)]
struct Lost;

impl std::fmt::Display for Lost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the answer is lost")
    }
}

impl std::error::Error for Lost {}

async fn serve(connection: TcpStream, forward: Forward) -> Result<(), Infallible> {
    let service = service_fn(|request| forward.forward(request));
    // Hanging up is what it is for.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(connection), service).await;
    Ok(())
}

impl Forward {
    async fn forward(&self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Lost> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.map_err(|_| Lost)?.to_bytes();
        let call = format!("{head:?} {}", String::from_utf8_lossy(&body));
        self.calls.lock().unwrap().push(call.clone());
        if self.has(Fault::Throttle, &call) {
            let body =
                r#"{"__type":"com.amazonaws.dynamodb.v20120810#ThrottlingException","message":"slow down"}"#;
            return Ok(Response::builder().status(400).body(Full::from(body)).unwrap());
        }
        let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
        let upstream = self.client.request(head.method.clone(), format!("{}{path}", self.upstream));
        let answer =
            upstream.headers(head.headers.clone()).body(body.clone()).send().await.map_err(|_| Lost)?;
        let mut forwarded = Response::builder().status(answer.status());
        forwarded.headers_mut().unwrap().extend(answer.headers().clone());
        // The body is whole by then, however it came.
        forwarded.headers_mut().unwrap().remove("transfer-encoding");
        let bytes = answer.bytes().await.map_err(|_| Lost)?;
        if self.has(Fault::Lose, &call) {
            return Err(Lost);
        }
        Ok(forwarded.body(Full::new(bytes)).unwrap())
    }

    fn has(&self, fault: Fault, request: &str) -> bool {
        let mut plans = self.plans.lock().unwrap();
        let mut due = plans.iter_mut().filter(|plan| {
            plan.fault == fault && plan.left > 0 && plan.marks.iter().all(|mark| request.contains(mark))
        });
        due.next().map(|plan| plan.left -= 1).is_some()
    }
}
