//! Bundles the components' modules into one. Compiled into the build script, and into the tests.

macro_rules! modules {
    ($($name:literal)+) => { [$(($name, include_str!(concat!("../components/", $name)))),+] };
}

/// Every module's file name and source, each after the modules that it imports.
pub(crate) const MODULES: [(&str, &str); 17] = modules![
    "limits.js" "dom.js" "texts.js" "styles.js" "api.js" "element.js" "dialog.js" "address-list.js"
    "recipients.js" "expiration.js" "files.js" "share-row.js" "share-log.js" "share-dialog.js"
    "link-access-dialog.js" "share-button.js" "sharelink.js"
];

/// Returns the module that browsers load: all modules of the components in one.
pub(crate) fn bundle() -> String {
    MODULES.iter().map(|(_, source)| without_comments(&without_imports(source))).collect()
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

/// Removes indentation, blank lines, and lines that contain only a comment (`//`, `/** … */`), so that
/// browsers do not download them.
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
        code.push_str(text);
        code.push('\n');
    }
    code
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;

    use super::*;

    #[test]
    fn every_component_file_is_embedded() {
        let directory = fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/components")).unwrap();
        let files: BTreeSet<_> =
            directory.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
        assert_eq!(files, MODULES.iter().map(|(name, _)| (*name).to_owned()).collect());
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
        let source = bundle();
        let lines = |start: &str| source.lines().filter(|line| line.starts_with(start)).collect::<Vec<_>>();
        assert_eq!(lines("import "), [""; 0]);
        assert_eq!(lines("export"), ["export {"]);
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
}
