//! A fake AWS in this process: DynamoDB, S3, Secrets Manager, Parameter Store and SES behind TLS, at one
//! address. It implements only the calls that the functions make.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use dynoxide::Database;
use dynoxide::errors::DynoxideError;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::SendRequest;
use hyper::http::request::Parts;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::connection::{Connections, Death};

pub(crate) const TABLE: &str = "shares";

pub(crate) const LOG_TABLE: &str = "share-log";

/// The secret with the keys that seal the links.
pub(crate) const KEY_RING: &str =
    r#"{"current": "k1", "k1": "a secret of the benchmark, of 32 bytes or more"}"#;

/// Write units per second that a DynamoDB partition accepts.
pub(crate) const PARTITION_WRITE_UNITS: f64 = 1000.0;

/// Linux distributions keep their trusted certificates in one of these files.
const SYSTEM_CA_BUNDLES: [&str; 2] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"];

/// The root certificates that deployed functions trust.
const AMAZON_ROOTS: &str = include_str!("../../../shared/aws/src/amazon-roots.pem");

/// How long a service takes to respond. The fake AWS itself is faster, and its own time counts towards these.
#[derive(Clone, Copy)]
pub(crate) struct Latencies {
    pub(crate) dynamodb: Duration,
    pub(crate) s3: Duration,
    /// Secrets Manager and Parameter Store.
    pub(crate) secrets: Duration,
    pub(crate) ses: Duration,
}

impl Latencies {
    /// Typical medians within a region. The one for SES is an assumption: no public measurement was found.
    pub(crate) const TYPICAL: Self = Self {
        dynamodb: Duration::from_millis(4),
        s3: Duration::from_millis(15),
        secrets: Duration::from_millis(10),
        ses: Duration::from_millis(100),
    };
}

pub(crate) struct FakeAws {
    pub(crate) url: String,
    /// The root certificates that deployed functions trust, plus this server's CA certificate.
    ca_bundle: PathBuf,
    /// The system's certificates (which other SDKs trust on AWS) plus this server's CA certificate.
    reference_ca_bundle: PathBuf,
    pub(crate) database: Database,
    calls: AtomicU64,
    connections: Connections,
    /// If not set, every service responds as fast as it can.
    latencies: Mutex<Option<Latencies>>,
    consumed: Mutex<Capacity>,
    write_limit: Mutex<Option<WriteLimit>>,
    first_connection: Mutex<Option<Instant>>,
    /// The bodies of the messages that were sent to queues.
    messages: Mutex<Vec<String>>,
}

impl FakeAws {
    /// Starts the server, which runs until this process exits. The server's certificate and key are in the
    /// directory, for other servers at the same address.
    pub(crate) async fn start(directory: &Path) -> Arc<Self> {
        let (acceptor, authority) = certificates(directory);
        let (ca_bundle, reference_ca_bundle) = (directory.join("amazon.pem"), directory.join("system.pem"));
        let system_roots =
            SYSTEM_CA_BUNDLES.iter().find_map(|file| fs::read_to_string(file).ok()).unwrap_or_default();
        fs::write(&ca_bundle, [AMAZON_ROOTS, &authority].concat()).unwrap();
        fs::write(&reference_ca_bundle, [system_roots, authority].concat()).unwrap();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let aws = Arc::new(Self {
            url: format!("https://{}", listener.local_addr().unwrap()),
            ca_bundle,
            reference_ca_bundle,
            database: Database::memory().unwrap(),
            calls: AtomicU64::new(0),
            connections: Connections::default(),
            latencies: Mutex::default(),
            consumed: Mutex::default(),
            write_limit: Mutex::default(),
            first_connection: Mutex::default(),
            messages: Mutex::default(),
        });
        aws.create_tables();
        tokio::spawn(Arc::clone(&aws).accept_connections(listener, acceptor));
        aws
    }

    async fn accept_connections(self: Arc<Self>, listener: TcpListener, acceptor: TlsAcceptor) {
        while let Ok((connection, _)) = listener.accept().await {
            self.first_connection.lock().unwrap().get_or_insert_with(Instant::now);
            connection.set_nodelay(true).unwrap();
            let connection = self.connections.add(connection);
            let (aws, acceptor) = (Arc::clone(&self), acceptor.clone());
            tokio::spawn(async move {
                let Ok(connection) = acceptor.accept(connection).await else { return };
                let service = service_fn(move |request| Arc::clone(&aws).handle(request));
                let _ = http1::Builder::new().serve_connection(TokioIo::new(connection), service).await;
            });
        }
    }

    /// Returns the environment variables that point a program's SDK to this server.
    pub(crate) fn environment(&self, is_reference: bool) -> HashMap<String, String> {
        let ca_bundle = if is_reference { &self.reference_ca_bundle } else { &self.ca_bundle };
        HashMap::from(
            [
                ("AWS_REGION", "eu-central-1"),
                ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
                ("AWS_SECRET_ACCESS_KEY", "a secret key"),
                // Same length as Lambda's session tokens.
                ("AWS_SESSION_TOKEN", &"t".repeat(800)),
                ("AWS_ENDPOINT_URL", &self.url),
                ("AWS_CA_BUNDLE", &ca_bundle.display().to_string()),
                // Node's root certificates are compiled in. This variable adds the server's.
                ("NODE_EXTRA_CA_CERTS", &self.ca_bundle.display().to_string()),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned())),
        )
    }

    /// Opens an HTTP connection without an SDK.
    pub(crate) async fn connect(&self) -> SendRequest<Full<Bytes>> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(CertificateDer::pem_file_iter(&self.ca_bundle).unwrap().flatten());
        let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        let tcp = TcpStream::connect(self.url.trim_start_matches("https://")).await.unwrap();
        tcp.set_nodelay(true).unwrap();
        let name = ServerName::try_from("127.0.0.1").unwrap();
        let tls = TlsConnector::from(Arc::new(config)).connect(name, tcp).await.unwrap();
        let (requests, connection) = hyper::client::conn::http1::handshake(TokioIo::new(tls)).await.unwrap();
        tokio::spawn(connection);
        requests
    }

    /// Makes the services respond as slowly as this.
    pub(crate) fn set_latencies(&self, latencies: Latencies) {
        *self.latencies.lock().unwrap() = Some(latencies);
    }

    /// Kills all open connections. The functions do not notice until they use one.
    pub(crate) fn kill_connections(&self, death: Death) {
        self.connections.kill(death);
    }

    /// Returns the number of calls to this server so far.
    pub(crate) fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    /// Returns the capacity that the table has consumed since the last call to this function.
    pub(crate) fn take_consumed(&self) -> Capacity {
        std::mem::take(&mut *self.consumed.lock().unwrap())
    }

    /// Limits writes to each partition to a fraction of DynamoDB's limit; `None` removes the limit.
    pub(crate) fn limit_writes(&self, fraction: Option<f64>) {
        *self.write_limit.lock().unwrap() = fraction.map(WriteLimit::new);
    }

    /// Returns the bodies of the messages that were sent to queues since the last call to this function.
    pub(crate) fn take_messages(&self) -> Vec<String> {
        std::mem::take(&mut *self.messages.lock().unwrap())
    }

    /// Returns the time of the first connection since the last call to this function.
    pub(crate) fn take_first_connection(&self) -> Option<Instant> {
        self.first_connection.lock().unwrap().take()
    }

    /// Creates the tables as the template declares them.
    fn create_tables(&self) {
        // In the template, `N` is an attribute type, not a boolean.
        let options = serde_saphyr::options! { strict_booleans: true };
        let yaml = include_str!("../../../infra/template.yaml");
        let template: Value = serde_saphyr::from_str_with_options(yaml, options).unwrap();
        for (resource, name) in [("Table", TABLE), ("LogTable", LOG_TABLE)] {
            self.create_table(template["Resources"][resource]["Properties"].clone(), name);
        }
    }

    fn create_table(&self, mut table: Value, name: &str) {
        let properties = table.as_object_mut().unwrap();
        properties.retain(|name, _| {
            [
                "AttributeDefinitions",
                "KeySchema",
                "LocalSecondaryIndexes",
                "GlobalSecondaryIndexes",
                "BillingMode",
            ]
            .contains(&name.as_str())
        });
        properties.insert("TableName".into(), name.into());
        self.database.create_table(serde_json::from_value(table).unwrap()).unwrap();
    }

    async fn handle(
        self: Arc<Self>,
        request: Request<Incoming>,
    ) -> Result<Response<Full<Bytes>>, std::convert::Infallible> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let start = Instant::now();
        let (head, body) = request.into_parts();
        let bytes = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
        let response = self.respond(&head, &bytes);
        let latencies = *self.latencies.lock().unwrap();
        if let Some(latency) = latencies.map(|latencies| latency(&head, latencies)) {
            // Tokio's timer rounds up to the next millisecond. This is more precise.
            let wait = move || std::thread::sleep(latency.saturating_sub(start.elapsed()));
            tokio::task::spawn_blocking(wait).await.unwrap();
        }
        Ok(response)
    }

    fn respond(&self, head: &Parts, body: &[u8]) -> Response<Full<Bytes>> {
        let target = target(head);
        let (status, json) = match target.and_then(|target| target.split_once('.')) {
            Some(("AmazonSSM", _)) => {
                (StatusCode::OK, json!({"Parameter": {"Value": "https://files.example.com"}}).to_string())
            }
            Some(("secretsmanager", _)) => (StatusCode::OK, json!({"SecretString": KEY_RING}).to_string()),
            Some(("AmazonSQS", _)) => {
                let message: Value = serde_json::from_slice(body).unwrap();
                self.messages.lock().unwrap().extend(message["MessageBody"].as_str().map(str::to_owned));
                (StatusCode::OK, json!({"MessageId": "m"}).to_string())
            }
            Some((_, action)) => self.handle_dynamodb(action, body),
            None if head.uri.path() == SEND_EMAIL => (StatusCode::OK, json!({"MessageId": "m"}).to_string()),
            // S3, where every object exists.
            None => {
                let mut response = Response::new(Full::default());
                if head.method == Method::HEAD {
                    response.headers_mut().insert("content-length", 1024.into());
                }
                return response;
            }
        };
        let mut response = Response::new(Full::from(json));
        *response.status_mut() = status;
        response.headers_mut().insert("content-type", "application/x-amz-json-1.0".parse().unwrap());
        response
    }

    fn handle_dynamodb(&self, action: &str, body: &[u8]) -> (StatusCode, String) {
        let mut request: Value = serde_json::from_slice(body).unwrap();
        let partition = ["Key", "Item"]
            .iter()
            .find_map(|parameter| request[parameter]["item"]["S"].as_str().map(str::to_owned));
        if let (Some(partition), Some(limit)) = (&partition, &mut *self.write_limit.lock().unwrap())
            && !limit.has_capacity(partition)
        {
            let throttled = json!({"__type": "com.amazonaws.dynamodb.v20120810#ThrottlingException"});
            return (StatusCode::BAD_REQUEST, throttled.to_string());
        }
        request["ReturnConsumedCapacity"] = "TOTAL".into();
        let (status, json) = self.execute(action, request);
        let units = consumed_units(&serde_json::from_str(&json).unwrap());
        let is_write = ["PutItem", "UpdateItem", "DeleteItem"].contains(&action);
        self.consumed.lock().unwrap().add(is_write, units);
        if let (Some(partition), true, Some(limit)) =
            (partition, is_write, &mut *self.write_limit.lock().unwrap())
        {
            limit.consume(partition, units);
        }
        (status, json)
    }

    fn execute(&self, action: &str, request: Value) -> (StatusCode, String) {
        fn call<Q: DeserializeOwned, R: Serialize>(
            request: Value,
            operation: impl FnOnce(Q) -> Result<R, DynoxideError>,
        ) -> (StatusCode, String) {
            match operation(serde_json::from_value(request).unwrap()) {
                Ok(response) => (StatusCode::OK, serde_json::to_string(&response).unwrap()),
                Err(error) => (StatusCode::from_u16(error.status_code()).unwrap(), error.to_json()),
            }
        }
        let database = &self.database;
        match action {
            "GetItem" => call(request, |request| database.get_item(request)),
            "PutItem" => call(request, |request| database.put_item(request)),
            "UpdateItem" => call(request, |request| database.update_item(request)),
            "DeleteItem" => call(request, |request| database.delete_item(request)),
            "Query" => call(request, |request| database.query(request)),
            "BatchGetItem" => call(request, |request| database.batch_get_item(request)),
            _ => panic!("{action} is not implemented"),
        }
    }
}

/// The path of SES's `SendEmail`.
const SEND_EMAIL: &str = "/v2/email/outbound-emails";

/// Returns the operation that a request names, if its service speaks AWS's JSON protocol.
fn target(head: &Parts) -> Option<&str> {
    head.headers.get("x-amz-target").and_then(|target| target.to_str().ok())
}

fn latency(head: &Parts, latencies: Latencies) -> Duration {
    match target(head).and_then(|target| target.split_once('.')) {
        Some(("AmazonSSM" | "secretsmanager", _)) => latencies.secrets,
        Some(_) => latencies.dynamodb,
        None if head.uri.path() == SEND_EMAIL => latencies.ses,
        None => latencies.s3,
    }
}

/// Returns the capacity units in a DynamoDB response. Batch operations report them as a list.
fn consumed_units(response: &Value) -> f64 {
    let consumed = &response["ConsumedCapacity"];
    consumed.get(0).unwrap_or(consumed)["CapacityUnits"].as_f64().unwrap_or_default()
}

/// Consumed capacity in DynamoDB's read and write units.
#[derive(Clone, Copy, Default)]
pub(crate) struct Capacity {
    pub(crate) read: f64,
    pub(crate) written: f64,
}

impl Capacity {
    fn add(&mut self, is_write: bool, units: f64) {
        *(if is_write { &mut self.written } else { &mut self.read }) += units;
    }

    pub(crate) fn divided_by(self, count: usize) -> Self {
        Self { read: self.read / count as f64, written: self.written / count as f64 }
    }
}

/// A token bucket for each partition. A full bucket holds one second's capacity.
struct WriteLimit {
    /// Write units per second.
    rate: f64,
    /// Each partition's available units, and the time of its last refill.
    buckets: HashMap<String, (f64, Instant)>,
}

impl WriteLimit {
    fn new(fraction: f64) -> Self {
        Self { rate: PARTITION_WRITE_UNITS * fraction, buckets: HashMap::new() }
    }

    fn has_capacity(&mut self, partition: &str) -> bool {
        let (now, rate) = (Instant::now(), self.rate);
        let (available, refilled) = self.buckets.entry(partition.to_owned()).or_insert((rate, now));
        *available = (*available + now.duration_since(*refilled).as_secs_f64() * rate).min(rate);
        *refilled = now;
        *available > 0.0
    }

    fn consume(&mut self, partition: String, units: f64) {
        self.buckets.entry(partition).or_insert((self.rate, Instant::now())).0 -= units;
    }
}

/// Returns a TLS acceptor with a certificate for 127.0.0.1, and the signing CA certificate as PEM. Stores the
/// certificate and its key in this directory.
fn certificates(directory: &Path) -> (TlsAcceptor, String) {
    let mut parameters = CertificateParams::new(vec![]).unwrap();
    parameters.distinguished_name.push(DnType::CommonName, "an authority");
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate =
        CertificateParams::new(vec!["127.0.0.1".into()]).unwrap().signed_by(&key, &authority).unwrap();
    fs::write(directory.join("server.pem"), certificate.pem()).unwrap();
    fs::write(directory.join("server-key.pem"), key.serialize_pem()).unwrap();
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::Pkcs8(key.serialize_der().into()))
        .unwrap();
    (TlsAcceptor::from(Arc::new(config)), authority.pem())
}
