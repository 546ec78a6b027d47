//! Where the platform keeps files in its bucket: object keys, and the layout that assigns them to items.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{FileName, Item, SharedFile};

/// The maximum length of an object key, in bytes of UTF-8
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html>).
const KEY_LIMIT: usize = 1024;

/// The reason an object key was rejected.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum ObjectKeyError {
    #[error("must be 1 to {KEY_LIMIT} bytes in UTF-8")]
    Length,
    #[error("must not end with \"/\"")]
    Folder,
    #[error("must not contain a control character")]
    Control,
    #[error("must not contain \".\" or \"..\" between slashes")]
    Dots,
}

/// The key of an object in the files bucket. It reveals how the platform organizes its files, so it never
/// appears in a response or a log.
#[derive(Clone, Deserialize, PartialEq, Eq, Serialize)]
#[serde(try_from = "String")]
pub struct ObjectKey(String);

impl ObjectKey {
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ObjectKey {
    type Error = ObjectKeyError;

    fn try_from(key: String) -> Result<Self, ObjectKeyError> {
        if !(1..=KEY_LIMIT).contains(&key.len()) {
            return Err(ObjectKeyError::Length);
        }
        if key.ends_with('/') {
            return Err(ObjectKeyError::Folder);
        }
        if key.chars().any(char::is_control) {
            return Err(ObjectKeyError::Control);
        }
        // A browser resolves these segments in a signed URL's path, which invalidates the signature.
        if key.split('/').any(is_dots) {
            return Err(ObjectKeyError::Dots);
        }
        Ok(Self(key))
    }
}

/// Hides the key: debug output may reach a log.
impl fmt::Debug for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ObjectKey(..)")
    }
}

fn is_dots(segment: &str) -> bool {
    segment == "." || segment == ".."
}

const MODULE: &str = "{module}";
const ITEM: &str = "{item}";

/// The maximum length of a layout, in characters.
const LAYOUT_LIMIT: usize = 512;

/// The reason a key layout was rejected.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum KeyLayoutError {
    #[error("must be at most {LAYOUT_LIMIT} characters")]
    TooLong,
    #[error("must end with \"/\"")]
    NoFinalSlash,
    #[error("must contain both {MODULE} and {ITEM}, or neither")]
    OnePlaceholder,
    #[error("must have a \"/\" between {MODULE} and {ITEM}")]
    NotSeparated,
    #[error("may contain only {MODULE} and {ITEM}, each once, letters A-Z and a-z, digits, and - . _ ~ = /")]
    Alphabet,
    #[error("must not contain an empty segment, \".\" or \"..\" between slashes")]
    Segment,
}

/// The error for a layout without a separate prefix for each item, in a deployment that needs one because it
/// has no item resolver.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("must contain {MODULE} and {ITEM}, because there is no item resolver")]
pub struct NotPerItemError;

/// The deployment's setting for where an item's files are in the bucket, such as `{module}/{item}/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyLayout {
    /// Each item has a separate prefix.
    PerItem(ItemPrefixes),
    /// All keys start with this text, which is empty or ends with `/`. Only the platform's item resolver
    /// knows which keys belong to an item.
    Common(String),
}

/// The prefix of each item's keys.
///
/// Different items have different prefixes, and no prefix starts with another, because a `/`, which names
/// cannot contain, follows each of the two names. Otherwise, two items could have files in common, and the
/// Share permission in one module could give access to files of another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemPrefixes {
    before: String,
    between: String,
    after: String,
    order: Order,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    ModuleFirst,
    ItemFirst,
}

impl FromStr for KeyLayout {
    type Err = KeyLayoutError;

    fn from_str(layout: &str) -> Result<Self, KeyLayoutError> {
        if layout.len() > LAYOUT_LIMIT {
            return Err(KeyLayoutError::TooLong);
        }
        if layout.is_empty() {
            return Ok(Self::Common(String::new()));
        }
        let path = layout.strip_suffix('/').ok_or(KeyLayoutError::NoFinalSlash)?;
        if path.split('/').any(|segment| segment.is_empty() || is_dots(segment)) {
            return Err(KeyLayoutError::Segment);
        }
        match (layout.split_once(MODULE), layout.split_once(ITEM)) {
            (None, None) => Ok(Self::Common(check_literal(layout)?)),
            (Some((before, rest)), Some(_)) if rest.contains(ITEM) => {
                ItemPrefixes::parse(before, rest, ITEM, Order::ModuleFirst).map(Self::PerItem)
            }
            (Some(_), Some((before, rest))) => {
                ItemPrefixes::parse(before, rest, MODULE, Order::ItemFirst).map(Self::PerItem)
            }
            _ => Err(KeyLayoutError::OnePlaceholder),
        }
    }
}

/// Checks a layout's text outside its placeholders. The allowed characters are safe in object keys and, unlike
/// `*`, `?` and `$`, have no special meaning in IAM policies.
fn check_literal(text: &str) -> Result<String, KeyLayoutError> {
    if text.chars().all(|c| c.is_ascii_alphanumeric() || "-._~=/".contains(c)) {
        Ok(text.to_owned())
    } else {
        Err(KeyLayoutError::Alphabet)
    }
}

impl KeyLayout {
    /// Returns the text that the keys of all of the item's files start with.
    #[must_use]
    pub fn prefix(&self, item: &Item) -> String {
        match self {
            Self::PerItem(prefixes) => prefixes.prefix(item),
            Self::Common(prefix) => prefix.clone(),
        }
    }

    /// Returns the key of one of the item's files. Returns `None` if no object can have it: the key would be
    /// too long, or neither the layout nor the file determines it.
    #[must_use]
    pub fn key(&self, item: &Item, file: &SharedFile) -> Option<ObjectKey> {
        match (&file.key, self) {
            (Some(key), _) => Some(key.clone()),
            (None, Self::PerItem(prefixes)) => prefixes.key(item, &file.name),
            (None, Self::Common(_)) => None,
        }
    }
}

impl TryFrom<KeyLayout> for ItemPrefixes {
    type Error = NotPerItemError;

    fn try_from(layout: KeyLayout) -> Result<Self, NotPerItemError> {
        match layout {
            KeyLayout::PerItem(prefixes) => Ok(prefixes),
            KeyLayout::Common(_) => Err(NotPerItemError),
        }
    }
}

impl ItemPrefixes {
    /// `rest` is the layout's text after the first placeholder.
    fn parse(before: &str, rest: &str, second: &str, order: Order) -> Result<Self, KeyLayoutError> {
        let (between, after) = rest.split_once(second).ok_or(KeyLayoutError::Alphabet)?;
        if !between.contains('/') {
            return Err(KeyLayoutError::NotSeparated);
        }
        let (before, between, after) =
            (check_literal(before)?, check_literal(between)?, check_literal(after)?);
        Ok(Self { before, between, after, order })
    }

    /// Returns the text that the keys of the item's files start with.
    #[must_use]
    pub fn prefix(&self, item: &Item) -> String {
        let (module, name) = (item.module.as_str(), item.name.as_str());
        let [first, second] = match self.order {
            Order::ModuleFirst => [module, name],
            Order::ItemFirst => [name, module],
        };
        [&self.before, first, &self.between, second, &self.after].concat()
    }

    /// Returns the key of the item's file with this name, or `None` if the key would be too long.
    #[must_use]
    pub fn key(&self, item: &Item, file: &FileName) -> Option<ObjectKey> {
        ObjectKey::try_from(format!("{}{file}", self.prefix(item))).ok()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::{file, item};

    fn layout(text: &str) -> KeyLayout {
        text.parse().unwrap()
    }

    #[test]
    fn layout_determines_the_prefix_and_the_key() {
        for (text, prefix) in [
            ("{module}/{item}/", "jobs/1042/"),
            ("platform/{module}/assets/{item}/", "platform/jobs/assets/1042/"),
            ("{item}/in-{module}/files/", "1042/in-jobs/files/"),
            ("v~1/module={module}/item={item}.d/", "v~1/module=jobs/item=1042.d/"),
        ] {
            assert_eq!(layout(text).prefix(&item()), prefix);
            let key = layout(text).key(&item(), &file("a b.pdf"));
            assert_eq!(key.unwrap().as_str(), format!("{prefix}a b.pdf"));
        }
    }

    #[test]
    fn common_prefix_does_not_determine_the_key() {
        for text in ["", "platform/", "platform/assets/"] {
            assert_eq!(layout(text).prefix(&item()), text);
            assert_eq!(layout(text).key(&item(), &file("a")), None);
        }
    }

    #[test]
    fn stored_key_takes_precedence_over_the_layout() {
        let key: ObjectKey = "elsewhere/1".to_owned().try_into().unwrap();
        let file = SharedFile { key: Some(key.clone()), ..file("a") };
        for text in ["{module}/{item}/", "platform/"] {
            assert_eq!(layout(text).key(&item(), &file), Some(key.clone()));
        }
    }

    #[test]
    fn key_over_the_limit_is_none() {
        let layout = layout(&format!("{}/{{module}}/{{item}}/", "x".repeat(LAYOUT_LIMIT - 17)));
        let item = Item { module: "m".repeat(64).parse().unwrap(), name: "i".repeat(64).parse().unwrap() };
        assert!(layout.key(&item, &file(&"x".repeat(255))).is_some());
        // Takes 5 bytes as given, but counts as 2 bytes in NFC.
        let decomposed = file(&"U\u{308}\u{304}".repeat(127));
        assert_eq!(layout.key(&item, &decomposed), None);
    }

    #[test]
    fn invalid_layout_is_rejected() {
        for (text, error) in [
            ("{module}/{item}", KeyLayoutError::NoFinalSlash),
            ("platform", KeyLayoutError::NoFinalSlash),
            ("{module}/", KeyLayoutError::OnePlaceholder),
            ("{item}/", KeyLayoutError::OnePlaceholder),
            ("{module}{item}/", KeyLayoutError::NotSeparated),
            ("{module}-{item}/", KeyLayoutError::NotSeparated),
            ("{item}={module}/", KeyLayoutError::NotSeparated),
            ("/{module}/{item}/", KeyLayoutError::Segment),
            ("{module}//{item}/", KeyLayoutError::Segment),
            ("a/../{module}/{item}/", KeyLayoutError::Segment),
            ("./", KeyLayoutError::Segment),
            ("/", KeyLayoutError::Segment),
            ("{module}/{item}/{module}/", KeyLayoutError::Alphabet),
            ("{module}/{item}/{item}/", KeyLayoutError::Alphabet),
            ("{item}/{item}/{module}/", KeyLayoutError::Alphabet),
            ("{module}/{item}/{sub}/", KeyLayoutError::Alphabet),
            ("*/{module}/{item}/", KeyLayoutError::Alphabet),
            ("a?/", KeyLayoutError::Alphabet),
            ("${aws:username}/", KeyLayoutError::Alphabet),
            ("a b/", KeyLayoutError::Alphabet),
            ("ä/", KeyLayoutError::Alphabet),
            ("a\n/", KeyLayoutError::Alphabet),
        ] {
            assert_eq!(text.parse::<KeyLayout>(), Err(error), "{text:?}");
        }
        assert_eq!(("x".repeat(LAYOUT_LIMIT) + "/").parse::<KeyLayout>(), Err(KeyLayoutError::TooLong));
    }

    #[test]
    fn invalid_object_key_is_rejected() {
        let parse = |key: &str| ObjectKey::try_from(key.to_owned());
        for valid in ["a", "a//b", "a/.b/..c", &"x".repeat(1024)] {
            assert_eq!(parse(valid).unwrap().as_str(), valid);
        }
        for (key, error) in [
            ("", ObjectKeyError::Length),
            (&"x".repeat(1025), ObjectKeyError::Length),
            ("a/", ObjectKeyError::Folder),
            ("a\nb", ObjectKeyError::Control),
            ("a/../b", ObjectKeyError::Dots),
            ("./a", ObjectKeyError::Dots),
        ] {
            assert_eq!(parse(key), Err(error), "{key}");
        }
    }

    #[test]
    fn debug_output_hides_the_key() {
        let key = ObjectKey::try_from("platform/secret.pdf".to_owned()).unwrap();
        assert_eq!(format!("{key:?}"), "ObjectKey(..)");
    }

    proptest! {
        #[test]
        fn no_items_prefix_starts_with_another(
            layout in "([a-z.~=-]{0,3}/){0,2}[a-z~=-]{0,2}(\\{module\\}[a-z~=-]{0,2}/[a-z~=-]{0,2}\\{item\\}|\\{item\\}/([a-z]/)?\\{module\\})[a-z~=-]{0,2}/([a-z]/)?",
            modules in ["[ab.~-]{1,4}", "[ab.~-]{1,4}"],
            names in ["[ab.~-]{1,4}", "[ab.~-]{1,4}"],
        ) {
            let Ok(KeyLayout::PerItem(prefixes)) = layout.parse::<KeyLayout>() else { return Ok(()) };
            let parse = |i: usize| {
                Some(Item { module: modules[i].parse().ok()?, name: names[i].parse().ok()? })
            };
            let (Some(one), Some(other)) = (parse(0), parse(1)) else { return Ok(()) };
            let starts_with = prefixes.prefix(&one).starts_with(&prefixes.prefix(&other));
            prop_assert_eq!(starts_with, one == other, "{:?} {} {}", layout, one, other);
        }

        #[test]
        fn arbitrary_layout_is_parsed_without_a_panic(text in "(\\{module\\}|\\{item\\}|[a./*=$]){0,8}/") {
            if let Ok(KeyLayout::PerItem(prefixes)) = text.parse() {
                let prefix = prefixes.prefix(&item());
                prop_assert_eq!(prefix, text.replace(MODULE, "jobs").replace(ITEM, "1042"));
            }
        }
    }
}
