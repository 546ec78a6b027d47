//! The web components, embedded in the binary.

use std::io::Write;

use aws_lc_rs::digest::{Context, SHA256};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use flate2::Compression;
use flate2::write::GzEncoder;

/// The module that frontends import.
pub(crate) const ENTRY: &str = "sharelink.js";

macro_rules! modules {
    ($($name:literal)+) => { [$(($name, include_str!(concat!("../components/", $name)))),+] };
}

/// Every module's file name and source. Modules import each other by file name.
const MODULES: [(&str, &str); 17] = modules![
    "address-list.js" "api.js" "dialog.js" "dom.js" "element.js" "expiration.js" "files.js" "limits.js"
    "link-access-dialog.js" "recipients.js" "share-button.js" "share-dialog.js" "share-log.js" "share-row.js"
    "sharelink.js" "styles.js" "texts.js"
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

/// All modules, and a version that identifies their content.
pub(crate) struct Components {
    version: String,
    modules: Vec<Module>,
}

/// An ES module.
pub(crate) struct Module {
    name: &'static str,
    pub(crate) source: String,
    /// The source, compressed with gzip.
    pub(crate) compressed: Vec<u8>,
}

impl Components {
    /// Returns the modules embedded in this build.
    pub(crate) fn embedded() -> std::io::Result<Self> {
        let modules = MODULES
            .into_iter()
            .map(|(name, source)| Module::new(name, source))
            .collect::<Result<Vec<_>, _>>()?;
        let mut hash = Context::new(&SHA256);
        for part in modules.iter().flat_map(|module| [module.name, &module.source]) {
            hash.update(part.as_bytes());
            hash.update(&[0]);
        }
        let version = URL_SAFE_NO_PAD.encode(&hash.finish().as_ref()[..9]);
        Ok(Self { version, modules })
    }

    /// Returns the version, which changes whenever a module's content changes.
    pub(crate) fn version(&self) -> &str {
        &self.version
    }

    /// Returns the source of the unversioned entry module. It imports every module of the current version
    /// itself, so that browsers request all of them at once.
    pub(crate) fn entry_source(&self) -> String {
        let mut source = format!("export * from \"./{}/{ENTRY}\";\n", self.version);
        for module in &self.modules {
            source.push_str(&format!("import \"./{}/{}\";\n", self.version, module.name));
        }
        source
    }

    pub(crate) fn find(&self, name: &str) -> Option<&Module> {
        self.modules.iter().find(|module| module.name == name)
    }
}

impl Module {
    fn new(name: &'static str, source: &str) -> std::io::Result<Self> {
        let source = strip_comments(source);
        let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
        gzip.write_all(source.as_bytes())?;
        Ok(Self { name, source, compressed: gzip.finish()? })
    }
}

/// Removes lines that contain only a comment (`//`, `/** … */`), so that browsers do not download them.
///
/// This function does not parse JavaScript, so a line in a multi-line string must not begin like a comment.
fn strip_comments(source: &str) -> String {
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
        if text.starts_with("//") || (text.starts_with("/**") && text.ends_with("*/")) {
            continue;
        }
        code.push_str(line);
        code.push('\n');
    }
    code
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fmt::Write as _;
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
    fn every_component_file_is_embedded() {
        let directory = fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/components")).unwrap();
        let files: BTreeSet<_> =
            directory.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
        assert_eq!(files, MODULES.iter().map(|(name, _)| (*name).to_owned()).collect());
    }

    #[test]
    fn modules_compress_to_less_than_40_kb() {
        let components = Components::embedded().unwrap();
        let size: usize = components.modules.iter().map(|module| module.compressed.len()).sum();
        assert!(size < 40_000, "{size} bytes");
    }

    /// Returns the modules that a module imports.
    fn imports(source: &str) -> BTreeSet<String> {
        let imports =
            source.lines().filter(|line| line.starts_with("import ") || line.starts_with("export *"));
        imports.map(|line| line.split('"').nth(1).unwrap().rsplit('/').next().unwrap().to_owned()).collect()
    }

    #[test]
    fn both_entry_modules_import_every_module_directly() {
        let components = Components::embedded().unwrap();
        let all: BTreeSet<_> = components.modules.iter().map(|module| module.name.to_owned()).collect();
        assert_eq!(imports(&components.entry_source()), all);
        let mut versioned = imports(&components.find(ENTRY).unwrap().source);
        versioned.insert(ENTRY.to_owned());
        assert_eq!(versioned, all);
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
        assert_eq!(strip_comments(source), "const a = 1; // C.\n/** @type {E} */ (e);\n");
    }

    #[test]
    fn css_universal_selector_is_not_a_comment() {
        let css = "*, ::before {\n}\n";
        assert_eq!(strip_comments(css), css);
    }

    #[test]
    fn readme_pins_the_current_version() {
        let pinned = pinned_html(&Components::embedded().unwrap());
        let readme = fs::read_to_string(README).unwrap();
        let start = readme.find("<script type=\"importmap\">").unwrap();
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

    /// Returns the HTML that pins these components with an integrity map.
    fn pinned_html(components: &Components) -> String {
        let base = format!("https://api.example.com/ui/{}", components.version());
        let integrity = |module: &Module| {
            format!("sha384-{}", STANDARD.encode(digest(&SHA384, module.source.as_bytes())))
        };
        let mut html = "<script type=\"importmap\">\n{\"integrity\": {\n".to_owned();
        for (i, module) in components.modules.iter().enumerate() {
            let comma = if i + 1 < components.modules.len() { "," } else { "" };
            let url = format!("{base}/{}", module.name);
            writeln!(html, "  \"{url}\":\n    \"{}\"{comma}", integrity(module)).unwrap();
        }
        let entry = integrity(components.find(ENTRY).unwrap());
        html.push_str("}}\n</script>\n");
        writeln!(html, "<script type=\"module\" crossorigin src=\"{base}/{ENTRY}\"").unwrap();
        writeln!(html, "  integrity=\"{entry}\"></script>").unwrap();
        html
    }

    /// Returns the names in a list of the manifest, for all elements together.
    fn manifest_names(list: &str) -> BTreeSet<String> {
        let manifest: serde_json::Value =
            serde_json::from_str(Document::find("custom-elements.json").unwrap().text).unwrap();
        let elements = manifest["modules"][0]["declarations"].as_array().unwrap();
        let entries = elements.iter().flat_map(|element| element[list].as_array().unwrap());
        entries.map(|entry| entry["name"].as_str().unwrap().to_owned()).collect()
    }

    /// Returns every text in the modules between a prefix and the next character that is not part of a name.
    fn names_after(prefix: &str) -> BTreeSet<String> {
        let sources = MODULES.iter().flat_map(|(_, source)| source.split(prefix).skip(1));
        let is_in_name = |c: &char| c.is_ascii_alphanumeric() || *c == '-';
        sources.map(|rest| rest.chars().take_while(is_in_name).collect()).collect()
    }

    #[test]
    fn manifest_matches_the_modules() {
        assert_eq!(manifest_names("attributes"), names_after("this.reflect(\""));
        assert_eq!(manifest_names("cssParts"), names_after("part: \""));
        let properties = names_after("--sharelink-").into_iter().filter(|name| !name.is_empty());
        let properties = properties.map(|name| format!("--sharelink-{name}")).collect();
        assert_eq!(manifest_names("cssProperties"), properties);
        let types = Document::find("types.d.ts").unwrap().text;
        let (_, events) = types.split_once("interface EventDetails {\n").unwrap();
        let events = events.lines().take_while(|line| *line != "}");
        let events = events.map(|line| line.split('"').nth(1).unwrap().to_owned()).collect();
        assert_eq!(manifest_names("events"), events);
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
