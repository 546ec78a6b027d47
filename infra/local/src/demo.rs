//! The whole journey, step by step, on the deployed stack.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use chrono::{SecondsFormat, TimeDelta, Utc};
use reqwest::header::{CONTENT_DISPOSITION, LOCATION};
use reqwest::redirect::Policy;
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use crate::files;
use crate::issuer::Claims;
use crate::mailbox::Mail;
use crate::stack::StackInfo;
use crate::up::{Options, Stack, until_stopped};

/// `cargo local demo`.
pub(crate) async fn run(options: &Options) -> Result<()> {
    if let Some(stack) = StackInfo::running().await {
        println!("Using the running stack at {}", stack.api_url);
        return play(&stack).await;
    }
    let stack =
        until_stopped(options.until_stdin_closes, Stack::start(options)).await.context("interrupted")??;
    let played = until_stopped(options.until_stdin_closes, play(&stack.info)).await;
    stack.stop().await;
    played.context("interrupted")?
}

struct Demo<'a> {
    stack: &'a StackInfo,
    client: Client,
    token: String,
    item: String,
}

async fn play(stack: &StackInfo) -> Result<()> {
    let demo = Demo {
        stack,
        // A recipient's redirect is looked at before it is followed.
        client: Client::builder().redirect(Policy::none()).timeout(Duration::from_secs(30)).build()?,
        token: stack.token(&Claims::default()).await?,
        item: format!("demo-{}", Utc::now().timestamp_millis()),
    };
    let file: Vec<u8> = (0..200_000_u32).flat_map(|i| i.wrapping_mul(2_654_435_761).to_be_bytes()).collect();
    let name = "Entwurf (final) ✓.pdf";
    files::upload(stack, &format!("jobs/{}/{name}", demo.item), file.clone()).await?;
    println!("\n1. Uploaded {name}, {} bytes, as a file of the item jobs/{}", file.len(), demo.item);

    let (bob, eve) = ("bob@example.com", "eve@example.org");
    let shares = demo.share(&[bob, eve]).await?;
    println!("2. Shared it with {bob} and {eve}: 201");

    let mails = demo.mails(&[bob, eve]).await?;
    println!("3. Each got an email of their own:");
    for mail in &mails {
        let text = mail.text.replace('\n', "\n     │ ");
        println!(
            "     ┌ To: {}\n     │ Subject: {}\n     │\n     │ {text}\n     └",
            mail.to.join(", "),
            mail.subject
        );
    }
    let (bobs, eves) = (link_to(bob, &mails)?, link_to(eve, &mails)?);
    ensure!(bobs != eves, "both got the same link");

    let downloaded = demo.download(&bobs).await?;
    ensure!(downloaded == file, "other bytes came back");
    println!("4. Followed {bob}'s link without a login: the same {} bytes came back", downloaded.len());

    let share = shares.iter().find(|share| share["recipient"] == bob).context("no share for bob")?;
    let id = share["shareId"].as_str().context("no shareId")?;
    demo.call(Method::POST, &format!("/{id}/revoke"), None, StatusCode::OK).await?;
    let gone = demo.client.get(&bobs).send().await?;
    ensure!(gone.status() == StatusCode::GONE, "a revoked link answers {}", gone.status());
    ensure!(demo.download(&eves).await? == file, "the other link must go on working");
    println!("5. Revoked {bob}'s access: the link answers 410 Gone, {eve}'s still works");

    println!("6. What Manage Link Access shows:");
    for (status, recipient) in [("active", eve), ("inactive", bob)] {
        let list = demo.call(Method::GET, &format!("?status={status}"), None, StatusCode::OK).await?;
        let shares = list["shares"].as_array().context("no shares")?;
        ensure!(shares.len() == 1 && shares[0]["recipient"] == recipient, "the {status} tab shows {list}");
        println!(
            "     {status:<8} {recipient} (mail {}, {} opened, {} downloaded)",
            shares[0]["mail"]["state"].as_str().unwrap_or_default(),
            shares[0]["opens"],
            shares[0]["downloads"],
        );
    }
    println!("\nEvery step held.");
    Ok(())
}

impl Demo<'_> {
    async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
        expected: StatusCode,
    ) -> Result<Value> {
        let url = format!("{}/modules/jobs/items/{}/shares{path}", self.stack.api_url, self.item);
        let mut request = self.client.request(method, url).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await?;
        let (status, body) = (answer.status(), answer.text().await?);
        ensure!(status == expected, "{status} where {expected} was expected: {body}");
        Ok(serde_json::from_str(&body)?)
    }

    async fn share(&self, recipients: &[&str]) -> Result<Vec<Value>> {
        let expires_at = (Utc::now() + TimeDelta::days(7)).to_rfc3339_opts(SecondsFormat::Secs, true);
        let body = json!({
            "recipients": recipients, "expiresAt": expires_at, "message": "Here is the draft. Any thoughts?",
        });
        let answer = self.call(Method::POST, "", Some(body), StatusCode::CREATED).await?;
        let results = answer["results"].as_array().context("no results")?;
        ensure!(
            results.iter().all(|result| result["outcome"] == "created"),
            "not all were created: {answer}"
        );
        Ok(results.clone())
    }

    /// The emails to these recipients, once every share says that its email was sent.
    async fn mails(&self, recipients: &[&str]) -> Result<Vec<Mail>> {
        let sent = async {
            loop {
                let list = self.call(Method::GET, "", None, StatusCode::OK).await?;
                let sent = |share: &Value| share["mail"]["state"] == "sent";
                if list["shares"].as_array().is_some_and(|shares| shares.iter().all(sent)) {
                    break;
                }
                sleep(Duration::from_millis(200)).await;
            }
            let mails: Vec<Mail> = self.client.get(&self.stack.mail_url).send().await?.json().await?;
            // The latest to each: a running stack may have sent them others before.
            let latest = |recipient: &&str| mails.iter().rfind(|mail| mail.to == [*recipient]).cloned();
            recipients.iter().map(latest).collect::<Option<Vec<_>>>().context("a recipient got no email")
        };
        timeout(Duration::from_secs(30), sent).await.context("the emails did not arrive")?
    }

    /// What a recipient does: follows the link to the file.
    async fn download(&self, link: &str) -> Result<Vec<u8>> {
        let redirect = self.client.get(link).send().await?;
        ensure!(redirect.status() == StatusCode::FOUND, "the link answers {}", redirect.status());
        let location = redirect.headers().get(LOCATION).context("no Location")?.to_str()?;
        let file = self.client.get(location).send().await?.error_for_status()?;
        let disposition = file.headers().get(CONTENT_DISPOSITION).context("no Content-Disposition")?;
        ensure!(disposition.to_str()?.starts_with("attachment"), "the file is no attachment");
        Ok(file.bytes().await?.to_vec())
    }
}

fn link_to(recipient: &str, mails: &[Mail]) -> Result<String> {
    let mail = mails.iter().find(|mail| mail.to == [recipient]).context("a recipient got no email")?;
    let link = mail.text.lines().find(|line| line.starts_with("http")).context("an email has no link")?;
    Ok(link.to_owned())
}
