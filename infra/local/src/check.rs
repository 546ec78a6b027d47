//! `cargo local check-template`: what can be known of the template without deploying it.

use std::fs;

use anyhow::Result;

use crate::deployment::sam_environment;
use crate::emulator::REGION;
use crate::output::Step;
use crate::paths::{made, root, source};
use crate::python::{self, CHECK, DEPLOY};

/// SAM's view of it, with cfn-lint; and checkov's, which looks for holes. Neither knows the parameters of an
/// environment: what hangs on a condition is looked at as it stands.
pub(crate) async fn run() -> Result<()> {
    DEPLOY.prepare().await?;
    CHECK.prepare().await?;
    let step = Step::start("linting the template");
    let mut sam = DEPLOY.program("sam")?;
    sam.current_dir(root()).envs(sam_environment()).env("AWS_DEFAULT_REGION", REGION);
    python::run(sam.args(["validate", "--lint", "--template-file", "infra/template.yaml"])).await?;
    step.done();
    let step = Step::start("looking for holes in it");
    let mut expand = DEPLOY.program("python")?;
    expand.envs(sam_environment()).arg(source("expand_template.py"));
    fs::write(made("expanded-template.json"), python::run(&mut expand).await?)?;
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
