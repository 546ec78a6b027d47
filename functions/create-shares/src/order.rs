//! What a caller orders: the body, read and checked field by field.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use sharelink_domain::request::{Message, RECIPIENTS_LIMIT};
use sharelink_domain::{Expiry, FileName, Timestamp};
use sharelink_http::{FieldError, Problem};

/// The body as it came. Every field is optional here, so that a missing one can be pointed at.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct OrderBody {
    recipients: Option<Vec<String>>,
    expires_at: Option<String>,
    message: Option<String>,
    files: Option<Vec<String>>,
    notify: Option<bool>,
}

/// A share as ordered, for several recipients.
#[derive(Debug)]
pub(crate) struct Order {
    /// As typed; each stands alone, so none is checked yet.
    pub(crate) recipients: Vec<String>,
    pub(crate) expiry: Expiry,
    pub(crate) message: Option<Message>,
    /// The files to share, in this order; `None` is all that the item has.
    pub(crate) files: Option<Vec<FileName>>,
    pub(crate) notify: bool,
}

impl OrderBody {
    /// Checks every field, and says what is wrong with each.
    pub(crate) fn read(&self, now: Timestamp) -> Result<Order, Problem> {
        let mut errors = Vec::new();
        let recipients = keep(&mut errors, recipients(self.recipients.as_deref()));
        let expiry = keep(&mut errors, expiry(self.expires_at.as_deref(), now));
        let message = keep(
            &mut errors,
            Message::parse(self.message.as_deref().unwrap_or_default())
                .map_err(|error| vec![FieldError::pointer("/message", error)]),
        );
        let files = keep(&mut errors, self.files.as_deref().map(files).transpose());
        match (recipients, expiry, message, files) {
            (Some(recipients), Some(expiry), Some(message), Some(files)) => {
                Ok(Order { recipients, expiry, message, files, notify: self.notify.unwrap_or(true) })
            }
            _ => Err(Problem::Invalid(errors)),
        }
    }
}

fn keep<T>(errors: &mut Vec<FieldError>, field: Result<T, Vec<FieldError>>) -> Option<T> {
    field.map_err(|wrong| errors.extend(wrong)).ok()
}

fn wrong<T>(pointer: &str, detail: impl std::fmt::Display) -> Result<T, Vec<FieldError>> {
    Err(vec![FieldError::pointer(pointer, detail)])
}

fn recipients(typed: Option<&[String]>) -> Result<Vec<String>, Vec<FieldError>> {
    match typed {
        None => wrong("/recipients", "is required"),
        Some(typed) if !(1..=RECIPIENTS_LIMIT).contains(&typed.len()) => {
            wrong("/recipients", format!("must be 1 to {RECIPIENTS_LIMIT} addresses"))
        }
        Some(typed) => Ok(typed.to_vec()),
    }
}

fn expiry(text: Option<&str>, now: Timestamp) -> Result<Expiry, Vec<FieldError>> {
    match text.map(|text| Expiry::parse(text, now)) {
        None => wrong("/expiresAt", "is required"),
        Some(Err(error)) => wrong("/expiresAt", error),
        Some(Ok(expiry)) => Ok(expiry),
    }
}

fn files(names: &[String]) -> Result<Vec<FileName>, Vec<FieldError>> {
    if names.is_empty() {
        return wrong("/files", "must name a file; without the field, all of the item's files are shared");
    }
    let mut seen = HashSet::new();
    let mut errors = Vec::new();
    let mut files = Vec::new();
    for (i, name) in names.iter().enumerate() {
        match name.parse::<FileName>() {
            Err(error) => errors.push(FieldError::pointer(format!("/files/{i}"), error)),
            Ok(_) if !seen.insert(name) => {
                errors.push(FieldError::pointer(format!("/files/{i}"), "is there twice"));
            }
            Ok(name) => files.push(name),
        }
    }
    if errors.is_empty() { Ok(files) } else { Err(errors) }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn pointers(body: &Value) -> Vec<String> {
        let body: OrderBody = serde_json::from_value(body.clone()).unwrap();
        let Err(problem) = body.read("2026-03-10T12:00:00Z".parse().unwrap()) else { return vec![] };
        let answer: Value = serde_json::from_slice(problem.into_response().body()).unwrap();
        let pointer = |error: &Value| error["pointer"].as_str().unwrap().to_owned();
        answer["errors"].as_array().unwrap().iter().map(pointer).collect()
    }

    #[test]
    fn every_wrong_field_is_pointed_at_in_one_answer() {
        assert_eq!(pointers(&json!({})), ["/recipients", "/expiresAt"]);
        assert_eq!(
            pointers(&json!({
                "recipients": [], "expiresAt": "tomorrow", "message": "x".repeat(2001), "files": ["a", "..", "a"],
            })),
            ["/recipients", "/expiresAt", "/message", "/files/1", "/files/2"]
        );
        let many = vec!["ann@example.com"; 101];
        assert_eq!(
            pointers(&json!({"recipients": many, "expiresAt": "2026-03-11T00:00:00Z", "files": []})),
            ["/recipients", "/files"]
        );
    }

    #[test]
    fn a_good_order_is_read_with_its_defaults() {
        let order = json!({"recipients": ["no address"], "expiresAt": "2026-03-11T00:00:00Z", "message": ""});
        let order: OrderBody = serde_json::from_value(order).unwrap();
        let order = order.read("2026-03-10T12:00:00Z".parse().unwrap()).unwrap();
        assert!(order.notify && order.files.is_none() && order.message.is_none());
    }
}
