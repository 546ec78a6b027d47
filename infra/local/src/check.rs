//! `cargo local check-template`: what can be known of the template without deploying it.

use anyhow::Result;

use crate::deployment::sam_environment;
use crate::emulator::REGION;
use crate::output::Step;
use crate::paths::{made, root, source};
use crate::python::{self, CHECK, DEPLOY};

/// SAM's view of it in every environment that is deployed to AWS, with cfn-lint; and checkov's, which looks for holes.
pub(crate) async fn run() -> Result<()> {
    DEPLOY.prepare().await?;
    CHECK.prepare().await?;
    for environment in ["dev", "prod"] {
        let step = Step::start(format!("linting the template, as {environment} deploys it"));
        let mut sam = DEPLOY.program("sam")?;
        sam.current_dir(root()).envs(sam_environment()).env("AWS_DEFAULT_REGION", REGION);
        python::run(sam.args(["validate", "--lint", "--config-env", environment])).await?;
        step.done();
    }
    let step = Step::start("looking for holes in it");
    let mut checkov = CHECK.program("checkov")?;
    checkov
        .current_dir(root())
        // It keeps to itself, and its notes under `target/`.
        .env("CKV_SKIP_PACKAGE_UPDATE_CHECK", "true")
        .env("HOME", made("checkov"))
        .arg("--config-file")
        .arg(source("../checkov.yaml"));
    let found = python::run(&mut checkov).await?;
    step.done();
    println!("{}", found.trim());
    Ok(())
}
