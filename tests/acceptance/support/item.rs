//! A test item with files to share, and the API calls that its users make.

use reqwest::header::HeaderMap;
use reqwest::{Method, RequestBuilder, Url};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Aws, Stack, contract, eventually, next_week, unique};

/// An API response with its complete body.
#[derive(Clone, Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

/// Sends a request and checks the response against the OpenAPI document.
pub(crate) async fn send(builder: RequestBuilder) -> Response {
    let (client, built) = builder.build_split();
    let request = built.unwrap();
    let (method, url) = (request.method().clone(), request.url().clone());
    let received = client.execute(request).await.unwrap();
    let (status, headers) = (received.status().as_u16(), received.headers().clone());
    let response = Response { status, headers, text: received.text().await.unwrap() };
    contract::check_response(&method, &url, &response);
    response
}

impl Response {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("not JSON: {self:?}"))
    }

    /// Returns the header's value, or an empty string if the header is missing.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Returns the id of the first share in the response to a create request.
    pub(crate) fn share_id(&self) -> String {
        self.json()["results"][0]["shareId"].as_str().unwrap().to_owned()
    }

    /// Returns the last path segment of the problem's type.
    pub(crate) fn problem_type(&self) -> String {
        assert_eq!(self.header("content-type"), "application/problem+json", "{self:?}");
        self.json()["type"].as_str().unwrap().rsplit('/').next().unwrap().to_owned()
    }

    /// Returns the pointer, parameter or header that each of the problem's errors names.
    pub(crate) fn error_locations(&self) -> Vec<String> {
        let location = |error: &Value| {
            let kinds = ["pointer", "parameter", "header"];
            kinds.iter().find_map(|kind| error.get(kind)).unwrap().as_str().unwrap().to_owned()
        };
        self.json()["errors"].as_array().unwrap().iter().map(location).collect()
    }

    /// Panics unless the response has this status.
    #[track_caller]
    pub(crate) fn assert_status(&self, status: u16) {
        assert_eq!(self.status, status, "{self:?}");
    }

    /// Panics unless the response is a problem with this status and type.
    #[track_caller]
    pub(crate) fn assert_problem(&self, status: u16, problem_type: &str) {
        self.assert_status(status);
        assert_eq!(self.problem_type(), problem_type, "{self:?}");
    }

    /// Panics unless the response is a 422 whose errors point to exactly these locations.
    #[track_caller]
    pub(crate) fn assert_invalid(&self, locations: &[&str]) {
        self.assert_status(422);
        assert_eq!(self.error_locations(), locations, "{self:?}");
    }
}

/// An email that the emulator's SES accepted.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Email {
    /// The From header, still encoded.
    pub(crate) from: String,
    pub(crate) to: Vec<String>,
    pub(crate) cc: Vec<String>,
    pub(crate) bcc: Vec<String>,
    pub(crate) subject: String,
    pub(crate) text: String,
    pub(crate) html: String,
}

impl Email {
    pub(crate) fn link(&self) -> String {
        self.text.lines().find(|line| line.starts_with("http")).expect("no link in the email").to_owned()
    }
}

/// Returns every email sent so far.
pub(crate) async fn all_emails(stack: &Stack) -> Vec<Email> {
    fetch_emails(stack, &[]).await
}

/// Returns the emails sent to an address so far.
pub(crate) async fn emails_to(stack: &Stack, address: &str) -> Vec<Email> {
    fetch_emails(stack, &[("to", address)]).await
}

async fn fetch_emails(stack: &Stack, query: &[(&str, &str)]) -> Vec<Email> {
    let url = Url::parse_with_params(&stack.info.mail_url, query).unwrap();
    stack.client.get(url).send().await.unwrap().error_for_status().unwrap().json().await.unwrap()
}

/// An item in the `jobs` module, and the token of a user who may share it.
pub(crate) struct TestItem<'a> {
    pub(crate) stack: &'a Stack,
    pub(crate) name: String,
    pub(crate) token: String,
}

impl<'a> TestItem<'a> {
    /// Creates an item with one file, `brief.pdf`.
    pub(crate) async fn new(stack: &'a Stack) -> Self {
        Self::with_files(stack, &["brief.pdf"]).await
    }

    /// Creates an item with these files. Each file's content is its name.
    pub(crate) async fn with_files(stack: &'a Stack, files: &[&str]) -> Self {
        let item = Self { stack, name: unique("item"), token: stack.token(&["producer"]).await };
        Aws::new(stack).open_item(&item.path()).await;
        for file in files {
            item.upload(file).await;
        }
        item
    }

    /// Returns the item's partition key in the table.
    pub(crate) fn path(&self) -> String {
        format!("jobs/{}", self.name)
    }

    /// Returns the file's key in the bucket.
    pub(crate) fn key(&self, file: &str) -> String {
        self.stack.info.file_key(&self.path(), file)
    }

    /// Uploads a file whose content is its name.
    pub(crate) async fn upload(&self, file: &str) {
        Aws::new(self.stack).upload(&self.key(file), file.as_bytes()).await;
    }

    /// Returns the item's URL, followed by `rest`.
    pub(crate) fn item_url(&self, rest: &str) -> String {
        format!("{}/modules/jobs/items/{}{rest}", self.stack.info.api_url, self.name)
    }

    /// Returns the URL of the item's shares, followed by `rest`.
    pub(crate) fn url(&self, rest: &str) -> String {
        self.item_url(&format!("/shares{rest}"))
    }

    /// Returns an authorized request to the URL of the item's shares followed by `rest`.
    pub(crate) fn request(&self, method: Method, rest: &str) -> RequestBuilder {
        self.stack.client.request(method, self.url(rest)).bearer_auth(&self.token)
    }

    pub(crate) async fn call(&self, method: Method, rest: &str) -> Response {
        send(self.request(method, rest)).await
    }

    /// Sends a PATCH request for a share, with an `If-Match` header if `if_match` is given.
    pub(crate) async fn patch(&self, id: &str, if_match: Option<&str>, body: &Value) -> Response {
        let request = self.request(Method::PATCH, &format!("/{id}")).json(body);
        send(match if_match {
            Some(etag) => request.header("If-Match", etag),
            None => request,
        })
        .await
    }

    /// Requests a change of a share's expiration, with this expected version.
    pub(crate) async fn change_expiration(
        &self,
        id: &str,
        expected_version: u64,
        expires_at: &str,
    ) -> Response {
        let etag = format!("\"{expected_version}\"");
        self.patch(id, Some(&etag), &json!({"expiresAt": expires_at})).await
    }

    pub(crate) async fn get(&self, rest: &str) -> Response {
        self.call(Method::GET, rest).await
    }

    /// Sends a create request with this body.
    pub(crate) async fn post(&self, body: &Value) -> Response {
        send(self.request(Method::POST, "").json(body)).await
    }

    /// Sends a create request with this body and idempotency key.
    pub(crate) async fn post_with_key(&self, key: &str, body: &Value) -> Response {
        send(self.request(Method::POST, "").header("Idempotency-Key", key).json(body)).await
    }

    /// Shares all of the item's files with these recipients for a week.
    pub(crate) async fn share(&self, recipients: &[&str]) -> Response {
        self.post(&json!({"recipients": recipients, "expiresAt": next_week()})).await
    }

    /// Shares all of the item's files with one recipient until `expires_at`, and waits for the email.
    pub(crate) async fn share_until(&self, recipient: &str, expires_at: &str) -> EmailedShare {
        let response = self.post(&json!({"recipients": [recipient], "expiresAt": expires_at})).await;
        response.assert_status(201);
        let id = response.share_id();
        let email = self.wait_for_email(recipient).await;
        EmailedShare { id, link: email.link() }
    }

    /// Shares all of the item's files with one recipient for a week, and waits for the email.
    pub(crate) async fn share_with(&self, recipient: &str) -> EmailedShare {
        self.share_until(recipient, &next_week()).await
    }

    /// Waits until the recipient's share has the email state `sent`. Returns the latest email to the
    /// recipient.
    pub(crate) async fn wait_for_email(&self, recipient: &str) -> Email {
        eventually("the email", || async {
            let all = self.get("?limit=100").await.json();
            let mut shares = all["shares"].as_array().unwrap().iter();
            let share =
                shares.find(|s| s["recipient"].as_str().unwrap().eq_ignore_ascii_case(recipient)).unwrap();
            (share["mail"]["state"] == "sent").then_some(())
        })
        .await;
        emails_to(self.stack, recipient).await.pop().expect("no email to the recipient")
    }

    /// Returns a page of the item's share log.
    pub(crate) async fn log_page(&self, query: &str) -> Response {
        let url = self.item_url(&format!("/share-log{query}"));
        send(self.stack.client.get(url).bearer_auth(&self.token)).await
    }

    /// Waits until the item's share log has at least `count` entries. Returns the entries, oldest first.
    pub(crate) async fn wait_for_log(&self, count: usize) -> Vec<Value> {
        eventually("the share log", || async {
            let log = self.log_page("?limit=100").await.json()["entries"].as_array().unwrap().clone();
            (log.len() >= count).then(|| log.into_iter().rev().collect())
        })
        .await
    }

    /// Renews a link. `if_match` is `*` or a quoted version.
    pub(crate) async fn renew(&self, id: &str, if_match: &str, body: &Value) -> Response {
        let request = self.request(Method::POST, &format!("/{id}/renew")).header("If-Match", if_match);
        send(request.json(body)).await
    }

    /// Returns a share's link, as "copy link" does.
    pub(crate) async fn copy_link(&self, id: &str) -> String {
        let copied = self.call(Method::POST, &format!("/{id}/link")).await;
        copied.assert_status(200);
        copied.json()["link"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn revoke(&self, id: &str) -> Response {
        self.call(Method::POST, &format!("/{id}/revoke")).await
    }

    /// Reads a share through the API.
    pub(crate) async fn get_share(&self, id: &str) -> Value {
        let response = self.get(&format!("/{id}")).await;
        response.assert_status(200);
        response.json()
    }

    /// Returns the recipients of the item's shares that have this status.
    pub(crate) async fn list_recipients(&self, status: &str) -> Vec<String> {
        let response = self.get(&format!("?status={status}")).await;
        response.assert_status(200);
        let shares = response.json()["shares"].as_array().unwrap().clone();
        shares.iter().map(|share| share["recipient"].as_str().unwrap().to_owned()).collect()
    }
}

/// A share whose recipient has received the link by email.
pub(crate) struct EmailedShare {
    pub(crate) id: String,
    pub(crate) link: String,
}

impl Stack {
    /// Requests a URL without a token, as a recipient does.
    pub(crate) async fn open(&self, url: &str) -> Response {
        send(self.client.get(url)).await
    }

    /// Opens a link and downloads its file. Returns the file's bytes and the `Content-Disposition` header.
    pub(crate) async fn download(&self, link: &str) -> (Vec<u8>, String) {
        let redirect = self.open(link).await;
        redirect.assert_status(302);
        let file =
            self.client.get(redirect.header("location")).send().await.unwrap().error_for_status().unwrap();
        let disposition = file.headers()["content-disposition"].to_str().unwrap().to_owned();
        (file.bytes().await.unwrap().to_vec(), disposition)
    }
}
