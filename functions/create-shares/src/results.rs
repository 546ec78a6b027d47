//! What became of each recipient, and the answer that says so.

use lambda_http::http::StatusCode;
use serde::Serialize;
use sharelink_aws::AwsError;
use sharelink_domain::address::AddressError;
use sharelink_domain::{Share, Status, Timestamp};
use sharelink_http::problem::{ProblemBody, problem_response};
use sharelink_http::{ProblemType, Response, ShareResponse};

/// What became of one recipient.
#[derive(Debug)]
pub(crate) enum RecipientResult {
    Created(Box<Share>),
    /// This very request had created it before; it is told as it was then.
    Retried(Box<Share>),
    /// The recipient has this share already.
    Exists(Box<Share>),
    Invalid(AddressError),
    Duplicate,
    /// AWS did not let it be created; the others go ahead.
    Failed(AwsError),
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

/// Something that was done, and may not be what the caller meant.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Warning {
    code: &'static str,
    detail: &'static str,
}

pub(crate) const ALREADY_EXPIRED: Warning = Warning {
    code: "alreadyExpired",
    detail: "The expiry has passed, so the links are inactive from the start.",
};

pub(crate) const FILES_LEFT_OUT: Warning = Warning {
    code: "filesLeftOut",
    detail: "The item has files whose names cannot be shared: they hold control characters or are too long.",
};

#[derive(Serialize)]
struct CreateResponse<'a> {
    /// The problem that no recipient escaped, where nothing was created.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    problem: Option<ProblemBody>,
    results: Vec<ResultResponse<'a>>,
    warnings: &'a [Warning],
}

impl RecipientResult {
    /// What operators are told: a repetition is not another share.
    pub(crate) fn metric(&self, now: Timestamp) -> &'static str {
        if matches!(self, Self::Retried(_)) { "repeated" } else { self.name(now) }
    }

    fn name(&self, now: Timestamp) -> &'static str {
        match self {
            Self::Created(_) | Self::Retried(_) => "created",
            Self::Exists(share) if share.status(now) == Status::Active => "alreadyActive",
            Self::Exists(_) => "alreadyInactive",
            Self::Invalid(_) => "invalidRecipient",
            Self::Duplicate => "duplicate",
            Self::Failed(_) => "failed",
        }
    }

    /// Why nothing was created.
    fn problem(&self, now: Timestamp) -> Option<ProblemType> {
        match self {
            Self::Created(_) | Self::Retried(_) => None,
            Self::Exists(share) if share.status(now) == Status::Active => Some(ProblemType::AlreadyActive),
            Self::Exists(_) => Some(ProblemType::AlreadyInactive),
            Self::Invalid(_) => Some(ProblemType::InvalidRecipient),
            Self::Duplicate => Some(ProblemType::DuplicateRecipient),
            Self::Failed(error) => Some(error.into()),
        }
    }

    fn to_response<'a>(&'a self, recipient: &'a str, now: Timestamp) -> ResultResponse<'a> {
        let (share, as_of) = match self {
            Self::Retried(share) => (Some(share), share.created_at),
            Self::Created(share) | Self::Exists(share) => (Some(share), now),
            _ => (None, now),
        };
        let detail = match self {
            Self::Invalid(error) => Some(error.to_string()),
            Self::Exists(_) => Some("Change its expiration in place of sharing again.".to_owned()),
            _ => None,
        };
        ResultResponse {
            recipient,
            outcome: self.name(now),
            share_id: share.map(|share| share.id.to_string()),
            share: share.map(|share| ShareResponse::new(share, as_of)),
            problem: self.problem(now).map(|problem| problem.body(detail)),
        }
    }
}

/// One answer for all the recipients, in the order of the request.
pub(crate) fn json_response(
    recipients: &[String],
    outcomes: &[RecipientResult],
    warnings: &[Warning],
    now: Timestamp,
) -> Response {
    let created = outcomes.iter().filter(|outcome| outcome.problem(now).is_none()).count();
    let results = recipients
        .iter()
        .zip(outcomes)
        .map(|(recipient, outcome)| outcome.to_response(recipient, now))
        .collect();
    if created == 0 {
        let problem = shared_problem(outcomes, now);
        problem.count();
        let body = CreateResponse { problem: Some(problem.body(None)), results, warnings };
        return problem_response(problem, &body);
    }
    let status = if created == outcomes.len() { StatusCode::CREATED } else { StatusCode::MULTI_STATUS };
    sharelink_http::json_response(
        status,
        "application/json",
        &CreateResponse { problem: None, results, warnings },
    )
}

/// Why nothing was created: AWS, since then it helps to try again; or what all recipients have in common.
fn shared_problem(outcomes: &[RecipientResult], now: Timestamp) -> ProblemType {
    let failed = outcomes.iter().find(|outcome| matches!(outcome, RecipientResult::Failed(_)));
    if let Some(problem) = failed.and_then(|outcome| outcome.problem(now)) {
        return problem;
    }
    let mut problems = outcomes.iter().filter_map(|outcome| outcome.problem(now));
    match problems.next() {
        Some(first) if problems.all(|problem| problem == first) => first,
        _ => ProblemType::NothingCreated,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use sharelink_domain::request::ShareRequest;
    use sharelink_domain::{Expiry, Generation, Item, SharedFile, Sharer};

    use super::*;

    fn now() -> Timestamp {
        "2026-03-10T12:00:00Z".parse().unwrap()
    }

    fn expiry() -> Expiry {
        Expiry::parse("2026-03-11T12:00:00Z", now()).unwrap()
    }

    fn share() -> Box<Share> {
        let request = ShareRequest {
            item: Item { module: "jobs".parse().unwrap(), name: "1042".parse().unwrap() },
            files: vec![SharedFile { name: "a".parse().unwrap(), size: 1 }],
            sharer: Sharer { sub: "u1".into(), name: None, email: None },
            message: None,
            expiry: expiry(),
            notify: true,
        };
        Box::new(request.share_with(
            "ann@example.com".parse().unwrap(),
            Generation::from_bytes([7; 16]),
            now(),
        ))
    }

    fn unavailable() -> RecipientResult {
        RecipientResult::Failed(AwsError::Unavailable {
            service: "dynamodb",
            code: "ThrottlingException".into(),
        })
    }

    fn answered(outcomes: &[RecipientResult]) -> (u16, Value, Response) {
        let recipients: Vec<String> = (0..outcomes.len()).map(|i| format!("r{i}@example.com")).collect();
        let answer = json_response(&recipients, outcomes, &[], now());
        (answer.status().as_u16(), serde_json::from_slice(answer.body()).unwrap(), answer)
    }

    #[test]
    fn the_status_says_how_many_were_created() {
        let cases = [
            (vec![RecipientResult::Created(share()), RecipientResult::Created(share())], 201),
            (vec![RecipientResult::Created(share()), RecipientResult::Duplicate], 207),
            (vec![RecipientResult::Created(share()), RecipientResult::Exists(share()), unavailable()], 207),
            (vec![RecipientResult::Exists(share()), RecipientResult::Invalid(AddressError::Shape)], 409),
            (
                vec![
                    RecipientResult::Invalid(AddressError::Shape),
                    RecipientResult::Invalid(AddressError::Domain),
                ],
                422,
            ),
        ];
        for (outcomes, status) in cases {
            assert_eq!(answered(&outcomes).0, status, "{outcomes:?}");
        }
    }

    #[test]
    fn what_aws_refused_is_told_and_does_not_undo_the_others() {
        let (_, body, _) = answered(&[unavailable(), RecipientResult::Created(share())]);
        assert_eq!(body["results"][0]["outcome"], "failed");
        assert_eq!(body["results"][0]["problem"]["status"], 503);
        assert_eq!(body["results"][1]["outcome"], "created");
    }

    #[test]
    fn where_aws_let_nothing_be_created_the_caller_may_try_again() {
        let (status, body, answer) = answered(&[RecipientResult::Exists(share()), unavailable()]);
        assert_eq!((status, &body["title"]), (503, &json!("Please try again in a moment")));
        assert_eq!(body["results"][0]["outcome"], "alreadyActive");
        assert!(answer.headers().contains_key("retry-after"));
        assert!(
            !String::from_utf8_lossy(answer.body()).contains("Throttling"),
            "what AWS said is not for callers"
        );
    }
}
