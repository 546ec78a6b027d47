//! A proxy that lets faults happen between a program and a server, and counts calls.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

/// Stands before a server, until the test's runtime ends.
pub(crate) struct Proxy {
    pub(crate) url: String,
    forward: Forward,
}

/// What befalls a request.
#[derive(Debug)]
pub(crate) enum Fault {
    /// It is done, and nobody hears of it: its answer is lost.
    Lose,
    /// Nobody takes it.
    Refuse,
    /// It is not done, but answered with this status, code of an error, and message.
    Answer(u16, &'static str, &'static str),
    /// It waits, and is never done; whoever waits for it is told that it has come.
    HoldBefore(Notice),
    /// It is done, and its answer waits for ever; whoever waits for it is told that it has come.
    HoldAfter(Notice),
    /// It is done once the other end of the channel says so, having been told that it has come.
    Pause(Notice, oneshot::Receiver<()>),
}

/// Tells that a request has come.
pub(crate) type Notice = oneshot::Sender<()>;

impl Fault {
    /// As DynamoDB does it.
    pub(crate) fn throttled() -> Self {
        Self::Answer(400, "ThrottlingException", "slow down")
    }
}

/// Decides what befalls a request, by its head and body; none: nothing.
type Chaos = Box<dyn FnMut(&str) -> Option<Fault> + Send>;

/// A fault to come, for requests that have all of these marks in their head or body.
struct Plan {
    fault: Box<dyn FnMut() -> Option<Fault> + Send>,
    marks: Vec<String>,
    left: usize,
}

impl Proxy {
    pub(crate) async fn before(upstream: &str) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let forward = Forward {
            client: reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap(),
            upstream: upstream.to_owned(),
            state: Arc::default(),
        };
        let served = forward.clone();
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                tokio::spawn(serve(connection, served.clone()));
            }
        });
        Self { url, forward }
    }

    /// Loses the next answers to requests that have all of these marks.
    pub(crate) fn lose(&self, count: usize, marks: &[&str]) {
        self.plan(count, marks, || Some(Fault::Lose));
    }

    /// Throttles the next requests that have all of these marks, as DynamoDB would.
    pub(crate) fn throttle(&self, count: usize, marks: &[&str]) {
        self.plan(count, marks, || Some(Fault::throttled()));
    }

    /// Lets this happen to the next request that has all of these marks.
    pub(crate) fn once(&self, marks: &[&str], fault: Fault) {
        let mut fault = Some(fault);
        self.plan(1, marks, move || fault.take());
    }

    /// Lets this happen to the next requests that have all of these marks.
    pub(crate) fn plan(
        &self,
        count: usize,
        marks: &[&str],
        fault: impl FnMut() -> Option<Fault> + Send + 'static,
    ) {
        let marks = marks.iter().map(|mark| (*mark).to_owned()).collect();
        let plan = Plan { fault: Box::new(fault), marks, left: count };
        self.forward.state.lock().unwrap().plans.push(plan);
    }

    /// From now on, asks for every request that no plan is for.
    pub(crate) fn ask(&self, chaos: impl FnMut(&str) -> Option<Fault> + Send + 'static) {
        self.forward.state.lock().unwrap().chaos = Some(Box::new(chaos));
    }

    /// From now on, nothing happens to any request.
    pub(crate) fn calm(&self) {
        let mut state = self.forward.state.lock().unwrap();
        (state.plans, state.chaos) = (Vec::new(), None);
    }

    /// The calls with any of these marks since it was last asked.
    pub(crate) fn calls(&self, marks: &[&str]) -> usize {
        let calls = std::mem::take(&mut self.forward.state.lock().unwrap().calls);
        calls.iter().filter(|call| marks.iter().any(|mark| call.contains(mark))).count()
    }

    /// How many planned faults are still to come.
    pub(crate) fn left(&self) -> usize {
        self.forward.state.lock().unwrap().plans.iter().map(|plan| plan.left).sum()
    }
}

#[derive(Default)]
struct State {
    plans: Vec<Plan>,
    chaos: Option<Chaos>,
    calls: Vec<String>,
}

#[derive(Clone)]
struct Forward {
    client: reqwest::Client,
    upstream: String,
    state: Arc<Mutex<State>>,
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
    let service = service_fn(|request| forward.answer(request));
    // Hanging up is what it is for.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(connection), service).await;
    Ok(())
}

type Answer = Response<Full<Bytes>>;

impl Forward {
    async fn answer(&self, request: Request<Incoming>) -> Result<Answer, Lost> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.map_err(|_| Lost)?.to_bytes();
        let request = Request::from_parts(head, body);
        match self.fault(&request) {
            None => self.forward(request).await,
            Some(Fault::Lose) => {
                self.forward(request).await?;
                Err(Lost)
            }
            Some(Fault::Refuse) => Err(Lost),
            Some(Fault::Answer(status, code, message)) => {
                // The two ways in which AWS's protocols name an error.
                let body = format!(r#"{{"__type":"com.amazonaws#{code}","message":"{message}"}}"#);
                let answer = Response::builder().status(status).header("x-amzn-errortype", code);
                Ok(answer.body(Full::from(body)).unwrap())
            }
            Some(Fault::HoldBefore(notice)) => {
                let _ = notice.send(());
                std::future::pending().await
            }
            Some(Fault::HoldAfter(notice)) => {
                self.forward(request).await?;
                let _ = notice.send(());
                std::future::pending().await
            }
            Some(Fault::Pause(notice, go_on)) => {
                let _ = notice.send(());
                let _ = go_on.await;
                self.forward(request).await
            }
        }
    }

    fn fault(&self, request: &Request<Bytes>) -> Option<Fault> {
        let call = format!("{request:?} {}", String::from_utf8_lossy(request.body()));
        let mut state = self.state.lock().unwrap();
        state.calls.push(call.clone());
        let due = |plan: &&mut Plan| plan.left > 0 && plan.marks.iter().all(|mark| call.contains(mark));
        if let Some(plan) = state.plans.iter_mut().find(due) {
            plan.left -= 1;
            return (plan.fault)();
        }
        state.chaos.as_mut().and_then(|chaos| chaos(&call))
    }

    async fn forward(&self, request: Request<Bytes>) -> Result<Answer, Lost> {
        let (head, body) = request.into_parts();
        let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
        let upstream = self.client.request(head.method, format!("{}{path}", self.upstream));
        let answer = upstream.headers(head.headers).body(body).send().await.map_err(|_| Lost)?;
        let mut forwarded = Response::builder().status(answer.status());
        forwarded.headers_mut().unwrap().extend(answer.headers().clone());
        // The body is whole by then, however it came.
        forwarded.headers_mut().unwrap().remove("transfer-encoding");
        let bytes = answer.bytes().await.map_err(|_| Lost)?;
        Ok(forwarded.body(Full::new(bytes)).unwrap())
    }
}
