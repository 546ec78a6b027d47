//! The base URL of links.

use std::str::FromStr;

use thiserror::Error;

/// Everything before `/s/` in a link, without a trailing slash.
///
/// A link is a credential, so the scheme is `https`. Only a server on this machine may use `http`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseUrl(String);

/// The text is not a base URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("is not an https URL without a query, a fragment and spaces")]
pub struct BaseUrlError;

/// The hosts that `http` may be used with.
const LOOPBACK_HOSTS: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

impl BaseUrl {
    /// Returns the URL.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for BaseUrl {
    type Err = BaseUrlError;

    fn from_str(text: &str) -> Result<Self, BaseUrlError> {
        let (is_secure, rest) = match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
            (Some(rest), _) => (true, rest),
            (None, Some(rest)) => (false, rest),
            (None, None) => return Err(BaseUrlError),
        };
        let (authority, _) = rest.split_once('/').unwrap_or((rest, ""));
        let is_url = !authority.is_empty()
            && !authority.contains(['@', '\\'])
            && !rest.ends_with('/')
            && !rest.contains(|c: char| matches!(c, '?' | '#') || c.is_whitespace() || c.is_control());
        if is_url && (is_secure || is_loopback(authority)) {
            Ok(Self(text.to_owned()))
        } else {
            Err(BaseUrlError)
        }
    }
}

/// Returns whether a host, with or without a port, is this machine.
pub(crate) fn is_loopback(authority: &str) -> bool {
    LOOPBACK_HOSTS.iter().any(|host| match authority.strip_prefix(host) {
        Some("") => true,
        Some(rest) => rest
            .strip_prefix(':')
            .is_some_and(|port| !port.is_empty() && port.bytes().all(|digit| digit.is_ascii_digit())),
        None => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_and_this_machine_are_base_urls() {
        for valid in [
            "https://files.example.com",
            "https://files.example.com:8443/base/path",
            "https://[2001:db8::1]",
            "http://localhost",
            "http://localhost:4566/_aws/execute-api/a/$default",
            "http://127.0.0.1:80/a",
            "http://[::1]:1",
        ] {
            assert_eq!(valid.parse().map(|url: BaseUrl| url.as_str().to_owned()), Ok(valid.to_owned()));
        }
        for invalid in [
            "",
            "https://",
            "https:///path",
            "http://files.example.com",
            "HTTP://files.example.com",
            "ftp://localhost",
            "//files.example.com",
            "files.example.com",
            "https://files.example.com/",
            "https://files.example.com?a",
            "https://files.example.com/#a",
            "https://files.example.com/a b",
            " https://files.example.com",
            "https://files.example.com\n",
            "https://user@files.example.com",
            "http://localhost.evil.example",
            "http://localhost:80.evil.example",
            "http://localhost:80@evil.example",
            "http://127.0.0.1@evil.example",
            "http://127.0.0.1:",
            "http://127.0.0.10",
            "http://localhost\\.evil.example",
        ] {
            assert_eq!(invalid.parse::<BaseUrl>(), Err(BaseUrlError), "{invalid:?}");
        }
    }
}
