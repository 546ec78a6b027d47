//! What a request says: its bucket, key, parameters and headers.

use std::collections::HashMap;
use std::ops::Range;

use hyper::http::request::Parts;
use percent_encoding::percent_decode_str;

/// The bucket and the key of an object.
pub(crate) type ObjectId = (String, String);

/// Returns the bucket and the key in a path such as `/bucket/key`. The key may be empty.
pub(crate) fn parse_path(path: &str) -> ObjectId {
    let path = decode(path.trim_start_matches('/'));
    let (bucket, key) = path.split_once('/').unwrap_or((&path, ""));
    (bucket.to_owned(), key.to_owned())
}

/// Returns the parameters of a query. Those without a value have an empty one.
pub(crate) fn parse_query(query: &str) -> HashMap<String, String> {
    let parameters = query.split('&').filter(|parameter| !parameter.is_empty());
    parameters
        .map(|parameter| parameter.split_once('=').unwrap_or((parameter, "")))
        .map(|(name, value)| (decode(name), decode(value)))
        .collect()
}

pub(crate) fn header<'a>(head: &'a Parts, name: &str) -> Option<&'a str> {
    head.headers.get(name)?.to_str().ok()
}

/// Parses a range such as `bytes=0-9`. Returns `None` if it starts beyond an object of this size.
pub(crate) fn parse_range(range: &str, size: u64) -> Option<Range<u64>> {
    let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
    let first = first.parse().ok()?;
    let end = last.parse().map_or(size, |last: u64| last.saturating_add(1).min(size));
    (first < end).then_some(first..end)
}

/// Returns the content of each element with this name.
pub(crate) fn elements<'a>(xml: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    let (start, end) = (format!("<{name}>"), format!("</{name}>"));
    let after = xml.split(&start).skip(1).collect::<Vec<_>>().into_iter();
    after.filter_map(move |text| text.split_once(&end).map(|(content, _)| content))
}

fn decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

pub(crate) fn encode_xml(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
