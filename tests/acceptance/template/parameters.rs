//! Tests the parameter table in `infra/README.md`, and that changing a parameter publishes new function
//! versions.

use proptest::prelude::*;
use serde_json::{Value, json};
use sharelink_domain::brand::{Accent, AccentError, Imprint, ImprintUrl, LogoUrl};
use sharelink_domain::notices::NoticeKinds;
use sharelink_domain::recipient_domain::parse_domains;
use sharelink_domain::{BaseUrl, KeyLayout, PlatformName, PlatformUrl};

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

#[test]
fn template_allows_exactly_the_valid_platform_urls() {
    assert!(is_allowed("PlatformUrl", ""), "empty means no link");
    for url in [
        "https://platform.example",
        "https://platform.example:8443/#/{module}/{item}?share={share}",
        "https://platform.example?i={item}",
        "https://",
        "https:///x",
        "https://-x",
        "https://{module}.example/",
        "https://user@platform.example/",
        "https://platform.example/{user}",
        "https://platform.example/{item",
        "https://platform.example/\"><script>",
        "https://platform.example/a b",
        "https://platform.example/a\n",
        "http://platform.example/",
        "javascript:alert(1)",
    ] {
        assert_eq!(is_allowed("PlatformUrl", url), url.parse::<PlatformUrl>().is_ok(), "{url:?}");
    }
}

#[test]
fn template_allows_exactly_the_valid_lists_of_notices() {
    for list in [
        "",
        "moreTime",
        "emailProblem,firstDownload,moreTime",
        "emailProblem, moreTime",
        "emailProblem;moreTime",
        "bounces",
    ] {
        assert_eq!(is_allowed("Notices", list), list.parse::<NoticeKinds>().is_ok(), "{list:?}");
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
fn template_allows_exactly_the_valid_brand_urls() {
    for parameter in ["BrandName", "BrandLogoUrl", "BrandColor", "ImprintText", "ImprintUrl"] {
        assert!(is_allowed(parameter, ""), "{parameter}");
    }
    for url in [
        "https://cdn.example.com/logo.png",
        "https://cdn.example.com:8443/a/logo@2x.png",
        "https://cdn.example.com/a%20b/(1)/logo.png",
        "https://cdn.example.com",
        "https://cdn.example.com/",
        "https://cdn.example.com/?page=imprint#en",
        "https://cdn.example.com?page=imprint",
        "https://cdn.example.com:/logo.png",
        "https://user:secret@cdn.example.com/logo.png",
        "https://bücher.example/logo.png",
        "https://[::1]/logo.png",
        "https://*/logo.png",
        "https://a;b/logo.png",
        "https://cdn.example.com/a b.png",
        "https://cdn.example.com/\"a.png",
        "https://cdn.example.com/a.png\n",
        "http://cdn.example.com/logo.png",
        "http://localhost:5173/logo.png",
        "http://127.0.0.1/logo.png",
        "http://localhost.evil.example/logo.png",
        "http://localhost:80@evil.example/logo.png",
        "//cdn.example.com/logo.png",
        "data:image/png;base64,AAAA",
    ] {
        assert_eq!(is_allowed("BrandLogoUrl", url), url.parse::<LogoUrl>().is_ok(), "{url:?}");
        assert_eq!(is_allowed("ImprintUrl", url), url.parse::<ImprintUrl>().is_ok(), "{url:?}");
    }
}

#[test]
fn template_allows_valid_names_and_imprints_only() {
    for (name, is_valid) in [("Studio North", true), ("Zoë & Co.", true), (" ", false), ("a\nb", false)] {
        assert_eq!(is_allowed("BrandName", name), is_valid, "{name:?}");
        assert_eq!(name.parse::<PlatformName>().is_ok(), is_valid, "{name:?}");
    }
    for (text, is_valid) in [
        ("Studio North Ltd\n1 Pier Road <Cork>", true),
        ("\u{5d0}\u{5d1}", true),
        ("a\tb", false),
        ("a\r\nb", false),
        ("a\u{85}b", false),
    ] {
        assert_eq!(is_allowed("ImprintText", text), is_valid, "{text:?}");
        assert_eq!(Imprint::new(text, None).is_ok(), is_valid, "{text:?}");
    }
}

proptest! {
    /// The pattern cannot calculate a contrast. It rejects most colors that are too light, and no other.
    #[test]
    fn template_allows_every_valid_color(color in "#[0-9a-fA-F]{6}") {
        let is_allowed = is_allowed("BrandColor", &color);
        match color.parse::<Accent>() {
            Ok(_) => prop_assert!(is_allowed),
            Err(error) => prop_assert_eq!(error, AccentError::TooLight),
        }
    }
}

#[test]
fn template_rejects_what_is_no_color_or_far_too_light() {
    for color in ["blue", "1a56c4", "#1a56c", "#1a56c40", "#1a56cg", "#ffffff", "#ff8800", "#008500"] {
        assert!(!is_allowed("BrandColor", color), "{color}");
        assert!(color.parse::<Accent>().is_err(), "{color}");
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
