//! `cargo local fuzz`: sends generated requests to find responses that do not match the OpenAPI document.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use chrono::{TimeDelta, Utc};
use clap::Args;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::command::run as run_command;
use crate::issuer::Claims;
use crate::output::Step;
use crate::paths::{source, target};
use crate::stack::StackInfo;
use crate::up::{self, Stack, unless_stopped};
use crate::{files, python};

#[derive(Args)]
pub(crate) struct FuzzOptions {
    /// Number of requests to generate for each route in each phase
    #[arg(long, default_value_t = 30)]
    examples: u32,
    /// The random seed; the same seed generates the same requests
    #[arg(long, default_value_t = 1)]
    seed: u64,
    #[command(flatten)]
    up: up::Options,
}

/// Time allowed for one run of the fuzzer. A run that takes longer is assumed to hang.
const RUN_TIMEOUT: Duration = Duration::from_mins(20);

/// Runs `cargo local fuzz`.
pub(crate) async fn run(options: &FuzzOptions) -> Result<()> {
    if let Some(stack) = StackInfo::find_running().await {
        return fuzz(&stack, options).await;
    }
    let stack = unless_stopped(options.up.until_stdin_closes, Stack::start(&options.up))
        .await
        .context("interrupted")??;
    let fuzzed = unless_stopped(options.up.until_stdin_closes, fuzz(&stack.info, options)).await;
    stack.stop().await;
    fuzzed.context("interrupted")?
}

/// Runs the fuzzer twice. The first run uses the names of an existing item, share and link, so that requests
/// pass the checks that reject unknown names. The second run uses arbitrary names.
async fn fuzz(stack: &StackInfo, options: &FuzzOptions) -> Result<()> {
    python::FUZZ.prepare().await?;
    let existing = existing_parameters(stack).await?;
    for (names, settings) in [("existing", existing.as_str()), ("arbitrary", NEGATIVE_TESTS)] {
        let directory = target("fuzz");
        fs::create_dir_all(&directory)?;
        let config = directory.join("schemathesis.toml");
        fs::write(&config, fs::read_to_string(source("schemathesis.toml"))? + settings)?;
        let step = Step::start(format!("fuzzing with {names} names"));
        let mut schemathesis = python::FUZZ.program("st")?;
        schemathesis
            .current_dir(&directory)
            // Without this, Hypothesis writes to the working directory.
            .env("HYPOTHESIS_STORAGE_DIRECTORY", directory.join("hypothesis"))
            .env("API_URL", &stack.api_url)
            .env("TOKEN", stack.token(&Claims::default()).await?)
            .arg("--config-file")
            .arg(&config)
            .args(["run", "--no-color"])
            .args(["--max-examples", &options.examples.to_string(), "--seed", &options.seed.to_string()])
            .arg(source("../openapi.yaml"));
        let output =
            timeout(RUN_TIMEOUT, run_command(&mut schemathesis)).await.context("the fuzzer hung")??;
        step.done();
        println!("{}", output.trim());
    }
    Ok(())
}

/// Settings that require the API to reject invalid requests. They work only with arbitrary names: with
/// existing names, the fuzzer replaces each invalid name that it generates with a valid one.
const NEGATIVE_TESTS: &str = r#"
negative_data_rejection.enabled = true
negative_data_rejection.expected-statuses = [
  "400", "401", "403", "404", "409", "410", "412", "413", "422", "428", "429"
]
"#;

/// Creates an item, a share and a link, and returns settings that contain their names.
async fn existing_parameters(stack: &StackInfo) -> Result<String> {
    let item = format!("fuzz-{}", Utc::now().timestamp_millis());
    files::upload(stack, "jobs", &item, "brief.pdf", b"brief".to_vec()).await?;
    let jwt = stack.token(&Claims::default()).await?;
    let shares = format!("{}/modules/jobs/items/{item}/shares", stack.api_url);
    let post = |url: String, body: Value| {
        let request = reqwest::Client::new().post(url).bearer_auth(&jwt).json(&body);
        async move { request.send().await?.error_for_status()?.json::<Value>().await }
    };
    let expires_at = (Utc::now() + TimeDelta::days(7)).to_rfc3339();
    let body = json!({"recipients": ["ann@example.com"], "expiresAt": expires_at, "notify": false});
    let created = post(shares.clone(), body).await?;
    let share = created["results"][0]["shareId"].as_str().context("no share")?.to_owned();
    let link = post(format!("{shares}/{share}/link"), json!({})).await?;
    let token = link["link"].as_str().and_then(|link| link.rsplit('/').next()).context("no link")?;
    ensure!(!token.contains('"'), "a token must be base64url");
    Ok(format!(
        "\n[parameters]\n\"path.module\" = \"jobs\"\n\"path.item\" = \"{item}\"\n\
         \"path.shareId\" = \"{share}\"\n\"path.token\" = \"{token}\"\n"
    ))
}
