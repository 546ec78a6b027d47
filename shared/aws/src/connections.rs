//! The HTTP client of the AWS clients: pools of connections that survive Lambda's freeze.
//!
//! Lambda freezes an instance between invocations. Servers then close its idle connections, but a frozen
//! instance never receives the close. The next request on such a connection is reset, or gets no response at
//! all. hyper discards connections that were idle for too long, but by the monotonic clock, which stops while
//! the instance is frozen (observed in pull requests `aws/aws-lambda-web-adapter#569` and
//! `ConductorOne/baton-sdk#1007`). The pools here measure idle time with the wall clock.

use std::error::Error;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use aws_smithy_runtime_api::client::connection::{CaptureSmithyConnection, ConnectionMetadata};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use hyper::Uri;
use hyper::rt::{Sleep, Timer};
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::connect::{
    CaptureConnection, HttpConnector as TcpConnector, capture_connection,
};
use hyper_util::client::legacy::{Builder, Client};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::ClientConfig;
use sharelink_domain::Timestamp;
use sharelink_runtime::Clock;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tower_service::Service;

/// How long a connection may be idle and still be used again.
///
/// The margin is for a request that starts just in time. The limit is the same for all services: S3 closes
/// connections after 20 seconds (AWS Knowledge Center, "s3-socket-connection-timeout-error"), DynamoDB after
/// about a minute, and AWS does not document the others.
pub(crate) const MAX_IDLE: Duration = Duration::from_secs(15);

/// The maximum time for opening a connection: DNS, TCP and TLS.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

type Stream = MaybeHttpsStream<TokioIo<TcpStream>>;
type BoxError = Box<dyn Error + Send + Sync>;

/// Creates HTTP clients that share one TLS configuration, and therefore its sessions: a new connection to a
/// known host resumes its session if the host supports it.
#[derive(Clone, Debug)]
pub(crate) struct Network {
    https: HttpsConnector<TcpConnector>,
    timer: WallClockTimer,
}

impl Network {
    pub(crate) fn new(tls: ClientConfig, clock: Clock) -> Self {
        let mut tcp = TcpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        Self { https: HttpsConnector::from((tcp, tls)), timer: WallClockTimer::new(clock) }
    }

    /// Creates a client that keeps its connections for [`MAX_IDLE`].
    pub(crate) fn pooled(&self) -> Connections {
        let mut builder = Client::builder(TokioExecutor::new());
        builder.pool_timer(self.timer.clone()).pool_idle_timeout(MAX_IDLE);
        self.client(&builder)
    }

    /// Creates a client that opens a connection for each request.
    pub(crate) fn unpooled(&self) -> Connections {
        let mut builder = Client::builder(TokioExecutor::new());
        builder.pool_max_idle_per_host(0);
        self.client(&builder)
    }

    fn client(&self, builder: &Builder) -> Connections {
        let dialer = Dialer { https: self.https.clone(), timer: self.timer.clone(), host: Arc::default() };
        Connections { client: builder.build(dialer.clone()), dialer }
    }
}

/// An HTTP client and its connections.
#[derive(Clone, Debug)]
pub(crate) struct Connections {
    client: Client<Dialer, SdkBody>,
    dialer: Dialer,
}

impl Connections {
    /// Opens a connection to the last host in the background if its last response is more than [`MAX_IDLE`]
    /// ago, so that the next request finds the connection open or at least in progress. Sends no request.
    pub(crate) fn preconnect_if_idle(&self) {
        self.dialer.preconnect_if_idle();
    }
}

impl HttpClient for Connections {
    /// The settings are not used: [`CONNECT_TIMEOUT`] applies to every connection, and the SDK itself limits
    /// attempts and operations.
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Connections {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let mut request = match request.try_into_http1x() {
            Ok(request) => request,
            Err(error) => return HttpConnectorFuture::ready(Err(ConnectorError::user(error.into()))),
        };
        // After a transient error, the SDK poisons the connection, so that the retry uses another one.
        let connection = capture_connection(&mut request);
        if let Some(capture) = request.extensions().get::<CaptureSmithyConnection>() {
            capture.set_connection_retriever(move || Some(poisonable(connection.clone())));
        }
        let response = self.client.request(request);
        let dialer = self.dialer.clone();
        HttpConnectorFuture::new(async move {
            // Whatever fails before the response's body is a failure of the connection.
            let response = response.await.map_err(|error| ConnectorError::io(error.into()))?;
            lock(&dialer.host).last_response = Some(dialer.timer.now());
            HttpResponse::try_from(response.map(SdkBody::from_body_1_x))
                .map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}

fn poisonable(connection: CaptureConnection) -> ConnectionMetadata {
    let poison = move || {
        if let Some(connection) = connection.connection_metadata().as_ref() {
            connection.poison();
        }
    };
    ConnectionMetadata::builder().proxied(false).poison_fn(poison).build()
}

/// Opens connections, at most one of them before the request that needs it.
#[derive(Clone, Debug)]
struct Dialer {
    https: HttpsConnector<TcpConnector>,
    timer: WallClockTimer,
    host: Arc<Mutex<Host>>,
}

/// The host of the last connection.
#[derive(Debug, Default)]
struct Host {
    origin: Option<Uri>,
    last_response: Option<Instant>,
    preconnection: Option<Preconnection>,
}

/// A connection that is opened before the request that needs it.
#[derive(Debug)]
struct Preconnection {
    origin: Uri,
    started_at: Instant,
    opening: JoinHandle<Result<Stream, BoxError>>,
}

impl Dialer {
    fn is_fresh(&self, since: Instant) -> bool {
        self.timer.now().saturating_duration_since(since) <= MAX_IDLE
    }

    fn preconnect_if_idle(&self) {
        let mut host = lock(&self.host);
        let preconnected_at = host.preconnection.as_ref().map(|preconnection| preconnection.started_at);
        let is_connected =
            [host.last_response, preconnected_at].into_iter().flatten().any(|since| self.is_fresh(since));
        if let Some(origin) = host.origin.clone()
            && !is_connected
        {
            let opening = tokio::spawn(self.clone().open(origin.clone()));
            host.preconnection = Some(Preconnection { origin, started_at: self.timer.now(), opening });
        }
    }

    async fn open(mut self, origin: Uri) -> Result<Stream, BoxError> {
        timeout(CONNECT_TIMEOUT, self.https.call(origin)).await?
    }

    /// Returns the preconnection if it is fresh, or opens a connection. A preconnection is not fresh if the
    /// instance was frozen in the meantime.
    async fn take_or_open(self, origin: Uri) -> Result<Stream, BoxError> {
        let preconnection = {
            let mut host = lock(&self.host);
            host.origin = Some(origin.clone());
            host.preconnection.take()
        };
        if let Some(preconnection) = preconnection
            && preconnection.origin == origin
            && self.is_fresh(preconnection.started_at)
            && let Ok(Ok(stream)) = preconnection.opening.await
        {
            return Ok(stream);
        }
        self.open(origin).await
    }
}

impl Service<Uri> for Dialer {
    type Response = Stream;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Stream, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, origin: Uri) -> Self::Future {
        Box::pin(self.clone().take_or_open(origin))
    }
}

/// Tells hyper's pool the time by the wall clock.
///
/// The wall clock may be set back. Every step counts as time that has passed, in either direction: a
/// connection that is discarded too early costs only a new one.
#[derive(Clone, Debug)]
struct WallClockTimer {
    clock: Clock,
    reading: Arc<Mutex<Reading>>,
}

#[derive(Debug)]
struct Reading {
    wall_clock: Timestamp,
    now: Instant,
}

impl WallClockTimer {
    fn new(clock: Clock) -> Self {
        let reading = Reading { wall_clock: clock.now(), now: Instant::now() };
        Self { clock, reading: Arc::new(Mutex::new(reading)) }
    }
}

impl Timer for WallClockTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        TokioTimer::new().sleep(duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        self.sleep(deadline.saturating_duration_since(self.now()))
    }

    fn now(&self) -> Instant {
        lock(&self.reading).advance(self.clock.now())
    }
}

impl Reading {
    fn advance(&mut self, wall_clock: Timestamp) -> Instant {
        let step = (wall_clock - self.wall_clock).abs().to_std().unwrap_or_default();
        self.wall_clock = wall_clock;
        self.now += step;
        self.now
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use sharelink_domain::testing::{NOW, time};

    use super::*;

    #[test]
    fn clock_step_counts_as_idle_time_in_both_directions() {
        let (start, minute) = (Instant::now(), Duration::from_mins(1));
        let mut reading = Reading { wall_clock: time(NOW), now: start };
        assert_eq!(reading.advance(time(NOW)), start);
        assert_eq!(reading.advance(time(NOW) + TimeDelta::minutes(1)), start + minute);
        assert_eq!(reading.advance(time(NOW)), start + 2 * minute, "the clock was set back");
    }
}
