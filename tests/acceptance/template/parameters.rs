//! The parameters: their table in `infra/README.md`, and the new versions that they publish.

use serde_json::Value;

use super::document::{TEMPLATE, TEXT, functions, refers_to};

const README: &str = include_str!("../../../infra/README.md");

/// The longest description of a version that Lambda accepts, in characters.
const MAX_VERSION_DESCRIPTION: u64 = 256;

/// Returns the parameters in the order of the template. The parsed template keeps that order only if another
/// crate enables `preserve_order` of `serde_json`.
fn parameters() -> Vec<(&'static str, &'static Value)> {
    let parameters = TEMPLATE["Parameters"].as_object().unwrap();
    let section = TEXT.split("\nParameters:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let names = section.lines().filter_map(|line| line.strip_prefix("  ")?.strip_suffix(':'));
    let ordered: Vec<_> =
        names.filter_map(|name| parameters.get(name).map(|parameter| (name, parameter))).collect();
    assert_eq!(ordered.len(), parameters.len(), "every parameter is found in the text");
    ordered
}

/// Renders a parameter as a row of a Markdown table.
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

/// SAM publishes a version when the template changes, not necessarily when a parameter does. The description
/// must therefore name the parameters of the function's environment. It must name no others: a description
/// that changes alone leaves Lambda nothing to publish, and the deployment fails.
#[test]
fn version_description_names_the_parameters_in_use() {
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

/// Returns the length of a parameter's longest value in characters.
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
