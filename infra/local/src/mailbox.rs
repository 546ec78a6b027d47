//! Emails that the emulator's SES has sent.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use reqwest::{Client, RequestBuilder};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::Mutex;

/// A sent email.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
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

/// The emails that the emulator has sent. Clones share what they have fetched.
#[derive(Clone)]
pub(crate) struct Mailbox {
    source: Source,
    client: Client,
    /// Oldest first.
    fetched: Arc<Mutex<Vec<Arc<Email>>>>,
}

/// Where an emulator lists its sent emails.
#[derive(Clone)]
pub(crate) enum Source {
    /// Contains the emulator's endpoint and secret.
    Ministack(String, String),
    /// Contains the emulator's endpoint.
    LocalStack(String),
}

/// Selects emails.
#[derive(Deserialize)]
struct Selection {
    /// The number of emails to leave out, starting with the oldest.
    #[serde(default)]
    skip: usize,
    /// Only emails to this address.
    to: Option<String>,
}

/// The emails after those that are known already.
struct LaterEmails {
    /// How many emails precede them: 0 if the emulator has listed all emails.
    skipped: usize,
    emails: Vec<Email>,
}

impl Mailbox {
    pub(crate) fn new(source: Source) -> Result<Self> {
        // One request at a time fetches emails, so it must not wait forever.
        let client = Client::builder().timeout(Duration::from_secs(30)).build()?;
        Ok(Self { source, client, fetched: Arc::default() })
    }

    /// Returns every sent email, oldest first.
    pub(crate) async fn emails(&self) -> Result<Vec<Arc<Email>>> {
        let mut fetched = self.fetched.lock().await;
        let LaterEmails { skipped, emails } = self.source.emails_after(&self.client, fetched.len()).await?;
        fetched.truncate(skipped);
        fetched.extend(emails.into_iter().map(Arc::new));
        Ok(fetched.clone())
    }

    /// Returns the route that lists the emails as JSON, in the same format for every emulator.
    pub(crate) fn routes(self) -> Router {
        Router::new().route("/mail", get(list_emails)).with_state(self)
    }
}

impl Source {
    /// Returns the emails after the first `count`, or all emails if the emulator cannot leave any out.
    async fn emails_after(&self, client: &Client, count: usize) -> Result<LaterEmails> {
        match self {
            Self::Ministack(endpoint, secret) => {
                let url = format!("{endpoint}/_ministack/ses/messages?skip={count}");
                let list = fetch(client.get(url).bearer_auth(secret)).await?;
                let skipped = list["skipped"].as_u64().unwrap_or(0).try_into()?;
                let accounts =
                    list["messages"].as_object().into_iter().flat_map(|accounts| accounts.values());
                let emails = accounts.filter_map(Value::as_array).flatten().map(from_ministack).collect();
                Ok(LaterEmails { skipped, emails })
            }
            Self::LocalStack(endpoint) => {
                let list = fetch(client.get(format!("{endpoint}/_aws/ses"))).await?;
                let emails = list["messages"].as_array().into_iter().flatten().map(from_localstack).collect();
                Ok(LaterEmails { skipped: 0, emails })
            }
        }
    }
}

async fn list_emails(
    State(mailbox): State<Mailbox>,
    Query(selection): Query<Selection>,
) -> Result<Response, StatusCode> {
    let emails = mailbox.emails().await.map_err(|_| StatusCode::BAD_GATEWAY)?;
    let is_selected = |email: &&Email| {
        let is_recipient = |to: &String| email.to.iter().any(|address| address.eq_ignore_ascii_case(to));
        selection.to.as_ref().is_none_or(is_recipient)
    };
    let selected: Vec<_> =
        emails.iter().skip(selection.skip).map(AsRef::as_ref).filter(is_selected).collect();
    Ok(Json(selected).into_response())
}

async fn fetch(request: RequestBuilder) -> Result<Value> {
    Ok(request.send().await?.error_for_status()?.json().await?)
}

fn from_ministack(message: &Value) -> Email {
    Email {
        from: string(&message["Source"]),
        to: strings(&message["To"]),
        cc: strings(&message["CC"]),
        bcc: strings(&message["BCC"]),
        subject: string(&message["Subject"]),
        text: string(&message["BodyText"]),
        html: string(&message["BodyHtml"]),
    }
}

fn from_localstack(message: &Value) -> Email {
    let destination = &message["Destination"];
    Email {
        from: string(&message["Source"]),
        to: strings(&destination["ToAddresses"]),
        cc: strings(&destination["CcAddresses"]),
        bcc: strings(&destination["BccAddresses"]),
        subject: string(&message["Subject"]),
        text: string(&message["Body"]["text_part"]),
        html: string(&message["Body"]["html_part"]),
    }
}

fn string(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn strings(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().map(string).collect()
}
