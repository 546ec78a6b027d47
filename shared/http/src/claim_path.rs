//! The setting that locates a claim in a token.

use std::str::FromStr;

use serde_json::{Map, Value};
use thiserror::Error;

/// The place of a claim in a token. It is a top-level claim's name, taken as it is, or, if it starts with
/// `/`, a JSON Pointer (RFC 6901) to a nested claim.
///
/// Names such as `cognito:groups` and `https://example.com/roles` are therefore names, not pointers. A
/// top-level claim whose name starts with `/` needs a pointer in which `~1` replaces each slash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimPath {
    /// The name of the top-level claim that is, or contains, the claim.
    root: String,
    /// The JSON Pointer from the top-level claim to the claim. It is empty for a top-level claim.
    nested: String,
}

/// The reason a setting does not locate a claim.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum ClaimPathError {
    #[error("does not name a claim")]
    Empty,
    #[error("is not a JSON Pointer: ~ must be followed by 0 or 1")]
    Escape,
}

impl ClaimPath {
    /// Creates the place of a top-level claim.
    pub(crate) fn top_level(name: &str) -> Self {
        Self { root: name.to_owned(), nested: String::new() }
    }

    /// Returns the name of the top-level claim that is, or contains, the claim.
    pub(crate) fn root(&self) -> &str {
        &self.root
    }

    /// Returns the claim, if the token has it.
    pub(crate) fn find<'a>(&self, claims: &'a Map<String, Value>) -> Option<&'a Value> {
        claims.get(&self.root)?.pointer(&self.nested)
    }

    /// Returns the place of the claim with this name in the object that contains this claim.
    pub(crate) fn sibling(&self, name: &str) -> Self {
        match self.nested.rsplit_once('/') {
            Some((parent, _)) => {
                Self { root: self.root.clone(), nested: format!("{parent}/{}", escape(name)) }
            }
            None => Self::top_level(name),
        }
    }
}

impl FromStr for ClaimPath {
    type Err = ClaimPathError;

    fn from_str(setting: &str) -> Result<Self, ClaimPathError> {
        let (root, nested) = match setting.strip_prefix('/') {
            None => (setting.to_owned(), ""),
            Some(pointer) => {
                let end = pointer.find('/').unwrap_or(pointer.len());
                let (root, nested) = pointer.split_at(end);
                // `Value::pointer` keeps an invalid escape instead of rejecting it.
                if pointer.split('~').skip(1).any(|rest| !rest.starts_with(['0', '1'])) {
                    return Err(ClaimPathError::Escape);
                }
                (unescape(root), nested)
            }
        };
        if root.is_empty() {
            return Err(ClaimPathError::Empty);
        }
        Ok(Self { root, nested: nested.to_owned() })
    }
}

/// Decodes a JSON Pointer's token. The order matters: `~01` means `~1` (RFC 6901, section 4).
fn unescape(token: &str) -> String {
    token.replace("~1", "/").replace("~0", "~")
}

fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn path(setting: &str) -> ClaimPath {
        setting.parse().unwrap()
    }

    fn find(setting: &str, claims: &Value) -> Option<Value> {
        path(setting).find(claims.as_object().unwrap()).cloned()
    }

    #[test]
    fn name_without_a_leading_slash_is_taken_as_it_is() {
        for name in ["accessRights", "cognito:groups", "https://example.com/roles", "a.b", "~2", " a"] {
            assert_eq!(find(name, &json!({name: "here"})), Some(json!("here")), "{name}");
        }
        assert_eq!(find("a.b", &json!({"a": {"b": 1}})), None);
    }

    #[test]
    fn pointer_reaches_nested_claims() {
        let claims = json!({
            "realm_access": {"roles": ["admin"]},
            "resource_access": {"files/api": {"roles": ["producer"]}, "a~b": 1, "": 2},
            "/odd": 3,
        });
        for (pointer, claim) in [
            ("/realm_access/roles", json!(["admin"])),
            ("/realm_access/roles/0", json!("admin")),
            ("/resource_access/files~1api/roles", json!(["producer"])),
            ("/resource_access/a~0b", json!(1)),
            ("/resource_access/", json!(2)),
            ("/~1odd", json!(3)),
        ] {
            assert_eq!(find(pointer, &claims), Some(claim), "{pointer}");
        }
        for pointer in ["/realm_access/groups", "/realm_access/roles/1", "/realm_access/roles/x", "/odd"] {
            assert_eq!(find(pointer, &claims), None, "{pointer}");
        }
    }

    #[test]
    fn invalid_setting_is_rejected() {
        for (setting, error) in [
            ("", ClaimPathError::Empty),
            ("/", ClaimPathError::Empty),
            ("//roles", ClaimPathError::Empty),
            ("/~2", ClaimPathError::Escape),
            ("/a/b~", ClaimPathError::Escape),
            ("/a~~0", ClaimPathError::Escape),
        ] {
            assert_eq!(setting.parse::<ClaimPath>(), Err(error), "{setting}");
        }
    }

    #[test]
    fn sibling_is_in_the_same_object() {
        for (setting, sibling) in [
            ("email", "email_verified"),
            ("https://example.com/email", "email_verified"),
            ("/email", "/email_verified"),
            ("/user/email", "/user/email_verified"),
            ("/a/b~1c/email", "/a/b~1c/email_verified"),
        ] {
            assert_eq!(path(setting).sibling("email_verified"), path(sibling), "{setting}");
        }
        assert_eq!(path("/a/b").sibling("c/d~e"), path("/a/c~1d~0e"));
    }
}
