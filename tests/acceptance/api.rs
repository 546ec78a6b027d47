//! Requests to the API that several test files send, and assertions on its responses.

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::support::{Response, TestItem, next_week, send};

/// A well-formed share ID that no share has.
pub(crate) const UNKNOWN_SHARE_ID: &str = "00000000000000000000000000000000";

/// Returns the body of a create request that shares all of an item's files for a week.
pub(crate) fn create_body(recipients: &[impl AsRef<str>]) -> Value {
    let recipients: Vec<&str> = recipients.iter().map(AsRef::as_ref).collect();
    json!({"recipients": recipients, "expiresAt": next_week()})
}

/// Returns the body of [`create_body`] with these fields added or replaced.
pub(crate) fn create_body_with(recipients: &[impl AsRef<str>], fields: &Value) -> Value {
    let mut body = create_body(recipients);
    body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    body
}

/// Counts the responses that have this status.
pub(crate) fn count_with_status(responses: &[Response], status: u16) -> usize {
    responses.iter().filter(|response| response.status == status).count()
}

/// Reads a list from its first page to its last.
///
/// `read` gets the cursor of the page to read, or `None` for the first page.
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

impl TestItem<'_> {
    /// Returns an authorized request to a path below the item's shares.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.stack.client.request(method, self.url(path)).bearer_auth(&self.token)
    }

    /// Patches a share, with an `If-Match` header if one is given.
    pub(crate) async fn patch(&self, id: &str, if_match: Option<&str>, body: &Value) -> Response {
        let request = self.request(Method::PATCH, &format!("/{id}")).json(body);
        send(match if_match {
            Some(etag) => request.header("If-Match", etag),
            None => request,
        })
        .await
    }

    /// Changes the expiration of a share that is expected to have this version.
    pub(crate) async fn change_expiration(
        &self,
        id: &str,
        expected_version: u64,
        expires_at: &str,
    ) -> Response {
        let etag = format!("\"{expected_version}\"");
        self.patch(id, Some(&etag), &json!({"expiresAt": expires_at})).await
    }
}

impl Response {
    /// Panics unless the response has this status.
    #[track_caller]
    pub(crate) fn assert_status(&self, status: u16) {
        assert_eq!(self.status, status, "{self:?}");
    }

    /// Panics unless the response is a problem of this status and type.
    #[track_caller]
    pub(crate) fn assert_problem(&self, status: u16, problem_type: &str) {
        self.assert_status(status);
        assert_eq!(self.problem_type(), problem_type, "{self:?}");
    }

    /// Panics unless the response is a 422 whose errors point at exactly these locations.
    #[track_caller]
    pub(crate) fn assert_invalid(&self, locations: &[&str]) {
        self.assert_status(422);
        assert_eq!(self.error_locations(), locations, "{self:?}");
    }
}
