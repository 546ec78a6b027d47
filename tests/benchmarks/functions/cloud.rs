//! AWS, as far as the functions call it: DynamoDB, S3, Secrets Manager and SES, answered in this process over TLS, at
//! one address.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use dynoxide::Database;
use dynoxide::errors::DynoxideError;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::SendRequest;
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

/// The name of the table.
pub(crate) const TABLE: &str = "shares";

/// The keys that seal the links.
pub(crate) const KEY_RING: &str =
    r#"{"current": "k1", "k1": "a secret of the benchmark, of 32 bytes or more"}"#;

/// Where a Linux distribution keeps the certificates that it trusts.
const SYSTEM: [&str; 2] = ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"];

/// Those that our functions trust in AWS.
const AMAZON: &str = include_str!("../../../shared/aws/src/amazon-roots.pem");

pub(crate) struct Cloud {
    pub(crate) url: String,
    /// Our certificate, beside as many as a function reads on AWS.
    trusted: PathBuf,
    /// Our certificate, beside as many as other SDKs read on AWS.
    trusted_by_references: PathBuf,
    pub(crate) database: Database,
    calls: AtomicU64,
    units: Mutex<Units>,
    /// What a partition of the table takes in a second, if there is a limit.
    limit: Mutex<Option<Limit>>,
    connected: Mutex<Option<Instant>>,
}

impl Cloud {
    /// Starts it; it ends with this process.
    pub(crate) async fn start(directory: &Path) -> Arc<Self> {
        let (acceptor, authority) = certificates();
        let (trusted, trusted_by_references) = (directory.join("amazon.pem"), directory.join("system.pem"));
        let system = SYSTEM.iter().find_map(|file| fs::read_to_string(file).ok()).unwrap_or_default();
        fs::write(&trusted, AMAZON.to_owned() + &authority).unwrap();
        fs::write(&trusted_by_references, system + &authority).unwrap();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let cloud = Arc::new(Self {
            url: format!("https://{}", listener.local_addr().unwrap()),
            trusted,
            trusted_by_references,
            database: Database::memory().unwrap(),
            calls: AtomicU64::new(0),
            units: Mutex::default(),
            limit: Mutex::default(),
            connected: Mutex::default(),
        });
        cloud.create_table();
        let served = Arc::clone(&cloud);
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                served.connected.lock().unwrap().get_or_insert_with(Instant::now);
                connection.set_nodelay(true).unwrap();
                let (cloud, acceptor) = (Arc::clone(&served), acceptor.clone());
                tokio::spawn(async move {
                    let Ok(connection) = acceptor.accept(connection).await else { return };
                    let service = service_fn(move |request| Arc::clone(&cloud).serve(request));
                    let _ = http1::Builder::new().serve_connection(TokioIo::new(connection), service).await;
                });
            }
        });
        cloud
    }

    /// What a program needs to find it.
    pub(crate) fn environment(&self, is_reference: bool) -> HashMap<String, String> {
        let trusted = if is_reference { &self.trusted_by_references } else { &self.trusted };
        let trusted = trusted.display().to_string();
        HashMap::from(
            [
                ("AWS_REGION", "eu-central-1"),
                ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
                ("AWS_SECRET_ACCESS_KEY", "a secret key"),
                // As long as Lambda's are.
                ("AWS_SESSION_TOKEN", &"t".repeat(800)),
                ("AWS_ENDPOINT_URL", &self.url),
                ("AWS_CA_BUNDLE", &trusted),
                // Node has the others compiled in.
                ("NODE_EXTRA_CA_CERTS", &self.trusted.display().to_string()),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned())),
        )
    }

    /// A connection to it.
    pub(crate) async fn connect(&self) -> SendRequest<Full<Bytes>> {
        let mut trusted = RootCertStore::empty();
        trusted.add_parsable_certificates(CertificateDer::pem_file_iter(&self.trusted).unwrap().flatten());
        let config = ClientConfig::builder().with_root_certificates(trusted).with_no_client_auth();
        let address = self.url.trim_start_matches("https://");
        let connection = TcpStream::connect(address).await.unwrap();
        connection.set_nodelay(true).unwrap();
        let name = ServerName::try_from("127.0.0.1").unwrap();
        let connection = TlsConnector::from(Arc::new(config)).connect(name, connection).await.unwrap();
        let (requests, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(connection)).await.unwrap();
        tokio::spawn(connection);
        requests
    }

    /// How many calls have been answered.
    pub(crate) fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    /// What the table's work has cost, since this was last asked.
    pub(crate) fn units(&self) -> Units {
        std::mem::take(&mut *self.units.lock().unwrap())
    }

    /// From now on, each partition takes this part of what DynamoDB's take, 1,000 write units a second.
    pub(crate) fn limit(&self, scale: Option<f64>) {
        *self.limit.lock().unwrap() = scale.map(|scale| Limit { rate: 1000.0 * scale, left: HashMap::new() });
    }

    /// When somebody first connected, since this was last asked.
    pub(crate) fn connected(&self) -> Option<Instant> {
        self.connected.lock().unwrap().take()
    }

    /// The table as the template has it.
    fn create_table(&self) {
        // `N` is a type there, and no boolean.
        let options = serde_saphyr::options! { strict_booleans: true };
        let template = include_str!("../../../infra/template.yaml");
        let template: Value = serde_saphyr::from_str_with_options(template, options).unwrap();
        let mut table = template["Resources"]["Table"]["Properties"].clone();
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
        properties.insert("TableName".into(), TABLE.into());
        self.database.create_table(serde_json::from_value(table).unwrap()).unwrap();
    }

    async fn serve(
        self: Arc<Self>,
        request: Request<Incoming>,
    ) -> Result<Response<Full<Bytes>>, std::convert::Infallible> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let (head, body) = request.into_parts();
        let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
        let target = head.headers.get("x-amz-target").and_then(|target| target.to_str().ok());
        let (status, answer) = match target.and_then(|target| target.split_once('.')) {
            Some(("AmazonSSM", _)) => {
                (StatusCode::OK, json!({"Parameter": {"Value": "https://files.example.com"}}).to_string())
            }
            Some(("secretsmanager", _)) => (StatusCode::OK, json!({"SecretString": KEY_RING}).to_string()),
            Some((_, action)) => self.dynamodb(action, &body),
            None if head.uri.path() == "/v2/email/outbound-emails" => {
                (StatusCode::OK, json!({"MessageId": "m"}).to_string())
            }
            // S3: every object is there.
            None => {
                let mut answer = Response::new(Full::default());
                if head.method == Method::HEAD {
                    answer.headers_mut().insert("content-length", 1024.into());
                }
                return Ok(answer);
            }
        };
        let mut answer = Response::new(Full::from(answer));
        *answer.status_mut() = status;
        answer.headers_mut().insert("content-type", "application/x-amz-json-1.0".parse().unwrap());
        Ok(answer)
    }

    fn dynamodb(&self, action: &str, body: &[u8]) -> (StatusCode, String) {
        let mut request: Value = serde_json::from_slice(body).unwrap();
        let key = ["Key", "Item"].iter().find_map(|of| request[of]["item"]["S"].as_str().map(str::to_owned));
        if let (Some(key), Some(limit)) = (&key, &mut *self.limit.lock().unwrap())
            && !limit.lets(key)
        {
            let throttled = json!({"__type": "com.amazonaws.dynamodb.v20120810#ThrottlingException"});
            return (StatusCode::BAD_REQUEST, throttled.to_string());
        }
        request["ReturnConsumedCapacity"] = "TOTAL".into();
        let (status, answer) = self.execute(action, request);
        let answered: Value = serde_json::from_str(&answer).unwrap();
        let consumed = &answered["ConsumedCapacity"];
        let consumed = consumed.get(0).unwrap_or(consumed)["CapacityUnits"].as_f64().unwrap_or_default();
        let is_write = ["PutItem", "UpdateItem", "DeleteItem"].contains(&action);
        self.units.lock().unwrap().add(is_write, consumed);
        if let (Some(key), true, Some(limit)) = (key, is_write, &mut *self.limit.lock().unwrap()) {
            limit.take(key, consumed);
        }
        (status, answer)
    }

    fn execute(&self, action: &str, request: Value) -> (StatusCode, String) {
        fn call<Q: DeserializeOwned, A: Serialize>(
            request: Value,
            call: impl FnOnce(Q) -> Result<A, DynoxideError>,
        ) -> (StatusCode, String) {
            match call(serde_json::from_value(request).unwrap()) {
                Ok(answer) => (StatusCode::OK, serde_json::to_string(&answer).unwrap()),
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
            _ => panic!("no function calls {action}"),
        }
    }
}

/// What work has cost at DynamoDB.
#[derive(Clone, Copy, Default)]
pub(crate) struct Units {
    pub(crate) read: f64,
    pub(crate) written: f64,
}

impl Units {
    fn add(&mut self, is_write: bool, units: f64) {
        *(if is_write { &mut self.written } else { &mut self.read }) += units;
    }

    pub(crate) fn of_each(self, count: usize) -> Self {
        Self { read: self.read / count as f64, written: self.written / count as f64 }
    }
}

/// What partitions still take.
struct Limit {
    /// Write units in a second.
    rate: f64,
    left: HashMap<String, (f64, Instant)>,
}

impl Limit {
    /// Whether a partition takes another write now.
    fn lets(&mut self, key: &str) -> bool {
        let (now, rate) = (Instant::now(), self.rate);
        let (left, since) = self.left.entry(key.to_owned()).or_insert((rate, now));
        *left = (*left + now.duration_since(*since).as_secs_f64() * rate).min(rate);
        *since = now;
        *left > 0.0
    }

    fn take(&mut self, key: String, units: f64) {
        self.left.entry(key).or_insert((self.rate, Instant::now())).0 -= units;
    }
}

/// A certificate for 127.0.0.1, and the authority that vouches for it.
fn certificates() -> (TlsAcceptor, String) {
    let mut authority = CertificateParams::new(vec![]).unwrap();
    authority.distinguished_name.push(DnType::CommonName, "an authority");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate =
        CertificateParams::new(vec!["127.0.0.1".into()]).unwrap().signed_by(&key, &authority).unwrap();
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::Pkcs8(key.serialize_der().into()))
        .unwrap();
    (TlsAcceptor::from(Arc::new(config)), authority.pem())
}
