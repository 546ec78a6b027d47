//! The body of a create request, validated field by field.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use sharelink_domain::expiry::RequestedExpiry;
use sharelink_domain::reminder::{ReminderDays, ReminderDaysError};
use sharelink_domain::{Expiry, FileName, Language, Message, ShareRules, Timestamp};
use sharelink_http::{FieldError, Problem};

/// The body as received. Every field is optional, so that validation can report all missing fields.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct CreateBody {
    recipients: Option<Vec<String>>,
    expires_at: Option<String>,
    message: Option<String>,
    files: Option<Vec<String>>,
    notify: Option<bool>,
    /// Left out of the fingerprint if absent, so that clients of earlier versions can retry.
    #[serde(skip_serializing_if = "Option::is_none")]
    language: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remind_days_before: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    notify_on_first_download: Option<bool>,
}

/// A validated create request.
#[derive(Debug)]
pub(crate) struct CreateRequest {
    /// The recipients as entered. Each one is parsed later and gets a separate result.
    pub(crate) recipients: Vec<String>,
    expiry: RequestedExpiry,
    pub(crate) message: Option<Message>,
    /// The names of the files to share, in order. `None` means all of the item's files.
    pub(crate) files: Option<Vec<FileName>>,
    pub(crate) notify: bool,
    /// `None` means the deployment's language.
    pub(crate) language: Option<Language>,
    /// `None` means the deployment's number of days.
    pub(crate) reminder: Option<ReminderDays>,
    pub(crate) notify_on_first_download: bool,
}

impl CreateBody {
    /// Validates every field of a request received at `received_at`, and reports all invalid fields.
    pub(crate) fn validate(
        self,
        received_at: Timestamp,
        rules: &ShareRules,
    ) -> Result<CreateRequest, Problem> {
        let mut errors = Vec::new();
        let recipients = parse_recipients(self.recipients, rules.max_recipients);
        let recipients = collect_errors(&mut errors, recipients);
        let expiry = parse_expiry(self.expires_at.as_deref(), received_at, rules);
        let expiry = collect_errors(&mut errors, expiry);
        let message = collect_errors(&mut errors, parse_message(self.message.as_deref()));
        let files = collect_errors(&mut errors, self.files.as_deref().map(parse_files).transpose());
        let language = collect_errors(&mut errors, self.language.as_deref().map(parse_language).transpose());
        let reminder = collect_errors(&mut errors, self.remind_days_before.map(parse_reminder).transpose());
        match (recipients, expiry, message, files, language, reminder) {
            (Some(recipients), Some(expiry), Some(message), Some(files), Some(language), Some(reminder)) => {
                let notify = self.notify.unwrap_or(true);
                rules.check_email(notify)?;
                let notify_on_first_download = self.notify_on_first_download.unwrap_or_default();
                Ok(CreateRequest {
                    recipients,
                    expiry,
                    message,
                    files,
                    notify,
                    language,
                    reminder,
                    notify_on_first_download,
                })
            }
            _ => Err(Problem::Invalid(errors)),
        }
    }
}

impl CreateRequest {
    /// Validates the requested expiry, as of the time that the request was received.
    pub(crate) fn accept_expiry(&self, received_at: Timestamp) -> Result<Expiry, Problem> {
        accept_expiry(self.expiry, received_at).map_err(Problem::Invalid)
    }
}

/// Returns the field's value. If the field is invalid, adds its errors to `errors` and returns `None`.
fn collect_errors<T>(errors: &mut Vec<FieldError>, field: Result<T, Vec<FieldError>>) -> Option<T> {
    field.map_err(|invalid| errors.extend(invalid)).ok()
}

fn invalid<T>(pointer: &str, detail: impl std::fmt::Display) -> Result<T, Vec<FieldError>> {
    Err(vec![FieldError::pointer(pointer, detail)])
}

fn parse_recipients(entries: Option<Vec<String>>, limit: usize) -> Result<Vec<String>, Vec<FieldError>> {
    match entries {
        None => invalid("/recipients", "is required"),
        Some(entries) if (1..=limit).contains(&entries.len()) => Ok(entries),
        Some(_) => invalid("/recipients", format!("must contain 1 to {limit} addresses")),
    }
}

fn parse_expiry(
    text: Option<&str>,
    received_at: Timestamp,
    rules: &ShareRules,
) -> Result<RequestedExpiry, Vec<FieldError>> {
    let Some(text) = text else { return invalid("/expiresAt", "is required") };
    let requested = text.parse().or_else(|error| invalid("/expiresAt", error))?;
    let expiry = accept_expiry(requested, received_at)?;
    match rules.check_expiry(expiry, received_at) {
        Ok(()) => Ok(requested),
        Err(violation) => Err(vec![FieldError::access_too_long(violation)]),
    }
}

fn accept_expiry(requested: RequestedExpiry, received_at: Timestamp) -> Result<Expiry, Vec<FieldError>> {
    requested.accept(received_at).or_else(|error| invalid("/expiresAt", error))
}

fn parse_message(text: Option<&str>) -> Result<Option<Message>, Vec<FieldError>> {
    Message::parse(text.unwrap_or_default()).or_else(|error| invalid("/message", error))
}

fn parse_reminder(days: u64) -> Result<ReminderDays, Vec<FieldError>> {
    days.try_into().or_else(|error: ReminderDaysError| invalid("/remindDaysBefore", error))
}

fn parse_language(tag: &str) -> Result<Language, Vec<FieldError>> {
    Language::parse(tag).or_else(|error| invalid("/language", error))
}

fn parse_files(names: &[String]) -> Result<Vec<FileName>, Vec<FieldError>> {
    if names.is_empty() {
        return invalid(
            "/files",
            "must name at least one file; omit the field to share all of the item's files",
        );
    }
    let mut seen = HashSet::new();
    let mut errors = Vec::new();
    let mut files = Vec::new();
    for (i, name) in names.iter().enumerate() {
        match name.parse::<FileName>() {
            Err(error) => errors.push(FieldError::pointer(format!("/files/{i}"), error)),
            Ok(_) if !seen.insert(name) => {
                errors.push(FieldError::pointer(format!("/files/{i}"), "is a duplicate"));
            }
            Ok(name) => files.push(name),
        }
    }
    if errors.is_empty() { Ok(files) } else { Err(errors) }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use sharelink_domain::testing::{NOW, time};

    use super::*;

    fn validate(body: Value) -> Result<CreateRequest, Problem> {
        validate_with(&ShareRules::default(), body)
    }

    fn validate_with(rules: &ShareRules, body: Value) -> Result<CreateRequest, Problem> {
        serde_json::from_value::<CreateBody>(body).unwrap().validate(time(NOW), rules)
    }

    fn invalid_pointers(body: Value) -> Vec<String> {
        let response = validate(body).unwrap_err().into_response();
        let problem: Value = serde_json::from_slice(response.body()).unwrap();
        let pointer = |error: &Value| error["pointer"].as_str().unwrap().to_owned();
        problem["errors"].as_array().unwrap().iter().map(pointer).collect()
    }

    #[test]
    fn missing_required_fields_are_reported() {
        assert_eq!(invalid_pointers(json!({})), ["/recipients", "/expiresAt"]);
    }

    #[test]
    fn all_invalid_fields_are_reported_together() {
        let body = json!({
            "recipients": [], "expiresAt": "tomorrow", "message": "x".repeat(2001), "files": ["a", "..", "a"],
            "language": "tlh", "remindDaysBefore": 31,
        });
        let expected = [
            "/recipients",
            "/expiresAt",
            "/message",
            "/files/1",
            "/files/2",
            "/language",
            "/remindDaysBefore",
        ];
        assert_eq!(invalid_pointers(body), expected);
    }

    #[test]
    fn recipient_and_file_counts_are_checked() {
        let body = json!({
            "recipients": vec!["ann@example.com"; 101], "expiresAt": "2026-03-11T00:00:00Z", "files": [],
        });
        assert_eq!(invalid_pointers(body), ["/recipients", "/files"]);
    }

    #[test]
    fn omitted_fields_have_defaults() {
        let body = json!({"recipients": ["no address"], "expiresAt": "2026-03-11T00:00:00Z", "message": ""});
        let request = validate(body).unwrap();
        assert!(request.notify, "recipients are notified by default");
        assert_eq!(request.files, None, "all files are shared by default");
        assert_eq!(request.message, None);
        assert_eq!(request.language, None, "the deployment's language");
        assert_eq!(request.reminder, None, "the deployment's number of days");
        assert!(!request.notify_on_first_download);
    }

    #[test]
    fn language_is_parsed_from_a_tag() {
        let body = |language| json!({"recipients": ["a"], "expiresAt": "2026-03-11T00:00:00Z", "language": language});
        for tag in ["sv", "sv-SE", "SV_se"] {
            assert_eq!(validate(body(tag)).unwrap().language, Some(Language::Swedish), "{tag}");
        }
        for tag in ["", "it", "klingon", "sv;q=1"] {
            assert_eq!(invalid_pointers(body(tag)), ["/language"], "{tag}");
        }
    }

    /// A client may retry a request that an earlier version received.
    #[test]
    fn absent_new_fields_leave_the_fingerprint_as_it_was() {
        let body = |body: Value| {
            serde_json::to_string(&serde_json::from_value::<CreateBody>(body).unwrap()).unwrap()
        };
        let frozen = r#"{"recipients":["a"],"expiresAt":null,"message":null,"files":null,"notify":null}"#;
        assert_eq!(body(json!({"recipients": ["a"]})), frozen);
        for (name, value) in [
            ("language", json!("de")),
            ("remindDaysBefore", json!(0)),
            ("notifyOnFirstDownload", json!(false)),
        ] {
            assert_ne!(body(json!({"recipients": ["a"], name: value})), frozen);
        }
    }
    #[test]
    fn rules_limit_recipients_and_expiry() {
        let rules =
            ShareRules { max_recipients: 2, max_access_days: 1.try_into().ok(), ..ShareRules::default() };
        let body = |recipients: &[&str], expires_at: &str| json!({"recipients": recipients, "expiresAt": expires_at});
        assert!(validate_with(&rules, body(&["a", "b"], "2026-03-11T23:59:59Z")).is_ok());
        let refused = validate_with(&rules, body(&["a", "b", "c"], "2026-03-12T00:00:00Z")).unwrap_err();
        let problem: Value = serde_json::from_slice(refused.into_response().body()).unwrap();
        assert_eq!(
            problem["errors"],
            json!([
                {"pointer": "/recipients", "detail": "must contain 1 to 2 addresses"},
                {
                    "pointer": "/expiresAt", "reason": "accessTooLong",
                    "detail": "must be on or before 2026-03-11: the maximum number of days is 1",
                },
            ])
        );
    }

    #[test]
    fn rules_may_require_an_email() {
        let rules = ShareRules { allows_links_without_email: false, ..ShareRules::default() };
        let body =
            |notify| json!({"recipients": ["a"], "expiresAt": "2026-03-11T00:00:00Z", "notify": notify});
        assert!(validate_with(&rules, body(true)).is_ok());
        assert!(validate(body(false)).is_ok());
        let refused = validate_with(&rules, body(false)).unwrap_err();
        assert_eq!(refused.problem_type(), sharelink_http::ProblemType::EmailRequired);
    }
}
