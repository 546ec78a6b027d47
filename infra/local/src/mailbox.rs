//! The mail that the emulator's SES has sent.

use std::sync::Arc;

use anyhow::Result;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One sent email.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub(crate) struct Mail {
    pub(crate) to: Vec<String>,
    pub(crate) cc: Vec<String>,
    pub(crate) bcc: Vec<String>,
    pub(crate) subject: String,
    pub(crate) text: String,
    pub(crate) html: String,
}

/// Where an emulator lists its mail.
#[derive(Clone, Debug)]
pub(crate) enum Mailbox {
    Ministack(String),
    LocalStack(String),
}

impl Mailbox {
    /// Everything that was sent, oldest first.
    pub(crate) async fn mails(&self) -> Result<Vec<Mail>> {
        match self {
            Self::Ministack(endpoint) => {
                let answer = list(&format!("{endpoint}/_ministack/ses/messages")).await?;
                let accounts =
                    answer["messages"].as_object().into_iter().flat_map(|accounts| accounts.values());
                Ok(accounts.filter_map(Value::as_array).flatten().map(of_ministack).collect())
            }
            Self::LocalStack(endpoint) => {
                let answer = list(&format!("{endpoint}/_aws/ses")).await?;
                Ok(answer["messages"].as_array().into_iter().flatten().map(of_localstack).collect())
            }
        }
    }

    /// The route that answers the mail as JSON, the same for every emulator.
    pub(crate) fn routes(self) -> Router {
        Router::new().route("/mail", get(answer)).with_state(Arc::new(self))
    }
}

async fn answer(State(mailbox): State<Arc<Mailbox>>) -> Result<Json<Vec<Mail>>, StatusCode> {
    mailbox.mails().await.map(Json).map_err(|_| StatusCode::BAD_GATEWAY)
}

async fn list(url: &str) -> Result<Value> {
    Ok(reqwest::get(url).await?.error_for_status()?.json().await?)
}

fn of_ministack(message: &Value) -> Mail {
    Mail {
        to: strings(&message["To"]),
        cc: strings(&message["CC"]),
        bcc: strings(&message["BCC"]),
        subject: string(&message["Subject"]),
        text: string(&message["BodyText"]),
        html: string(&message["BodyHtml"]),
    }
}

fn of_localstack(message: &Value) -> Mail {
    let destination = &message["Destination"];
    Mail {
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
