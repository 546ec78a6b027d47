//! `cargo local fuzz`: requests made up from the API's document, to find answers that it does not describe.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use chrono::{TimeDelta, Utc};
use clap::Args;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::issuer::Claims;
use crate::output::Step;
use crate::paths::{made, source};
use crate::stack::StackInfo;
use crate::up::{self, Stack, until_stopped};
use crate::{files, python};

#[derive(Args)]
pub(crate) struct FuzzOptions {
    /// How many requests to make up for each route, in each of its phases
    #[arg(long, default_value_t = 30)]
    examples: u32,
    /// The same seed makes up the same requests
    #[arg(long, default_value_t = 1)]
    seed: u64,
    #[command(flatten)]
    up: up::Options,
}

/// A run that takes longer than this hangs.
const LIMIT: Duration = Duration::from_mins(20);

/// `cargo local fuzz`.
pub(crate) async fn run(options: &FuzzOptions) -> Result<()> {
    if let Some(stack) = StackInfo::running().await {
        return fuzz(&stack, options).await;
    }
    let stack = until_stopped(options.up.until_stdin_closes, Stack::start(&options.up))
        .await
        .context("interrupted")??;
    let fuzzed = until_stopped(options.up.until_stdin_closes, fuzz(&stack.info, options)).await;
    stack.stop().await;
    fuzzed.context("interrupted")?
}

/// Twice: with the names of an item, a share and a link that exist, to reach what is behind them; and with any.
async fn fuzz(stack: &StackInfo, options: &FuzzOptions) -> Result<()> {
    python::FUZZ.prepare().await?;
    let known = known_parameters(stack).await?;
    for (name, parameters) in [("what exists", known.as_str()), ("anything", REFUSALS)] {
        let directory = made("fuzz");
        fs::create_dir_all(&directory)?;
        let settings = directory.join("schemathesis.toml");
        fs::write(&settings, fs::read_to_string(source("schemathesis.toml"))? + parameters)?;
        let step = Step::start(format!("asking for {name}"));
        let mut schemathesis = python::FUZZ.program("st")?;
        schemathesis
            .current_dir(&directory)
            // Or it leaves its notes in the working directory.
            .env("HYPOTHESIS_STORAGE_DIRECTORY", directory.join("hypothesis"))
            .env("API_URL", &stack.api_url)
            .env("TOKEN", stack.token(&Claims::default()).await?)
            .arg("--config-file")
            .arg(&settings)
            .args(["run", "--no-color"])
            .args(["--max-examples", &options.examples.to_string(), "--seed", &options.seed.to_string()])
            .arg(source("../openapi.yaml"));
        let output = timeout(LIMIT, python::run(&mut schemathesis)).await.context("the fuzzer hangs")??;
        step.done();
        println!("{}", output.trim());
    }
    Ok(())
}

/// What the document calls wrong must be refused. Not to be asked where names are given: the fuzzer takes one of
/// these for the wrong one that it meant to send.
const REFUSALS: &str = r#"
negative_data_rejection.enabled = true
negative_data_rejection.expected-statuses = [
  "400", "401", "403", "404", "409", "410", "412", "413", "422", "428", "429"
]
"#;

/// Settings that name an item, its share and its link.
async fn known_parameters(stack: &StackInfo) -> Result<String> {
    let item = format!("fuzz-{}", Utc::now().timestamp_millis());
    files::upload(stack, &format!("jobs/{item}/brief.pdf"), b"brief".to_vec()).await?;
    let token = stack.token(&Claims::default()).await?;
    let shares = format!("{}/modules/jobs/items/{item}/shares", stack.api_url);
    let post = |url: String, body: Value| {
        let request = reqwest::Client::new().post(url).bearer_auth(&token).json(&body);
        async move { request.send().await?.error_for_status()?.json::<Value>().await }
    };
    let expires_at = (Utc::now() + TimeDelta::days(7)).to_rfc3339();
    let order = json!({"recipients": ["ann@example.com"], "expiresAt": expires_at, "notify": false});
    let created = post(shares.clone(), order).await?;
    let share = created["results"][0]["shareId"].as_str().context("no share")?.to_owned();
    let link = post(format!("{shares}/{share}/link"), json!({})).await?;
    let token = link["link"].as_str().and_then(|link| link.rsplit('/').next()).context("no link")?;
    ensure!(!token.contains('"'), "a token is base64url");
    Ok(format!(
        "\n[parameters]\n\"path.module\" = \"jobs\"\n\"path.item\" = \"{item}\"\n\
         \"path.shareId\" = \"{share}\"\n\"path.token\" = \"{token}\"\n"
    ))
}
