//! The address of the platform's page on which a sharer manages one share.

use std::str::FromStr;

use thiserror::Error;

use crate::{Item, ShareId};

const MODULE: &str = "{module}";
const ITEM: &str = "{item}";
const SHARE: &str = "{share}";

/// The maximum length, in characters.
const LIMIT: usize = 500;

/// A URL such as `https://platform.example/items/{module}/{item}?share={share}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlatformUrl(String);

/// The reason a string is not a [`PlatformUrl`].
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum PlatformUrlError {
    #[error("must be at most {LIMIT} characters")]
    TooLong,
    #[error("must start with https:// and a host")]
    NotHttps,
    #[error("may contain only the characters of URLs, and {MODULE}, {ITEM} and {SHARE} after the host")]
    Alphabet,
}

impl FromStr for PlatformUrl {
    type Err = PlatformUrlError;

    fn from_str(url: &str) -> Result<Self, PlatformUrlError> {
        if url.len() > LIMIT {
            return Err(PlatformUrlError::TooLong);
        }
        let rest = url.strip_prefix("https://").ok_or(PlatformUrlError::NotHttps)?;
        let (host, rest) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        let is_host = |b: u8| b.is_ascii_alphanumeric() || b".-:".contains(&b);
        if !host.starts_with(|c: char| c.is_ascii_alphanumeric()) || !host.bytes().all(is_host) {
            return Err(PlatformUrlError::NotHttps);
        }
        let is_allowed = |b: u8| b.is_ascii_alphanumeric() || b"-._~:/?#@!$&'()*+,;=%".contains(&b);
        let fixed = [MODULE, ITEM, SHARE].iter().fold(rest.to_owned(), |rest, name| rest.replace(name, ""));
        if fixed.bytes().all(is_allowed) { Ok(Self(url.to_owned())) } else { Err(PlatformUrlError::Alphabet) }
    }
}

impl PlatformUrl {
    /// Returns the address of the page for a share. Names need no encoding: they consist of characters that
    /// RFC 3986 calls unreserved.
    #[must_use]
    pub fn of(&self, item: &Item, share: ShareId) -> String {
        self.0
            .replace(MODULE, item.module.as_str())
            .replace(ITEM, item.name.as_str())
            .replace(SHARE, &share.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::item;

    #[test]
    fn placeholders_are_replaced() {
        let url: PlatformUrl =
            "https://p.example:8443/#/{module}/{item}?share={share}&x={item}".parse().unwrap();
        let share = ShareId::from_bytes([1; 16]);
        let expected = format!("https://p.example:8443/#/jobs/1042?share={share}&x=1042");
        assert_eq!(url.of(&item(), share), expected);
    }

    #[test]
    fn only_https_urls_with_known_placeholders_are_accepted() {
        for url in ["https://p.example", "https://p.example/", "https://p.example?i={item}"] {
            assert!(url.parse::<PlatformUrl>().is_ok(), "{url}");
        }
        for (url, error) in [
            ("", PlatformUrlError::NotHttps),
            ("http://p.example/", PlatformUrlError::NotHttps),
            ("javascript:alert(1)", PlatformUrlError::NotHttps),
            ("https:///x", PlatformUrlError::NotHttps),
            ("https://{module}.example/", PlatformUrlError::NotHttps),
            ("https://a@p.example/", PlatformUrlError::NotHttps),
            ("https://p.example/{user}", PlatformUrlError::Alphabet),
            ("https://p.example/\"><script>", PlatformUrlError::Alphabet),
            ("https://p.example/ x", PlatformUrlError::Alphabet),
        ] {
            assert_eq!(url.parse::<PlatformUrl>(), Err(error), "{url}");
        }
        let long = format!("https://p.example/{}", "x".repeat(LIMIT));
        assert_eq!(long.parse::<PlatformUrl>(), Err(PlatformUrlError::TooLong));
    }
}
