//! `GET /share-rules`: returns the deployment's rules, so that frontends offer only what the API accepts.

use lambda_http::http::StatusCode;
use serde::Serialize;
use sharelink_domain::RecipientDomain;
use sharelink_http::{Problem, Request, Response, json_response};

use crate::router::ManageShares;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RulesResponse<'a> {
    default_access_days: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_access_days: Option<u16>,
    links_without_email: bool,
    max_recipients: usize,
    max_files: usize,
    allowed_recipient_domains: Vec<&'a str>,
    blocked_recipient_domains: Vec<&'a str>,
    suggestions: bool,
    reminder_days: u8,
    notices: Vec<&'static str>,
    language: &'static str,
}

fn names(domains: &[RecipientDomain]) -> Vec<&str> {
    domains.iter().map(RecipientDomain::as_str).collect()
}

impl ManageShares {
    /// Returns the rules to any caller. They are the same in every module.
    pub(crate) fn get_share_rules(&self, request: &Request) -> Result<Response, Problem> {
        self.authorization.authenticate(request)?;
        let rules = &self.rules;
        let max_access_days = rules.max_access_days.map(u16::from);
        let body = RulesResponse {
            default_access_days: self.default_access_days.min(max_access_days.unwrap_or(u16::MAX)),
            max_access_days,
            links_without_email: rules.allows_links_without_email,
            max_recipients: rules.max_recipients,
            max_files: rules.max_files,
            allowed_recipient_domains: names(&rules.allowed_domains),
            // Frontends do not know which domains belong together.
            blocked_recipient_domains: rules
                .blocked_domains
                .iter()
                .flat_map(RecipientDomain::with_aliases)
                .collect(),
            suggestions: self.suggests_recipients,
            reminder_days: self.reminder_days.get(),
            notices: self.notices.names(),
            language: self.default_language.tag(),
        };
        Ok(json_response(StatusCode::OK, "application/json", &body))
    }
}
