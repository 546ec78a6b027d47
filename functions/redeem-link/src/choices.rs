//! Requests of a link's holder that are not for files: asking for more time, and stopping or allowing emails.
//!
//! None of it is counted as a use. A GET changes nothing, because mail scanners follow links.

use sharelink_domain::access::{RedeemError, Target};
use sharelink_domain::link::Link;
use sharelink_domain::switches::Switches;
use sharelink_domain::{Share, Timestamp};
use sharelink_http::Response;

use crate::pages::{self, ResponseFormat};
use crate::path::Choice;
use crate::redeem::{RedeemLink, RedemptionFailure};

impl RedeemLink {
    /// Handles a choice of a link's holder. Its pages have relative URLs that start at `link_url`.
    pub(crate) async fn choose(
        &self,
        choice: Choice,
        (link, link_url): (&Link, &str),
        switches: &Switches,
        now: Timestamp,
        format: &mut ResponseFormat,
    ) -> Result<Response, RedemptionFailure> {
        let share = self.read_unpaused(link, switches, format).await?;
        let (share, has_chosen) = match choice {
            Choice::ShowEmails => (share, false),
            Choice::Emails { are_wanted } => {
                (self.table.choose_emails(link, are_wanted, now).await?.ok_or(UNKNOWN)?, true)
            }
            Choice::MoreTime => {
                let share = self.table.request_more_time(link, now).await?.ok_or(UNKNOWN)?;
                return match share.redeem(link.generation, Target::List, now) {
                    Err(RedeemError::UnknownLink) => Err(UNKNOWN),
                    Err(RedeemError::AccessEnded) => {
                        Ok(pages::more_time_requested(&self.look, None, *format))
                    }
                    // The page was open while the sharer gave more time.
                    Ok(_) => Ok(pages::more_time_requested(&self.look, Some(link_url), *format)),
                };
            }
        };
        if share.generation != link.generation {
            return Err(UNKNOWN);
        }
        Ok(pages::emails(&self.look, &share, has_chosen, link_url, now, *format))
    }

    /// Reads a share, whatever its status, unless a switch pauses it.
    async fn read_unpaused(
        &self,
        link: &Link,
        switches: &Switches,
        format: &mut ResponseFormat,
    ) -> Result<Share, RedemptionFailure> {
        let found = self.table.get_with_sharer(&link.item, link.share).await?;
        let (share, sharer) =
            found.filter(|(share, _)| share.generation == link.generation).ok_or(UNKNOWN)?;
        format.use_language_of(&share, link.generation);
        if switches.is_share_off(&link.item.module, sharer, &share.recipient) {
            return Err(RedemptionFailure::Paused);
        }
        Ok(share)
    }
}

const UNKNOWN: RedemptionFailure = RedemptionFailure::UnknownLink;
