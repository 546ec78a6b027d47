//! `cargo local release`: the functions as a deployment builds them, for this machine.

use std::env;

use anyhow::Result;

use crate::output::Step;
use crate::paths::{made, root};
use crate::python::{DEPLOY, run};

/// The functions of the template.
const FUNCTIONS: [&str; 6] =
    ["create-shares", "manage-shares", "notify-recipients", "redeem-link", "sweep-shares", "track-delivery"];

/// Builds them, and with them what benchmarks compare them with, into `target/local/release/{name}/bootstrap`.
pub(crate) async fn build() -> Result<()> {
    DEPLOY.prepare().await?;
    for function in FUNCTIONS {
        // As SAM does it: each one by itself, in its own directory.
        package(function, &format!("functions/{function}")).await?;
    }
    package("hello", "tests/benchmarks/references/hello").await
}

async fn package(name: &str, directory: &str) -> Result<()> {
    let step = Step::start(format!("building {name}"));
    let mut cargo = DEPLOY.program("cargo-lambda")?;
    cargo.current_dir(root().join(directory)).env("CARGO_LAMBDA_COMPILER", "cargo");
    // A build within a build would take over the outer one's settings.
    for (variable, _) in env::vars_os() {
        if variable.to_string_lossy().starts_with("CARGO_PKG_") || variable == "CARGO_MANIFEST_DIR" {
            cargo.env_remove(variable);
        }
    }
    cargo.args(["lambda", "build", "--release", "--locked", "--bin", name, "--lambda-dir"]);
    run(cargo.arg(made("release"))).await?;
    step.done();
    Ok(())
}
