//! Where a use of a link came from, as far as the share log keeps it: enough to tell two people who use the
//! same link apart, and too little to identify either.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use thiserror::Error;

use crate::previewer::is_link_previewer;

/// Where a use of a link came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UseSource {
    /// `None` if the address is unknown.
    pub network: Option<Network>,
    pub client: ClientKind,
}

impl UseSource {
    /// Reduces the address and the user agent of a request to what may be kept.
    #[must_use]
    pub fn of(address: Option<IpAddr>, user_agent: &str) -> Self {
        Self { network: address.map(Network::of), client: ClientKind::of(user_agent) }
    }
}

/// The network of an address: the first 24 bits of an IPv4 address, or the first 48 bits of an IPv6 address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    V4([u8; 3]),
    V6([u16; 3]),
}

impl Network {
    /// Returns the network of an address. An IPv4 address that is mapped to IPv6 counts as IPv4.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => {
                let [a, b, c, _] = address.octets();
                Self::V4([a, b, c])
            }
            IpAddr::V6(address) => {
                let [a, b, c, ..] = address.segments();
                Self::V6([a, b, c])
            }
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::V4([a, b, c]) => write!(f, "{}/24", Ipv4Addr::new(a, b, c, 0)),
            Self::V6([a, b, c]) => write!(f, "{}/48", Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0)),
        }
    }
}

/// The text is not a network that [`Network`] writes.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("not a network")]
pub struct NetworkError;

impl FromStr for Network {
    type Err = NetworkError;

    /// Parses exactly the text that [`Display`](fmt::Display) writes.
    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let address = text.split_once('/').and_then(|(address, _)| address.parse().ok());
        address.map(Self::of).filter(|network| network.to_string() == text).ok_or(NetworkError)
    }
}

/// The kind of program that sent a request. A program can claim to be any other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientKind {
    Chrome,
    Edge,
    Firefox,
    Safari,
    /// Any other browser.
    Browser,
    /// A program that fetches pages on its own, such as a link previewer or a crawler.
    Bot,
    /// A program that a person runs to fetch files, such as a download manager or a script.
    Tool,
    /// The request has no user agent.
    Unknown,
}

impl ClientKind {
    /// Returns the kind's name in the API and in events.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Chrome => "chrome",
            Self::Edge => "edge",
            Self::Firefox => "firefox",
            Self::Safari => "safari",
            Self::Browser => "browser",
            Self::Bot => "bot",
            Self::Tool => "tool",
            Self::Unknown => "unknown",
        }
    }
}

/// What the user agents of programs that fetch pages on their own contain, in lowercase, in addition to the
/// [link previewers](crate::previewer).
const BOTS: [&str; 4] = ["bot", "crawl", "spider", "preview"];

/// What the user agents of phones contain, in lowercase, that are not bots.
const PHONES: [&str; 2] = ["cubot", "m bot"];

/// What the user agents of tools contain that otherwise look like browsers.
const TOOLS: [&str; 4] = ["headless", "powershell", "phantomjs", "microsoft office"];

/// What identifies a browser's family, in this order: most browsers also name the ones that they descend
/// from.
const FAMILIES: [(&str, ClientKind); 16] = [
    ("edg/", ClientKind::Edge),
    ("edga/", ClientKind::Edge),
    ("edgios/", ClientKind::Edge),
    ("edge/", ClientKind::Edge),
    ("opr/", ClientKind::Browser),
    ("opios/", ClientKind::Browser),
    ("samsungbrowser/", ClientKind::Browser),
    ("yabrowser/", ClientKind::Browser),
    ("vivaldi/", ClientKind::Browser),
    ("ucbrowser/", ClientKind::Browser),
    ("firefox/", ClientKind::Firefox),
    ("fxios/", ClientKind::Firefox),
    ("crios/", ClientKind::Chrome),
    ("chrome/", ClientKind::Chrome),
    ("chromium/", ClientKind::Chrome),
    ("safari/", ClientKind::Safari),
];

impl ClientKind {
    /// Returns the kind of the program with this user agent.
    #[must_use]
    pub fn of(user_agent: &str) -> Self {
        let is_previewer = is_link_previewer(user_agent);
        let user_agent = user_agent.trim().to_ascii_lowercase();
        let user_agent = PHONES.iter().fold(user_agent, |rest, phone| rest.replace(phone, ""));
        let contains = |parts: &[&str]| parts.iter().any(|part| user_agent.contains(part));
        let is_browser = ["mozilla/", "opera/"].iter().any(|start| user_agent.starts_with(start));
        if user_agent.is_empty() {
            Self::Unknown
        } else if is_previewer || contains(&BOTS) {
            Self::Bot
        } else if !is_browser || contains(&TOOLS) {
            Self::Tool
        } else {
            let family = FAMILIES.iter().find(|(part, _)| user_agent.contains(part));
            family.map_or(Self::Browser, |(_, kind)| *kind)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn network(address: &str) -> String {
        Network::of(address.parse().unwrap()).to_string()
    }

    #[test]
    fn address_is_truncated_to_its_network() {
        for (address, expected) in [
            ("203.0.113.77", "203.0.113.0/24"),
            ("0.0.0.0", "0.0.0.0/24"),
            ("255.255.255.255", "255.255.255.0/24"),
            ("2001:db8:85a3:8d3:1319:8a2e:370:7348", "2001:db8:85a3::/48"),
            ("2001:db8::1", "2001:db8::/48"),
            ("::1", "::/48"),
            ("fe80::1234:5678:9abc:def0", "fe80::/48"),
        ] {
            assert_eq!(network(address), expected);
        }
    }

    #[test]
    fn mapped_ipv4_address_is_truncated_like_ipv4() {
        assert_eq!(network("::ffff:123.123.123.123"), "123.123.123.0/24");
        assert_eq!(network("::FFFF:c000:22d"), "192.0.2.0/24");
    }

    #[test]
    fn network_is_parsed_only_in_its_own_form() {
        for text in ["203.0.113.0/24", "2001:db8:85a3::/48", "::/48"] {
            assert_eq!(text.parse::<Network>().map(|network| network.to_string()).as_deref(), Ok(text));
        }
        for text in ["", "x", "203.0.113.0", "203.0.113.7/24", "203.0.113.0/32", "2001:db8::1/48", "::/24"] {
            assert_eq!(text.parse::<Network>(), Err(NetworkError), "{text}");
        }
    }

    /// Mozilla/5.0, the platform and the engine of a browser, followed by its products.
    fn mozilla(platform: &str, products: &str) -> String {
        format!("Mozilla/5.0 ({platform}) AppleWebKit/537.36 (KHTML, like Gecko) {products}")
    }

    fn assert_kinds(kind: ClientKind, user_agents: &[String]) {
        for user_agent in user_agents {
            assert_eq!(ClientKind::of(user_agent), kind, "{user_agent}");
        }
    }

    #[test]
    fn browser_is_reduced_to_its_family() {
        let windows = "Windows NT 10.0; Win64; x64";
        assert_kinds(
            ClientKind::Chrome,
            &[
                mozilla(windows, "Chrome/140.0.0.0 Safari/537.36"),
                mozilla("iPhone; CPU iPhone OS 18_0 like Mac OS X", "CriOS/140.0 Mobile/15E148 Safari/604.1"),
                mozilla("Linux; Android 14; Pixel 8", "Chrome/140.0.0.0 Mobile Safari/537.36"),
            ],
        );
        assert_kinds(
            ClientKind::Firefox,
            &[
                "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0".to_owned(),
                mozilla("iPhone; CPU iPhone OS 18_0 like Mac OS X", "FxiOS/140.0 Mobile/15E148 Safari/605.1"),
            ],
        );
        assert_kinds(
            ClientKind::Safari,
            &[mozilla("Macintosh; Intel Mac OS X 10_15_7", "Version/18.0 Safari/605.1.15")],
        );
        assert_kinds(
            ClientKind::Browser,
            &[
                mozilla(windows, "Chrome/140.0.0.0 Safari/537.36 OPR/120.0.0.0"),
                mozilla("Linux; Android 14", "SamsungBrowser/28.0 Chrome/130.0.0.0 Mobile Safari/537.36"),
                "Opera/9.80 (Windows NT 6.0) Presto/2.12.388 Version/12.14".to_owned(),
                "Mozilla/5.0 (Windows NT 10.0; Trident/7.0; rv:11.0) like Gecko".to_owned(),
            ],
        );
    }

    #[test]
    fn edge_is_not_mistaken_for_its_relatives() {
        assert_kinds(
            ClientKind::Edge,
            &[
                mozilla("Windows NT 10.0; Win64; x64", "Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0"),
                mozilla("Windows NT 10.0; Win64; x64", "Chrome/64.0.3282.140 Safari/537.36 Edge/18.17763"),
                mozilla("Linux; Android 7.0; SM-G955F", "Chrome/65.0 Mobile Safari/537.36 EdgA/42.0.0.2057"),
                mozilla("iPad; CPU OS 11_2_6 like Mac OS X", "Version/11.0 EdgiOS/42.2.2.0 Safari/604.5.6"),
            ],
        );
    }

    #[test]
    fn phone_with_bot_in_its_name_is_not_a_bot() {
        for phone in ["CUBOT_P20", "CUBOT_NOTE_S Build/LMY47I", "CUBOT X30", "M bot 60 Build/NRD90M"] {
            let user_agent = mozilla(&format!("Linux; Android 8.0.0; {phone}"), "Chrome/70.0 Safari/537.36");
            assert_eq!(ClientKind::of(&user_agent), ClientKind::Chrome, "{user_agent}");
        }
    }

    #[test]
    fn words_in_app_names_do_not_make_a_bot() {
        assert_kinds(
            ClientKind::Chrome,
            &[
                mozilla("Linux; Android 10; STK-L21; wv", "Chrome/126.0 Mobile Safari/537.36HiSearch/22.0"),
                mozilla("Linux; Android 4.4; HTC Butterfly", "Chrome/33.0.0.0 Mobile Safari/537.36"),
            ],
        );
        assert_kinds(
            ClientKind::Safari,
            &[mozilla("iPhone", "Version/17.5.1 Safari/605.1.15 (AirWatch Browser v24.06)")],
        );
        assert_kinds(ClientKind::Browser, &[mozilla("iPhone", "Mobile/21F90 [FBAN/FBPageAdmin;FBAV/400.0]")]);
        let within_app = mozilla("Linux; Android 13; wv", "Chrome/116.0 Mobile Safari/537.36 WhatsApp/2.23");
        assert_kinds(ClientKind::Chrome, &[within_app]);
    }

    #[test]
    fn previewers_and_crawlers_are_bots() {
        assert_kinds(
            ClientKind::Bot,
            &[
                "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
                "Twitterbot/1.0",
                "TelegramBot (like TwitterBot)",
                "LinkedInBot/1.0 (compatible; Mozilla/5.0)",
                "facebookexternalhit/1.1",
                "WhatsApp/2.23.20.0",
                "Mozilla/5.0 (compatible; Discordbot/2.0; +https://discordapp.com)",
                "Mozilla/5.0 (Windows NT 6.1; WOW64) SkypeUriPreview Preview/0.5",
                "Mozilla/5.0 AppleWebKit/537.36 (compatible; bingbot/2.0) Chrome/116.0 Safari/537.36",
            ]
            .map(str::to_owned),
        );
    }

    #[test]
    fn programs_other_than_browsers_are_tools() {
        assert_kinds(
            ClientKind::Tool,
            &[
                "curl/8.5.0",
                "Wget/1.21",
                "python-requests/2.32",
                "Go-http-client/2.0",
                "okhttp/4.12.0",
                "Mozilla/5.0 (Windows NT; en-US) WindowsPowerShell/5.1",
                "Mozilla/5.0 (X11; Linux x86_64) HeadlessChrome/140.0.0.0 Safari/537.36",
                "Microsoft Office/16.0 (Windows NT 10.0; Microsoft Outlook 16.0; Pro)",
            ]
            .map(str::to_owned),
        );
        assert_kinds(ClientKind::Unknown, &[String::new(), "  ".to_owned()]);
    }

    proptest! {
        #[test]
        fn only_the_network_of_an_ipv6_address_is_kept(bits in any::<u128>(), host in any::<u128>()) {
            let kept = !(u128::MAX >> 48);
            let (a, b) = (Ipv6Addr::from(bits), Ipv6Addr::from(bits & kept | host & !kept));
            if a.to_ipv4_mapped().is_none() && b.to_ipv4_mapped().is_none() {
                prop_assert_eq!(Network::of(a.into()), Network::of(b.into()));
            }
        }

        #[test]
        fn only_the_network_of_an_ipv4_address_is_kept(bits in any::<u32>(), host in any::<u8>()) {
            let (a, b) = (Ipv4Addr::from(bits), Ipv4Addr::from(bits & !0xff | u32::from(host)));
            prop_assert_eq!(Network::of(a.into()), Network::of(b.into()));
        }

        #[test]
        fn network_survives_storage(bits in any::<u128>()) {
            let network = Network::of(Ipv6Addr::from(bits).into());
            prop_assert_eq!(network.to_string().parse(), Ok(network));
        }

        #[test]
        fn any_user_agent_has_a_kind(user_agent in any::<String>()) {
            let _ = ClientKind::of(&user_agent);
        }
    }
}
