//! The packages of the Lambda functions and of the operator's program, and how the local stack compiles them.
//!
//! SAM builds functions one at a time, each with only the crate features that it needs, so that a deployed
//! function contains nothing else. For the local stack, only compile time matters, so every function gets the
//! combined features of all functions. Cargo then compiles each dependency only once, and SAM reuses the
//! result.

use std::path::PathBuf;
use std::{env, fs};

use anyhow::{Context, Result};
use serde_json::json;
use tokio::process::Command;

use crate::command::run_visibly;
use crate::output::Step;
use crate::paths::{root, target};

/// Returns the functions' directories, sorted.
pub(crate) fn directories() -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(root().join("functions"))?;
    let mut directories = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    directories.sort();
    Ok(directories)
}

/// Compiles all functions and the operator's program in debug mode, and shows cargo's progress on the
/// terminal.
pub(crate) async fn compile() -> Result<()> {
    let step = Step::start("compiling the functions (takes minutes the first time)");
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or("cargo".into()));
    cargo.current_dir(root()).args(["build", "--locked", "--bins"]).kill_on_drop(true);
    for package in packages()? {
        cargo.args(["--package", &package]);
    }
    run_visibly(&mut cargo).await?;
    step.done();
    Ok(())
}

/// Writes a cargo-lambda configuration with the same packages as [`compile`], and returns the file's path.
pub(crate) fn write_cargo_lambda_config() -> Result<PathBuf> {
    let path = target("cargo-lambda.toml");
    // A JSON array of plain strings is also a TOML array.
    fs::write(&path, format!("[build]\npackages = {}\n", json!(packages()?)))?;
    Ok(path)
}

/// The operator's program is in the list because the tests run it: alone, it would need other features.
fn packages() -> Result<Vec<String>> {
    let name = |directory: PathBuf| {
        let name = directory.file_name().and_then(|name| name.to_str());
        name.map(str::to_owned).context("a function's directory has no name")
    };
    let functions = directories()?.into_iter().map(name);
    functions.chain([Ok("sharelink-operator".to_owned())]).collect()
}
