//! Changes of many shares together. Each share has its own result, and a failure does not affect the others.

use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};
use std::fmt::Display;
use std::hash::Hash;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use lambda_http::http::StatusCode;
use serde::Serialize;
use sharelink_aws::share_table::ChangedShare;
use sharelink_aws::{AwsError, ResolveError, new_write_id};
use sharelink_domain::share::{ChangeExpirationError, ExpectedVersion};
use sharelink_domain::{Action, Item, ItemName, ModuleName, Share, ShareId, Timestamp, WriteId};
use sharelink_http::problem::ProblemBody;
use sharelink_http::{
    Caller, FieldError, Problem, Request, Response, ShareResponse, idempotent_request, json_response,
};
use tokio::time::{Instant, timeout_at};

use crate::router::{ManageShares, ManagementError};
use crate::shares::change_problem;

/// The maximum number of shares in a request.
const SHARES_LIMIT: usize = 100;

/// The maximum number of a request's shares that are changed concurrently.
const CONCURRENCY: usize = 16;

/// The maximum number of concurrent questions to the item resolver per request. A new AWS account may run
/// only 10 functions at a time.
const QUESTIONS: usize = 8;

/// Time allowed for all questions of a request to the item resolver. Leaves the rest of the function's 25
/// seconds for the changes.
const QUESTIONS_TIMEOUT: Duration = Duration::from_secs(8);

/// A share to change, as in the request.
pub(crate) struct Reference {
    pub(crate) module: Option<String>,
    pub(crate) item: Option<String>,
    pub(crate) share_id: Option<String>,
    pub(crate) expected: ExpectedVersion,
}

/// A share to change.
#[derive(Debug)]
struct Target {
    item: Item,
    id: ShareId,
    expected: ExpectedVersion,
}

impl Target {
    fn parse(i: usize, reference: Reference) -> Result<Self, Vec<FieldError>> {
        let error = |field, detail: &dyn Display| FieldError::pointer(format!("/shares/{i}/{field}"), detail);
        let required = |field, value: Option<String>| value.ok_or_else(|| error(field, &"is required"));
        let module = required("module", reference.module)
            .and_then(|module| module.parse().map_err(|e| error("module", &e)));
        let name =
            required("item", reference.item).and_then(|name| name.parse().map_err(|e| error("item", &e)));
        let id = required("shareId", reference.share_id)
            .and_then(|id| id.parse().map_err(|e| error("shareId", &e)));
        match (module, name, id) {
            (Ok(module), Ok(name), Ok(id)) => {
                Ok(Self { item: Item { module, name }, id, expected: reference.expected })
            }
            (module, name, id) => Err([module.err(), name.err(), id.err()].into_iter().flatten().collect()),
        }
    }

    /// Returns everything that the request specifies about the share.
    fn contents(&self) -> (String, String, Option<u64>) {
        let version = match self.expected {
            ExpectedVersion::Exactly(version) => Some(version),
            ExpectedVersion::Any => None,
        };
        (self.item.to_string(), self.id.to_string(), version)
    }
}

/// Parses the shares to change, and reports every invalid field.
fn parse_targets(references: Vec<Reference>) -> Result<Vec<Target>, Problem> {
    if !(1..=SHARES_LIMIT).contains(&references.len()) {
        let detail = format!("must contain 1 to {SHARES_LIMIT} shares");
        return Err(Problem::Invalid(vec![FieldError::pointer("/shares", detail)]));
    }
    let (mut targets, mut errors) = (Vec::new(), Vec::new());
    for (i, reference) in references.into_iter().enumerate() {
        match Target::parse(i, reference) {
            Ok(target) => targets.push(target),
            Err(found) => errors.extend(found),
        }
    }
    if errors.is_empty() { Ok(targets) } else { Err(Problem::Invalid(errors)) }
}

#[derive(Serialize)]
struct BulkResponse<'a> {
    results: Vec<ResultResponse<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResultResponse<'a> {
    module: &'a ModuleName,
    item: &'a ItemName,
    share_id: String,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    share: Option<ShareResponse<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<&'a ProblemBody>,
}

impl<'a> ResultResponse<'a> {
    fn new(target: &'a Target, result: &'a Result<ChangedShare, ProblemBody>, now: Timestamp) -> Self {
        let (outcome, share, problem) = match result {
            Ok(changed) => {
                let outcome = if changed.is_changed { "changed" } else { "unchanged" };
                (outcome, Some(ShareResponse::new(&changed.share, now)), None)
            }
            Err(problem) => ("failed", None, Some(problem)),
        };
        let Item { module, name } = &target.item;
        Self { module, item: name, share_id: target.id.to_string(), outcome, share, problem }
    }
}

/// The changed share, `None` if there is nothing to change, or the reason to refuse the change.
type Decision = Result<Option<Share>, ChangeExpirationError>;

/// The change that a request makes to each of its shares.
pub(crate) struct BulkChange<'a> {
    /// Decides the change of one share, by the same rules as the route that changes one.
    pub(crate) decide: &'a (dyn Fn(&Share, &Action, ExpectedVersion) -> Decision + Sync),
    /// Decides whether the caller may make the change, from the check of the item.
    pub(crate) permit: fn(Result<(), ManagementError>) -> Result<(), ManagementError>,
    /// What the request specifies beside the shares.
    pub(crate) contents: Option<&'a str>,
}

impl ManageShares {
    /// Changes the shares, and returns a result for each, in the request's order.
    ///
    /// With an `Idempotency-Key`, every attempt has the same write id, so a share that an earlier attempt has
    /// changed is reported as changed and not changed again.
    pub(crate) async fn change_many(
        &self,
        request: &Request,
        caller: Caller,
        references: Vec<Reference>,
        change: &BulkChange<'_>,
    ) -> Result<Response, Problem> {
        let targets = parse_targets(references)?;
        let now = self.clock.now();
        let items = self.check_items(&caller, &targets, change, now).await;
        let action = Action { by: caller.into_sharer(), at: now };
        let contents = (targets.iter().map(Target::contents).collect::<Vec<_>>(), change.contents);
        let write = match idempotent_request(request, &action.by, &contents)? {
            None => new_write_id()?,
            Some(idempotent) => {
                let record = self.table.save_idempotency_record(&idempotent, (), now).await?;
                idempotent.write_id(record.received_at)
            }
        };

        // If a share occurs more than once, its changes follow each other in the request's order.
        let mut by_share: HashMap<(&Item, ShareId), Vec<usize>> = HashMap::new();
        for (i, target) in targets.iter().enumerate() {
            by_share.entry((&target.item, target.id)).or_default().push(i);
        }
        let change_share = async |positions: Vec<usize>| {
            let mut results = Vec::new();
            for i in positions {
                let target = &targets[i];
                let checked = items.get(&target.item).cloned().unwrap_or(Err(ManagementError::NoPermission));
                results.push((i, self.change_target(target, checked, change, &action, write).await));
            }
            results
        };
        let changes = stream::iter(by_share.into_values()).map(change_share).buffer_unordered(CONCURRENCY);
        let mut results: Vec<_> = changes.flat_map(stream::iter).collect().await;
        results.sort_unstable_by_key(|(i, _)| *i);
        let results = targets.iter().zip(&results);
        let results = results.map(|(target, (_, result))| ResultResponse::new(target, result, now)).collect();
        Ok(json_response(StatusCode::OK, "application/json", &BulkResponse { results }))
    }

    /// Checks once for each item whether the caller may make the change.
    async fn check_items(
        &self,
        caller: &Caller,
        targets: &[Target],
        change: &BulkChange<'_>,
        now: Timestamp,
    ) -> HashMap<Item, Result<(), ManagementError>> {
        let items: HashSet<&Item> = targets.iter().map(|target| &target.item).collect();
        let asks = |item: &&Item| self.asks_item_resolver(caller, item);
        let checked = check_all(items, asks, async |item| self.check_management(caller, item, now).await);
        let permit = |(item, checked): (&Item, _)| (item.clone(), (change.permit)(checked));
        checked.await.into_iter().map(permit).collect()
    }

    async fn change_target(
        &self,
        target: &Target,
        checked: Result<(), ManagementError>,
        change: &BulkChange<'_>,
        action: &Action,
        write: WriteId,
    ) -> Result<ChangedShare, ProblemBody> {
        let decide = |share: &Share| (change.decide)(share, action, target.expected);
        let changed = match checked {
            Ok(()) => {
                let table = &self.table;
                let changed =
                    table.change_with_outcome(&target.item, target.id, self.retention, write, decide).await;
                changed.map_err(change_problem)
            }
            Err(error) => Err(error.into()),
        };
        changed.map_err(|problem| {
            problem.problem_type().count();
            problem.into_body()
        })
    }
}

/// Checks all items. Those that `asks` selects need the item resolver: once it does not respond, or
/// [`QUESTIONS_TIMEOUT`] has passed, it is asked nothing more, and the remaining checks fail like in an outage. A
/// hundred timeouts or slow responses would take longer than the request may.
async fn check_all<T: Copy + Eq + Hash>(
    items: impl IntoIterator<Item = T>,
    asks: impl Fn(&T) -> bool,
    check: impl AsyncFn(T) -> Result<(), ManagementError>,
) -> HashMap<T, Result<(), ManagementError>> {
    let deadline = Instant::now() + QUESTIONS_TIMEOUT;
    let outage: OnceCell<ResolveError> = OnceCell::new();
    let ask = async |item| {
        if let Some(error) = outage.get() {
            return Err(error.clone().into());
        }
        let checked = timeout_at(deadline, check(item)).await.unwrap_or_else(|_| {
            let error = AwsError::Unavailable { service: "item-resolver", code: "timeout".into() };
            Err(ResolveError::Failed(error).into())
        });
        if let Err(ManagementError::Resolver(error)) = &checked
            && matches!(error, ResolveError::Failed(AwsError::Unavailable { .. }))
        {
            // Another question may have failed first.
            let _ = outage.set(error.clone());
        }
        checked
    };
    let check_one = async |item| (item, if asks(&item) { ask(item).await } else { check(item).await });
    stream::iter(items).map(check_one).buffer_unordered(QUESTIONS).collect().await
}

#[cfg(test)]
mod tests {
    use tokio::time::sleep;

    use super::*;
    use crate::router::permit_revocation;

    fn references(count: usize) -> Vec<Reference> {
        let reference = || Reference {
            module: Some("jobs".into()),
            item: Some("1042".into()),
            share_id: Some("877fab806afa6fcb1a85617f9ffe0709".into()),
            expected: ExpectedVersion::Any,
        };
        std::iter::repeat_with(reference).take(count).collect()
    }

    #[test]
    fn request_has_1_to_100_shares() {
        for count in [1, 100] {
            assert_eq!(parse_targets(references(count)).unwrap().len(), count);
        }
        for count in [0, 101] {
            let Err(Problem::Invalid(errors)) = parse_targets(references(count)) else { panic!("{count}") };
            assert_eq!(errors, [FieldError::pointer("/shares", "must contain 1 to 100 shares")]);
        }
    }

    #[test]
    fn limit_matches_the_openapi_document_and_the_components() {
        let openapi = include_str!("../../../infra/openapi.yaml");
        for schema in ["RevokeShares", "ChangeExpirations"] {
            let (_, schema) = openapi.split_once(&format!("    {schema}:\n")).unwrap();
            let (_, limit) = schema.split_once("maxItems: ").unwrap();
            assert!(limit.starts_with(&format!("{SHARES_LIMIT}\n")));
        }
        let components = include_str!("../../serve-ui/components/limits.js");
        assert!(components.contains(&format!("\nexport const BULK_LIMIT = {SHARES_LIMIT};\n")));
    }

    /// A check that takes this long.
    async fn allowed_after(time: Duration) -> Result<(), ManagementError> {
        sleep(time).await;
        Ok(())
    }

    fn is_unavailable(checked: &Result<(), ManagementError>) -> bool {
        let error = checked.as_ref().err();
        matches!(error, Some(ManagementError::Resolver(ResolveError::Failed(AwsError::Unavailable { .. }))))
    }

    #[tokio::test(start_paused = true)]
    async fn slow_item_resolver_does_not_delay_the_changes() {
        let start = Instant::now();

        let checked = check_all(0..100, |_| true, async |_| allowed_after(Duration::from_millis(2500)).await);
        let checked = checked.await;

        assert_eq!(start.elapsed(), QUESTIONS_TIMEOUT);
        let allowed = checked.values().filter(|checked| checked.is_ok()).count();
        assert_eq!(allowed, 3 * QUESTIONS, "those that the resolver allowed in time");
        assert_eq!(checked.values().filter(|checked| is_unavailable(checked)).count(), 100 - allowed);
        assert!(checked.into_values().all(|checked| permit_revocation(checked).is_ok()));
    }

    #[tokio::test(start_paused = true)]
    async fn silent_item_resolver_is_asked_nothing_more() {
        let error =
            || ResolveError::Failed(AwsError::Unavailable { service: "test", code: "timeout".into() });
        let questions = std::cell::Cell::new(0);
        let check = async |item| {
            if item % 2 == 1 {
                return Ok(());
            }
            questions.set(questions.get() + 1);
            sleep(Duration::from_secs(6)).await;
            Err(error().into())
        };

        let checked = check_all(0..100, |item| item % 2 == 0, check).await;

        assert!(questions.get() <= QUESTIONS, "{questions:?}");
        assert_eq!(checked.values().filter(|checked| checked.is_ok()).count(), 50, "they need no resolver");
        assert_eq!(checked.values().filter(|checked| is_unavailable(checked)).count(), 50);
    }

    #[tokio::test(start_paused = true)]
    async fn denial_stays_a_denial() {
        let check = async |_| Err(ManagementError::NoPermission);
        let checked = check_all([1], |_| true, check).await;
        assert!(matches!(permit_revocation(checked[&1].clone()), Err(ManagementError::NoPermission)));
    }
}
