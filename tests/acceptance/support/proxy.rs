//! A proxy that injects faults between a client and a server, and counts calls and connections.

use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

/// A running proxy. It stops when the test's async runtime shuts down.
pub(crate) struct Proxy {
    pub(crate) url: String,
    forwarder: Forwarder,
}

/// A fault that the proxy applies to one request.
#[derive(Debug)]
pub(crate) enum Fault {
    /// Forwards the request, then closes the connection instead of returning the response.
    LoseResponse,
    /// Closes the connection without forwarding the request.
    Disconnect,
    /// Responds with this status, error code and message, without forwarding the request.
    Respond(u16, &'static str, &'static str),
    /// Responds with this status and an empty body, as S3 does to a HEAD request, without forwarding the
    /// request.
    RespondEmpty(u16),
    /// Responds with this status and error code, as S3 does, without forwarding the request.
    RespondXml(u16, &'static str),
    /// Responds with this JSON document and status 200, without forwarding the request.
    RespondJson(serde_json::Value),
    /// Forwards the request, then shortens the response's body to this length.
    Shorten(usize),
    /// Forwards the request, then replaces every occurrence of the first text in the response.
    Edit(&'static str, &'static str),
    /// Sends the notice, and never forwards the request.
    HoldRequest(Notice),
    /// Forwards the request, sends the notice, and never returns the response.
    HoldResponse(Notice),
    /// Sends the notice, then holds the request until the receiver gets a message.
    Pause(Notice, oneshot::Receiver<()>),
}

/// Notifies the test that the proxy is holding the request or its response.
pub(crate) type Notice = oneshot::Sender<()>;

impl Fault {
    /// Returns a fault that responds the way DynamoDB does to a throttled request.
    pub(crate) fn throttled() -> Self {
        Self::Respond(400, "ThrottlingException", "slow down")
    }
}

/// Chooses the fault for a request, given the request's head and body.
type FaultPolicy = Box<dyn FnMut(&str) -> Option<Fault> + Send>;

/// A fault for the next `remaining` requests that contain all of the patterns, each in the head or in the
/// body.
struct PlannedFault {
    fault: Box<dyn FnMut() -> Option<Fault> + Send>,
    patterns: Vec<String>,
    remaining: usize,
}

impl Proxy {
    /// Starts a proxy in front of the server at `upstream`.
    pub(crate) async fn start(upstream: &str) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let forwarder = Forwarder {
            client: reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap(),
            upstream: upstream.to_owned(),
            state: Arc::default(),
        };
        let served = forwarder.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let state = Arc::default();
                served.state.lock().unwrap().connections.push(Arc::clone(&state));
                tokio::spawn(serve(Connection { stream, state }, served.clone()));
            }
        });
        Self { url, forwarder }
    }

    /// Loses the responses to the next `count` requests that contain all of the patterns.
    pub(crate) fn lose_responses(&self, count: usize, patterns: &[&str]) {
        self.inject(count, patterns, || Some(Fault::LoseResponse));
    }

    /// Throttles the next `count` requests that contain all of the patterns, as DynamoDB does.
    pub(crate) fn throttle(&self, count: usize, patterns: &[&str]) {
        self.inject(count, patterns, || Some(Fault::throttled()));
    }

    /// Applies a fault to the next request that contains all of the patterns.
    pub(crate) fn inject_once(&self, patterns: &[&str], fault: Fault) {
        let mut fault = Some(fault);
        self.inject(1, patterns, move || fault.take());
    }

    /// Applies a fault to the next `count` requests that contain all of the patterns.
    pub(crate) fn inject(
        &self,
        count: usize,
        patterns: &[&str],
        fault: impl FnMut() -> Option<Fault> + Send + 'static,
    ) {
        let patterns = patterns.iter().map(|pattern| (*pattern).to_owned()).collect();
        let planned = PlannedFault { fault: Box::new(fault), patterns, remaining: count };
        self.forwarder.state.lock().unwrap().planned.push(planned);
    }

    /// Applies a policy to every request that no planned fault matches.
    pub(crate) fn set_fault_policy(&self, policy: impl FnMut(&str) -> Option<Fault> + Send + 'static) {
        self.forwarder.state.lock().unwrap().policy = Some(Box::new(policy));
    }

    /// Removes the policy and all planned faults.
    pub(crate) fn clear_faults(&self) {
        let mut state = self.forwarder.state.lock().unwrap();
        (state.planned, state.policy) = (Vec::new(), None);
    }

    /// Returns how many of the recorded calls contain any of the patterns. Clears all recorded calls.
    pub(crate) fn take_call_count(&self, patterns: &[&str]) -> usize {
        self.take_calls(patterns).len()
    }

    /// Returns the recorded calls that contain any of the patterns. Clears all recorded calls.
    pub(crate) fn take_calls(&self, patterns: &[&str]) -> Vec<String> {
        let mut calls = std::mem::take(&mut self.forwarder.state.lock().unwrap().calls);
        calls.retain(|call| patterns.iter().any(|pattern| call.contains(pattern)));
        calls
    }

    /// Makes all connections stale, as a function finds them when it is thawed: the server has closed them,
    /// but the function never received the close.
    pub(crate) fn make_connections_stale(&self, reaction: StaleReaction) {
        for connection in &self.forwarder.state.lock().unwrap().connections {
            connection.lock().unwrap().stale.get_or_insert(reaction);
        }
    }

    /// Returns the number of connections that were opened since the start.
    pub(crate) fn connection_count(&self) -> usize {
        self.forwarder.state.lock().unwrap().connections.len()
    }

    /// Returns the number of stale connections that received a request.
    pub(crate) fn stale_use_count(&self) -> usize {
        let state = self.forwarder.state.lock().unwrap();
        state.connections.iter().filter(|connection| connection.lock().unwrap().was_used_stale).count()
    }

    /// Returns the number of planned faults that have not been applied yet.
    pub(crate) fn pending_faults(&self) -> usize {
        self.forwarder.state.lock().unwrap().planned.iter().map(|fault| fault.remaining).sum()
    }
}

/// What happens to a request on a stale connection.
#[derive(Clone, Copy, Debug)]
pub(crate) enum StaleReaction {
    /// The server resets the connection.
    Reset,
    /// The packets are dropped, for example by a NAT gateway.
    Silence,
}

#[derive(Default)]
struct ConnectionState {
    stale: Option<StaleReaction>,
    was_used_stale: bool,
}

/// A client's connection, which a test can make stale.
struct Connection {
    stream: TcpStream,
    state: Arc<Mutex<ConnectionState>>,
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            let start = buffer.filled().len();
            ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
            let is_closed = buffer.filled().len() == start;
            let mut state = self.state.lock().unwrap();
            let Some(reaction) = state.stale else { return Poll::Ready(Ok(())) };
            if is_closed {
                return Poll::Ready(Ok(()));
            }
            state.was_used_stale = true;
            buffer.set_filled(start);
            if let StaleReaction::Reset = reaction {
                // Closing the connection now sends a reset.
                self.stream.set_zero_linger()?;
                return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
            }
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[derive(Default)]
struct State {
    connections: Vec<Arc<Mutex<ConnectionState>>>,
    planned: Vec<PlannedFault>,
    policy: Option<FaultPolicy>,
    calls: Vec<String>,
}

#[derive(Clone)]
struct Forwarder {
    client: reqwest::Client,
    upstream: String,
    state: Arc<Mutex<State>>,
}

/// An error that makes the server close the connection without a response.
#[derive(Debug)]
struct Disconnected;

impl std::fmt::Display for Disconnected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the proxy closed the connection")
    }
}

impl std::error::Error for Disconnected {}

async fn serve(connection: Connection, forwarder: Forwarder) -> Result<(), Infallible> {
    let service = service_fn(|request| forwarder.respond(request));
    // Ignore errors: some faults close the connection on purpose.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(connection), service).await;
    Ok(())
}

type Forwarded = Response<Full<Bytes>>;

impl Forwarder {
    async fn respond(&self, request: Request<Incoming>) -> Result<Forwarded, Disconnected> {
        let (head, body) = request.into_parts();
        let bytes = body.collect().await.map_err(|_| Disconnected)?.to_bytes();
        let buffered = Request::from_parts(head, bytes);
        match self.next_fault(&buffered) {
            None => self.forward(buffered).await,
            Some(Fault::LoseResponse) => {
                self.forward(buffered).await?;
                Err(Disconnected)
            }
            Some(Fault::Disconnect) => Err(Disconnected),
            Some(Fault::Respond(status, code, message)) => {
                // AWS protocols put the error code in the body or in a header. This response has it in both.
                let body = format!(r#"{{"__type":"com.amazonaws#{code}","message":"{message}"}}"#);
                let response = Response::builder().status(status).header("x-amzn-errortype", code);
                Ok(response.body(Full::from(body)).unwrap())
            }
            Some(Fault::RespondEmpty(status)) => {
                Ok(Response::builder().status(status).body(Full::default()).unwrap())
            }
            Some(Fault::RespondXml(status, code)) => {
                let body = format!("<Error><Code>{code}</Code><Message>{code}</Message></Error>");
                Ok(Response::builder().status(status).body(Full::from(body)).unwrap())
            }
            Some(Fault::RespondJson(body)) => {
                Ok(Response::builder().status(200).body(Full::from(body.to_string())).unwrap())
            }
            Some(Fault::Shorten(len)) => {
                let (mut head, body) = self.forward(buffered).await?.into_parts();
                let bytes = body.collect().await.map_err(|_| Disconnected)?.to_bytes();
                head.headers.remove("content-length");
                Ok(Response::from_parts(head, Full::from(bytes.slice(..len.min(bytes.len())))))
            }
            Some(Fault::Edit(from, to)) => edit(self.forward(buffered).await?, from, to).await,
            Some(Fault::HoldRequest(notice)) => {
                let _ = notice.send(());
                std::future::pending().await
            }
            Some(Fault::HoldResponse(notice)) => {
                self.forward(buffered).await?;
                let _ = notice.send(());
                std::future::pending().await
            }
            Some(Fault::Pause(notice, resume)) => {
                let _ = notice.send(());
                let _ = resume.await;
                self.forward(buffered).await
            }
        }
    }

    fn next_fault(&self, request: &Request<Bytes>) -> Option<Fault> {
        let call = format!("{request:?} {}", String::from_utf8_lossy(request.body()));
        let mut state = self.state.lock().unwrap();
        state.calls.push(call.clone());
        let applies = |fault: &&mut PlannedFault| {
            fault.remaining > 0 && fault.patterns.iter().all(|pattern| call.contains(pattern))
        };
        if let Some(planned) = state.planned.iter_mut().find(applies) {
            planned.remaining -= 1;
            return (planned.fault)();
        }
        state.policy.as_mut().and_then(|policy| policy(&call))
    }

    async fn forward(&self, request: Request<Bytes>) -> Result<Forwarded, Disconnected> {
        let (head, body) = request.into_parts();
        let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
        let upstream = self.client.request(head.method, format!("{}{path}", self.upstream));
        let response = upstream.headers(head.headers).body(body).send().await.map_err(|_| Disconnected)?;
        let mut forwarded = Response::builder().status(response.status());
        forwarded.headers_mut().unwrap().extend(response.headers().clone());
        // The body is buffered, so it is no longer chunked.
        forwarded.headers_mut().unwrap().remove("transfer-encoding");
        let bytes = response.bytes().await.map_err(|_| Disconnected)?;
        Ok(forwarded.body(Full::new(bytes)).unwrap())
    }
}

/// Replaces every occurrence of a text in a response.
async fn edit(response: Forwarded, from: &str, to: &str) -> Result<Forwarded, Disconnected> {
    let (mut head, body) = response.into_parts();
    let bytes = body.collect().await.map_err(|_| Disconnected)?.to_bytes();
    let text = String::from_utf8_lossy(&bytes);
    assert!(text.contains(from), "{from} is not in the response {text}");
    // Both describe the original body.
    head.headers.remove("content-length");
    head.headers.remove("x-amz-crc32");
    Ok(Response::from_parts(head, Full::from(text.replace(from, to))))
}
