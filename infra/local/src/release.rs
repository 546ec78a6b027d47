//! `cargo local release`: builds the functions as a deployment does.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::command::run_visibly;
use crate::functions;
use crate::output::Step;
use crate::paths::{root, target};
use crate::python::{DEPLOY, TOOLS};

/// The benchmarks' programs in Rust.
const BENCHMARK_PROGRAMS: [&str; 4] = ["disk-s3", "references/floor", "references/hello", "references/mover"];

#[derive(Args)]
pub(crate) struct ReleaseOptions {
    /// Builds only these functions and benchmark programs
    names: Vec<String>,
    /// Builds only this function, for arm64, into target/local/release-arm64
    #[arg(long, value_name = "FUNCTION", conflicts_with = "names")]
    arm64: Option<String>,
}

/// Runs `cargo local release`.
pub(crate) async fn run(options: &ReleaseOptions) -> Result<()> {
    match &options.arm64 {
        Some(function) => build_for_arm64(function).await,
        None => build(&options.names).await,
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

/// Builds the functions and the benchmarks' programs for this machine, into
/// `target/local/release/{name}/bootstrap`. If there are names, builds only these.
async fn build(names: &[String]) -> Result<()> {
    DEPLOY.prepare().await?;
    let mut packages = functions::directories()?;
    packages.extend(BENCHMARK_PROGRAMS.map(|program| root().join("tests/benchmarks").join(program)));
    if let Some(unknown) = names.iter().find(|name| !packages.iter().any(|package| package.ends_with(name))) {
        bail!("{unknown} is neither a function nor a benchmark program");
    }
    let is_selected =
        |package: &PathBuf| names.is_empty() || names.iter().any(|name| package.ends_with(name));
    for package in packages.iter().filter(|package| is_selected(package)) {
        build_package(package).await?;
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
