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
    pub(crate) action: LinkAction,
}

/// What a request does with a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LinkAction {
    /// Gets files, or a page that leads to them.
    Open(Target),
    Choose(Choice),
}

/// What a link's holder can do other than getting files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    /// Asks for more time.
    MoreTime,
    /// Shows the choice about emails, without changing it.
    ShowEmails,
    /// Stops emails about the share, or allows them again.
    Emails { are_wanted: bool },
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
        let (method, path) = route_key(request).split_once(' ').ok_or(PathError::UnknownRoute)?;
        let text = match path.strip_prefix("/s/") {
            Some("{proxy+}") => parameter("proxy"),
            Some("{token}/files/{n}") => format!("{}/files/{}", parameter("token"), parameter("n")),
            Some(rest) => match rest.strip_prefix("{token}") {
                Some(
                    rest @ ("" | "/archive" | "/emails" | "/emails/stop" | "/emails/allow" | "/more-time"),
                ) => {
                    format!("{}{rest}", parameter("token"))
                }
                _ => return Err(PathError::UnknownRoute),
            },
            None => return Err(PathError::UnknownRoute),
        };
        match method {
            "GET" | "HEAD" => Self::from_text(&text),
            "POST" => Self::from_posted(&text),
            _ => Err(PathError::UnknownRoute),
        }
    }

    /// Parses the part of a path that follows `/s/`. Only its last segments count: a page at a path with an
    /// additional slash has relative links that repeat the token.
    ///
    /// The address of a form that was sent leads to its page, for a browser that opens it again.
    fn from_text(text: &str) -> Result<Self, PathError> {
        let segments = segments(text);
        let (token, action) = match segments.as_slice() {
            [.., token, "files", n] => {
                (token, LinkAction::Open(Target::File(parse_number(n).ok_or(PathError::UnknownLink)?)))
            }
            [.., token, "archive"] => (token, LinkAction::Open(Target::Archive)),
            [.., token, "emails"] | [.., token, "emails", "stop" | "allow"] => {
                (token, LinkAction::Choose(Choice::ShowEmails))
            }
            [.., token, "more-time"] | [.., token] => (token, LinkAction::Open(Target::Link)),
            [] => return Err(PathError::UnknownLink),
        };
        Ok(Self { token: (*token).to_owned(), action })
    }

    /// Parses the part of a path that follows `/s/`, of a form.
    fn from_posted(text: &str) -> Result<Self, PathError> {
        let segments = segments(text);
        let (token, choice) = match segments.as_slice() {
            [.., token, "more-time"] => (token, Choice::MoreTime),
            [.., token, "emails", "stop"] => (token, Choice::Emails { are_wanted: false }),
            [.., token, "emails", "allow"] => (token, Choice::Emails { are_wanted: true }),
            _ => return Err(PathError::UnknownRoute),
        };
        Ok(Self { token: (*token).to_owned(), action: LinkAction::Choose(choice) })
    }
}

/// Splits a path. Only the last segment may have punctuation after it that is not part of it: the token keeps
/// its own, which may be part of it.
fn segments(text: &str) -> Vec<&str> {
    let has_text = |segment: &&str| segment.contains(|c: char| c.is_ascii_alphanumeric());
    let mut segments: Vec<&str> = text.split('/').filter(has_text).collect();
    if let [.., _, last] = segments.as_mut_slice() {
        *last = trim_punctuation(last);
    }
    segments
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
        LinkPath { token: token.to_owned(), action: LinkAction::Open(target) }
    }

    fn choice(choice: Choice) -> LinkPath {
        LinkPath { token: "x".to_owned(), action: LinkAction::Choose(choice) }
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
        let action = LinkAction::Open(Target::Archive);
        let archive = || Ok(LinkPath { token: "x".to_owned(), action });
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
            assert_eq!(parsed.action, LinkAction::Open(Target::Link), "{proxy}");
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
    fn forms_lead_to_choices() {
        for (path, expected) in [
            ("more-time", Choice::MoreTime),
            ("emails/stop", Choice::Emails { are_wanted: false }),
            ("emails/allow", Choice::Emails { are_wanted: true }),
        ] {
            let route_key = format!("POST /s/{{token}}/{path}");
            assert_eq!(parse(&route_key, &json!({"token": "x"})), Ok(choice(expected)), "{path}");
            for proxy in
                [format!("x/{path}/"), format!("x//{path}"), format!("x/x/{path}"), format!("x/{path}.")]
            {
                let parsed = parse("POST /s/{proxy+}", &json!({"proxy": proxy}));
                assert_eq!(parsed, Ok(choice(expected)), "{proxy}");
            }
        }
        for proxy in
            ["", "x", "x/", "x/emails", "x/emails/", "x/files/1", "more-time", "emails/stop", "x/stop"]
        {
            let parsed = parse("POST /s/{proxy+}", &json!({"proxy": proxy}));
            assert_eq!(parsed, Err(PathError::UnknownRoute), "{proxy}");
        }
    }

    #[test]
    fn get_never_makes_a_choice() {
        for method in ["GET", "HEAD"] {
            let shown = parse(&format!("{method} /s/{{token}}/emails"), &json!({"token": "x"}));
            assert_eq!(shown, Ok(choice(Choice::ShowEmails)));
            let parse = |proxy: &str| parse(&format!("{method} /s/{{proxy+}}"), &json!({"proxy": proxy}));
            for proxy in ["x/emails/", "x//emails.", "x/x/emails", "x/emails/stop", "x/emails/allow)"] {
                assert_eq!(parse(proxy), Ok(choice(Choice::ShowEmails)), "{proxy}");
            }
            assert_eq!(parse("x/more-time"), Ok(path("x", None)));
        }
    }

    #[test]
    fn unknown_route_is_refused() {
        for route_key in [
            "POST /s/{token}",
            "POST /s/{token}/archive",
            "PUT /s/{token}",
            "GET /s/{token}/files",
            "GET /s/{token}/email",
            "GET /ui/{file}",
            "$default",
        ] {
            assert_eq!(parse(route_key, &json!({"token": "x"})), Err(PathError::UnknownRoute), "{route_key}");
        }
    }
}
