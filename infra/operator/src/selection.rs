//! Which shares a command is about.

use anyhow::{Context, Result, ensure};
use chrono::{DateTime, Utc};
use clap::Args;
use sharelink_aws::share_table::{PAGE_LIMIT, Page, Selection as Filter, ShareTable};
use sharelink_aws::stored_key::StoredIndexKey;
use sharelink_aws::{AwsConfig, load_config};
use sharelink_domain::{EmailAddress, Item, ModuleName, Share, ShareId};
use sharelink_runtime::Clock;

use crate::deployment::open_index_key;

/// The shares that match all of the given conditions.
#[derive(Args)]
#[group(id = "selection")]
pub(crate) struct Options {
    /// The deployment's table of shares (output `TableName`)
    #[arg(long, value_name = "TABLE")]
    table: String,
    /// The secret with the key of the indexes' hashes (resource `IndexKey`), for --recipient and --sharer
    #[arg(long, value_name = "SECRET")]
    index_key: Option<String>,
    /// This share; may be repeated
    #[arg(long = "share", value_name = "MODULE/ITEM/SHARE", value_parser = parse_share)]
    shares: Vec<ShareKey>,
    /// The shares with this recipient
    #[arg(long, value_name = "ADDRESS")]
    recipient: Option<EmailAddress>,
    /// The shares created by the user with this claim sub
    #[arg(long, value_name = "SUB")]
    sharer: Option<String>,
    /// The shares of this item
    #[arg(long, value_name = "MODULE/ITEM", value_parser = Item::parse)]
    item: Option<Item>,
    /// Only the shares of this module
    #[arg(long, value_name = "MODULE")]
    module: Option<ModuleName>,
    /// Only the shares created at this time or later, such as 2030-01-31T12:00:00Z
    #[arg(long, value_name = "TIME")]
    since: Option<DateTime<Utc>>,
}

impl Options {
    /// Selects all shares of a sharer.
    pub(crate) fn of_sharer(table: &str, index_key: &str, sub: &str) -> Self {
        Self {
            table: table.to_owned(),
            index_key: Some(index_key.to_owned()),
            shares: Vec::new(),
            recipient: None,
            sharer: Some(sub.to_owned()),
            item: None,
            module: None,
            since: None,
        }
    }
}

#[derive(Clone)]
struct ShareKey {
    item: Item,
    id: ShareId,
}

fn parse_share(path: &str) -> Result<ShareKey, String> {
    let share = path
        .rsplit_once('/')
        .and_then(|(item, id)| Some(ShareKey { item: Item::parse(item).ok()?, id: id.parse().ok()? }));
    share.ok_or_else(|| "is not a share, such as jobs/1042/877fab806afa6fcb1a85617f9ffe0709".to_owned())
}

/// Returns the path of a share, as the option `--share` takes it.
pub(crate) fn path(share: &Share) -> String {
    format!("{}/{}", share.item, share.id)
}

/// The selected shares of a table.
pub(crate) struct Selection {
    pub(crate) table: ShareTable,
    pub(crate) clock: Clock,
    index_key: Option<StoredIndexKey>,
    options: Options,
}

impl Selection {
    pub(crate) async fn open(options: Options) -> Result<Self> {
        let Options { shares, recipient, sharer, item, .. } = &options;
        let is_selective = !shares.is_empty() || recipient.is_some() || sharer.is_some() || item.is_some();
        ensure!(is_selective, "name the shares: --share, --recipient, --sharer or --item");
        let config: AwsConfig = load_config()?;
        let index_key = if recipient.is_some() || sharer.is_some() {
            let secret =
                options.index_key.as_ref().context("--recipient and --sharer require --index-key")?;
            Some(open_index_key(&config, secret).await?)
        } else {
            None
        };
        let table = ShareTable::new(&config, &options.table);
        Ok(Self { table, clock: Clock::from_env(), index_key, options })
    }

    /// Calls `handle` with the selected shares, page by page, newest first.
    pub(crate) async fn for_each_page(
        &self,
        mut handle: impl AsyncFnMut(Vec<Share>) -> Result<()>,
    ) -> Result<()> {
        if !self.options.shares.is_empty() {
            for ShareKey { item, id } in &self.options.shares {
                let share = self.table.get(item, *id).await?;
                let share = share.with_context(|| format!("{item}/{id} does not exist"))?;
                handle(self.matching(vec![share])).await?;
            }
            return Ok(());
        }
        let mut after = None;
        loop {
            let Page { shares, next } = self.page(after.as_ref()).await?;
            // Pages are in the order of creation.
            let is_last = self
                .options
                .since
                .is_some_and(|since| shares.last().is_some_and(|share| share.created_at < since));
            handle(self.matching(shares)).await?;
            after = next.filter(|_| !is_last);
            if after.is_none() {
                return Ok(());
            }
        }
    }

    async fn page(&self, after: Option<&sharelink_aws::share_table::Cursor>) -> Result<Page> {
        let now = self.clock.now();
        let key = match &self.index_key {
            Some(key) => Some(key.get_or_fetch().await?),
            None => None,
        };
        let Options { recipient, sharer, item, .. } = &self.options;
        Ok(match (key, recipient, sharer, item) {
            (Some(key), Some(recipient), ..) => {
                let hash = key.recipient(recipient);
                self.table.list_by_recipient(hash, &Filter::ALL, PAGE_LIMIT, after, now).await?
            }
            (Some(key), None, Some(sub), _) => {
                let hash = key.sharer(sub);
                self.table.list_by_sharer(hash, &Filter::ALL, PAGE_LIMIT, after, now).await?
            }
            (_, _, _, Some(item)) => self.table.list(item, None, PAGE_LIMIT, after, now).await?,
            _ => Page { shares: Vec::new(), next: None },
        })
    }

    fn matching(&self, mut shares: Vec<Share>) -> Vec<Share> {
        let Options { recipient, sharer, item, module, since, .. } = &self.options;
        shares.retain(|share| {
            recipient.as_ref().is_none_or(|address| address.identity() == share.recipient.identity())
                && sharer.as_ref().is_none_or(|sub| *sub == share.created_by.sub)
                && item.as_ref().is_none_or(|item| *item == share.item)
                && module.as_ref().is_none_or(|module| *module == share.item.module)
                && since.is_none_or(|since| share.created_at >= since)
        });
        shares
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_of_a_share_is_parsed() {
        let share = sharelink_domain::testing::share(&["a"]);
        let parsed = parse_share(&path(&share)).unwrap();
        assert_eq!((parsed.item, parsed.id), (share.item, share.id));
        for path in ["", "jobs/1042", "jobs/1042/x", "877fab806afa6fcb1a85617f9ffe0709"] {
            assert!(parse_share(path).is_err(), "{path}");
        }
    }
}
