//! The deployment's rules for shares.

use sharelink_domain::ShareRules;
use sharelink_domain::recipient_domain::{DomainListError, RecipientDomain, parse_domains};
use sharelink_domain::request::{FILES_LIMIT, RECIPIENTS_LIMIT};
use sharelink_runtime::{SettingError, optional, required_bool, required_number, required_positive_number};
use thiserror::Error;

/// The deployment's rules are missing or invalid.
#[derive(Debug, Error)]
pub enum ShareRulesError {
    #[error(transparent)]
    Setting(#[from] SettingError),
    #[error("the environment variable {0} {1}")]
    Domains(&'static str, DomainListError),
    #[error("the environment variable {0} is more than {1}")]
    TooLarge(&'static str, usize),
}

/// Reads the rules from the environment.
pub fn load_share_rules() -> Result<ShareRules, ShareRulesError> {
    Ok(ShareRules {
        max_access_days: required_number("MAX_ACCESS_DAYS")?.try_into().ok(),
        allows_links_without_email: required_bool("ALLOW_LINKS_WITHOUT_EMAIL")?,
        allowed_domains: domains("ALLOWED_RECIPIENT_DOMAINS")?,
        blocked_domains: domains("BLOCKED_RECIPIENT_DOMAINS")?,
        max_recipients: limit("MAX_RECIPIENTS", RECIPIENTS_LIMIT)?,
        max_files: limit("MAX_FILES", FILES_LIMIT)?,
    })
}

fn domains(name: &'static str) -> Result<Vec<RecipientDomain>, ShareRulesError> {
    let list = optional(name).unwrap_or_default();
    parse_domains(&list).map_err(|error| ShareRulesError::Domains(name, error))
}

fn limit(name: &'static str, max: usize) -> Result<usize, ShareRulesError> {
    let limit = required_positive_number(name)?.into();
    if limit <= max { Ok(limit) } else { Err(ShareRulesError::TooLarge(name, max)) }
}
