//! `cargo local release`: the functions as a deployment builds them, for this machine.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::output::Step;
use crate::paths::{made, root};
use crate::python::{DEPLOY, run};

/// Builds them, and with them what benchmarks compare them with, into `target/local/release/{name}/bootstrap`.
pub(crate) async fn build() -> Result<()> {
    DEPLOY.prepare().await?;
    let mut packages: Vec<_> =
        fs::read_dir(root().join("functions"))?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    packages.sort();
    packages.push(root().join("tests/benchmarks/references/hello"));
    for package in packages {
        build_package(&package).await?;
    }
    Ok(())
}

/// As SAM does it: each one by itself, in its own directory.
async fn build_package(directory: &Path) -> Result<()> {
    let name = directory.file_name().and_then(|name| name.to_str()).context("a package without a name")?;
    let step = Step::start(format!("building {name}"));
    let mut cargo = DEPLOY.program("cargo-lambda")?;
    cargo.current_dir(directory).env("CARGO_LAMBDA_COMPILER", "cargo");
    cargo.args(["lambda", "build", "--release", "--locked", "--bin", name, "--lambda-dir"]);
    run(cargo.arg(made("release"))).await?;
    step.done();
    Ok(())
}
