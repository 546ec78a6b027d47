//! The purpose of a request, which decides whether it is counted and what it may get.

use lambda_http::http::Method;
use sharelink_domain::previewer::is_link_previewer;
use sharelink_http::{Request, header};

/// The purpose of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To get the files. The only purpose that is counted, and the only one that gets a file.
    Use,
    /// To check the link. A HEAD request gets the headers of a use, with a URL that is signed for HEAD.
    Probe,
    /// To show what the link leads to. A previewer gets a page without files.
    Preview,
    /// To have the response ready if the recipient opens the link. Refused: browsers discard the response and
    /// send a new request when the recipient opens the link.
    Prefetch,
}

/// The headers that announce a speculative request: the standard one, followed by those of older browsers and
/// of apps that prefetch.
const PURPOSE_HEADERS: [&str; 4] = ["sec-purpose", "purpose", "x-purpose", "x-moz"];

/// The words for a speculative request in these headers. Parameters, lists and other words may surround them.
const SPECULATIVE_PURPOSES: [&str; 4] = ["prefetch", "prerender", "preview", "preload"];

impl Purpose {
    /// Returns the purpose that a request states.
    pub(crate) fn of(request: &Request) -> Self {
        let is_speculative = || {
            let values = PURPOSE_HEADERS.into_iter().filter_map(|name| header(request, name));
            let mut values = values.map(str::to_ascii_lowercase);
            values.any(|value| SPECULATIVE_PURPOSES.iter().any(|purpose| value.contains(purpose)))
        };
        if request.method() != Method::HEAD && is_speculative() {
            Self::Prefetch
        } else if header(request, "user-agent").is_some_and(is_link_previewer) {
            Self::Preview
        } else if request.method() == Method::HEAD {
            Self::Probe
        } else {
            Self::Use
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use sharelink_http::parse_event;

    use super::*;

    fn purpose(method: &str, headers: &Value) -> Purpose {
        let route = format!("{method} /s/{{token}}");
        let event = json!({
            "headers": headers,
            "pathParameters": {"token": "x"},
            "requestContext": {"routeKey": route, "http": {"method": method}},
        });
        Purpose::of(&parse_event(event.to_string().as_bytes()).unwrap())
    }

    #[test]
    fn announced_get_is_a_prefetch() {
        for name in ["Purpose", "Sec-Purpose", "sec-purpose", "X-Purpose", "X-Moz", "X-moz"] {
            for value in [
                "prefetch",
                "Prefetch",
                "prerender",
                "preview",
                "prefetch;prerender",
                "prefetch;anonymous-client-ip",
                "prefetch;prerender;preview",
                "prefetch; prerender",
                " prefetch",
                // API Gateway joins the values of repeated headers.
                "instant,prefetch",
                "?1, \"PREFETCH\"",
            ] {
                assert_eq!(purpose("GET", &json!({name: value})), Purpose::Prefetch, "{name}: {value}");
                assert_eq!(purpose("HEAD", &json!({name: value})), Purpose::Probe, "{name}: {value}");
            }
        }
    }

    #[test]
    fn get_of_a_browser_is_a_use() {
        for headers in [
            json!({}),
            json!({"User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Chrome/142.0"}),
            json!({"User-Agent": "curl/8.5.0"}),
            json!({"Purpose": ""}),
            json!({"Sec-Purpose": "\u{e9}prefetch"}),
            json!({"Sec-Fetch-Purpose": "prefetch", "X-Requested-With": "prefetch"}),
        ] {
            assert_eq!(purpose("GET", &headers), Purpose::Use, "{headers}");
            assert_eq!(purpose("HEAD", &headers), Purpose::Probe, "{headers}");
        }
    }

    #[test]
    fn request_of_a_previewer_is_a_preview() {
        let previewer = json!({"user-agent": "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)"});
        assert_eq!(purpose("GET", &previewer), Purpose::Preview);
        assert_eq!(purpose("HEAD", &previewer), Purpose::Preview);
        let prefetching = json!({"user-agent": "Twitterbot/1.0", "x-purpose": "preview"});
        assert_eq!(purpose("GET", &prefetching), Purpose::Prefetch);
    }
}
