//! The web components, embedded in the binary.

use aws_lc_rs::digest::{Context, SHA256};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

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

macro_rules! files {
    ($($name:literal $content_type:literal)+) => {
        [$(ComponentFile {
            name: $name,
            content_type: $content_type,
            source: include_str!(concat!(env!("OUT_DIR"), "/", $name)),
            compressed: include_bytes!(concat!(env!("OUT_DIR"), "/", $name, ".gz")),
        }),+]
    };
}

/// Every file that browsers load. The build script makes the modules of those in `components/`.
const FILES: [ComponentFile; 8] = files![
    "sharelink.js" "text/javascript; charset=utf-8"
    "my-shares.js" "text/javascript; charset=utf-8"
    "de.json" "application/json"
    "fr.json" "application/json"
    "es.json" "application/json"
    "da.json" "application/json"
    "nl.json" "application/json"
    "sv.json" "application/json"
];

/// A file that browsers load: a module that frontends import, or a language's texts.
pub(crate) struct ComponentFile {
    pub(crate) name: &'static str,
    pub(crate) content_type: &'static str,
    pub(crate) source: &'static str,
    /// The source, compressed with gzip.
    pub(crate) compressed: &'static [u8],
}

impl ComponentFile {
    pub(crate) fn find(name: &str) -> Option<&'static Self> {
        FILES.iter().find(|file| file.name == name)
    }

    pub(crate) fn is_module(&self) -> bool {
        self.content_type.starts_with("text/javascript")
    }
}

/// The components of this build.
pub(crate) struct Components {
    /// A hash of all files.
    pub(crate) version: String,
}

impl Components {
    /// Returns the components embedded in this build.
    pub(crate) fn embedded() -> Self {
        let mut context = Context::new(&SHA256);
        for file in &FILES {
            context.update(file.source.as_bytes());
        }
        Self { version: URL_SAFE_NO_PAD.encode(&context.finish().as_ref()[..9]) }
    }

    /// Returns the source of a module's unversioned URL.
    pub(crate) fn entry_source(&self, module: &ComponentFile) -> String {
        format!("export * from \"./{}/{}\";\n", self.version, module.name)
    }
}

#[cfg(test)]
mod tests {
    use std::{env, fs};

    use aws_lc_rs::digest::{SHA384, digest};
    use base64::engine::general_purpose::STANDARD;
    use sharelink_domain::message::MESSAGE_LIMIT;
    use sharelink_domain::request::{FILE_NAMES_LIMIT, FILES_LIMIT, RECIPIENTS_LIMIT};
    use sharelink_domain::{EmailAddress, Expiry, Timestamp};

    use super::*;

    const README: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
    const OPENAPI: &str = include_str!("../../../infra/openapi.yaml");

    #[test]
    fn files_compress_to_less_than_their_limits() {
        for file in &FILES {
            let limit = match file.name {
                "sharelink.js" => 43_000,
                "my-shares.js" => 20_000,
                _ => 10_000,
            };
            let size = file.compressed.len();
            assert!(size < limit, "{}: {size} bytes", file.name);
        }
    }

    #[test]
    fn lengths_do_not_depend_on_the_font_size_of_the_page() {
        for css in
            [include_str!("../components/styles.js"), include_str!("../components/my-shares-styles.js")]
        {
            let is_rem = |(at, _): (usize, &str)| css[..at].ends_with(|c: char| c.is_ascii_digit());
            assert!(
                !css.match_indices("rem").any(is_rem),
                "use em: the page may set html {{ font-size: 62.5% }}"
            );
        }
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
        let pinned = FILES.iter().filter(|file| file.is_module()).map(|file| {
            let url = format!("https://api.example.com/ui/{}/{}", components.version, file.name);
            let integrity = STANDARD.encode(digest(&SHA384, file.source.as_bytes()));
            format!(
                "<script type=\"module\" crossorigin src=\"{url}\"\n  \
                 integrity=\"sha384-{integrity}\"></script>\n"
            )
        });
        pinned.collect()
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
