//! Signs calls to the emulator's AWS APIs that do not use the SDK.

use std::time::SystemTime;

use anyhow::{Context, Result};
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings,
    UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4::SigningParams;
use reqwest::Request;
use reqwest::header::{HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};

/// The emulator's only access key: the account's root user.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Credentials {
    pub(crate) aws_access_key_id: String,
    pub(crate) aws_secret_access_key: String,
}

impl Credentials {
    pub(crate) fn to_sdk(&self) -> aws_credential_types::Credentials {
        let Self { aws_access_key_id, aws_secret_access_key } = self;
        aws_credential_types::Credentials::new(aws_access_key_id, aws_secret_access_key, None, None, "stack")
    }

    /// Signs a request with Signature Version 4.
    pub(crate) fn sign(&self, mut request: Request, service: &str, region: &str) -> Result<Request> {
        let identity = self.to_sdk().into();
        let mut settings = SigningSettings::default();
        if service == "s3" {
            settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
            settings.percent_encoding_mode = PercentEncodingMode::Single;
            settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        }
        let parameters = SigningParams::builder()
            .identity(&identity)
            .region(region)
            .name(service)
            .time(SystemTime::now())
            .settings(settings)
            .build()?
            .into();
        let body = request.body().map_or(Some(&[][..]), |body| body.as_bytes());
        let body = SignableBody::Bytes(body.context("the body is a stream")?);
        let headers = request.headers().iter();
        let headers = headers.filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
        let signable =
            SignableRequest::new(request.method().as_str(), request.url().as_str(), headers, body)?;
        let (instructions, _) = sign(signable, &parameters)?.into_parts();
        for (name, value) in instructions.headers() {
            request
                .headers_mut()
                .insert(HeaderName::from_bytes(name.as_bytes())?, HeaderValue::from_str(value)?);
        }
        Ok(request)
    }
}
