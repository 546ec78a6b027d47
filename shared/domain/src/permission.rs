//! The Share permission, and the right to manage all shares.

use std::collections::{BTreeMap, BTreeSet};

use thiserror::Error;

use crate::ModuleName;

/// The access rights that a caller's token grants. Rights are compared as whole strings: `external producer`
/// does not match `producer`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct AccessRights(BTreeSet<String>);

impl AccessRights {
    /// Returns the rights in alphabetical order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

impl FromIterator<String> for AccessRights {
    fn from_iter<I: IntoIterator<Item = String>>(rights: I) -> Self {
        Self(rights.into_iter().filter(|right| !right.is_empty()).collect())
    }
}

/// The reason a deployment's permission setting is invalid.
#[derive(Debug, Error)]
pub enum PermissionError {
    #[error("is not a JSON object that maps module names to lists of access rights: {0}")]
    Json(#[from] serde_json::Error),
    #[error("contains an invalid module name: {0}")]
    Module(String),
}

/// The access rights that grant the Share permission, or the right to manage all shares, per module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SharePermission {
    everywhere: BTreeSet<String>,
    by_module: BTreeMap<String, BTreeSet<String>>,
}

impl SharePermission {
    /// Parses the deployment's setting, such as `{"jobs": ["producer"], "*": ["admin"]}`. The rights listed
    /// under `*` grant the permission in every module, including modules without an entry.
    pub fn parse(json: &str) -> Result<Self, PermissionError> {
        let mut by_module: BTreeMap<String, BTreeSet<String>> = serde_json::from_str(json)?;
        let everywhere = by_module.remove("*").unwrap_or_default();
        if let Some(module) = by_module.keys().find(|module| module.parse::<ModuleName>().is_err()) {
            return Err(PermissionError::Module(module.clone()));
        }
        Ok(Self { everywhere, by_module })
    }

    /// Returns whether any of these access rights grants the permission in some module.
    #[must_use]
    pub fn allows_somewhere(&self, rights: &AccessRights) -> bool {
        let has_any = |granting: &BTreeSet<String>| !granting.is_disjoint(&rights.0);
        has_any(&self.everywhere) || self.by_module.values().any(has_any)
    }

    /// Returns whether any of these access rights grants the permission in the module.
    #[must_use]
    pub fn allows(&self, rights: &AccessRights, module: &ModuleName) -> bool {
        let has_any = |granting: &BTreeSet<String>| !granting.is_disjoint(&rights.0);
        has_any(&self.everywhere) || self.by_module.get(module.as_str()).is_some_and(has_any)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(rights: &[&str], module: &str) -> bool {
        let permission = SharePermission::parse(r#"{"jobs": ["producer"], "*": ["admin"]}"#).unwrap();
        permission.allows(&rights.iter().map(ToString::to_string).collect(), &module.parse().unwrap())
    }

    #[test]
    fn right_grants_the_permission_only_in_its_module() {
        assert!(allows(&["viewer", "producer"], "jobs"));
        assert!(!allows(&["producer"], "assets"));
    }

    #[test]
    fn right_under_the_asterisk_applies_to_every_module() {
        assert!(allows(&["admin"], "jobs"));
        assert!(allows(&["admin"], "assets"));
    }

    #[test]
    fn rights_are_compared_as_whole_strings() {
        for rights in [&["external producer"][..], &["Producer"], &["[producer]"], &["producer "], &[""], &[]]
        {
            assert!(!allows(rights, "jobs"), "{rights:?}");
        }
    }

    #[test]
    fn invalid_setting_is_rejected() {
        for json in ["", "[]", r#"{"jobs": "producer"}"#, r#"{"a/b": ["x"]}"#] {
            assert!(SharePermission::parse(json).is_err(), "{json}");
        }
    }

    #[test]
    fn empty_setting_grants_nothing() {
        assert_eq!(SharePermission::parse("{}").unwrap(), SharePermission::default());
    }

    #[test]
    fn empty_right_grants_nothing_even_if_listed() {
        let permission = SharePermission::parse(r#"{"*": [""]}"#).unwrap();
        let rights = [String::new()].into_iter().collect();
        assert!(!permission.allows(&rights, &"jobs".parse().unwrap()));
    }
}
