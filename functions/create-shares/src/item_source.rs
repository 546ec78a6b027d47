//! Where items' files come from: the bucket's listing, or the platform's item resolver.

use std::sync::Arc;

use sharelink_aws::files::{FileListing, FileStore, FindError};
use sharelink_aws::item_resolver::ItemResolver;
use sharelink_aws::{AwsConfig, AwsError, ConfigError, ResolveError, load_key_layout};
use sharelink_domain::request::FILES_LIMIT;
use sharelink_domain::resolution::{ItemFile, Purpose, ResolvedItem};
use sharelink_domain::{FileName, Item, ItemPrefixes, Timestamp, Title};
use sharelink_http::Caller;
use sharelink_runtime::{optional, required};

pub(crate) enum ItemSource {
    /// The files are the objects directly under the item's prefix.
    Bucket(Box<FileStore>, ItemPrefixes),
    /// The platform decides which files an item has, and who may share them.
    Resolver(ItemResolver),
}

/// An item that the caller may share.
pub(crate) enum ShareableItem<'a> {
    Listed(&'a FileStore, &'a ItemPrefixes, &'a Item),
    Resolved(Arc<ResolvedItem>),
}

impl ItemSource {
    /// Creates the source that the environment specifies, and opens its connection.
    pub(crate) async fn from_env(config: &AwsConfig) -> Result<Self, ConfigError> {
        let layout = load_key_layout()?;
        if let Some(function) = optional("ITEM_RESOLVER") {
            return Ok(Self::Resolver(ItemResolver::for_files(config, function, layout)));
        }
        let prefixes = layout.try_into()?;
        let store = FileStore::connected(config, required("FILES_BUCKET")?).await;
        Ok(Self::Bucket(Box::new(store), prefixes))
    }

    /// Opens an item in whose module the caller has the Share permission.
    pub(crate) async fn open<'a>(
        &'a self,
        item: &'a Item,
        caller: &Caller,
        now: Timestamp,
    ) -> Result<ShareableItem<'a>, ResolveError> {
        Ok(match self {
            Self::Bucket(store, prefixes) => ShareableItem::Listed(store, prefixes, item),
            Self::Resolver(resolver) => {
                ShareableItem::Resolved(resolver.resolve(&caller.query(item, Purpose::Share), now).await?)
            }
        })
    }
}

impl ShareableItem<'_> {
    pub(crate) fn title(&self) -> Option<Title> {
        match self {
            Self::Listed(..) => None,
            Self::Resolved(item) => item.title().cloned(),
        }
    }

    /// Lists the item's files in name order, starting after the name `after`. Returns at most one file more
    /// than a share may have.
    pub(crate) async fn list(&self, after: Option<&FileName>) -> Result<FileListing, AwsError> {
        match self {
            Self::Listed(store, prefixes, item) => store.list(&prefixes.prefix(item), after).await,
            Self::Resolved(item) => {
                let files = after.map_or(item.files(), |name| item.files_after(name));
                let files = files.iter().take(FILES_LIMIT + 1).cloned().collect();
                Ok(FileListing { files, is_partial: item.is_partial() })
            }
        }
    }

    /// Finds one of the item's files.
    pub(crate) async fn find(&self, name: &FileName) -> Result<ItemFile, FindError> {
        match self {
            Self::Listed(store, prefixes, item) => match prefixes.key(item, name) {
                Some(key) => store.find(&key, name).await,
                None => Err(FindError::Missing),
            },
            Self::Resolved(item) => item.file(name).cloned().ok_or(FindError::Missing),
        }
    }
}
