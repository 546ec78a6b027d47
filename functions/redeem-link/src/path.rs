//! The paths of links.
//!
//! Programs that turn text into links may add a slash or the punctuation around a link. Such a path leads to
//! the same place.

use std::num::NonZeroUsize;

use sharelink_domain::access::Target;
use sharelink_http::{Request, path_parameter, route_key};

/// What a path under `/s/` asks for. It is not printable outside of tests, because its token grants access.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub(crate) struct LinkPath {
    /// The segment that contains the token.
    pub(crate) token: String,
    pub(crate) target: Target,
}

/// The reason a path leads nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PathError {
    UnknownRoute,
    /// The path has no token, or an invalid file number.
    UnknownLink,
}

impl LinkPath {
    /// Parses the path of a request.
    pub(crate) fn parse(request: &Request) -> Result<Self, PathError> {
        let parameter = |name| path_parameter(request, name);
        match route_key(request) {
            "GET /s/{token}" | "HEAD /s/{token}" => Self::from_text(&parameter("token")),
            "GET /s/{token}/files/{n}" | "HEAD /s/{token}/files/{n}" => {
                Self::from_text(&format!("{}/files/{}", parameter("token"), parameter("n")))
            }
            "GET /s/{token}/archive" | "HEAD /s/{token}/archive" => {
                Self::from_text(&format!("{}/archive", parameter("token")))
            }
            "GET /s/{proxy+}" | "HEAD /s/{proxy+}" => Self::from_text(&parameter("proxy")),
            _ => Err(PathError::UnknownRoute),
        }
    }

    /// Parses the part of a path that follows `/s/`. Only its last segments count: a page at a path with an
    /// additional slash has relative links that repeat the token.
    fn from_text(text: &str) -> Result<Self, PathError> {
        let has_text = |segment: &&str| segment.contains(|c: char| c.is_ascii_alphanumeric());
        let segments: Vec<&str> = text.split('/').filter(has_text).collect();
        let (token, target) = match segments.as_slice() {
            [.., token, "files", n] => (token, Target::File(parse_number(n).ok_or(PathError::UnknownLink)?)),
            [.., token, last] if trim_punctuation(last) == "archive" => (token, Target::Archive),
            [.., token] => (token, Target::Link),
            [] => return Err(PathError::UnknownLink),
        };
        Ok(Self { token: (*token).to_owned(), target })
    }
}

/// Removes what programs add to the end of a link.
fn trim_punctuation(text: &str) -> &str {
    text.trim_end_matches(|c: char| !c.is_ascii_alphanumeric())
}

/// Parses a file number, with or without punctuation after it. The number has exactly one valid form: decimal,
/// without a sign or leading zeros.
fn parse_number(text: &str) -> Option<NonZeroUsize> {
    let digits = trim_punctuation(text);
    digits.parse().ok().filter(|number: &NonZeroUsize| number.to_string() == digits)
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use sharelink_http::parse_event;

    use super::*;

    fn parse(route_key: &str, parameters: &serde_json::Value) -> Result<LinkPath, PathError> {
        let method = route_key.split(' ').next().unwrap();
        let event = json!({
            "pathParameters": parameters,
            "requestContext": {"routeKey": route_key, "http": {"method": method}},
        });
        LinkPath::parse(&parse_event(event.to_string().as_bytes()).unwrap())
    }

    fn path(token: &str, n: Option<usize>) -> LinkPath {
        let target = n.map_or(Target::Link, |n| Target::File(NonZeroUsize::new(n).unwrap()));
        LinkPath { token: token.to_owned(), target }
    }

    #[test]
    fn link_route_targets_the_link() {
        for method in ["GET", "HEAD"] {
            let route_key = format!("{method} /s/{{token}}");
            assert_eq!(parse(&route_key, &json!({"token": "x"})), Ok(path("x", None)), "{method}");
            assert_eq!(parse(&route_key, &json!({"token": "x/"})), Ok(path("x", None)), "{method}, %2F");
        }
    }

    #[test]
    fn file_route_targets_the_file() {
        for method in ["GET", "HEAD"] {
            let route_key = format!("{method} /s/{{token}}/files/{{n}}");
            for (n, number) in [("12", 12), ("2.", 2), ("2)", 2), ("7\u{2026}", 7), ("3 ", 3), ("3).", 3)] {
                let parameters = json!({"token": "x", "n": n});
                assert_eq!(parse(&route_key, &parameters), Ok(path("x", Some(number))), "{method} {n}");
            }
        }
    }

    #[test]
    fn archive_route_targets_the_archive() {
        let archive = || Ok(LinkPath { token: "x".to_owned(), target: Target::Archive });
        for method in ["GET", "HEAD"] {
            assert_eq!(parse(&format!("{method} /s/{{token}}/archive"), &json!({"token": "x"})), archive());
            for proxy in
                ["x/archive/", "x//archive", "x/archive.", "x/archive).", "x/x/archive", "x/archive/)"]
            {
                let parsed = parse(&format!("{method} /s/{{proxy+}}"), &json!({"proxy": proxy}));
                assert_eq!(parsed, archive(), "{proxy}");
            }
        }
        // No other word leads to the archive.
        for proxy in ["x/Archive", "x/archives", "x/archive.zip", "x/archive/1"] {
            let parsed = parse("GET /s/{proxy+}", &json!({"proxy": proxy})).unwrap();
            assert_eq!(parsed.target, Target::Link, "{proxy}");
        }
    }

    #[test]
    fn invalid_file_number_is_an_unknown_link() {
        for n in ["0", "01", "+1", "-1", "1.0", " 1", "1a", "a", "99999999999999999999999"] {
            let parsed = parse("GET /s/{token}/files/{n}", &json!({"token": "x", "n": n}));
            assert_eq!(parsed, Err(PathError::UnknownLink), "{n:?}");
        }
    }

    #[test]
    fn additional_slashes_lead_to_the_same_place() {
        for method in ["GET", "HEAD"] {
            let parse = |proxy: &str| parse(&format!("{method} /s/{{proxy+}}"), &json!({"proxy": proxy}));
            for proxy in ["x", "x/", "x//", "/x/", "x/.", "x/)", "x/\u{2026}", "x/x"] {
                assert_eq!(parse(proxy), Ok(path("x", None)), "{proxy}");
            }
            for proxy in ["x/files/2", "x/files/2/", "x//files//2", "x/x/files/2", "x/files/2/)."] {
                assert_eq!(parse(proxy), Ok(path("x", Some(2))), "{proxy}");
            }
            for proxy in ["", "/", "...", "x/files/0/", "x/files/n"] {
                assert_eq!(parse(proxy), Err(PathError::UnknownLink), "{proxy}");
            }
        }
    }

    #[test]
    fn unknown_route_is_refused() {
        for route_key in ["POST /s/{token}", "GET /s/{token}/files", "GET /ui/{file}", "$default"] {
            assert_eq!(parse(route_key, &json!({"token": "x"})), Err(PathError::UnknownRoute), "{route_key}");
        }
    }
}
