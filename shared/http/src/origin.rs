//! The check that a request came through the distribution in front of the API.
//!
//! The distribution limits each client and can have a web ACL, but the API also responds at its own address.
//! The distribution therefore adds a secret header to each request, and a function refuses requests without
//! it before it does anything else.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use sharelink_runtime::optional;
use thiserror::Error;

use crate::event::HttpApiEvent;
use crate::{ProblemType, Request};

/// The header with the secret. The distribution replaces a viewer's header of this name.
pub(crate) const SECRET_HEADER: &str = "x-origin-secret";

/// The header with the viewer's address and port. `CloudFront` replaces a viewer's header of this name if the
/// behavior's origin request policy lists it.
pub(crate) const VIEWER_ADDRESS_HEADER: &str = "cloudfront-viewer-address";

/// The environment variable with the accepted secrets.
const VARIABLE: &str = "ORIGIN_SECRETS";

/// The minimum length of a secret, in bytes.
const MIN_LENGTH: usize = 32;

/// The origin secrets are invalid. With this error, the function does not start.
#[derive(Debug, Error)]
pub(crate) enum OriginError {
    #[error("{VARIABLE} is not a JSON object whose values are strings")]
    NotAnObject,
    #[error("{VARIABLE} contains no secret named current")]
    NoCurrent,
    #[error(
        "{VARIABLE} contains a secret that is shorter than {MIN_LENGTH} characters or not printable ASCII"
    )]
    Unusable,
}

/// What the distribution adds to each request. A request to the API's own address may contain anything here.
#[derive(Default)]
pub(crate) struct OriginHeaders {
    pub(crate) secret: Option<String>,
    pub(crate) viewer_address: Option<String>,
}

/// The accepted secrets, or none if the deployment has no distribution. `Debug` omits the secrets.
pub(crate) struct Origin(Vec<String>);

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Origin({} secrets)", self.0.len())
    }
}

impl Origin {
    /// Reads the accepted secrets from the environment.
    pub(crate) fn from_env() -> Result<Self, OriginError> {
        optional(VARIABLE).map_or(Ok(Self(vec![])), |json| Self::parse(&json))
    }

    /// Parses a JSON object of named secrets. The distribution sends the one named `current`. The others are
    /// accepted too, so that a secret can be replaced without refusing any request.
    fn parse(json: &str) -> Result<Self, OriginError> {
        let secrets: HashMap<String, String> =
            serde_json::from_str(json).map_err(|_| OriginError::NotAnObject)?;
        if !secrets.contains_key("current") {
            return Err(OriginError::NoCurrent);
        }
        let is_usable = |secret: &String| {
            secret.len() >= MIN_LENGTH && secret.bytes().all(|byte| byte.is_ascii_graphic())
        };
        if !secrets.values().all(is_usable) {
            return Err(OriginError::Unusable);
        }
        Ok(Self(secrets.into_values().collect()))
    }

    /// Returns the event's request if it came through the distribution, or if there is none.
    ///
    /// The source address is the viewer's. Behind the distribution, API Gateway sees only the distribution's
    /// address, and `X-Forwarded-For` begins with whatever the viewer sent.
    pub(crate) fn admit(&self, mut event: HttpApiEvent) -> Result<Request, ProblemType> {
        if self.0.is_empty() {
            return Ok(event.into_request());
        }
        let secret = event.origin_headers.secret.as_deref().unwrap_or_default();
        // Compare with every secret, so that the time does not reveal which one matched.
        if self.0.iter().filter(|accepted| is_equal(accepted, secret)).count() == 0 {
            return Err(ProblemType::WrongAddress);
        }
        event.set_source_ip(event.origin_headers.viewer_address.as_deref().and_then(parse_viewer_address));
        Ok(event.into_request())
    }
}

fn is_equal(accepted: &str, secret: &str) -> bool {
    verify_slices_are_equal(accepted.as_bytes(), secret.as_bytes()).is_ok()
}

/// Parses an address and a port. `CloudFront` writes an IPv6 address without brackets, so the port is what
/// follows the last colon.
fn parse_viewer_address(text: &str) -> Option<IpAddr> {
    let (address, port) = text.rsplit_once(':')?;
    port.parse::<u16>().ok()?;
    address.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(address).parse().ok()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::testing::event;
    use crate::{header, source_ip};

    const SECRET: &str = "0123456789abcdef0123456789abcdef";
    const NEXT: &str = "fedcba9876543210fedcba9876543210";

    fn origin() -> Origin {
        Origin::parse(&json!({"current": SECRET, "next": NEXT}).to_string()).unwrap()
    }

    fn admit(origin: &Origin, headers: &Value) -> Result<Request, ProblemType> {
        let event = event(headers, &json!({})).to_string();
        origin.admit(serde_json::from_str(&event).unwrap())
    }

    #[test]
    fn every_accepted_secret_admits_a_request() {
        for headers in [
            json!({"x-origin-secret": SECRET}),
            json!({"X-Origin-Secret": SECRET}),
            json!({"x-origin-secret": NEXT}),
        ] {
            assert!(admit(&origin(), &headers).is_ok(), "{headers}");
        }
    }

    #[test]
    fn request_without_an_accepted_secret_is_refused() {
        for headers in [
            json!({}),
            json!({"x-origin-secret": ""}),
            json!({"x-origin-secret": "current"}),
            json!({"x-origin-secret": &SECRET[1..]}),
            json!({"x-origin-secret": SECRET.to_uppercase()}),
            json!({"x-origin-secret": format!("{SECRET} ")}),
            // API Gateway joins repeated headers with commas.
            json!({"x-origin-secret": format!("{SECRET},{SECRET}")}),
            json!({"x-origin-secret": format!("x,{SECRET}")}),
            json!({"x-origin-secret": [SECRET]}),
            json!({"x-origin-secret": "é"}),
            json!({"authorization": SECRET, "x-origin-secret2": SECRET}),
        ] {
            let refused = admit(&origin(), &headers).map(drop);
            assert_eq!(refused, Err(ProblemType::WrongAddress), "{headers}");
        }
    }

    #[test]
    fn without_a_distribution_every_request_is_admitted() {
        let none = Origin(vec![]);
        for headers in [json!({}), json!({"x-origin-secret": "x"})] {
            assert!(admit(&none, &headers).is_ok(), "{headers}");
        }
    }

    #[test]
    fn handlers_cannot_read_the_secret() {
        let request = admit(&origin(), &json!({"x-origin-secret": SECRET})).unwrap();
        assert_eq!(header(&request, SECRET_HEADER), None);
        assert!(!format!("{request:?}").contains(SECRET));
        assert!(!format!("{:?}", origin()).contains(SECRET));
    }

    #[test]
    fn unusable_secrets_are_an_error() {
        for json in [
            json!("text"),
            json!([SECRET]),
            json!({"current": 1}),
            json!({}),
            json!({"next": SECRET}),
            json!({"current": ""}),
            json!({"current": SECRET, "next": ""}),
            json!({"current": &SECRET[1..]}),
            json!({"current": format!("{SECRET}\n")}),
            json!({"current": format!("é{SECRET}")}),
        ] {
            let error = Origin::parse(&json.to_string()).unwrap_err().to_string();
            assert!(!error.contains(&SECRET[1..]), "{error}");
        }
        assert!(Origin::parse("{").is_err());
    }

    #[test]
    fn source_address_behind_the_distribution_is_the_viewers() {
        for (address, expected) in [
            ("198.51.100.10:46532", Some("198.51.100.10")),
            ("2001:db8::9:9985", Some("2001:db8::9")),
            ("2001:db8:1:2:3:4:5:6:443", Some("2001:db8:1:2:3:4:5:6")),
            ("[2001:db8::9]:9985", Some("2001:db8::9")),
            ("198.51.100.10", None),
            ("198.51.100.10:", None),
            ("198.51.100.10:99999", None),
            ("198.51.100.10, 203.0.113.1:1", None),
            ("", None),
            ("x:1", None),
        ] {
            let headers = json!({
                "x-origin-secret": SECRET, "CloudFront-Viewer-Address": address, "x-forwarded-for": "203.0.113.9",
            });
            let request = admit(&origin(), &headers).unwrap();
            assert_eq!(source_ip(&request), expected.map(|ip| ip.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn without_a_distribution_the_source_address_is_the_gateways() {
        let headers =
            json!({"cloudfront-viewer-address": "198.51.100.10:46532", "x-forwarded-for": "203.0.113.9"});
        let request = admit(&Origin(vec![]), &headers).unwrap();
        assert_eq!(source_ip(&request), Some("127.0.0.1".parse().unwrap()));
    }
}
