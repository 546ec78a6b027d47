//! The web components, embedded in the binary.

use std::io::Write;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use flate2::Compression;
use flate2::write::GzEncoder;

/// The module that frontends import.
pub(crate) const ENTRY: &str = "sharelink.js";

macro_rules! modules {
    ($($name:literal)+) => { [$(($name, include_str!(concat!("../components/", $name)))),+] };
}

/// Every module's file name and source, each after the modules that it imports.
const MODULES: [(&str, &str); 17] = modules![
    "limits.js" "dom.js" "texts.js" "styles.js" "api.js" "element.js" "dialog.js" "address-list.js"
    "recipients.js" "expiration.js" "files.js" "share-row.js" "share-log.js" "share-dialog.js"
    "link-access-dialog.js" "share-button.js" "sharelink.js"
];

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

/// The module that browsers load: all modules of the components in one.
pub(crate) struct Components {
    /// A hash of the source.
    pub(crate) version: String,
    pub(crate) source: String,
    /// The source, compressed with gzip.
    pub(crate) compressed: Vec<u8>,
}

impl Components {
    /// Returns the components embedded in this build.
    pub(crate) fn embedded() -> std::io::Result<Self> {
        let source: String =
            MODULES.iter().map(|(_, source)| without_comments(&without_imports(source))).collect();
        let version = URL_SAFE_NO_PAD.encode(&digest(&SHA256, source.as_bytes()).as_ref()[..9]);
        let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
        gzip.write_all(source.as_bytes())?;
        Ok(Self { version, source, compressed: gzip.finish()? })
    }

    /// Returns the source of the unversioned module.
    pub(crate) fn entry_source(&self) -> String {
        format!("export * from \"./{}/{ENTRY}\";\n", self.version)
    }
}

/// Removes a module's imports, and the exports of the names that it declares, because all modules share one
/// scope in the module that browsers load. Compressed, one module is a sixth smaller than many, and it needs
/// no further requests.
///
/// This function does not parse JavaScript: imports are on one line, and no two modules declare the same
/// name.
fn without_imports(source: &str) -> String {
    let lines = source.lines().filter(|line| !line.starts_with("import "));
    let lines = lines.filter(|line| !line.starts_with("export default "));
    let lines = lines.map(|line| match line.strip_prefix("export ") {
        Some(declaration) if !declaration.starts_with('{') => declaration,
        _ => line,
    });
    lines.flat_map(|line| [line, "\n"]).collect()
}

/// Removes indentation, blank lines, and lines that contain only a comment (`//`, `/** … */`), so that browsers
/// do not download them.
///
/// This function does not parse JavaScript, so a line in a multi-line string must not begin like a comment, and
/// its indentation must not matter.
fn without_comments(source: &str) -> String {
    let mut code = String::with_capacity(source.len());
    let mut is_in_block = false;
    for line in source.lines() {
        let text = line.trim();
        if is_in_block {
            is_in_block = !text.contains("*/");
            continue;
        }
        if text.starts_with("/**") && !text.contains("*/") {
            is_in_block = true;
            continue;
        }
        if text.is_empty() || text.starts_with("//") || (text.starts_with("/**") && text.ends_with("*/")) {
            continue;
        }
        code.push_str(text);
        code.push('\n');
    }
    code
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
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
    fn every_component_file_is_embedded() {
        let directory = fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/components")).unwrap();
        let files: BTreeSet<_> =
            directory.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
        assert_eq!(files, MODULES.iter().map(|(name, _)| (*name).to_owned()).collect());
    }

    #[test]
    fn components_compress_to_less_than_40_kb() {
        let size = Components::embedded().unwrap().compressed.len();
        assert!(size < 40_000, "{size} bytes");
    }

    /// Returns the names that a module declares outside of functions and classes.
    fn declarations(source: &str) -> impl Iterator<Item = &str> {
        let keywords = ["export ", "default ", "async ", "const ", "let ", "class ", "function "];
        let lines =
            source.lines().filter(move |line| keywords.iter().any(|keyword| line.starts_with(keyword)));
        let lines =
            lines.filter(|line| !line.starts_with("export {") && !line.starts_with("export default "));
        lines.map(move |line| {
            let name = keywords.iter().fold(line, |rest, keyword| rest.strip_prefix(keyword).unwrap_or(rest));
            name.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap()
        })
    }

    #[test]
    fn all_modules_can_share_one_scope() {
        let mut earlier = BTreeSet::new();
        let mut declared = BTreeSet::new();
        for (name, source) in MODULES {
            for line in source.lines().filter(|line| line.starts_with("import ")) {
                let imported = line.strip_suffix("\";").and_then(|line| line.split(" from \"./").nth(1));
                assert!(imported.is_some_and(|module| earlier.contains(module)), "{name}: {line}");
                assert!(!line.contains(" as "), "{name}: {line}");
            }
            for declaration in declarations(source) {
                assert!(declared.insert(declaration), "{name} declares {declaration} again");
            }
            earlier.insert(name);
        }
        assert!(declared.is_superset(&BTreeSet::from(["ShareDialog", "Language", "en", "copyLink", "h"])));
    }

    #[test]
    fn served_module_imports_nothing_and_exports_the_interface() {
        let source = Components::embedded().unwrap().source;
        let lines = |start: &str| source.lines().filter(|line| line.starts_with(start)).collect::<Vec<_>>();
        assert_eq!(lines("import "), [""; 0]);
        assert_eq!(lines("export"), ["export {"]);
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
    fn comment_lines_are_not_served() {
        let source = "// A.\n/** B. */\nconst a = 1; // C.\n/**\n * D.\n */\n/** @type {E} */ (e);\n";
        assert_eq!(without_comments(source), "const a = 1; // C.\n/** @type {E} */ (e);\n");
    }

    #[test]
    fn css_universal_selector_is_not_a_comment() {
        let css = "*, ::before {\n}\n";
        assert_eq!(without_comments(css), css);
    }

    #[test]
    fn readme_pins_the_current_version() {
        let pinned = pinned_html(&Components::embedded().unwrap());
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
