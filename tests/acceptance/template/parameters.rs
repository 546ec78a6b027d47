//! Tests the parameter table in `infra/README.md`, and that changing a parameter publishes new function
//! versions.

use serde_json::{Value, json};
use sharelink_domain::recipient_domain::parse_domains;
use sharelink_domain::{BaseUrl, KeyLayout};

use super::document::{TEMPLATE, TEXT, functions, properties, refers_to};

const README: &str = include_str!("../../../infra/README.md");

/// The maximum total length of a function's environment variables, in bytes
/// (<https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>).
const MAX_ENVIRONMENT: u64 = 4096;

/// The length to spare for the variables that contain no parameter, such as the table's name and the origin
/// secrets.
const OTHER_VARIABLES: u64 = 700;

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

/// Returns whether a parameter's pattern allows this value.
fn is_allowed(parameter: &str, value: &str) -> bool {
    let pattern = TEMPLATE["Parameters"][parameter]["AllowedPattern"].as_str().unwrap();
    jsonschema::is_valid(&json!({"type": "string", "pattern": pattern}), &json!(value))
}

/// `CloudFormation` rejects a layout that would otherwise prevent the functions from starting.
#[test]
fn template_allows_exactly_the_valid_key_layouts() {
    for layout in [
        "",
        "/",
        "platform",
        "platform/",
        "platform/assets/",
        "./",
        "a/../",
        "a//b/",
        "{module}/{item}/",
        "{module}/{item}",
        "/{module}/{item}/",
        "platform/{module}/assets/{item}/",
        "{item}/in-{module}/files/",
        "v~1/module={module}/item={item}.d/",
        "{module}{item}/",
        "{module}-{item}/",
        "{item}={module}/",
        "{module}/",
        "{item}/",
        "{module}/{item}/{item}/",
        "{item}/{item}/{module}/",
        "{module}/{item}/{sub}/",
        "{module}//{item}/",
        "x/../{module}/{item}/",
        "*/{module}/{item}/",
        "a?/",
        "${aws:username}/",
        "a b/",
        "ä/",
    ] {
        assert_eq!(is_allowed("FilesPrefix", layout), layout.parse::<KeyLayout>().is_ok(), "{layout}");
    }
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

/// A link is a credential, so the functions refuse a base URL whose links would be sent in plain text.
#[test]
fn template_allows_exactly_the_valid_base_urls() {
    assert!(is_allowed("PublicBaseUrl", ""), "empty uses the API's own address");
    for url in [
        "https://files.example.com",
        "https://files.example.com:8443/base/path",
        "https://[2001:db8::1]",
        "https://",
        "https:///path",
        "https://user@files.example.com",
        "https://files.example.com/",
        "https://files.example.com/a/",
        "https://files.example.com?a",
        "https://files.example.com/#a",
        "https://files.example.com/a b",
        "https://files.example.com\n",
        "http://files.example.com",
        "HTTP://files.example.com",
        "http://",
        "ftp://localhost",
        "http://localhost",
        "http://localhost:4566/_aws/execute-api/a/$default",
        "http://localhost.evil.example",
        "http://localhost:80.evil.example",
        "http://localhost:80@evil.example",
        "http://localhost/",
        "http://127.0.0.1:80/a",
        "http://127.0.0.1@evil.example",
        "http://127.0.0.1:",
        "http://127.0.0.10",
        "http://[::1]:1",
    ] {
        assert_eq!(is_allowed("PublicBaseUrl", url), url.parse::<BaseUrl>().is_ok(), "{url:?}");
    }
}

/// A pattern cannot check every domain. The functions refuse to start with the others.
#[test]
fn template_allows_every_list_of_domains() {
    for list in [
        "",
        "example.com",
        "a.example,b.example",
        "a.example, b.example",
        "Bücher.example",
        "gov",
        "例え.テスト",
    ] {
        assert!(parse_domains(list).is_ok(), "{list:?}");
        for parameter in ["AllowedRecipientDomains", "BlockedRecipientDomains"] {
            assert!(is_allowed(parameter, list), "{list:?}");
        }
    }
    for list in [
        " ",
        ",",
        "a.example,",
        "a.example;b.example",
        "a.example b.example",
        "@a.example",
        "*.a.example",
        "https://a.example",
    ] {
        assert!(parse_domains(list).is_err(), "{list:?}");
        for parameter in ["AllowedRecipientDomains", "BlockedRecipientDomains"] {
            assert!(!is_allowed(parameter, list), "{list:?}");
        }
    }
}

#[test]
fn readme_table_matches_the_parameters() {
    let rows: String = parameters().into_iter().map(|(name, parameter)| table_row(name, parameter)).collect();
    let table = format!("| parameter | description | default |\n|---|---|---|\n{rows}\n");
    assert!(README.contains(&table), "infra/README.md must contain this table:\n{table}");
}

/// A parameter's value may or may not change the version's logical ID, which SAM derives from the function's
/// properties. It always changes the version of `Settings`, and with it the version's description. That
/// version must also be in the environment: if only the description or a property that Lambda does not
/// version changed, Lambda would have nothing to publish, and the deployment would fail.
#[test]
fn changing_a_parameter_publishes_every_function() {
    let settings = &properties("AWS::AppConfig::HostedConfigurationVersion")["Settings"]["Content"];
    let shared = &TEMPLATE["Globals"]["Function"];
    for (name, function) in functions() {
        for (parameter, _) in parameters() {
            let mut properties = function.clone();
            // Neither is a property of the Lambda function itself.
            properties
                .as_object_mut()
                .unwrap()
                .retain(|key, _| key != "Events" && key != "DeploymentPreference");
            let is_used = refers_to(&properties, parameter) || refers_to(&shared["Architectures"], parameter);
            assert!(!is_used || refers_to(settings, parameter), "{name}: {parameter}");
        }
        assert_eq!(function["VersionDescription"], json!({"Fn::Sub": "settings ${Settings}"}), "{name}");
    }
    assert_eq!(shared["Environment"]["Variables"]["SETTINGS_VERSION"], json!({"Ref": "Settings"}));
}

#[test]
fn longest_environment_fits() {
    for (name, function) in functions() {
        let variables = function["Environment"]["Variables"].as_object().unwrap();
        let length: u64 = variables.iter().map(|(name, value)| name.len() as u64 + longest(value)).sum();
        assert!(length <= MAX_ENVIRONMENT - OTHER_VARIABLES, "{name}: {length} bytes");
    }
}

/// Returns the maximum length of a variable's value, in bytes.
fn longest(value: &Value) -> u64 {
    let used = parameters().into_iter().filter(|(name, _)| refers_to(value, name));
    used.map(|(name, parameter)| longest_value(name, parameter)).sum()
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
