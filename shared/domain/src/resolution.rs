//! The platform's decisions about single items: who may share an item, and which files it has.
//!
//! A deployment may have an item resolver, a function of the platform that makes these decisions. Its rules
//! apply in addition to the Share permission: both must allow a request.

use thiserror::Error;

use crate::permission::AccessRights;
use crate::{FileName, Item, SharedFile, Title};

/// What a caller wants to do with an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// Share the item's files.
    Share,
    /// See or change the item's shares.
    Manage,
}

impl Purpose {
    /// Returns the purpose's name in requests to the item resolver.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Share => "share",
            Self::Manage => "manage",
        }
    }
}

/// A question to the item resolver: may this caller use this item for this purpose?
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ItemQuery {
    pub item: Item,
    /// The caller's subject.
    pub sub: String,
    pub rights: AccessRights,
    pub purpose: Purpose,
}

/// An item that the caller may use, as the platform describes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResolvedItem {
    /// In name order. The names are unique.
    files: Vec<SharedFile>,
    title: Option<Title>,
}

/// The reason the item resolver's description of an item is invalid.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum ResolvedItemError {
    #[error("a file has no key")]
    NoKey,
    #[error("a file's key does not start with the item's prefix")]
    OutsidePrefix,
    #[error("two files have the same name")]
    DuplicateName,
}

impl ResolvedItem {
    /// Checks a description of an item whose keys must start with `prefix`.
    pub fn new(
        mut files: Vec<SharedFile>,
        title: Option<&str>,
        prefix: &str,
    ) -> Result<Self, ResolvedItemError> {
        for file in &files {
            let key = file.key.as_ref().ok_or(ResolvedItemError::NoKey)?;
            if !key.as_str().starts_with(prefix) {
                return Err(ResolvedItemError::OutsidePrefix);
            }
        }
        files.sort_by(|a, b| a.name.cmp(&b.name));
        if files.windows(2).any(|pair| pair[0].name == pair[1].name) {
            return Err(ResolvedItemError::DuplicateName);
        }
        Ok(Self { files, title: title.and_then(Title::parse) })
    }

    /// Returns the item's title, if the platform gave one.
    #[must_use]
    pub fn title(&self) -> Option<&Title> {
        self.title.as_ref()
    }

    /// Returns all files in name order.
    #[must_use]
    pub fn files(&self) -> &[SharedFile] {
        &self.files
    }

    /// Returns the files after this name, in name order.
    #[must_use]
    pub fn files_after(&self, name: &FileName) -> &[SharedFile] {
        &self.files[self.files.partition_point(|file| file.name <= *name)..]
    }

    /// Returns the file with this name.
    #[must_use]
    pub fn file(&self, name: &FileName) -> Option<&SharedFile> {
        let found = self.files.binary_search_by(|file| file.name.cmp(name));
        found.ok().and_then(|index| self.files.get(index))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::file;

    fn file_at(name: &str, key: &str) -> SharedFile {
        SharedFile { key: Some(key.to_owned().try_into().unwrap()), ..file(name) }
    }

    fn names(files: &[SharedFile]) -> Vec<&str> {
        files.iter().map(|file| file.name.as_str()).collect()
    }

    #[test]
    fn files_are_found_by_name_and_in_name_order() {
        let files = vec![file_at("c", "p/1"), file_at("a", "p/2"), file_at("b", "p/3")];
        let item = ResolvedItem::new(files, None, "p/").unwrap();
        assert_eq!(names(item.files()), ["a", "b", "c"]);
        assert_eq!(names(item.files_after(&"a".parse().unwrap())), ["b", "c"]);
        assert_eq!(names(item.files_after(&"bb".parse().unwrap())), ["c"]);
        assert_eq!(item.file(&"a".parse().unwrap()), Some(&file_at("a", "p/2")));
        assert_eq!(item.file(&"d".parse().unwrap()), None);
    }

    #[test]
    fn key_must_start_with_the_prefix() {
        let resolve = |key, prefix| ResolvedItem::new(vec![file_at("a", key)], None, prefix);
        assert!(resolve("elsewhere/a", "").is_ok());
        assert!(resolve("platform/a", "platform/").is_ok());
        for key in ["platforms/a", "other/platform/a", "Platform/a", "platform"] {
            assert_eq!(resolve(key, "platform/"), Err(ResolvedItemError::OutsidePrefix), "{key}");
        }
        let without_key = ResolvedItem::new(vec![file("a")], None, "");
        assert_eq!(without_key, Err(ResolvedItemError::NoKey));
    }

    #[test]
    fn file_names_must_be_unique() {
        let files = vec![file_at("a", "1"), file_at("b", "2"), file_at("a", "3")];
        assert_eq!(ResolvedItem::new(files, None, ""), Err(ResolvedItemError::DuplicateName));
    }

    #[test]
    fn two_files_may_have_the_same_key() {
        let files = vec![file_at("a", "1"), file_at("b", "1")];
        assert!(ResolvedItem::new(files, None, "").is_ok());
    }

    #[test]
    fn title_is_made_safe_to_display() {
        let title = |text| ResolvedItem::new(vec![], Some(text), "").unwrap().title;
        assert_eq!(title(" Spring\n2026\u{202e} ").unwrap().as_str(), "Spring 2026");
        assert_eq!(title(" \u{202e}\n"), None);
    }
}
