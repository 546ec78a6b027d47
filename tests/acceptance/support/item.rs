//! An item of the platform, with files to share.

use reqwest::header::HeaderMap;
use reqwest::{Method, RequestBuilder};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Aws, Stack, contract, eventually, next_week, unique};

/// An answer of the API, read whole.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    /// The answer to a request, held to the contract.
    pub(crate) async fn to(request: RequestBuilder) -> Self {
        let (client, request) = request.build_split();
        let request = request.unwrap();
        let (method, url) = (request.method().clone(), request.url().clone());
        let answer = client.execute(request).await.unwrap();
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let answer = Self { status, headers, text: answer.text().await.unwrap() };
        contract::check(&method, &url, &answer);
        answer
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("not JSON: {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The id of the first share in the answer to a create.
    pub(crate) fn share_id(&self) -> String {
        self.json()["results"][0]["shareId"].as_str().unwrap().to_owned()
    }

    /// The end of the problem's type.
    pub(crate) fn problem(&self) -> String {
        assert_eq!(self.header("content-type"), "application/problem+json", "{self:?}");
        self.json()["type"].as_str().unwrap().rsplit('/').next().unwrap().to_owned()
    }

    /// The pointers, parameters and headers that the problem names.
    pub(crate) fn places(&self) -> Vec<String> {
        let place = |error: &Value| {
            let place = ["pointer", "parameter", "header"].iter().find_map(|place| error.get(place));
            place.unwrap().as_str().unwrap().to_owned()
        };
        self.json()["errors"].as_array().unwrap().iter().map(place).collect()
    }
}

/// A sent email.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Mail {
    pub(crate) to: Vec<String>,
    pub(crate) cc: Vec<String>,
    pub(crate) bcc: Vec<String>,
    pub(crate) subject: String,
    pub(crate) text: String,
    pub(crate) html: String,
}

impl Mail {
    pub(crate) fn link(&self) -> String {
        self.text.lines().find(|line| line.starts_with("http")).expect("a link in the email").to_owned()
    }
}

/// Every email that was sent so far.
pub(crate) async fn all_mails(stack: &Stack) -> Vec<Mail> {
    stack.client.get(&stack.info.mail_url).send().await.unwrap().json().await.unwrap()
}

/// The emails that were sent to an address so far.
pub(crate) async fn mails_to(stack: &Stack, address: &str) -> Vec<Mail> {
    let mails = all_mails(stack).await;
    mails.into_iter().filter(|mail| mail.to.iter().any(|to| to.eq_ignore_ascii_case(address))).collect()
}

/// An item in the module `jobs`, and a user who may share it.
pub(crate) struct TestItem<'a> {
    pub(crate) stack: &'a Stack,
    pub(crate) name: String,
    pub(crate) token: String,
}

impl<'a> TestItem<'a> {
    /// An item with one file, `brief.pdf`.
    pub(crate) async fn new(stack: &'a Stack) -> Self {
        Self::with_files(stack, &["brief.pdf"]).await
    }

    /// An item with these files; the bytes of each are its name's.
    pub(crate) async fn with_files(stack: &'a Stack, files: &[&str]) -> Self {
        let item = Self { stack, name: unique("item"), token: stack.token(&["producer"]).await };
        for file in files {
            item.upload(file).await;
        }
        item
    }

    pub(crate) fn key(&self, file: &str) -> String {
        format!("jobs/{}/{file}", self.name)
    }

    pub(crate) async fn upload(&self, file: &str) {
        Aws::of(self.stack).upload(&self.key(file), file.as_bytes()).await;
    }

    /// The address of the item's shares, or of something under it.
    pub(crate) fn url(&self, rest: &str) -> String {
        format!("{}/modules/jobs/items/{}/shares{rest}", self.stack.info.api_url, self.name)
    }

    pub(crate) async fn call(&self, method: Method, rest: &str) -> Answer {
        Answer::to(self.stack.client.request(method, self.url(rest)).bearer_auth(&self.token)).await
    }

    pub(crate) async fn get(&self, rest: &str) -> Answer {
        self.call(Method::GET, rest).await
    }

    /// Shares with this body.
    pub(crate) async fn post(&self, body: &Value) -> Answer {
        Answer::to(self.stack.client.post(self.url("")).bearer_auth(&self.token).json(body)).await
    }

    /// Shares with this body, under an idempotency key.
    pub(crate) async fn post_under(&self, key: &str, body: &Value) -> Answer {
        let request = self.stack.client.post(self.url("")).bearer_auth(&self.token);
        Answer::to(request.header("Idempotency-Key", key).json(body)).await
    }

    /// Shares all the item's files for a week.
    pub(crate) async fn share(&self, recipients: &[&str]) -> Answer {
        self.post(&json!({"recipients": recipients, "expiresAt": next_week()})).await
    }

    /// Shares with one recipient until then, and waits for the email with its link.
    pub(crate) async fn share_until(&self, recipient: &str, expires_at: &str) -> Shared {
        let answer = self.post(&json!({"recipients": [recipient], "expiresAt": expires_at})).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        let id = answer.share_id();
        let mail = self.mail_to(recipient).await;
        Shared { id, link: mail.link() }
    }

    /// Shares with one recipient for a week, and waits for the email with its link.
    pub(crate) async fn shared_with(&self, recipient: &str) -> Shared {
        self.share_until(recipient, &next_week()).await
    }

    /// The email to a recipient, once it has been sent and the share says so.
    pub(crate) async fn mail_to(&self, recipient: &str) -> Mail {
        eventually("the email", || async {
            let all = self.get("?limit=100").await.json();
            let mut shares = all["shares"].as_array().unwrap().iter();
            let share =
                shares.find(|s| s["recipient"].as_str().unwrap().eq_ignore_ascii_case(recipient)).unwrap();
            (share["mail"]["state"] == "sent").then_some(())
        })
        .await;
        mails_to(self.stack, recipient).await.pop().expect("an email to the recipient")
    }

    /// A page of the item's share log.
    pub(crate) async fn log(&self, query: &str) -> Answer {
        let url = self.url("").replace("/shares", &format!("/share-log{query}"));
        Answer::to(self.stack.client.get(url).bearer_auth(&self.token)).await
    }

    /// The item's share log, oldest first, once it has this many entries.
    pub(crate) async fn log_of(&self, count: usize) -> Vec<Value> {
        eventually("the log", || async {
            let log = self.log("?limit=100").await.json()["entries"].as_array().unwrap().clone();
            (log.len() >= count).then(|| log.into_iter().rev().collect())
        })
        .await
    }

    pub(crate) async fn revoke(&self, id: &str) -> Answer {
        self.call(Method::POST, &format!("/{id}/revoke")).await
    }

    pub(crate) async fn share_with_id(&self, id: &str) -> Value {
        let answer = self.get(&format!("/{id}")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    }

    /// The recipients that a tab lists.
    pub(crate) async fn tab(&self, status: &str) -> Vec<String> {
        let answer = self.get(&format!("?status={status}")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let shares = answer.json()["shares"].as_array().unwrap().clone();
        shares.iter().map(|share| share["recipient"].as_str().unwrap().to_owned()).collect()
    }
}

/// A share whose link has arrived.
pub(crate) struct Shared {
    pub(crate) id: String,
    pub(crate) link: String,
}

impl Stack {
    /// What a recipient without an account gets at an address.
    pub(crate) async fn open(&self, url: &str) -> Answer {
        Answer::to(self.client.get(url)).await
    }

    /// What a recipient gets by following a link to its file: its bytes, and what the browser calls it.
    pub(crate) async fn download(&self, link: &str) -> (Vec<u8>, String) {
        let redirect = self.open(link).await;
        assert_eq!(redirect.status, 302, "{redirect:?}");
        let file =
            self.client.get(redirect.header("location")).send().await.unwrap().error_for_status().unwrap();
        let disposition = file.headers()["content-disposition"].to_str().unwrap().to_owned();
        (file.bytes().await.unwrap().to_vec(), disposition)
    }
}
