//! Tests the parameter table in `infra/README.md`, and that changing a parameter publishes new function
//! versions.

use serde_json::Value;

use super::document::{TEMPLATE, TEXT, functions, refers_to};

const README: &str = include_str!("../../../infra/README.md");

/// The maximum length of a function version's description in Lambda, in characters.
const MAX_VERSION_DESCRIPTION: u64 = 256;

/// Returns the parameters in the template's order. The order comes from the template's text, because the
/// parsed template is ordered only if another crate enables `serde_json`'s `preserve_order` feature.
fn parameters() -> Vec<(&'static str, &'static Value)> {
    let parameters = TEMPLATE["Parameters"].as_object().unwrap();
    let section = TEXT.split("\nParameters:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let names = section.lines().filter_map(|line| line.strip_prefix("  ")?.strip_suffix(':'));
    let ordered: Vec<_> =
        names.filter_map(|name| parameters.get(name).map(|parameter| (name, parameter))).collect();
    assert_eq!(ordered.len(), parameters.len(), "some parameters were not found in the template's text");
    ordered
}

/// Renders a parameter as a Markdown table row.
fn table_row(name: &str, parameter: &Value) -> String {
    let description = parameter["Description"].as_str().unwrap().replace('*', "\\*");
    let default = match &parameter["Default"] {
        Value::Null => "required".to_owned(),
        Value::String(text) if text.is_empty() => "empty".to_owned(),
        Value::String(text) => format!("`{text}`"),
        number => format!("`{number}`"),
    };
    format!("| `{name}` | {description} | {default} |\n")
}

#[test]
fn readme_table_matches_the_parameters() {
    let rows: String = parameters().into_iter().map(|(name, parameter)| table_row(name, parameter)).collect();
    let table = format!("| parameter | description | default |\n|---|---|---|\n{rows}\n");
    assert!(README.contains(&table), "infra/README.md must contain this table:\n{table}");
}

/// SAM publishes a version when the template changes, but not necessarily when a parameter's value changes.
/// The version description must therefore name every parameter in the function's environment. It must not
/// name any other parameter: if only the description changed, Lambda would have nothing to publish, and the
/// deployment would fail.
#[test]
fn version_description_names_exactly_the_parameters_used() {
    for (name, function) in functions() {
        for (parameter, _) in parameters() {
            let is_used = refers_to(&function["Environment"], parameter);
            let is_described = refers_to(&function["VersionDescription"], parameter);
            assert_eq!(is_described, is_used, "{name}: {parameter}");
        }
    }
}

#[test]
fn longest_version_description_fits() {
    for (name, function) in functions() {
        let used =
            parameters().into_iter().filter(|(name, _)| refers_to(&function["VersionDescription"], name));
        let longest: u64 = used.map(|(name, parameter)| 1 + longest_value(name, parameter)).sum();
        assert!(longest <= MAX_VERSION_DESCRIPTION, "{name}: {longest} characters");
    }
}

/// Returns the maximum length of a parameter's value, in characters.
fn longest_value(name: &str, parameter: &Value) -> u64 {
    let digits = parameter["MaxValue"].as_u64().map(|max| max.to_string().len() as u64);
    digits.or(parameter["MaxLength"].as_u64()).unwrap_or_else(|| panic!("{name} has no maximum"))
}

#[test]
fn any_change_to_a_function_publishes_a_version() {
    assert_eq!(TEMPLATE["Globals"]["Function"]["AutoPublishAlias"], "live");
    for (name, function) in functions() {
        assert_eq!(function["AutoPublishAliasAllProperties"], true, "{name}");
    }
}
