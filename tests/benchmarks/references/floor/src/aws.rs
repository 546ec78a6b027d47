//! Signed calls to AWS with hyper and `aws-sigv4` alone: no retries, no timeouts, no reconnecting.

use std::env;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SignatureLocation,
    SigningSettings, UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4;
use aws_smithy_runtime_api::client::identity::Identity;
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use lambda_runtime::Error;
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// The credentials, and the address of AWS.
pub(crate) struct Aws {
    identity: Identity,
    region: String,
    /// The host and port of the endpoint.
    host: String,
}

/// A service, with one connection.
pub(crate) struct Service {
    name: &'static str,
    connection: Mutex<SendRequest<Full<Bytes>>>,
}

impl Aws {
    pub(crate) fn from_env() -> Result<Self, Error> {
        let (id, secret) = (env::var("AWS_ACCESS_KEY_ID")?, env::var("AWS_SECRET_ACCESS_KEY")?);
        let credentials =
            Credentials::new(id, secret, env::var("AWS_SESSION_TOKEN").ok(), None, "environment");
        let host = env::var("AWS_ENDPOINT_URL")?.trim_start_matches("https://").to_owned();
        Ok(Self { identity: credentials.into(), region: env::var("AWS_REGION")?, host })
    }

    pub(crate) async fn connect(&self, name: &'static str) -> Result<Service, Error> {
        Ok(Service { name, connection: Mutex::new(self.open_connection().await?) })
    }

    /// Opens a connection with a full TLS handshake: no earlier session is known.
    pub(crate) async fn open_connection(&self) -> Result<SendRequest<Full<Bytes>>, Error> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(env::var("AWS_CA_BUNDLE")?)? {
            roots.add(certificate?)?;
        }
        let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        let tcp = TcpStream::connect(&self.host).await?;
        tcp.set_nodelay(true)?;
        let host = self.host.rsplit_once(':').map_or(self.host.as_str(), |(host, _)| host).to_owned();
        let tls = TlsConnector::from(Arc::new(config)).connect(ServerName::try_from(host)?, tcp).await?;
        let (requests, connection) = handshake(TokioIo::new(tls)).await?;
        tokio::spawn(connection);
        Ok(requests)
    }

    /// Calls an operation of a service that speaks AWS's JSON protocol. Returns the response's body.
    pub(crate) async fn call(
        &self,
        service: &Service,
        target: &str,
        json: String,
    ) -> Result<(StatusCode, Bytes), Error> {
        let mut request = Request::post(format!("https://{}/", self.host))
            .header(CONTENT_TYPE, "application/x-amz-json-1.0")
            .header("x-amz-target", target)
            .body(Full::from(json.clone()))?;
        self.sign(service.name, &mut request, json.as_bytes(), SigningSettings::default())?;
        self.send(service, request).await
    }

    /// Returns the status of a HEAD request for an object.
    pub(crate) async fn head_object(&self, s3: &Service, path: &str) -> Result<StatusCode, Error> {
        let mut request = Request::head(format!("https://{}{path}", self.host)).body(Full::default())?;
        self.sign(s3.name, &mut request, b"", s3_settings())?;
        Ok(self.send(s3, request).await?.0)
    }

    /// Signs a URL that gives access to an object.
    pub(crate) fn sign_url(&self, path: &str, query: &str, lifetime: Duration) -> Result<String, Error> {
        let uri = format!("https://{}{path}?{query}", self.host);
        let mut request = Request::get(uri).body(Full::default())?;
        let mut settings = s3_settings();
        settings.signature_location = SignatureLocation::QueryParams;
        settings.expires_in = Some(lifetime);
        settings.payload_checksum_kind = PayloadChecksumKind::NoHeader;
        self.sign("s3", &mut request, b"", settings)?;
        Ok(request.uri().to_string())
    }

    fn sign(
        &self,
        service: &str,
        request: &mut Request<Full<Bytes>>,
        body: &[u8],
        settings: SigningSettings,
    ) -> Result<(), Error> {
        let parameters = v4::SigningParams::builder()
            .identity(&self.identity)
            .region(&self.region)
            .name(service)
            .time(SystemTime::now())
            .settings(settings)
            .build()?
            .into();
        let is_presigned = request.method() == Method::GET;
        let body = if is_presigned { SignableBody::UnsignedPayload } else { SignableBody::Bytes(body) };
        let headers = request.headers().iter();
        let headers = headers.filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
        let uri = request.uri().to_string();
        let signable = SignableRequest::new(request.method().as_str(), uri, headers, body)?;
        sign(signable, &parameters)?.into_parts().0.apply_to_request_http1x(request);
        Ok(())
    }

    async fn send(
        &self,
        service: &Service,
        mut request: Request<Full<Bytes>>,
    ) -> Result<(StatusCode, Bytes), Error> {
        request.headers_mut().insert(HOST, self.host.parse()?);
        *request.uri_mut() = request.uri().path_and_query().map_or("/", |path| path.as_str()).parse()?;
        let mut connection = service.connection.lock().await;
        connection.ready().await?;
        let response = connection.send_request(request).await?;
        Ok((response.status(), response.into_body().collect().await?.to_bytes()))
    }
}

fn s3_settings() -> SigningSettings {
    let mut settings = SigningSettings::default();
    settings.percent_encoding_mode = PercentEncodingMode::Single;
    settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
    settings
}
