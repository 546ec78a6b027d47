//! Redeems links.

use std::time::{Duration, SystemTime};

use lambda_http::http::StatusCode;
use lambda_http::http::header::{HeaderValue, LOCATION};
use sharelink_aws::files::{FileStore, SignedMethod};
use sharelink_aws::key_ring_cache::{KeyRingCache, LinkError};
use sharelink_aws::share_table::ShareTable;
use sharelink_aws::switch_cache::SwitchCache;
use sharelink_aws::{AwsError, Error, InternalError, new_write_id};
use sharelink_domain::access::{DownloadError, RedeemError, Redemption, Target};
use sharelink_domain::history::{FailedDownload, LinkUse};
use sharelink_domain::link::{Link, TokenError, find_tokens};
use sharelink_domain::switches::{ModuleState, SwitchReading, Switches};
use sharelink_domain::{KeyLayout, Language, Share, SharerName, Timestamp, UseSource};
use sharelink_http::{Problem, ProblemType, Request, Response, header, source_ip};
use sharelink_runtime::Clock;
use tokio::time::timeout;

use crate::archive::Archives;
use crate::look::Look;
use crate::pages::{self, ResponseFormat};
use crate::path::{LinkAction, LinkPath, PathError};
use crate::purpose::Purpose;

pub(crate) struct RedeemLink {
    /// The archives of all files, if the deployment makes any.
    pub(crate) archives: Option<Archives>,
    /// Whether a link to a single file shows the page, too.
    pub(crate) always_shows_page: bool,
    pub(crate) clock: Clock,
    /// The language of pages if neither the browser nor a share determines it.
    pub(crate) default_language: Language,
    /// Whether the page of a link that has ended names the sharer.
    pub(crate) ended_page_names_sharer: bool,
    pub(crate) files: FileStore,
    pub(crate) key_layout: KeyLayout,
    pub(crate) key_ring_cache: KeyRingCache,
    /// Whether the share log keeps where a use came from.
    pub(crate) logs_use_sources: bool,
    pub(crate) look: Look,
    /// The switches by which operators pause links.
    pub(crate) switches: SwitchCache,
    pub(crate) table: ShareTable,
}

/// Time allowed for fetching the key ring. If the fetch fails, the cached key ring is used.
pub(crate) const KEY_RING_TIMEOUT: Duration = Duration::from_millis(2500);

/// Time allowed for reading the share and counting its use.
pub(crate) const SHARE_TIMEOUT: Duration = Duration::from_secs(4);

/// Time allowed for checking that the file can be read. If the check cannot be completed, the recipient still
/// gets the file's URL.
pub(crate) const FILE_TIMEOUT: Duration = Duration::from_secs(2);

/// Time allowed for removing a failed download from the count. The recipient's page does not depend on it.
const CORRECTION_TIMEOUT: Duration = Duration::from_secs(1);

/// Time allowed for the whole redemption: the sum of the timeouts above, plus a small margin.
const REDEMPTION_TIMEOUT: Duration = Duration::from_secs(10);

/// The reason a redemption failed.
pub(crate) enum RedemptionFailure {
    Prefetch,
    UnknownRoute,
    UnknownLink,
    /// An operator has switched off everything, or the module, the sharer or the recipient's domain.
    Paused,
    /// Access has ended. Contains the name of the sharer to ask, if the recipient may see it.
    AccessEnded(Option<SharerName>),
    /// The link gives access, but the file cannot be downloaded.
    NoFile(DownloadError),
    /// The link gives access, but its files are too many or too large for an archive.
    ArchiveTooLarge,
    Failed(Error),
    TimedOut,
}

impl From<AwsError> for RedemptionFailure {
    fn from(error: AwsError) -> Self {
        Self::Failed(error.into())
    }
}

impl From<InternalError> for RedemptionFailure {
    fn from(error: InternalError) -> Self {
        Self::Failed(error.into())
    }
}

impl From<PathError> for RedemptionFailure {
    fn from(error: PathError) -> Self {
        match error {
            PathError::UnknownRoute => Self::UnknownRoute,
            PathError::UnknownLink => Self::UnknownLink,
        }
    }
}

impl From<Error> for RedemptionFailure {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<LinkError> for RedemptionFailure {
    fn from(error: LinkError) -> Self {
        match error {
            LinkError::Token(_) => Self::UnknownLink,
            LinkError::Aws(error) => error.into(),
        }
    }
}

impl RedeemLink {
    /// Handles a request. Never returns a [`Problem`], because error responses also need the security headers
    /// and a page that recipients can read.
    pub(crate) async fn handle(&self, request: Request) -> Result<Response, Problem> {
        let mut format = ResponseFormat::requested(&request, self.default_language);
        let redeemed = timeout(REDEMPTION_TIMEOUT, self.redeem(&request, &mut format)).await;
        let response = redeemed
            .unwrap_or(Err(RedemptionFailure::TimedOut))
            .unwrap_or_else(|failure| error_response(&self.look, &failure, &request, format));
        Ok(pages::with_security_headers(&self.look, response))
    }

    /// Redeems the link, and gives the format the share's language as soon as it is known.
    async fn redeem(
        &self,
        request: &Request,
        format: &mut ResponseFormat,
    ) -> Result<Response, RedemptionFailure> {
        // A signed URL's lifetime starts at `decided_at`. S3 checks the lifetime against the system time,
        // which may differ from this deployment's clock.
        let (now, decided_at) = (self.clock.now(), SystemTime::now());
        let path = LinkPath::parse(request)?;
        let purpose = Purpose::of(request);
        if purpose == Purpose::Prefetch {
            return Err(RedemptionFailure::Prefetch);
        }
        let target = match path.action {
            LinkAction::Open(Target::Link) if self.always_shows_page => Target::List,
            LinkAction::Open(target) => target,
            LinkAction::Choose(choice) => {
                let (link, token, reading) = self.open_unpaused(&path.token, false, now).await?;
                if purpose == Purpose::Preview {
                    return Ok(pages::preview(&self.look, None, *format));
                }
                let link_url = format!("../{token}");
                return self.choose(choice, (&link, &link_url), &reading.switches, now, format).await;
            }
        };
        let archives = match (target, &self.archives) {
            (Target::Archive, None) => return Err(RedemptionFailure::UnknownLink),
            (Target::Archive, archives) => archives.as_ref().filter(|_| purpose != Purpose::Preview),
            _ => None,
        };
        let (link, token, reading) =
            self.open_unpaused(&path.token, purpose != Purpose::Preview, now).await?;
        let module_state = reading.switches.module_state(&link.item.module);
        if let Some(archives) = archives {
            let source = self.use_source(request);
            return self.redeem_archive(archives, (&link, token), &reading, purpose, source, format).await;
        }
        let counted_use = if purpose == Purpose::Use {
            Some(LinkUse { id: new_write_id()?, at: now, source: self.use_source(request) })
        } else {
            None
        };
        let share = match &counted_use {
            None => self.read_share(&link, target, &reading.switches, now, format).await?,
            Some(counted_use) => {
                if module_state == ModuleState::DependsOnShare {
                    // A paused link must not be counted.
                    self.read_share(&link, target, &reading.switches, now, format).await?;
                }
                self.table.redeem(&link, target, counted_use).await?.ok_or(RedemptionFailure::UnknownLink)?
            }
        };
        format.use_language_of(&share, link.generation);
        let redemption =
            share.redeem(link.generation, target, now).map_err(|error| self.refusal(error, &share))?;
        if purpose == Purpose::Preview {
            return Ok(pages::preview(&self.look, share.title.as_ref(), *format));
        }
        if counted_use.is_some() && !matches!(target, Target::File(_)) {
            metrics::counter!("Opens").increment(1);
        }
        let (file, lifetime) = match redemption {
            Redemption::List(_) => {
                let sharer = self.sharer_name(&share);
                let has_archive = self.archives.as_ref().is_some_and(|archives| archives.offers(&share));
                let sharer = sharer.as_ref();
                return Ok(pages::files(&self.look, &share, sharer, has_archive, token, now, *format));
            }
            Redemption::File(file, lifetime) => (file, lifetime),
            // Only a previewer's request for an archive gets here, and it has its page.
            Redemption::Archive(..) => return Err(RedemptionFailure::UnknownLink),
        };
        let access = match self.key_layout.key(&link.item, file) {
            Some(key) => self.files.check_access(&key).await.map(|file| (key, file)),
            None => Err(DownloadError::Missing),
        };
        let (key, readable) = match access {
            Ok(access) => access,
            Err(error) => {
                if let Some(LinkUse { id, at, source }) = counted_use {
                    let number = share.usage.download_number(id);
                    let failed = FailedDownload { id, at, error, number, source };
                    self.record_failed_download(&link, &failed).await;
                }
                return Err(RedemptionFailure::NoFile(error));
            }
        };
        // Only a counted use gets the file.
        let method = if counted_use.is_some() { SignedMethod::Get } else { SignedMethod::Head };
        let lifetime = lifetime.min(url_lifetime(&reading, now)?);
        let url = self.files.sign_url(&key, readable, &file.name, method, decided_at, lifetime).await?;
        if counted_use.is_some() {
            metrics::counter!("Downloads").increment(1);
        }
        redirect(&url)
    }

    /// Reads a share without counting a use. A link that gives no access for another reason than a switch gets
    /// the response that it always gets.
    pub(crate) async fn read_share(
        &self,
        link: &Link,
        target: Target,
        switches: &Switches,
        now: Timestamp,
        format: &mut ResponseFormat,
    ) -> Result<Share, RedemptionFailure> {
        let found = self.table.get_with_sharer(&link.item, link.share).await?;
        let (share, sharer) = found.ok_or(RedemptionFailure::UnknownLink)?;
        format.use_language_of(&share, link.generation);
        share.redeem(link.generation, target, now).map_err(|error| self.refusal(error, &share))?;
        if switches.is_share_off(&link.item.module, sharer, &share.recipient) {
            return Err(RedemptionFailure::Paused);
        }
        Ok(share)
    }

    /// Returns the failure for a link that gives no access.
    pub(crate) fn refusal(&self, error: RedeemError, share: &Share) -> RedemptionFailure {
        match error {
            RedeemError::UnknownLink => RedemptionFailure::UnknownLink,
            RedeemError::AccessEnded => RedemptionFailure::AccessEnded(
                self.ended_page_names_sharer.then(|| self.sharer_name(share)).flatten(),
            ),
        }
    }

    /// Opens the token in a path segment, and reads the switches. Returns the link, the token and the
    /// reading, unless the item's module is switched off.
    async fn open_unpaused<'a>(
        &self,
        segment: &'a str,
        needs_files: bool,
        now: Timestamp,
    ) -> Result<(Link, &'a str, SwitchReading), RedemptionFailure> {
        let is_key_ring_fresh = self.key_ring_cache.is_fresh(now).await;
        if !is_key_ring_fresh {
            // After such a long time, the other connections are probably stale too: overlap the handshakes.
            if needs_files {
                self.files.preconnect_if_idle();
            }
            if !self.switches.is_due(now).await {
                self.table.preconnect_if_idle();
            }
        }
        // While the key ring is fresh, a forged link causes no call.
        let early_reading =
            async { if is_key_ring_fresh { None } else { Some(self.switches.read(now).await) } };
        let (opened, reading) = tokio::join!(self.open(segment, now), early_reading);
        let (link, token) = opened?;
        if needs_files {
            self.files.preconnect_if_idle();
        }
        let reading = match reading {
            Some(reading) => reading?,
            None => self.switches.read(now).await?,
        };
        if reading.switches.module_state(&link.item.module) == ModuleState::Off {
            return Err(RedemptionFailure::Paused);
        }
        Ok((link, token, reading))
    }

    /// Opens the token in a path segment. Returns the link and the token.
    async fn open<'a>(&self, segment: &'a str, now: Timestamp) -> Result<(Link, &'a str), LinkError> {
        for token in find_tokens(segment) {
            match self.key_ring_cache.open(token, now).await {
                Err(LinkError::Token(TokenError::Forged)) => {}
                opened => return Ok((opened?, token)),
            }
        }
        Err(TokenError::Forged.into())
    }

    /// Returns where the request came from, if the share log keeps it.
    fn use_source(&self, request: &Request) -> Option<UseSource> {
        let user_agent = header(request, "user-agent").unwrap_or_default();
        self.logs_use_sources.then(|| UseSource::of(source_ip(request), user_agent))
    }

    /// Returns the sharer's name, if it is known and may be shown, by the same rules as in emails: it must
    /// not imitate the brand's name.
    fn sharer_name(&self, share: &Share) -> Option<SharerName> {
        SharerName::parse(share.created_by.name.as_deref()?, self.look.brand.name())
    }

    /// Removes a failed download from the share's count. If this fails or takes too long, the count may stay
    /// too high, but the recipient still gets the page that explains why the file is not available.
    async fn record_failed_download(&self, link: &Link, failed: &FailedDownload) {
        let correction = timeout(CORRECTION_TIMEOUT, self.table.record_failed_download(link, failed)).await;
        let error = match correction {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.to_string(),
            Err(elapsed) => elapsed.to_string(),
        };
        tracing::warn!(%error, "a failed download may still be counted");
    }
}

/// Returns the link that a request was for, relative to the request's URL, and whether the request was for
/// something else that it leads to.
fn link_url(request: &Request) -> Option<(String, bool)> {
    let LinkPath { token, action } = LinkPath::parse(request).ok()?;
    let token = find_tokens(&token).next()?;
    match action {
        LinkAction::Open(Target::Link | Target::List) => Some((token.to_owned(), false)),
        LinkAction::Open(Target::File(_)) => Some((format!("../../{token}"), true)),
        LinkAction::Open(Target::Archive) => Some((format!("../{token}"), true)),
        LinkAction::Choose(_) => None,
    }
}

/// Returns the maximum lifetime of a URL that is signed at `now`. Fails if the request has taken so long that the
/// switches may have changed.
pub(crate) fn url_lifetime(reading: &SwitchReading, now: Timestamp) -> Result<Duration, RedemptionFailure> {
    reading.url_lifetime(now).ok_or(RedemptionFailure::TimedOut)
}

pub(crate) fn redirect(url: &str) -> Result<Response, RedemptionFailure> {
    let invalid_url = |_| InternalError::Signing;
    let mut response = Response::default();
    *response.status_mut() = StatusCode::FOUND;
    response.headers_mut().insert(LOCATION, HeaderValue::from_str(url).map_err(invalid_url)?);
    Ok(response)
}

fn error_response(
    look: &Look,
    failure: &RedemptionFailure,
    request: &Request,
    format: ResponseFormat,
) -> Response {
    let problem_type = match failure {
        RedemptionFailure::Prefetch => ProblemType::PrefetchRefused,
        RedemptionFailure::UnknownRoute => ProblemType::RouteNotFound,
        RedemptionFailure::UnknownLink => ProblemType::UnknownLink,
        RedemptionFailure::Paused => ProblemType::LinkPaused,
        RedemptionFailure::AccessEnded(_) => ProblemType::AccessEnded,
        RedemptionFailure::NoFile(DownloadError::Missing) => ProblemType::FileMissing,
        RedemptionFailure::NoFile(DownloadError::Archived) => ProblemType::FileArchived,
        RedemptionFailure::NoFile(DownloadError::Forbidden) => ProblemType::FileForbidden,
        RedemptionFailure::ArchiveTooLarge => ProblemType::ArchiveTooLarge,
        RedemptionFailure::Failed(error) => {
            tracing::error!(%error, "a link could not be redeemed");
            error.into()
        }
        RedemptionFailure::TimedOut => {
            tracing::error!("a redemption timed out");
            ProblemType::TemporarilyUnavailable
        }
    };
    // A prefetch is not a recipient's request.
    if !matches!(failure, RedemptionFailure::Prefetch) {
        metrics::counter!("Refusals", "Reason" => problem_type.name()).increment(1);
    }
    let link = link_url(request);
    if let RedemptionFailure::AccessEnded(sharer) = failure {
        return pages::access_ended(look, sharer.as_ref(), link.map(|(url, _)| url).as_deref(), format);
    }
    let list = link.and_then(|(url, is_of_part)| is_of_part.then_some(url));
    pages::problem(look, problem_type, list, format)
}

#[cfg(test)]
mod tests {
    use sharelink_http::parse_event;

    use super::*;
    use crate::look::tests::plain;

    fn request(route_key: &str, n: &str) -> Request {
        let method = route_key.split(' ').next().unwrap();
        let event = format!(
            r#"{{"pathParameters": {{"token": "x", "n": "{n}"}},
                "requestContext": {{"routeKey": "{route_key}", "http": {{"method": "{method}"}}}}}}"#
        );
        parse_event(event.as_bytes()).unwrap()
    }

    #[test]
    fn link_url_is_relative_to_the_request() {
        let url = |route_key, n| link_url(&request(route_key, n));
        assert_eq!(url("GET /s/{token}/files/{n}", "2"), Some(("../../x".to_owned(), true)));
        assert_eq!(url("HEAD /s/{token}/archive", ""), Some(("../x".to_owned(), true)));
        assert_eq!(url("GET /s/{token}", ""), Some(("x".to_owned(), false)));
        assert_eq!(url("POST /s/{token}/more-time", ""), None);
    }

    #[test]
    fn unknown_route_gets_a_not_found_page_or_problem() {
        let request = request("GET /", "");
        let english = ResponseFormat::requested(&request, Language::English);
        let page = error_response(&plain(), &RedemptionFailure::UnknownRoute, &request, english);
        assert_eq!(page.status(), 404);
        assert!(String::from_utf8_lossy(page.body()).contains("This link does not work"), "{page:?}");

        let problem =
            error_response(&plain(), &RedemptionFailure::UnknownRoute, &request, ResponseFormat::Json);
        assert_eq!(problem.status(), 404);
        assert!(String::from_utf8_lossy(problem.body()).contains("/problems/route-not-found"), "{problem:?}");
    }
}
