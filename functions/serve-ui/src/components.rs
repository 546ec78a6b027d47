//! The web components, embedded in the program.

use std::io::Write;

use aws_lc_rs::digest::{Context, SHA256};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use flate2::Compression;
use flate2::write::GzEncoder;

/// What a frontend imports.
pub(crate) const ENTRY: &str = "sharelink.js";

macro_rules! modules {
    ($($name:literal)+) => { [$(($name, include_str!(concat!("../components/", $name)))),+] };
}

/// Every module, under the name by which the others import it.
const MODULES: [(&str, &str); 11] = modules![
    "api.js" "dialog.js" "dom.js" "expiration.js" "link-access-dialog.js" "recipients.js" "share-button.js"
    "share-dialog.js" "sharelink.js" "styles.js" "texts.js"
];

/// All modules, in a version that is theirs alone: whatever is changed in one of them makes another.
pub(crate) struct Components {
    version: String,
    modules: Vec<Module>,
}

/// An ES module.
pub(crate) struct Module {
    name: &'static str,
    pub(crate) source: &'static str,
    /// In gzip.
    pub(crate) compressed: Vec<u8>,
}

impl Components {
    /// Those of this program.
    pub(crate) fn embedded() -> std::io::Result<Self> {
        let mut hash = Context::new(&SHA256);
        for part in MODULES.iter().flat_map(|(name, source)| [name, source]) {
            hash.update(part.as_bytes());
            hash.update(&[0]);
        }
        let version = URL_SAFE_NO_PAD.encode(&hash.finish().as_ref()[..9]);
        let modules = MODULES.map(|(name, source)| Module::new(name, source));
        Ok(Self { version, modules: modules.into_iter().collect::<Result<_, _>>()? })
    }

    pub(crate) fn version(&self) -> &str {
        &self.version
    }

    pub(crate) fn find(&self, name: &str) -> Option<&Module> {
        self.modules.iter().find(|module| module.name == name)
    }
}

impl Module {
    fn new(name: &'static str, source: &'static str) -> std::io::Result<Self> {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
        gzip.write_all(source.as_bytes())?;
        Ok(Self { name, source, compressed: gzip.finish()? })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fmt::Write as _;
    use std::fs;

    use aws_lc_rs::digest::{SHA384, digest};
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    #[test]
    fn every_file_is_served() {
        let files = fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/components")).unwrap();
        let files: BTreeSet<_> = files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
        assert_eq!(files, MODULES.iter().map(|(name, _)| (*name).to_owned()).collect());
    }

    #[test]
    fn all_together_are_small() {
        let components = Components::embedded().unwrap();
        let size: usize = components.modules.iter().map(|module| module.compressed.len()).sum();
        assert!(size < 30_000, "{size}");
    }

    /// Whoever changes a module finds here what the README has to say.
    #[test]
    fn the_readme_has_the_integrity_of_this_version() {
        let components = Components::embedded().unwrap();
        let base = format!("https://api.example.com/ui/{}", components.version());
        let integrity =
            |source: &str| format!("sha384-{}", STANDARD.encode(digest(&SHA384, source.as_bytes())));
        let mut expected = "<script type=\"importmap\">\n{\"integrity\": {\n".to_owned();
        for (i, (name, source)) in MODULES.iter().enumerate() {
            let comma = if i + 1 < MODULES.len() { "," } else { "" };
            writeln!(expected, "  \"{base}/{name}\":\n    \"{}\"{comma}", integrity(source)).unwrap();
        }
        let entry = integrity(components.find(ENTRY).unwrap().source);
        write!(
            expected,
            "}}}}\n</script>\n<script type=\"module\" crossorigin src=\"{base}/{ENTRY}\"\n  integrity=\"{entry}\"></script>\n"
        )
        .unwrap();
        let readme = include_str!("../../../README.md");
        assert!(readme.contains(&expected), "the README should have:\n{expected}");
    }
}
