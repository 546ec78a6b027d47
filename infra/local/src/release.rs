//! `cargo local release`: builds the functions as a deployment does.

use std::path::Path;

use anyhow::{Context, Result};
use clap::Args;

use crate::command::run_visibly;
use crate::functions;
use crate::output::Step;
use crate::paths::{root, target};
use crate::python::{DEPLOY, TOOLS};

#[derive(Args)]
pub(crate) struct ReleaseOptions {
    /// Builds only this function, for arm64, into target/local/release-arm64
    #[arg(long, value_name = "FUNCTION")]
    arm64: Option<String>,
}

/// Runs `cargo local release`.
pub(crate) async fn run(options: &ReleaseOptions) -> Result<()> {
    match &options.arm64 {
        Some(function) => build_for_arm64(function).await,
        None => build().await,
    }
}

/// Builds a function for arm64, with the command that `sam build` runs. Zig is the C compiler and the linker.
async fn build_for_arm64(name: &str) -> Result<()> {
    TOOLS.prepare().await?;
    let step = Step::start(format!("building {name} for arm64"));
    let mut cargo = TOOLS.program("cargo-lambda")?;
    cargo.current_dir(root().join("functions").join(name));
    cargo.args(["lambda", "build", "--release", "--arm64", "--locked", "--bin", name, "--lambda-dir"]);
    run_visibly(cargo.arg(target("release-arm64"))).await?;
    step.done();
    Ok(())
}

/// Builds the functions and the benchmark's Rust references for this machine, into
/// `target/local/release/{name}/bootstrap`.
async fn build() -> Result<()> {
    DEPLOY.prepare().await?;
    let mut packages = functions::directories()?;
    packages.extend(["floor", "hello"].map(|name| root().join("tests/benchmarks/references").join(name)));
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
