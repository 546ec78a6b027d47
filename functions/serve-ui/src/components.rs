//! The web components, embedded in the binary.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The module that frontends import.
pub(crate) const ENTRY: &str = "sharelink.js";

macro_rules! documents {
    ($($name:literal $content_type:literal)+) => {
        [$(Document {
            name: $name,
            content_type: $content_type,
            text: include_str!(concat!("../", $name)),
        }),+]
    };
}

/// Every file that describes the components to a frontend's tools.
const DOCUMENTS: [Document; 6] = documents![
    "custom-elements.json" "application/json"
    "react.d.ts" "text/plain; charset=utf-8"
    "sharelink.d.ts" "text/plain; charset=utf-8"
    "svelte.d.ts" "text/plain; charset=utf-8"
    "types.d.ts" "text/plain; charset=utf-8"
    "vue.d.ts" "text/plain; charset=utf-8"
];

/// A file for a frontend's tools: TypeScript declarations, or the custom elements manifest.
pub(crate) struct Document {
    name: &'static str,
    pub(crate) content_type: &'static str,
    pub(crate) text: &'static str,
}

impl Document {
    pub(crate) fn find(name: &str) -> Option<&'static Self> {
        DOCUMENTS.iter().find(|document| document.name == name)
    }
}

/// The module that browsers load. The build script makes it of the modules in `components/`.
const SOURCE: &str = include_str!(concat!(env!("OUT_DIR"), "/sharelink.js"));

/// The module, compressed with gzip.
const COMPRESSED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/sharelink.js.gz"));

/// The components of this build.
pub(crate) struct Components {
    /// A hash of the source.
    pub(crate) version: String,
    pub(crate) source: &'static str,
    /// The source, compressed with gzip.
    pub(crate) compressed: &'static [u8],
}

impl Components {
    /// Returns the components embedded in this build.
    pub(crate) fn embedded() -> Self {
        let version = URL_SAFE_NO_PAD.encode(&digest(&SHA256, SOURCE.as_bytes()).as_ref()[..9]);
        Self { version, source: SOURCE, compressed: COMPRESSED }
    }

    /// Returns the source of the unversioned module.
    pub(crate) fn entry_source(&self) -> String {
        format!("export * from \"./{}/{ENTRY}\";\n", self.version)
    }
}

#[cfg(test)]
mod tests {
    use std::{env, fs};

    use aws_lc_rs::digest::SHA384;
    use base64::engine::general_purpose::STANDARD;
    use sharelink_domain::message::MESSAGE_LIMIT;
    use sharelink_domain::request::{FILE_NAMES_LIMIT, FILES_LIMIT, RECIPIENTS_LIMIT};
    use sharelink_domain::{EmailAddress, Expiry, Timestamp};

    use super::*;

    const README: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
    const OPENAPI: &str = include_str!("../../../infra/openapi.yaml");

    #[test]
    fn components_compress_to_less_than_40_kb() {
        let size = Components::embedded().compressed.len();
        assert!(size < 40_000, "{size} bytes");
    }

    #[test]
    fn lengths_do_not_depend_on_the_font_size_of_the_page() {
        let css = include_str!("../components/styles.js");
        let is_rem = |(at, _): (usize, &str)| css[..at].ends_with(|c: char| c.is_ascii_digit());
        assert!(
            !css.match_indices("rem").any(is_rem),
            "use em: the page may set html {{ font-size: 62.5% }}"
        );
    }

    #[test]
    fn readme_pins_the_current_version() {
        let pinned = pinned_html(&Components::embedded());
        let readme = fs::read_to_string(README).unwrap();
        let start = readme.find("<script type=\"module\" crossorigin").unwrap();
        let end = start + readme[start..].find("```").unwrap();
        if env::var_os("UPDATE_README").is_some() {
            fs::write(README, format!("{}{pinned}{}", &readme[..start], &readme[end..])).unwrap();
            return;
        }
        assert!(
            readme[start..end] == pinned,
            "{README} pins an old version. Run this test with UPDATE_README=1, or paste this HTML:\n{pinned}"
        );
    }

    /// Returns the HTML that pins these components.
    fn pinned_html(components: &Components) -> String {
        let url = format!("https://api.example.com/ui/{}/{ENTRY}", components.version);
        let integrity = STANDARD.encode(digest(&SHA384, components.source.as_bytes()));
        format!(
            "<script type=\"module\" crossorigin src=\"{url}\"\n  integrity=\"sha384-{integrity}\"></script>\n"
        )
    }

    #[test]
    fn request_limits_match_the_domain() {
        assert_eq!(js_limit("RECIPIENTS_LIMIT"), RECIPIENTS_LIMIT);
        assert_eq!(js_limit("FILES_LIMIT"), FILES_LIMIT);
        assert_eq!(js_limit("FILE_NAMES_LIMIT"), FILE_NAMES_LIMIT);
        assert_eq!(js_limit("MESSAGE_LIMIT"), MESSAGE_LIMIT);
    }

    #[test]
    fn address_limits_match_the_domain() {
        let parse =
            |local: usize, domain: &str| format!("{}@{domain}", "a".repeat(local)).parse::<EmailAddress>();
        let local = js_limit("LOCAL_PART_LIMIT");
        assert!(parse(local, "example.com").is_ok());
        assert!(parse(local + 1, "example.com").is_err());

        let label = "b".repeat(62);
        let domain = format!("{label}.{label}.{label}.com");
        let local = js_limit("ADDRESS_LIMIT") - "@".len() - domain.len();
        assert!(parse(local, &domain).is_ok());
        assert!(parse(local + 1, &domain).is_err());
    }

    #[test]
    fn expiration_limit_matches_the_domain() {
        let now: Timestamp = "2030-01-01T00:00:00Z".parse().unwrap();
        let year = 2030 + js_limit("YEARS_LIMIT");
        assert!(Expiry::parse(&format!("{year}-01-01T00:00:00Z"), now).is_ok());
        assert!(Expiry::parse(&format!("{year}-01-01T00:00:01Z"), now).is_err());
    }

    #[test]
    fn items_limit_matches_the_openapi_document() {
        let (_, schema) = OPENAPI.split_once("    ItemList:\n").unwrap();
        let (_, limit) = schema.split_once("maxItems: ").unwrap();
        let (limit, _) = limit.split_once('\n').unwrap();
        assert_eq!(limit, js_limit("ITEMS_LIMIT").to_string());
    }

    /// Reads a constant from `limits.js`.
    fn js_limit(name: &str) -> usize {
        let declaration = format!("export const {name} = ");
        let source = include_str!("../components/limits.js");
        let value = source.lines().find_map(|line| line.strip_prefix(&declaration)).expect(name);
        value.trim_end_matches(';').replace('_', "").parse().unwrap()
    }
}
