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

/// One of an item's files, as the item resolver describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribedFile {
    pub name: String,
    pub key: String,
    /// The size in bytes.
    pub size: u64,
    pub is_archived: bool,
}

/// One of an item's shareable files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemFile {
    pub file: SharedFile,
    /// Whether the file must be restored from an archive before it can be downloaded.
    pub is_archived: bool,
}

/// An item that the caller may use, as the platform describes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResolvedItem {
    /// In name order. The names are unique.
    files: Vec<ItemFile>,
    is_partial: bool,
    title: Option<Title>,
}

/// A file's key does not start with the item's prefix.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("a file's key does not start with the item's prefix")]
pub struct OutsidePrefixError;

impl ResolvedItem {
    /// Reads a description of an item whose keys must start with `prefix`. Leaves out placeholder objects for
    /// folders, and files that cannot be shared: their name or key is invalid, or several files have the
    /// name, so that it would not say which one is meant.
    pub fn new(
        described: Vec<DescribedFile>,
        title: Option<&str>,
        prefix: &str,
    ) -> Result<Self, OutsidePrefixError> {
        if described.iter().any(|file| !file.key.starts_with(prefix)) {
            return Err(OutsidePrefixError);
        }
        let objects: Vec<DescribedFile> =
            described.into_iter().filter(|file| !file.key.ends_with('/')).collect();
        let count = objects.len();
        let mut valid: Vec<ItemFile> = objects.into_iter().filter_map(parse_file).collect();
        valid.sort_by(|a, b| a.file.name.cmp(&b.file.name));
        let with_equal_names = valid.chunk_by(|a, b| a.file.name == b.file.name);
        let files: Vec<ItemFile> =
            with_equal_names.filter(|files| files.len() == 1).flatten().cloned().collect();
        let is_partial = files.len() < count;
        Ok(Self { files, is_partial, title: title.and_then(Title::parse) })
    }

    /// Returns the item's title, if the platform gave one.
    #[must_use]
    pub fn title(&self) -> Option<&Title> {
        self.title.as_ref()
    }

    /// Returns whether files were left out because they cannot be shared.
    #[must_use]
    pub fn is_partial(&self) -> bool {
        self.is_partial
    }

    /// Returns all files in name order.
    #[must_use]
    pub fn files(&self) -> &[ItemFile] {
        &self.files
    }

    /// Returns the files after this name, in name order.
    #[must_use]
    pub fn files_after(&self, name: &FileName) -> &[ItemFile] {
        &self.files[self.files.partition_point(|found| found.file.name <= *name)..]
    }

    /// Returns the file with this name.
    #[must_use]
    pub fn file(&self, name: &FileName) -> Option<&ItemFile> {
        let found = self.files.binary_search_by(|found| found.file.name.cmp(name));
        found.ok().and_then(|index| self.files.get(index))
    }
}

/// Returns the file, or `None` if its name or its key is invalid.
fn parse_file(described: DescribedFile) -> Option<ItemFile> {
    let DescribedFile { name, key, size, is_archived } = described;
    let file = SharedFile { name: name.try_into().ok()?, size, key: Some(key.try_into().ok()?) };
    Some(ItemFile { file, is_archived })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described(name: &str, key: &str) -> DescribedFile {
        DescribedFile { name: name.into(), key: key.into(), size: 3, is_archived: false }
    }

    fn names(files: &[ItemFile]) -> Vec<&str> {
        files.iter().map(|found| found.file.name.as_str()).collect()
    }

    #[test]
    fn files_are_found_by_name_and_in_name_order() {
        let archived = DescribedFile { is_archived: true, ..described("a", "p/2") };
        let files = vec![described("c", "p/1"), archived.clone(), described("b", "p/3")];
        let item = ResolvedItem::new(files, None, "p/").unwrap();
        assert_eq!(names(item.files()), ["a", "b", "c"]);
        assert!(!item.is_partial());
        assert_eq!(names(item.files_after(&"a".parse().unwrap())), ["b", "c"]);
        assert_eq!(names(item.files_after(&"bb".parse().unwrap())), ["c"]);
        assert_eq!(item.file(&"a".parse().unwrap()), parse_file(archived).as_ref());
        assert!(item.file(&"a".parse().unwrap()).unwrap().is_archived);
        assert_eq!(item.file(&"d".parse().unwrap()), None);
    }

    #[test]
    fn key_must_start_with_the_prefix() {
        let resolve = |key, prefix| ResolvedItem::new(vec![described("a", key)], None, prefix);
        assert!(resolve("elsewhere/a", "").is_ok());
        assert!(resolve("platform/a", "platform/").is_ok());
        for key in ["platforms/a", "other/platform/a", "Platform/a", "platform", "other/", ""] {
            assert_eq!(resolve(key, "platform/"), Err(OutsidePrefixError), "{key}");
        }
    }

    #[test]
    fn files_that_cannot_be_shared_are_left_out() {
        let long = "x".repeat(256);
        for (name, key) in [
            ("", "p/1"),
            ("a/b", "p/1"),
            ("a\u{7f}", "p/1"),
            ("..", "p/1"),
            (&long, "p/1"),
            ("bad", "p/a\u{7f}"),
            ("bad", "p/../1043/a"),
            ("bad", &format!("p/{}", "x".repeat(1023))),
        ] {
            let files = vec![described(name, key), described("good", "p/2")];
            let item = ResolvedItem::new(files, None, "p/").unwrap();
            assert_eq!((names(item.files()), item.is_partial()), (vec!["good"], true), "{name:?}");
        }
    }

    #[test]
    fn files_with_the_same_name_are_left_out() {
        let files = vec![described("a", "1"), described("b", "2"), described("a", "3")];
        let item = ResolvedItem::new(files, None, "").unwrap();
        assert_eq!((names(item.files()), item.is_partial()), (vec!["b"], true));
    }

    #[test]
    fn placeholder_of_a_folder_is_not_a_file() {
        let files = vec![described("", "p/"), described("folder", "p/folder/"), described("a", "p/a")];
        let item = ResolvedItem::new(files, None, "p/").unwrap();
        assert_eq!((names(item.files()), item.is_partial()), (vec!["a"], false));
    }

    #[test]
    fn two_files_may_have_the_same_key() {
        let files = vec![described("a", "1"), described("b", "1")];
        assert_eq!(names(ResolvedItem::new(files, None, "").unwrap().files()), ["a", "b"]);
    }

    #[test]
    fn purposes_have_the_names_that_resolvers_expect() {
        assert_eq!((Purpose::Share.name(), Purpose::Manage.name()), ("share", "manage"));
    }

    #[test]
    fn resolved_item_keeps_its_title() {
        let item = ResolvedItem::new(vec![], Some("Spring campaign"), "p/").unwrap();
        assert_eq!(item.title().map(Title::as_str), Some("Spring campaign"));
    }

    #[test]
    fn title_is_made_safe_to_display() {
        let title = |text| ResolvedItem::new(vec![], Some(text), "").unwrap().title;
        assert_eq!(title(" Spring\n2026\u{202e} ").unwrap().as_str(), "Spring 2026");
        assert_eq!(title(" \u{202e}\n"), None);
    }
}
