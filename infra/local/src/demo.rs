//! `cargo local demo`: demonstrates the life of a link on a deployed stack, step by step.

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
use crate::mailbox::Email;
use crate::stack::StackInfo;
use crate::up::{Options, Stack, unless_stopped};

/// Runs `cargo local demo`.
pub(crate) async fn run(options: &Options) -> Result<()> {
    if let Some(stack) = StackInfo::find_running().await {
        println!("Using the running stack at {}", stack.api_url);
        return play(&stack).await;
    }
    let stack =
        unless_stopped(options.until_stdin_closes, Stack::start(options)).await.context("interrupted")??;
    let played = unless_stopped(options.until_stdin_closes, play(&stack.info)).await;
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
        // Do not follow redirects automatically: the demo checks each redirect first.
        client: Client::builder().redirect(Policy::none()).timeout(Duration::from_secs(30)).build()?,
        token: stack.token(&Claims::default()).await?,
        item: format!("demo-{}", Utc::now().timestamp_millis()),
    };
    let file: Vec<u8> = (0..200_000_u32).flat_map(|i| i.wrapping_mul(2_654_435_761).to_be_bytes()).collect();
    let name = "Entwurf (final) ✓.pdf";
    files::upload(stack, "jobs", &demo.item, name, file.clone()).await?;
    println!("\n1. Uploaded {name} ({} bytes) to the item jobs/{}", file.len(), demo.item);

    let (bob, eve) = ("bob@example.com", "eve@example.org");
    let shares = demo.share(&[bob, eve]).await?;
    println!("2. Shared it with {bob} and {eve}: 201 Created");

    let emails = demo.wait_for_emails(&[bob, eve]).await?;
    println!("3. Each recipient received a separate email:");
    for email in &emails {
        let text = email.text.replace('\n', "\n     │ ");
        println!(
            "     ┌ To: {}\n     │ Subject: {}\n     │\n     │ {text}\n     └",
            email.to.join(", "),
            email.subject
        );
    }
    let (bobs_link, eves_link) = (find_link(bob, &emails)?, find_link(eve, &emails)?);
    ensure!(bobs_link != eves_link, "both recipients received the same link");

    let downloaded = demo.download(&bobs_link).await?;
    ensure!(downloaded == file, "the downloaded file differs");
    println!("4. Followed {bob}'s link without a login: downloaded the same {} bytes", downloaded.len());

    let share = shares.iter().find(|share| share["recipient"] == bob).context("no share for bob")?;
    let id = share["shareId"].as_str().context("no shareId")?;
    demo.call(Method::POST, &format!("/{id}/revoke"), None, StatusCode::OK).await?;
    let gone = demo.client.get(&bobs_link).send().await?;
    ensure!(gone.status() == StatusCode::GONE, "the revoked link returned {}", gone.status());
    ensure!(demo.download(&eves_link).await? == file, "the other link returned a different file");
    println!("5. Revoked {bob}'s access: the link returns 410 Gone, and {eve}'s link still works");

    println!("6. Manage Link Access shows:");
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
    println!("\nEvery step succeeded.");
    Ok(())
}

impl Demo<'_> {
    /// Calls a route for the item's shares, checks the response's status, and returns its JSON.
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
        let response = request.send().await?;
        let status = response.status();
        let text = response.text().await?;
        ensure!(status == expected, "expected {expected}, received {status}: {text}");
        Ok(serde_json::from_str(&text)?)
    }

    /// Shares the item's files and returns each recipient's result.
    async fn share(&self, recipients: &[&str]) -> Result<Vec<Value>> {
        let expires_at = (Utc::now() + TimeDelta::days(7)).to_rfc3339_opts(SecondsFormat::Secs, true);
        let body = json!({
            "recipients": recipients, "expiresAt": expires_at, "message": "Here is the draft. Any thoughts?",
        });
        let response = self.call(Method::POST, "", Some(body), StatusCode::CREATED).await?;
        let results = response["results"].as_array().context("no results")?;
        ensure!(
            results.iter().all(|result| result["outcome"] == "created"),
            "some shares were not created: {response}"
        );
        Ok(results.clone())
    }

    /// Waits until every share's email has been sent, and returns each recipient's email.
    async fn wait_for_emails(&self, recipients: &[&str]) -> Result<Vec<Email>> {
        let sent = async {
            loop {
                let list = self.call(Method::GET, "", None, StatusCode::OK).await?;
                let sent = |share: &Value| share["mail"]["state"] == "sent";
                if list["shares"].as_array().is_some_and(|shares| shares.iter().all(sent)) {
                    break;
                }
                sleep(Duration::from_millis(200)).await;
            }
            let emails: Vec<Email> = self.client.get(&self.stack.mail_url).send().await?.json().await?;
            // Use the latest email, because an earlier demo on the same stack may have sent others.
            let latest = |recipient: &&str| emails.iter().rfind(|email| email.to == [*recipient]).cloned();
            recipients.iter().map(latest).collect::<Option<Vec<_>>>().context("a recipient received no email")
        };
        timeout(Duration::from_secs(30), sent).await.context("the emails did not arrive")?
    }

    /// Follows a link to its file, as a recipient does.
    async fn download(&self, link: &str) -> Result<Vec<u8>> {
        let redirect = self.client.get(link).send().await?;
        ensure!(redirect.status() == StatusCode::FOUND, "the link returned {}", redirect.status());
        let location = redirect.headers().get(LOCATION).context("no Location")?.to_str()?;
        let file = self.client.get(location).send().await?.error_for_status()?;
        let disposition = file.headers().get(CONTENT_DISPOSITION).context("no Content-Disposition")?;
        ensure!(disposition.to_str()?.starts_with("attachment"), "the file is not an attachment");
        Ok(file.bytes().await?.to_vec())
    }
}

/// Returns the link in this recipient's email.
fn find_link(recipient: &str, emails: &[Email]) -> Result<String> {
    let email =
        emails.iter().find(|email| email.to == [recipient]).context("a recipient received no email")?;
    let link = email.text.lines().find(|line| line.starts_with("http")).context("an email has no link")?;
    Ok(link.to_owned())
}
