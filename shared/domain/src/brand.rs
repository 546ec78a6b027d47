//! The platform's brand: what pages and emails for recipients show of the platform.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::PlatformName;
use crate::base_url::is_loopback;
use crate::names::is_invisible;

/// The platform's brand. By default, pages and emails show none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Brand {
    name: Option<PlatformName>,
    accent: Accent,
    logo: Option<LogoUrl>,
    imprint: Option<Imprint>,
}

/// A logo requires a name, which is its text where images are not shown.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("requires a brand name")]
pub struct LogoWithoutName;

impl Brand {
    pub fn new(
        name: Option<PlatformName>,
        accent: Accent,
        logo: Option<LogoUrl>,
        imprint: Option<Imprint>,
    ) -> Result<Self, LogoWithoutName> {
        if logo.is_some() && name.is_none() {
            return Err(LogoWithoutName);
        }
        Ok(Self { name, accent, logo, imprint })
    }

    #[must_use]
    pub fn name(&self) -> Option<&PlatformName> {
        self.name.as_ref()
    }

    #[must_use]
    pub fn accent(&self) -> Accent {
        self.accent
    }

    #[must_use]
    pub fn logo(&self) -> Option<&LogoUrl> {
        self.logo.as_ref()
    }

    #[must_use]
    pub fn imprint(&self) -> Option<&Imprint> {
        self.imprint.as_ref()
    }
}

/// A color in sRGB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Color([u8; 3]);

impl Color {
    /// The background of cards in the light color scheme.
    const LIGHT_CARD: Self = Self([0xff; 3]);
    /// The background around cards, and of panels, in the light color scheme.
    const LIGHT_PAPER: Self = Self([0xf4, 0xf6, 0xf9]);
    /// The background of cards in the dark color scheme.
    const DARK_CARD: Self = Self([0x1b, 0x21, 0x2b]);
    /// The background around cards, and of panels, in the dark color scheme. Also the text on the accent.
    const DARK_PAPER: Self = Self([0x12, 0x16, 0x1d]);

    /// Returns the contrast ratio of two colors, from 1 to 21 (WCAG 2.2, "contrast ratio").
    #[must_use]
    pub fn contrast(self, other: Self) -> f64 {
        let (a, b) = (self.luminance(), other.luminance());
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    /// Returns the relative luminance, from 0 to 1 (WCAG 2.2, "relative luminance").
    fn luminance(self) -> f64 {
        let [red, green, blue] = self.0.map(|channel| {
            let channel = f64::from(channel) / 255.0;
            if channel <= 0.04045 { channel / 12.92 } else { ((channel + 0.055) / 1.055).powf(2.4) }
        });
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }

    /// Returns whether text in one of the colors is readable on the other (WCAG 2.2, 1.4.3, level AA).
    fn is_readable_on(self, other: Self) -> bool {
        self.contrast(other) >= 4.5
    }

    /// Returns the color mixed with white, which keeps its hue. `white` is the part of white, in 255ths.
    fn lighten(self, white: u8) -> Self {
        Self(self.0.map(|channel| {
            let lighter = u16::from(255 - channel) * u16::from(white) / 255 + u16::from(channel);
            u8::try_from(lighter).unwrap_or(u8::MAX)
        }))
    }
}

impl fmt::Display for Color {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [red, green, blue] = self.0;
        write!(f, "#{red:02x}{green:02x}{blue:02x}")
    }
}

/// The color of buttons and links, in a shade for each color scheme. White text is readable on the light
/// scheme's shade, and either shade is readable on the backgrounds of its scheme.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accent {
    pub light: Color,
    pub dark: Color,
}

impl Default for Accent {
    fn default() -> Self {
        Self { light: Color([0x1a, 0x56, 0xc4]), dark: Color([0x8a, 0xb4, 0xff]) }
    }
}

/// The reason an accent color was rejected.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum AccentError {
    #[error("must be a color such as #1a56c4")]
    NotColor,
    #[error("must be darker: its contrast with white and with #f4f6f9 must be at least 4.5 to 1")]
    TooLight,
}

impl FromStr for Accent {
    type Err = AccentError;

    /// Takes the shade for the light color scheme, `#rrggbb`, and derives the other one: the least light one
    /// that is readable.
    fn from_str(text: &str) -> Result<Self, AccentError> {
        let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6);
        let digits = digits.filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        let number = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        let [_, red, green, blue] = number.ok_or(AccentError::NotColor)?.to_be_bytes();
        let light = Color([red, green, blue]);
        if ![Color::LIGHT_CARD, Color::LIGHT_PAPER].into_iter().all(|paper| light.is_readable_on(paper)) {
            return Err(AccentError::TooLight);
        }
        let is_readable = |shade: &Color| {
            [Color::DARK_CARD, Color::DARK_PAPER].iter().all(|dark| shade.is_readable_on(*dark))
        };
        let dark = (0..=u8::MAX).map(|white| light.lighten(white)).find(is_readable);
        Ok(Self { light, dark: dark.unwrap_or(Color::LIGHT_CARD) })
    }
}

/// The address of the platform's logo. Everyone who gets a page or an email sees it, so it contains no
/// credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogoUrl(String);

/// The text is not the address of a logo.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("must be an https URL of a file, without a query, a fragment and credentials")]
pub struct LogoUrlError;

impl LogoUrl {
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the URL's scheme, host and port, as in a content security policy.
    #[must_use]
    pub fn origin(&self) -> &str {
        split_url(&self.0).map_or(&self.0, |(origin, _)| origin)
    }
}

impl FromStr for LogoUrl {
    type Err = LogoUrlError;

    fn from_str(text: &str) -> Result<Self, LogoUrlError> {
        let (origin, path) = split_url(text).ok_or(LogoUrlError)?;
        let is_allowed = origin.strip_prefix("http://").is_none_or(is_loopback);
        if is_allowed && path.len() > 1 && !path.contains(['?', '#']) {
            Ok(Self(text.to_owned()))
        } else {
            Err(LogoUrlError)
        }
    }
}

/// The address of the platform's imprint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImprintUrl(String);

/// The text is not the address of an imprint.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("must be an https URL without credentials")]
pub struct ImprintUrlError;

impl ImprintUrl {
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ImprintUrl {
    type Err = ImprintUrlError;

    fn from_str(text: &str) -> Result<Self, ImprintUrlError> {
        match split_url(text) {
            Some((origin, _)) if origin.starts_with("https://") => Ok(Self(text.to_owned())),
            _ => Err(ImprintUrlError),
        }
    }
}

/// Splits an http or https URL into its origin and the rest, which is empty or begins with a slash. Returns
/// `None` for anything else, such as a URL with credentials, with spaces, or with an IPv6 address, which a
/// content security policy cannot contain.
fn split_url(url: &str) -> Option<(&str, &str)> {
    let authority = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"))?;
    let (authority, _) = authority.split_once('/').unwrap_or((authority, ""));
    let (host, port) = authority.split_once(':').unwrap_or((authority, "443"));
    let is_host = host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.".contains(&b));
    let is_port = !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
    let scheme_length = url.find("//")? + 2;
    let (origin, path) = url.split_at(scheme_length + authority.len());
    let is_path = path.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~!$&()*+,;=:@%/?#".contains(&b));
    (!host.is_empty() && is_host && is_port && is_path).then_some((origin, path))
}

/// Who runs the platform, at the end of pages and emails: text, the address of a page, or both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imprint {
    /// The lines that are not empty.
    pub lines: Vec<String>,
    pub url: Option<ImprintUrl>,
}

/// The maximum length of an imprint's text, in characters.
const IMPRINT_LIMIT: usize = 300;

/// The reason an imprint was rejected.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum ImprintError {
    #[error("must be at most {IMPRINT_LIMIT} characters")]
    TooLong,
    #[error("must not contain control characters except line feeds")]
    Control,
}

impl Imprint {
    /// Returns `None` if there is neither a text nor a URL.
    pub fn new(text: &str, url: Option<ImprintUrl>) -> Result<Option<Self>, ImprintError> {
        if text.chars().count() > IMPRINT_LIMIT {
            return Err(ImprintError::TooLong);
        }
        if text.contains(|c: char| c.is_control() && c != '\n') {
            return Err(ImprintError::Control);
        }
        let lines = text.split('\n').map(str::trim).filter(|line| !line.chars().all(is_invisible));
        let imprint = Self { lines: lines.map(ToOwned::to_owned).collect(), url };
        Ok(if imprint.lines.is_empty() && imprint.url.is_none() { None } else { Some(imprint) })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const WHITE: Color = Color::LIGHT_CARD;

    #[test]
    fn contrast_matches_known_ratios() {
        // https://www.w3.org/WAI/WCAG22/Understanding/contrast-minimum and the boundary of gray on white.
        for (shade, ratio) in [([0, 0, 0], 21.0), ([255, 255, 255], 1.0), ([0x76, 0x76, 0x76], 4.54)] {
            assert!((Color(shade).contrast(WHITE) - ratio).abs() < 0.005, "{shade:?}");
        }
    }

    #[test]
    fn default_accent_is_readable_in_both_schemes() {
        let Accent { light, dark } = Accent::default();
        assert_eq!([light.to_string(), dark.to_string()], ["#1a56c4", "#8ab4ff"]);
        for (shade, papers) in
            [(light, [Color::LIGHT_CARD, Color::LIGHT_PAPER]), (dark, [Color::DARK_CARD, Color::DARK_PAPER])]
        {
            assert!(papers.into_iter().all(|paper| shade.is_readable_on(paper)), "{shade}");
        }
    }

    #[test]
    fn dark_shade_is_the_least_light_one_that_is_readable() {
        for (light, dark) in [
            ("#1A56C4", "#5c87d5"),
            ("#000000", "#888888"),
            ("#b00020", "#cf677a"),
            ("#00695c", "#4a948b"),
            ("#6a1b9a", "#a474c1"),
        ] {
            let accent: Accent = light.parse().unwrap();
            assert_eq!([accent.light.to_string(), accent.dark.to_string()], [&light.to_lowercase(), dark]);
        }
    }

    #[test]
    fn invalid_and_light_colors_are_rejected() {
        for text in ["", "1a56c4", "#1a56c", "#1a56c40", "#1a56cg", "#+a56c4", "blue", "#1a56c4 ", "#ä56c4"]
        {
            assert_eq!(text.parse::<Accent>(), Err(AccentError::NotColor), "{text}");
        }
        // The last one is readable on white, but not on #f4f6f9.
        for text in ["#ffffff", "#ff8800", "#00ff00", "#ffff00", "#8ab4ff", "#767676"] {
            assert_eq!(text.parse::<Accent>(), Err(AccentError::TooLight), "{text}");
        }
    }

    #[test]
    fn logo_is_an_https_file_without_secrets() {
        for (url, origin) in [
            ("https://cdn.example.com/logo.png", "https://cdn.example.com"),
            ("https://cdn.example.com:8443/a/b%20c/logo@2x.png", "https://cdn.example.com:8443"),
            ("http://localhost:5173/logo.png", "http://localhost:5173"),
            ("http://127.0.0.1/logo.png", "http://127.0.0.1"),
        ] {
            assert_eq!(url.parse::<LogoUrl>().unwrap().origin(), origin);
        }
        for url in [
            "",
            "logo.png",
            "data:image/png;base64,AAAA",
            "http://cdn.example.com/logo.png",
            "https://cdn.example.com",
            "https://cdn.example.com/",
            "https:///logo.png",
            "https://:443/logo.png",
            "https://cdn.example.com:/logo.png",
            "https://user:secret@cdn.example.com/logo.png",
            "https://cdn.example.com/logo.png?X-Amz-Signature=1",
            "https://cdn.example.com/logo.png#a",
            "https://cdn.example.com/lo go.png",
            "https://cdn.example.com/\"onerror=alert(1).png",
            "https://cdn.example.com; script-src */logo.png",
            "https://*/logo.png",
            "https://bücher.example/logo.png",
            "https://[::1]/logo.png",
            "http://localhost.evil.example/logo.png",
            "http://localhost:80@evil.example/logo.png",
        ] {
            assert!(url.parse::<LogoUrl>().is_err(), "{url}");
        }
    }

    #[test]
    fn logo_requires_a_name() {
        let logo = "https://cdn.example.com/logo.png".parse::<LogoUrl>().ok();
        assert_eq!(Brand::new(None, Accent::default(), logo.clone(), None), Err(LogoWithoutName));
        assert!(Brand::new("Platform".parse().ok(), Accent::default(), logo, None).is_ok());
        assert_eq!(Brand::new(None, Accent::default(), None, None), Ok(Brand::default()));
    }

    #[test]
    fn imprint_has_lines_and_a_url() {
        let imprint = |text: &str, url: &str| Imprint::new(text, url.parse().ok()).unwrap();
        let both =
            imprint(" Example Ltd \n\n 1 Main Street\n", "https://example.com/?page=imprint#en").unwrap();
        assert_eq!(both.lines, ["Example Ltd", "1 Main Street"]);
        assert_eq!(both.url.unwrap().as_str(), "https://example.com/?page=imprint#en");
        assert_eq!(imprint("", "https://example.com").unwrap().lines, [""; 0]);
        assert_eq!(imprint(" \n\u{200b}", ""), None);
    }

    #[test]
    fn invalid_imprint_is_rejected() {
        assert_eq!(Imprint::new(&"é".repeat(301), None), Err(ImprintError::TooLong));
        assert!(Imprint::new(&"é".repeat(300), None).is_ok());
        assert_eq!(Imprint::new("a\tb", None), Err(ImprintError::Control));
        for url in
            ["http://example.com", "https://a@example.com", "https://", "javascript:alert(1)", "https://a b"]
        {
            assert!(url.parse::<ImprintUrl>().is_err(), "{url}");
        }
    }

    proptest! {
        #[test]
        fn accepted_accents_are_readable_everywhere(channels in any::<[u8; 3]>()) {
            let light = Color(channels);
            let accent = light.to_string().parse::<Accent>();
            let is_dark_enough = light.contrast(Color::LIGHT_PAPER) >= 4.5;
            prop_assert_eq!(accent.is_ok(), is_dark_enough);
            let Ok(Accent { light, dark }) = accent else { return Ok(()) };
            prop_assert_eq!(light, Color(channels));
            for (shade, other) in [
                (light, Color::LIGHT_CARD),
                (light, Color::LIGHT_PAPER),
                (dark, Color::DARK_CARD),
                (dark, Color::DARK_PAPER),
            ] {
                prop_assert!(shade.contrast(other) >= 4.5, "{} on {}", shade, other);
            }
        }

        /// A channel that is not less than another one stays so, which keeps the hue.
        #[test]
        fn dark_shade_keeps_the_order_of_channels(channels in any::<[u8; 3]>()) {
            let accent = Color(channels).to_string().parse::<Accent>();
            let Ok(Accent { dark: Color(dark), .. }) = accent else { return Ok(()) };
            for (a, b) in [(0, 1), (1, 2), (2, 0)] {
                prop_assert!(channels[a] < channels[b] || dark[a] >= dark[b]);
                prop_assert!(channels[a] > channels[b] || dark[a] <= dark[b]);
            }
        }

        #[test]
        fn policy_cannot_be_extended_by_a_logo(url in "https://[a.:*;, '@]{1,4}/[a\"<>?# ;]{1,3}") {
            if let Ok(logo) = url.parse::<LogoUrl>() {
                prop_assert!(!logo.origin().contains([' ', ';', ',', '\'', '*']));
                prop_assert!(!logo.as_str().contains([' ', '"', '<', '>', '?', '#']));
            }
        }
    }
}
