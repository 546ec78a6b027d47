//! `cargo local check-template`: checks the template without deploying it.

use std::fs;

use anyhow::Result;
use tokio::try_join;

use crate::command::run;
use crate::deployment::sam_environment;
use crate::emulator::REGION;
use crate::output::Step;
use crate::paths::{root, source, target};
use crate::python::{CHECK, DEPLOY};

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
    let mut expand = DEPLOY.program("python")?;
    expand.envs(sam_environment()).arg(source("expand_template.py"));
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
