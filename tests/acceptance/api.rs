//! Bodies for create requests, and helpers for counting responses and reading pages.

use serde_json::{Value, json};

use crate::support::{Response, next_week};

/// A well-formed share id that belongs to no share.
pub(crate) const UNKNOWN_SHARE_ID: &str = "00000000000000000000000000000000";

/// Returns the body of a create request that shares all of an item's files for a week.
pub(crate) fn create_body(recipients: &[impl AsRef<str>]) -> Value {
    let recipients: Vec<&str> = recipients.iter().map(AsRef::as_ref).collect();
    json!({"recipients": recipients, "expiresAt": next_week()})
}

/// Returns the same body as [`create_body`], with these fields added or replaced.
pub(crate) fn create_body_with(recipients: &[impl AsRef<str>], fields: &Value) -> Value {
    let mut body = create_body(recipients);
    body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    body
}

/// Counts the responses that have this status.
pub(crate) fn count_with_status(responses: &[Response], status: u16) -> usize {
    responses.iter().filter(|response| response.status == status).count()
}

/// Reads all pages of a list, in order.
///
/// `read` takes the cursor of the page to read, or `None` for the first page.
pub(crate) async fn read_pages(read: impl AsyncFn(Option<&str>) -> Response) -> Vec<Value> {
    let mut pages = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let response = read(cursor.as_deref()).await;
        response.assert_status(200);
        let page = response.json();
        cursor = page["nextCursor"].as_str().map(str::to_owned);
        pages.push(page);
        if cursor.is_none() {
            return pages;
        }
    }
}
