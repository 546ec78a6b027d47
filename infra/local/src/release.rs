//! `cargo local release`: builds the functions as a deployment does, but for this machine.

use std::path::Path;

use anyhow::{Context, Result};

use crate::command::run_visibly;
use crate::functions;
use crate::output::Step;
use crate::paths::{root, target};
use crate::python::DEPLOY;

/// Builds the functions and the benchmark's Rust reference into `target/local/release/{name}/bootstrap`.
pub(crate) async fn build() -> Result<()> {
    DEPLOY.prepare().await?;
    let mut packages = functions::directories()?;
    packages.push(root().join("tests/benchmarks/references/hello"));
    for package in packages {
        build_package(&package).await?;
    }
    Ok(())
}

/// Builds a package in the package's directory, as SAM does, so that it gets only the features that it needs.
async fn build_package(directory: &Path) -> Result<()> {
    let name = directory.file_name().and_then(|name| name.to_str()).context("a package has no name")?;
    let step = Step::start(format!("building {name}"));
    let mut cargo = DEPLOY.program("cargo-lambda")?;
    cargo.current_dir(directory).env("CARGO_LAMBDA_COMPILER", "cargo");
    cargo.args(["lambda", "build", "--release", "--locked", "--bin", name, "--lambda-dir"]);
    run_visibly(cargo.arg(target("release"))).await?;
    step.done();
    Ok(())
}
