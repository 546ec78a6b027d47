//! Bundles the components' modules. Compiled into the build script, and into the tests.

use std::collections::BTreeSet;

macro_rules! modules {
    ($($name:literal)+) => { [$(($name, include_str!(concat!("../components/", $name)))),+] };
}

macro_rules! texts {
    ($($language:literal)+) => {
        [$(($language, include_str!(concat!("../components/", $language, ".json")))),+]
    };
}

/// Every module of `sharelink.js`: its file name and source, each after the modules that it imports.
pub(crate) const MODULES: [(&str, &str); 21] = modules![
    "limits.js" "rules.js" "dom.js" "texts.js" "styles.js" "api.js" "element.js" "dialog.js" "address-list.js"
    "recipients.js" "expiration.js" "reminder.js" "sorting.js" "files.js" "share-row.js" "share-log.js"
    "notice-settings.js" "share-dialog.js" "link-access-dialog.js" "share-button.js" "sharelink.js"
];

/// Every module of `my-shares.js`, in the same way. They also import modules of `sharelink.js`.
pub(crate) const MY_SHARES_MODULES: [(&str, &str); 4] =
    modules!["share-list.js" "my-shares-texts.js" "my-shares-styles.js" "my-shares.js"];

/// The texts in every language but English, by language. They are not in a module, so that browsers load only
/// the language that they need.
pub(crate) const TEXTS: [(&str, &str); 6] = texts!["de" "fr" "es" "da" "nl" "sv"];

/// Returns the two modules that browsers load, `sharelink.js` and `my-shares.js`.
///
/// # Arguments
///
/// * `integrity` - returns the hash of a file, for the browser to check (Subresource Integrity)
pub(crate) fn bundles(integrity: impl Fn(&str) -> String) -> [String; 2] {
    let bundle_all = |modules: &[(_, &str)]| modules.iter().map(|(_, source)| bundle(source)).collect();
    let mut shared: String = bundle_all(&MODULES);
    let my_shares: String = bundle_all(&MY_SHARES_MODULES);
    for (language, texts) in TEXTS {
        let hash = integrity(texts);
        shared = shared.replacen(&format!("\n{language}: \"\","), &format!("\n{language}: \"{hash}\","), 1);
    }
    // What `my-shares.js` imports from the modules of `sharelink.js`, `sharelink.js` exports.
    let names = shared_names().into_iter().collect::<Vec<_>>().join(", ");
    let exports = format!("export {{ {names} }};\n");
    let imports = format!("import {{ {names} }} from \"./sharelink.js\";\n");
    [shared + &exports, imports + &my_shares]
}

fn bundle(source: &str) -> String {
    without_comments(&without_imports(source))
}

/// Returns the names that the modules of `my-shares.js` import from those of `sharelink.js`.
fn shared_names() -> BTreeSet<&'static str> {
    let lines = MY_SHARES_MODULES.iter().flat_map(|(_, source)| source.lines());
    let imports = lines.filter_map(|line| line.strip_prefix("import ")?.split_once(" from \"./"));
    let is_shared = |module: &str| MODULES.iter().any(|(name, _)| module == format!("{name}\";"));
    let names = imports.filter(|(_, module)| is_shared(module)).flat_map(|(names, _)| {
        // A default import has the name of the exported value.
        names.split(['{', '}', ',']).map(str::trim).filter(|name| !name.is_empty())
    });
    names.collect()
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

/// Removes indentation, blank lines, lines that contain only a comment (`//`, `/** … */`), and type casts
/// (`/** @type {…} */`), so that browsers do not download them.
///
/// This function does not parse JavaScript, so a line in a multi-line string must not begin like a comment,
/// and its indentation must not matter.
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
        code.push_str(&without_casts(text));
        code.push('\n');
    }
    code
}

fn without_casts(line: &str) -> String {
    let (mut code, mut rest) = (String::new(), line);
    while let Some((before, (_, after))) =
        rest.split_once("/** @type ").and_then(|(before, cast)| Some((before, cast.split_once("*/ ")?)))
    {
        code.push_str(before);
        rest = after;
    }
    code + rest
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn every_component_file_is_embedded() {
        let directory = fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/components")).unwrap();
        let files: BTreeSet<_> =
            directory.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
        let modules = MODULES.iter().chain(&MY_SHARES_MODULES).map(|(name, _)| (*name).to_owned());
        let texts = TEXTS.iter().map(|(language, _)| format!("{language}.json"));
        assert_eq!(files, modules.chain(texts).collect());
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
        for (name, source) in MODULES.into_iter().chain(MY_SHARES_MODULES) {
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
    fn only_the_second_served_module_imports_and_only_from_the_first() {
        let [shared, my_shares] = bundles(|_| String::new());
        let lines = |source: &str, start: &str| {
            source.lines().filter(|line| line.starts_with(start)).map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(lines(&shared, "import "), [""; 0]);
        let [interface, internal] = lines(&shared, "export").try_into().unwrap();
        assert_eq!(interface, "export {");
        let [import] = lines(&my_shares, "import ").try_into().unwrap();
        assert_eq!(import.replace("import ", "export ").replace(" from \"./sharelink.js\"", ""), internal);
        assert_eq!(lines(&my_shares, "export"), ["export { DefinedMyShares as MyShares };"]);
    }

    #[test]
    fn served_module_contains_the_hash_of_each_language() {
        let [shared, _] = bundles(|texts| format!("sha384-{}", texts.len()));
        for (language, texts) in TEXTS {
            assert!(shared.contains(&format!("\n{language}: \"sha384-{}\",\n", texts.len())), "{language}");
        }
    }

    #[test]
    fn comment_lines_and_casts_are_not_served() {
        let source = "// A.\n/** B. */\nconst a = 1; // C.\n/**\n * D.\n */\n/** @type {E} */ (e);\n";
        assert_eq!(without_comments(source), "const a = 1; // C.\n(e);\n");
    }

    #[test]
    fn css_universal_selector_is_not_a_comment() {
        let css = "*, ::before {\n}\n";
        assert_eq!(without_comments(css), css);
    }
}
