//! The result for each recipient, and the response that contains them.

use lambda_http::http::StatusCode;
use lambda_http::http::header::RETRY_AFTER;
use serde::Serialize;
use sharelink_aws::Error;
use sharelink_domain::address::AddressError;
use sharelink_domain::email_limits::{LimitReached, until_next_day};
use sharelink_domain::rules::RuleViolation;
use sharelink_domain::{Share, Status, Timestamp};
use sharelink_http::problem::{ProblemBody, limit_detail, problem_response, whole_seconds};
use sharelink_http::{Problem, ProblemType, Response, ShareResponse, json_response};

/// The result for one recipient.
#[derive(Debug)]
pub(crate) enum RecipientResult {
    Created(Box<Share>),
    /// An earlier attempt at this request created the share. The share is reported in its original state.
    Retried(Box<Share>),
    /// The recipient already had this share of the item.
    Exists(Box<Share>),
    Invalid(AddressError),
    Duplicate,
    /// The share was not created, because it would break a rule of the deployment.
    NotAllowed(RuleViolation),
    /// The share was not created, because its email would exceed a daily limit.
    LimitReached(LimitReached),
    /// The share was not created, because the recipient's domain is switched off.
    SharingOff,
    /// The share could not be created. The other recipients are not affected.
    Failed(Error),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResultResponse<'a> {
    recipient: &'a str,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    share_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    share: Option<ShareResponse<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<ProblemBody>,
}

/// A consequence that the caller may not have intended.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Warning {
    code: &'static str,
    detail: &'static str,
}

pub(crate) const ALREADY_EXPIRED: Warning = Warning {
    code: "alreadyExpired",
    detail: "The expiry has already passed, so the links are inactive from the start.",
};

pub(crate) const FILES_LEFT_OUT: Warning = Warning {
    code: "filesLeftOut",
    detail: "Some of the item's files cannot be shared: their names are invalid or not unique.",
};

pub(crate) const FILES_ARCHIVED: Warning = Warning {
    code: "filesArchived",
    detail: "Some of the files are archived. Recipients cannot download them until they are restored.",
};

#[derive(Serialize)]
struct CreateResponse<'a> {
    /// The problem with the request as a whole, if no share was created.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    problem: Option<ProblemBody>,
    results: Vec<ResultResponse<'a>>,
    warnings: &'a [Warning],
}

impl RecipientResult {
    /// Returns the result's name in metrics. A retry has a separate name, to avoid counting its share twice.
    /// What an operator has switched off is no failure.
    fn metric(&self, now: Timestamp) -> &'static str {
        match self {
            Self::Retried(_) => "repeated",
            Self::SharingOff => "sharingOff",
            _ => self.outcome(now),
        }
    }

    fn outcome(&self, now: Timestamp) -> &'static str {
        match self {
            Self::Created(_) | Self::Retried(_) => "created",
            Self::Exists(share) if share.status(now) == Status::Active => "alreadyActive",
            Self::Exists(_) => "alreadyInactive",
            Self::Invalid(_) => "invalidRecipient",
            Self::Duplicate => "duplicate",
            Self::NotAllowed(_) => "notAllowed",
            Self::LimitReached(_) => "limitReached",
            Self::SharingOff | Self::Failed(_) => "failed",
        }
    }

    /// Returns why no share was created, or `None` if one was.
    fn problem(&self, now: Timestamp) -> Option<ProblemType> {
        match self {
            Self::Created(_) | Self::Retried(_) => None,
            Self::Exists(share) if share.status(now) == Status::Active => Some(ProblemType::AlreadyActive),
            Self::Exists(_) => Some(ProblemType::AlreadyInactive),
            Self::Invalid(_) => Some(ProblemType::InvalidRecipient),
            Self::Duplicate => Some(ProblemType::DuplicateRecipient),
            Self::NotAllowed(violation) => Some(Problem::from(*violation).problem_type()),
            Self::LimitReached(limit) => Some((*limit).into()),
            Self::SharingOff => Some(ProblemType::SharingOff),
            Self::Failed(error) => Some(error.into()),
        }
    }

    fn is_limited(&self) -> bool {
        matches!(self, Self::LimitReached(_))
    }

    fn to_response<'a>(&'a self, recipient: &'a str, now: Timestamp) -> ResultResponse<'a> {
        let (share, as_of) = match self {
            Self::Retried(share) => (Some(share), share.created_at),
            Self::Created(share) | Self::Exists(share) => (Some(share), now),
            _ => (None, now),
        };
        let detail = match self {
            Self::Invalid(error) => Some(error.to_string()),
            Self::LimitReached(limit) => Some(limit_detail(*limit)),
            Self::Exists(_) => Some("Change its expiration instead of sharing again.".to_owned()),
            _ => None,
        };
        let problem = match self {
            Self::NotAllowed(violation) => Some(Problem::from(*violation).into_body()),
            _ => self.problem(now).map(|problem| problem.body(detail)),
        };
        ResultResponse {
            recipient,
            outcome: self.outcome(now),
            share_id: share.map(|share| share.id.to_string()),
            share: share.map(|share| ShareResponse::new(share, as_of)),
            problem,
        }
    }
}

/// Counts the results in the metrics, and logs failures.
pub(crate) fn count(results: &[RecipientResult], now: Timestamp) {
    for result in results {
        metrics::counter!("Shares", "Outcome" => result.metric(now)).increment(1);
        if let RecipientResult::Failed(error) = result {
            tracing::error!(%error, "a share could not be created");
        }
    }
}

/// Creates the response, with one result per recipient in the request's order.
pub(crate) fn to_response(
    recipients: &[String],
    results: &[RecipientResult],
    warnings: &[Warning],
    now: Timestamp,
) -> Response {
    let created = results.iter().filter(|result| result.problem(now).is_none()).count();
    let bodies = recipients
        .iter()
        .zip(results)
        .map(|(recipient, result)| result.to_response(recipient, now))
        .collect();
    let mut response = if created == 0 {
        let problem = common_problem(results, now);
        problem.count();
        let body = CreateResponse { problem: Some(problem.body(None)), results: bodies, warnings };
        problem_response(problem, &body)
    } else {
        let status = if created == results.len() { StatusCode::CREATED } else { StatusCode::MULTI_STATUS };
        let body = CreateResponse { problem: None, results: bodies, warnings };
        json_response(status, "application/json", &body)
    };
    // A failure may be retried sooner.
    if results.iter().any(RecipientResult::is_limited) {
        let wait = whole_seconds(until_next_day(now));
        response.headers_mut().entry(RETRY_AFTER).or_insert(wait);
    }
    response
}

/// Returns the problem to report for a request that created no share. A failure takes precedence, and then a
/// limit, because a retry may help. Otherwise, the problem is the one that all recipients have in common, or
/// [`ProblemType::NothingCreated`] if their problems differ.
fn common_problem(results: &[RecipientResult], now: Timestamp) -> ProblemType {
    let failure = results.iter().find(|result| matches!(result, RecipientResult::Failed(_)));
    let temporary = failure.or_else(|| results.iter().find(|result| result.is_limited()));
    if let Some(problem) = temporary.and_then(|result| result.problem(now)) {
        return problem;
    }
    let mut problems = results.iter().filter_map(|result| result.problem(now));
    match problems.next() {
        Some(first) if problems.all(|problem| problem == first) => first,
        _ => ProblemType::NothingCreated,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use sharelink_aws::AwsError;
    use sharelink_domain::testing::{NOW, share, time};

    use super::*;

    fn created() -> RecipientResult {
        RecipientResult::Created(Box::new(share(&["a"])))
    }

    fn exists() -> RecipientResult {
        RecipientResult::Exists(Box::new(share(&["a"])))
    }

    fn unavailable() -> RecipientResult {
        let error = AwsError::Unavailable { service: "dynamodb", code: "ThrottlingException".into() };
        RecipientResult::Failed(error.into())
    }

    fn respond(results: &[RecipientResult]) -> Response {
        let recipients: Vec<String> = (0..results.len()).map(|i| format!("r{i}@example.com")).collect();
        to_response(&recipients, results, &[], time(NOW))
    }

    fn body(response: &Response) -> Value {
        serde_json::from_slice(response.body()).unwrap()
    }

    #[test]
    fn status_depends_on_how_many_shares_were_created() {
        let invalid = |error| RecipientResult::Invalid(error);
        for (results, status) in [
            (vec![created(), created()], 201),
            (vec![created(), RecipientResult::Duplicate], 207),
            (vec![created(), exists(), unavailable()], 207),
            (vec![exists(), invalid(AddressError::Shape)], 409),
            (vec![invalid(AddressError::Shape), invalid(AddressError::Domain)], 422),
        ] {
            assert_eq!(respond(&results).status(), status, "{results:?}");
        }
    }

    #[test]
    fn failure_does_not_affect_other_recipients() {
        let body = body(&respond(&[unavailable(), created()]));
        assert_eq!(body["results"][0]["outcome"], "failed");
        assert_eq!(body["results"][0]["problem"]["status"], 503);
        assert_eq!(body["results"][1]["outcome"], "created");
    }

    #[test]
    fn caller_may_retry_when_aws_failed_and_no_share_was_created() {
        let response = respond(&[exists(), unavailable()]);
        assert_eq!(response.status(), 503);
        assert!(response.headers().contains_key("retry-after"));
        let body = body(&response);
        assert_eq!(body["title"], json!(ProblemType::TemporarilyUnavailable.title()));
        assert_eq!(body["results"][0]["outcome"], "alreadyActive");
    }

    #[test]
    fn caller_learns_when_a_limit_ends() {
        let limited = || RecipientResult::LimitReached(LimitReached::Mailbox);
        for (results, status) in
            [(vec![created(), limited()], 207), (vec![exists(), limited()], 429), (vec![limited()], 429)]
        {
            let response = respond(&results);
            assert_eq!(response.status(), status, "{results:?}");
            assert_eq!(response.headers()["retry-after"], "43201", "{results:?}");
        }
        let mixed = respond(&[unavailable(), limited()]);
        assert_eq!(mixed.status(), 503);
        assert_eq!(mixed.headers()["retry-after"], "2");
        let reached = RecipientResult::LimitReached(LimitReached::Sharer { left: 3, limit: 500 });
        let problem = body(&respond(&[reached]))["results"][0]["problem"].clone();
        assert_eq!(problem["type"], "/problems/sharer-limit-reached");
        assert!(problem["detail"].as_str().unwrap().contains("3 are left"), "{problem}");
    }

    #[test]
    fn switched_off_recipients_do_not_affect_the_others() {
        let off = || RecipientResult::SharingOff;
        for (results, status) in
            [(vec![created(), off()], 207), (vec![off(), off()], 403), (vec![exists(), off()], 409)]
        {
            assert_eq!(respond(&results).status(), status, "{results:?}");
        }
        let body = body(&respond(&[off()]));
        assert_eq!(body["type"], "/problems/sharing-off");
        assert_eq!(body["results"][0]["outcome"], "failed");
        assert_eq!(body["results"][0]["problem"]["type"], "/problems/sharing-off");
    }

    #[test]
    fn response_does_not_reveal_aws_errors() {
        let response = respond(&[unavailable()]);
        assert!(!String::from_utf8_lossy(response.body()).contains("Throttling"));
    }
    #[test]
    fn recipient_that_the_rules_refuse_has_its_problem() {
        let refused = || RecipientResult::NotAllowed(RuleViolation::RecipientNotAllowed);
        assert_eq!(respond(&[refused()]).status(), 403);
        let response = respond(&[refused(), created()]);
        assert_eq!(response.status(), 207);
        let result = body(&response)["results"][0].clone();
        assert_eq!(result["outcome"], "notAllowed");
        assert_eq!(result["problem"]["type"], "/problems/recipient-not-allowed");
        let max_days = 1.try_into().unwrap();
        let late = RuleViolation::AccessTooLong { last_day: "2026-03-11".parse().unwrap(), max_days };
        let problem = body(&respond(&[RecipientResult::NotAllowed(late)]))["results"][0]["problem"].clone();
        assert_eq!(problem["errors"][0]["pointer"], "/expiresAt");
    }
}
