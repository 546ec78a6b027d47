//! Who may share.

use std::collections::{BTreeMap, BTreeSet};

use thiserror::Error;

use crate::ModuleName;

/// The access rights that a caller's token grants. Each is compared whole: `external producer` is not
/// `producer`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccessRights(BTreeSet<String>);

impl FromIterator<String> for AccessRights {
    fn from_iter<I: IntoIterator<Item = String>>(rights: I) -> Self {
        Self(rights.into_iter().filter(|right| !right.is_empty()).collect())
    }
}

/// The deployment's setting of the Share permission does not make sense.
#[derive(Debug, Error)]
pub enum PermissionError {
    #[error("is not a JSON object from module names to lists of access rights: {0}")]
    Json(#[from] serde_json::Error),
    #[error("names a module that cannot exist: {0}")]
    Module(String),
}

/// Which access rights hold the Share permission, per module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SharePermission {
    everywhere: BTreeSet<String>,
    by_module: BTreeMap<String, BTreeSet<String>>,
}

impl SharePermission {
    /// Reads the deployment's setting, such as `{"jobs": ["producer"], "*": ["admin"]}`, where `*` is every
    /// module. A module that it does not name grants nothing of its own.
    pub fn parse(json: &str) -> Result<Self, PermissionError> {
        let mut by_module: BTreeMap<String, BTreeSet<String>> = serde_json::from_str(json)?;
        let everywhere = by_module.remove("*").unwrap_or_default();
        if let Some(module) = by_module.keys().find(|module| module.parse::<ModuleName>().is_err()) {
            return Err(PermissionError::Module(module.clone()));
        }
        Ok(Self { everywhere, by_module })
    }

    /// Whether one of these access rights holds Share in the module.
    #[must_use]
    pub fn allows(&self, rights: &AccessRights, module: &ModuleName) -> bool {
        let granted = |holders: &BTreeSet<String>| !holders.is_disjoint(&rights.0);
        granted(&self.everywhere) || self.by_module.get(module.as_str()).is_some_and(granted)
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
    fn a_right_holds_share_only_where_the_setting_says_so() {
        assert!(allows(&["viewer", "producer"], "jobs"));
        assert!(!allows(&["producer"], "assets"));
        assert!(allows(&["admin"], "jobs") && allows(&["admin"], "assets"));
    }

    #[test]
    fn a_right_is_compared_whole() {
        for rights in [&["external producer"][..], &["Producer"], &["[producer]"], &["producer "], &[""], &[]]
        {
            assert!(!allows(rights, "jobs"), "{rights:?}");
        }
    }

    #[test]
    fn a_setting_that_makes_no_sense_is_refused() {
        for bad in ["", "[]", r#"{"jobs": "producer"}"#, r#"{"a/b": ["x"]}"#] {
            assert!(SharePermission::parse(bad).is_err(), "{bad}");
        }
        assert_eq!(SharePermission::parse("{}").unwrap(), SharePermission::default());
    }

    #[test]
    fn an_empty_right_grants_nothing_even_where_the_setting_lists_it() {
        let permission = SharePermission::parse(r#"{"*": [""]}"#).unwrap();
        let rights = [String::new()].into_iter().collect();
        assert!(!permission.allows(&rights, &"jobs".parse().unwrap()));
    }
}
