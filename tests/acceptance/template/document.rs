//! The template as JSON, with short-form tags converted to their long form, loops expanded and mappings
//! resolved.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::LazyLock;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value, json};
use serde_saphyr::Tagged;

pub(super) const TEXT: &str = include_str!("../../../infra/template.yaml");

pub(super) static TEMPLATE: LazyLock<Value> = LazyLock::new(|| {
    let Node(parsed) = serde_saphyr::from_str(TEXT).expect("the template is valid YAML");
    let mappings = parsed["Mappings"].clone();
    resolve_maps(expand_loops(parsed), &mappings)
});

/// A YAML value with its `CloudFormation` tags in long form: `!Ref a` becomes `{"Ref": "a"}`.
struct Node(Value);

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Tagged(Untagged(value), tag) = Tagged::<Untagged>::deserialize(deserializer)?;
        let Some(function) = tag.as_deref().and_then(|tag| tag.strip_prefix('!')) else {
            return Ok(Self(value));
        };
        Ok(Self(match function {
            "Ref" | "Condition" => json!({function: value}),
            _ => json!({format!("Fn::{function}"): value}),
        }))
    }
}

/// A YAML value without its tag. The values nested in it are parsed as [`Node`]s.
struct Untagged(Value);

impl<'de> Deserialize<'de> for Untagged {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(UntaggedVisitor).map(Self)
    }
}

struct UntaggedVisitor;

impl<'de> Visitor<'de> for UntaggedVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(Node(value)) = elements.next_element()? {
            values.push(value);
        }
        Ok(values.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut values = Map::new();
        while let Some((name, Node(value))) = entries.next_entry()? {
            values.insert(name, value);
        }
        Ok(values.into())
    }
}

/// Applies `f` to each direct child of an array or object.
fn map_children(value: Value, f: impl Fn(Value) -> Value) -> Value {
    match value {
        Value::Array(values) => values.into_iter().map(f).collect(),
        Value::Object(entries) => entries.into_iter().map(|(key, value)| (key, f(value))).collect(),
        _ => value,
    }
}

/// Expands every `Fn::ForEach` in the same way as `AWS::LanguageExtensions`.
fn expand_loops(value: Value) -> Value {
    let Value::Object(entries) = value else { return map_children(value, expand_loops) };
    let mut expanded = Map::new();
    for (key, value) in entries {
        if key.starts_with("Fn::ForEach::") {
            let identifier = value[0].as_str().expect("a loop has an identifier");
            let fragment = value[2].as_object().expect("a loop has a fragment");
            for item in strings(&value[1]) {
                for (key, body) in fragment {
                    let body = expand_loops(substitute(body.clone(), identifier, item));
                    let key = key.replace(&placeholder(identifier), item);
                    let previous = expanded.insert(key.clone(), body);
                    assert_eq!(previous, None, "{key} is defined twice");
                }
            }
        } else {
            let previous = expanded.insert(key.clone(), expand_loops(value));
            assert_eq!(previous, None, "{key} is defined twice");
        }
    }
    expanded.into()
}

fn placeholder(identifier: &str) -> String {
    format!("${{{identifier}}}")
}

/// Replaces a loop's identifier with `item` where `CloudFormation` does: in `Ref` and `Fn::Sub`, but not in
/// plain strings.
fn substitute(value: Value, identifier: &str, item: &str) -> Value {
    if value == json!({"Ref": identifier}) {
        return item.into();
    }
    if let Some(text) = value["Fn::Sub"].as_str() {
        let substituted = text.replace(&placeholder(identifier), item);
        let is_literal = !substituted.contains("${");
        return if is_literal { substituted.into() } else { json!({"Fn::Sub": substituted}) };
    }
    let substituted = map_children(value, |child| substitute(child, identifier, item));
    // The rest of the template writes `Fn::GetAtt` as `resource.attribute`, so convert the list form to that.
    match (substituted["Fn::GetAtt"][0].as_str(), substituted["Fn::GetAtt"][1].as_str()) {
        (Some(resource), Some(attribute)) => json!({"Fn::GetAtt": format!("{resource}.{attribute}")}),
        _ => substituted,
    }
}

/// Replaces every `Fn::FindInMap` with its value.
fn resolve_maps(value: Value, mappings: &Value) -> Value {
    let Some(path) = value["Fn::FindInMap"].as_array() else {
        return map_children(value, |child| resolve_maps(child, mappings));
    };
    path.iter().fold(mappings, |map, key| &map[key.as_str().expect("the key is a literal string")]).clone()
}

/// Returns a template's resources of one type, keyed by logical ID. Panics if there are none.
pub(super) fn resources<'a>(template: &'a Value, resource_type: &str) -> BTreeMap<&'a str, &'a Value> {
    let all = template["Resources"].as_object().unwrap().iter();
    let found: BTreeMap<_, _> = all
        .filter(|(_, resource)| resource["Type"] == resource_type)
        .map(|(id, resource)| (id.as_str(), resource))
        .collect();
    assert!(!found.is_empty(), "the template has no {resource_type}");
    found
}

/// Returns the properties of the template's resources of one type, keyed by logical ID.
pub(super) fn properties(resource_type: &str) -> BTreeMap<&'static str, &'static Value> {
    let resources = resources(&TEMPLATE, resource_type).into_iter();
    resources.map(|(id, resource)| (id, &resource["Properties"])).collect()
}

pub(super) fn functions() -> BTreeMap<&'static str, &'static Value> {
    properties("AWS::Serverless::Function")
}

/// Returns every alarm's properties, keyed by logical ID.
pub(crate) fn alarms() -> BTreeMap<&'static str, &'static Value> {
    properties("AWS::CloudWatch::Alarm")
}

/// Returns the elements of an array, or a one-element list with any other value.
pub(super) fn list(value: &Value) -> Vec<&Value> {
    value.as_array().map_or_else(|| vec![value], |values| values.iter().collect())
}

/// Returns the elements of an array of strings, or a one-element list with a single string.
pub(super) fn strings(value: &Value) -> Vec<&str> {
    list(value).into_iter().map(|value| value.as_str().unwrap()).collect()
}

/// Returns whether a value contains a reference to the resource or parameter `name`.
pub(super) fn refers_to(value: &Value, name: &str) -> bool {
    match value {
        Value::Array(values) => values.iter().any(|value| refers_to(value, name)),
        Value::Object(entries) => entries.iter().any(|(key, value)| match key.as_str() {
            "Ref" => value == name,
            "Fn::GetAtt" => {
                value.as_str().is_some_and(|value| value.split('.').next() == Some(name)) || value[0] == name
            }
            "Fn::Sub" => value.as_str().is_some_and(|text| {
                text.contains(&placeholder(name)) || text.contains(&format!("${{{name}."))
            }),
            _ => refers_to(value, name),
        }),
        _ => false,
    }
}

#[test]
fn loop_expands_like_language_extensions() {
    let template = json!({"Fn::ForEach::Queues": ["Queue", ["Mail", "Log"], {
        "${Queue}Alarm": {
            "Description": {"Fn::Sub": "${Queue} in ${AWS::Region}"},
            "Queue": {"Ref": {"Fn::Sub": "${Queue}"}},
            "Arn": {"Fn::GetAtt": [{"Ref": "Queue"}, "Arn"]},
            "Plain": "${Queue}",
        }
    }]});
    let alarm = |queue: &str| {
        json!({
            "Description": {"Fn::Sub": format!("{queue} in ${{AWS::Region}}")},
            "Queue": {"Ref": queue},
            "Arn": {"Fn::GetAtt": format!("{queue}.Arn")},
            "Plain": "${Queue}",
        })
    };
    let expected = json!({"MailAlarm": alarm("Mail"), "LogAlarm": alarm("Log")});
    assert_eq!(expand_loops(template), expected);
}
