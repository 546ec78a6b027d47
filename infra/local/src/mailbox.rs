//! Emails that the emulator's SES has sent.

use std::sync::Arc;

use anyhow::Result;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use reqwest::{Client, RequestBuilder};
use serde::{Deserialize, Serialize};
use serde_json::Value;

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

/// An emulator's list of sent emails.
#[derive(Clone)]
pub(crate) enum Mailbox {
    /// Contains the emulator's endpoint and secret.
    Ministack(String, String),
    /// Contains the emulator's endpoint.
    LocalStack(String),
}

impl Mailbox {
    /// Returns every sent email, oldest first.
    pub(crate) async fn emails(&self) -> Result<Vec<Email>> {
        match self {
            Self::Ministack(endpoint, secret) => {
                let url = format!("{endpoint}/_ministack/ses/messages");
                let list = fetch(Client::new().get(url).bearer_auth(secret)).await?;
                let accounts =
                    list["messages"].as_object().into_iter().flat_map(|accounts| accounts.values());
                Ok(accounts.filter_map(Value::as_array).flatten().map(from_ministack).collect())
            }
            Self::LocalStack(endpoint) => {
                let list = fetch(Client::new().get(format!("{endpoint}/_aws/ses"))).await?;
                Ok(list["messages"].as_array().into_iter().flatten().map(from_localstack).collect())
            }
        }
    }

    /// Returns the route that lists the emails as JSON, in the same format for every emulator.
    pub(crate) fn routes(self) -> Router {
        Router::new().route("/mail", get(list_emails)).with_state(Arc::new(self))
    }
}

async fn list_emails(State(mailbox): State<Arc<Mailbox>>) -> Result<Json<Vec<Email>>, StatusCode> {
    mailbox.emails().await.map(Json).map_err(|_| StatusCode::BAD_GATEWAY)
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
