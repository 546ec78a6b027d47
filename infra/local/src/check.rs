//! `cargo local check-template` and `cargo local check-deployment`: check the template without deploying it,
//! and a deployed stack against its template.

use std::fs;

use anyhow::{Result, bail};
use clap::Args;
use tokio::process::Command;
use tokio::try_join;

use crate::command::run;
use crate::deployment::sam_environment;
use crate::emulator::REGION;
use crate::output::Step;
use crate::paths::{root, source, target};
use crate::python::{CHECK, DEPLOY, Environment};

/// Checks the template with SAM and cfn-lint, also for every combination of the parameters that choose between
/// resources, and then checks its security with checkov. No check reads an environment's parameters.
pub(crate) async fn run_checks() -> Result<()> {
    try_join!(DEPLOY.prepare(), CHECK.prepare())?;
    let step = Step::start("linting the template");
    let mut sam = DEPLOY.program("sam")?;
    sam.current_dir(root()).envs(sam_environment()).env("AWS_DEFAULT_REGION", REGION);
    run(sam.args(["validate", "--lint", "--template-file", "infra/template.yaml"])).await?;
    step.done();
    let step = Step::start("linting combinations of parameters");
    let mut lint = DEPLOY.program("python")?;
    let linted = run(lint.envs(sam_environment()).arg(source("lint_combinations.py"))).await?;
    step.done();
    println!("{}", linted.trim());
    let step = Step::start("checking the template's security");
    let mut expand = DEPLOY.script("expand_template.py")?;
    expand.envs(sam_environment());
    fs::write(target("expanded-template.json"), run(&mut expand).await?)?;
    let mut checkov = CHECK.program("checkov")?;
    checkov
        .current_dir(root())
        // Skip the update check, and keep checkov's files under `target/`.
        .env("CKV_SKIP_PACKAGE_UPDATE_CHECK", "true")
        .env("HOME", target("checkov"))
        .arg("--config-file")
        .arg(source("../checkov.yaml"));
    let findings = run(&mut checkov).await?;
    step.done();
    println!("{}", findings.trim());
    Ok(())
}

#[derive(Args)]
pub(crate) struct DeploymentOptions {
    /// The stack's name
    stack_name: String,
    /// The API's address, if not the stack output `ApiUrl`
    #[arg(long)]
    api_url: Option<String>,
    /// A check to leave out; may be repeated
    #[arg(long)]
    skip: Vec<String>,
}

/// Compares a deployed stack with its template. The environment provides the credentials and the region.
pub(crate) async fn check_deployment(options: &DeploymentOptions) -> Result<()> {
    DEPLOY.prepare().await?;
    let mut check = deployment_check(&DEPLOY, &options.stack_name)?;
    if let Some(url) = &options.api_url {
        check.args(["--api-url", url]);
    }
    check.args(options.skip.iter().flat_map(|name| ["--skip", name]));
    if !check.status().await?.success() {
        bail!("the deployment of {} is incomplete", options.stack_name);
    }
    Ok(())
}

/// Returns the command that compares a deployed stack with its template.
pub(crate) fn deployment_check(tools: &Environment, stack_name: &str) -> Result<Command> {
    let mut check = tools.script("check_deployment.py")?;
    check.arg(stack_name);
    Ok(check)
}
