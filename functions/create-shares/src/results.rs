//! What became of each recipient, and the answer that says so.

use lambda_http::http::StatusCode;
use serde::Serialize;
use sharelink_aws::AwsError;
use sharelink_domain::address::AddressError;
use sharelink_domain::{Expiry, Share, Status, Timestamp};
use sharelink_http::problem::{PROBLEM_JSON, ProblemBody, aws_problem};
use sharelink_http::{Answer, Problem, ProblemType, ShareAnswer};

/// What became of one recipient.
#[derive(Debug)]
pub(crate) enum Outcome {
    Created(Box<Share>),
    /// The recipient has this share already.
    Exists(Box<Share>),
    Invalid(AddressError),
    Duplicate,
    /// AWS did not let it be created; the others go ahead.
    Failed(AwsError),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResultAnswer<'a> {
    recipient: &'a str,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    share_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    share: Option<ShareAnswer<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<ProblemBody>,
}

#[derive(Serialize)]
struct Warning {
    code: &'static str,
    detail: &'static str,
}

const ALREADY_EXPIRED: Warning = Warning {
    code: "alreadyExpired",
    detail: "The expiry is earlier today, so the links are inactive from the start.",
};

#[derive(Serialize)]
struct CreateAnswer<'a> {
    /// The problem that no recipient escaped, where nothing was created.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    problem: Option<ProblemBody>,
    results: Vec<ResultAnswer<'a>>,
    warnings: &'a [Warning],
}

impl Outcome {
    fn name(&self, now: Timestamp) -> &'static str {
        match self {
            Self::Created(_) => "created",
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
            Self::Created(_) => None,
            Self::Exists(share) if share.status(now) == Status::Active => Some(ProblemType::AlreadyActive),
            Self::Exists(_) => Some(ProblemType::AlreadyInactive),
            Self::Invalid(_) => Some(ProblemType::InvalidRecipient),
            Self::Duplicate => Some(ProblemType::DuplicateRecipient),
            Self::Failed(error) => Some(aws_problem(error)),
        }
    }

    fn answer<'a>(&'a self, recipient: &'a str, now: Timestamp) -> ResultAnswer<'a> {
        let share = match self {
            Self::Created(share) | Self::Exists(share) => Some(share),
            _ => None,
        };
        let detail = match self {
            Self::Invalid(error) => Some(error.to_string()),
            Self::Exists(_) => Some("Change its expiration in place of sharing again.".to_owned()),
            _ => None,
        };
        ResultAnswer {
            recipient,
            outcome: self.name(now),
            share_id: share.map(|share| share.id.to_string()),
            share: share.map(|share| ShareAnswer::new(share, now)),
            problem: self.problem(now).map(|problem| problem.body(detail)),
        }
    }
}

/// One answer for all the recipients, in the order of the request.
pub(crate) fn answer(
    recipients: &[String],
    outcomes: &[Outcome],
    expiry: Expiry,
    now: Timestamp,
) -> Result<Answer, Problem> {
    let created = outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Created(_))).count();
    for outcome in outcomes {
        if let Outcome::Failed(error) = outcome {
            if created == 0 {
                return Err(error.clone().into());
            }
            tracing::error!(%error, "a share could not be created");
        }
    }
    let warnings = if expiry.already_past() && created > 0 { &[ALREADY_EXPIRED][..] } else { &[] };
    let results =
        recipients.iter().zip(outcomes).map(|(recipient, outcome)| outcome.answer(recipient, now)).collect();
    if created == 0 {
        let problem = shared_problem(outcomes, now);
        let body = CreateAnswer { problem: Some(problem.body(None)), results, warnings };
        return Ok(sharelink_http::answer(problem.status(), PROBLEM_JSON, &body));
    }
    let status = if created == outcomes.len() { StatusCode::CREATED } else { StatusCode::MULTI_STATUS };
    Ok(sharelink_http::answer(status, "application/json", &CreateAnswer { problem: None, results, warnings }))
}

/// The problem that all recipients have in common, or a word for several of them.
fn shared_problem(outcomes: &[Outcome], now: Timestamp) -> ProblemType {
    let mut problems = outcomes.iter().filter_map(|outcome| outcome.problem(now));
    match problems.next() {
        Some(first) if problems.all(|problem| problem == first) => first,
        _ => ProblemType::NothingCreated,
    }
}
