//! What a recipient gets for a link.

use std::num::NonZeroUsize;
use std::time::{Duration, SystemTime};

use lambda_http::http::header::{HeaderValue, LOCATION};
use lambda_http::http::{Method, StatusCode};
use sharelink_aws::files::{FileStore, Presence, SignedMethod};
use sharelink_aws::key_ring_cache::{KeyRingCache, LinkError};
use sharelink_aws::share_table::ShareTable;
use sharelink_aws::{AwsError, new_write_id};
use sharelink_domain::share::{RedeemError, Redemption, Target};
use sharelink_http::{Problem, ProblemType, Request, Response, header, path_parameter};
use sharelink_runtime::Clock;
use tokio::time::timeout;

use crate::pages::{self, Form};

pub(crate) struct RedeemLink {
    pub(crate) clock: Clock,
    pub(crate) files: FileStore,
    pub(crate) key_ring_cache: KeyRingCache,
    pub(crate) table: ShareTable,
}

/// How long the key ring, the share, and the look for its file may each be waited for. Without a new ring an old one
/// does, and without an answer about the file the link is given all the same.
pub(crate) const RING_LIMIT: Duration = Duration::from_millis(2500);
pub(crate) const SHARE_LIMIT: Duration = Duration::from_secs(4);
pub(crate) const FILE_LIMIT: Duration = Duration::from_secs(2);

/// How long a recipient waits for an answer, whatever AWS does: for all of these, and not much longer.
const PATIENCE: Duration = Duration::from_secs(9);

/// Why a recipient gets no file.
enum Miss {
    Refused(RedeemError),
    FileMissing,
    Aws(AwsError),
    /// AWS did not answer for long.
    Late,
}

impl From<RedeemError> for Miss {
    fn from(refusal: RedeemError) -> Self {
        Self::Refused(refusal)
    }
}

impl From<AwsError> for Miss {
    fn from(error: AwsError) -> Self {
        Self::Aws(error)
    }
}

impl From<LinkError> for Miss {
    fn from(error: LinkError) -> Self {
        match error {
            LinkError::Token(_) => Self::Refused(RedeemError::UnknownLink),
            LinkError::Aws(error) => Self::Aws(error),
        }
    }
}

impl RedeemLink {
    /// Answers a request; never with a problem, since every answer of this function, errors too, has its own
    /// headers and a page that a person understands.
    pub(crate) async fn handle(&self, request: Request) -> Result<Response, Problem> {
        let form = Form::wanted(&request);
        let redeemed = timeout(PATIENCE, self.redeem(&request, form)).await.unwrap_or(Err(Miss::Late));
        let answer = redeemed.unwrap_or_else(|miss| missed(&miss, form));
        Ok(pages::protected(answer))
    }

    async fn redeem(&self, request: &Request, form: Form) -> Result<Response, Miss> {
        let (now, decided) = (self.clock.now(), SystemTime::now());
        let token = path_parameter(request, "token");
        let target = target(request).ok_or(RedeemError::UnknownLink)?;
        let link = self.key_ring_cache.open(&token, now).await?;
        let share = if is_counted(request) {
            self.table.redeem(&link, target, new_write_id()?, now).await?
        } else {
            self.table.get(&link.item, link.share).await?
        };
        let share = share.ok_or(RedeemError::UnknownLink)?;
        let delivery = share.redeem(link.generation, target, now)?;
        if is_counted(request) {
            tell(target, &delivery);
        }
        match delivery {
            Redemption::List(files) => Ok(pages::files(&share, files, &token, form)),
            Redemption::File(file, life) => {
                let method =
                    if request.method() == Method::HEAD { SignedMethod::Head } else { SignedMethod::Get };
                if self.files.presence(&link.item, &file.name).await == Presence::Missing {
                    return Err(Miss::FileMissing);
                }
                redirect(&self.files.signed_url(&link.item, &file.name, method, decided, life).await?)
            }
        }
    }
}

/// Which file is asked for; a number that is not written plainly is no file's.
fn target(request: &Request) -> Option<Target> {
    let n = path_parameter(request, "n");
    if n.is_empty() {
        return Some(Target::Link);
    }
    n.parse().ok().filter(|number: &NonZeroUsize| number.to_string() == n).map(Target::File)
}

/// HEAD and prefetches are answered and never counted: nobody has seen anything yet.
fn is_counted(request: &Request) -> bool {
    let says =
        |name, word| header(request, name).is_some_and(|value| value.to_ascii_lowercase().contains(word));
    let prefetch = says("sec-purpose", "prefetch")
        || says("purpose", "prefetch")
        || says("x-moz", "prefetch")
        || says("x-purpose", "preview");
    request.method() != Method::HEAD && !prefetch
}

/// Tells operators of a use that the share has counted.
fn tell(target: Target, delivery: &Redemption<'_>) {
    if target == Target::Link {
        metrics::counter!("Opens").increment(1);
    }
    if matches!(delivery, Redemption::File(..)) {
        metrics::counter!("Downloads").increment(1);
    }
}

fn redirect(url: &str) -> Result<Response, Miss> {
    let unexpected = |_| AwsError::Rejected { service: "s3", code: "presigning".into() };
    let mut answer = Response::default();
    *answer.status_mut() = StatusCode::FOUND;
    answer.headers_mut().insert(LOCATION, HeaderValue::from_str(url).map_err(unexpected)?);
    Ok(answer)
}

fn missed(miss: &Miss, form: Form) -> Response {
    let problem = match miss {
        Miss::Refused(RedeemError::UnknownLink) => ProblemType::UnknownLink,
        Miss::Refused(RedeemError::AccessEnded) => ProblemType::AccessEnded,
        Miss::FileMissing => ProblemType::FileMissing,
        Miss::Aws(error) => {
            tracing::error!(%error, "a link could not be redeemed");
            error.into()
        }
        Miss::Late => {
            tracing::error!("a redemption has taken too long");
            ProblemType::TemporarilyUnavailable
        }
    };
    metrics::counter!("Refusals", "Reason" => problem.name()).increment(1);
    pages::problem(problem, form)
}
