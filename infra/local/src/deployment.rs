//! Building and deploying, with the commands that an operator would run.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::emulator::{Emulator, credentials};
use crate::output::Step;
use crate::paths::{made, root, source};
use crate::python::{DEPLOY, run};

/// The environment of `samconfig.toml` that is deployed.
const ENVIRONMENT: &str = "local";

/// Keeps SAM to itself: no telemetry, and its own notes under `target/`.
pub(crate) fn sam_environment() -> [(&'static str, PathBuf); 2] {
    [("SAM_CLI_TELEMETRY", "0".into()), ("__SAM_CLI_APP_DIR", made("sam-cli"))]
}

/// What the functions are built for: this machine.
const ARCHITECTURE: &str = if cfg!(target_arch = "aarch64") { "arm64" } else { "x86_64" };

/// What the deployed stack says of itself.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Outputs {
    pub(crate) api_url: String,
    pub(crate) files_bucket_name: String,
    pub(crate) table_name: String,
}

/// Builds the functions: `sam build --config-env local`. Where they run on this machine there is nothing to
/// cross-compile, so the plain compiler will do, which shares its work with `cargo test`.
pub(crate) async fn build(run_here: bool) -> Result<()> {
    let step = Step::start("building the functions (minutes at the first time)");
    let mut sam = DEPLOY.program("sam")?;
    sam.current_dir(root())
        .envs(sam_environment())
        .env("AWS_DEFAULT_REGION", crate::emulator::REGION)
        // Debug builds: quick to make, and only they have the clock that can be moved.
        .env("SAM_BUILD_MODE", "debug")
        .env("CARGO_LAMBDA_COMPILER", if run_here { "cargo" } else { "cargo-zigbuild" })
        .args(["build", "--config-env", ENVIRONMENT, "--parameter-overrides"])
        .arg(format!("Architecture={ARCHITECTURE}"));
    run(&mut sam).await?;
    step.done();
    Ok(())
}

/// Deploys what was built, `sam deploy --config-env local`, and mends what the emulator left undone.
pub(crate) async fn deploy(emulator: &Emulator, issuer: &str) -> Result<Outputs> {
    let step = Step::start("deploying the template");
    let config = Config::read()?;
    let mut sam = DEPLOY.program("sam")?;
    sam.current_dir(root())
        .envs(sam_environment())
        .envs(credentials(&emulator.endpoint))
        .args(["deploy", "--config-env", ENVIRONMENT, "--parameter-overrides"])
        // The command line replaces the whole list. Beside the tokens, the issuer's address has a page that calls the API.
        .args(config.overrides(&[
            ("Architecture", ARCHITECTURE),
            ("JwtIssuer", issuer),
            ("CorsOrigins", &format!("{},{issuer}", config.parameter("CorsOrigins")?)),
        ]));
    run(&mut sam).await?;
    step.done();

    let step = Step::start("mending what the emulator left undone");
    let mut mend = DEPLOY.program("python")?;
    mend.arg(source("mend_emulator.py"))
        .envs(credentials(&emulator.endpoint))
        .args(["--stack-name", &config.stack_name, "--endpoint", &emulator.endpoint, "--clock-file"])
        .arg(made("clock"));
    if emulator.is_ministack {
        mend.arg("--ministack");
    }
    let outputs = serde_json::from_str(&run(&mut mend).await?).context("the stack's outputs")?;
    step.done();
    Ok(outputs)
}

/// What `samconfig.toml` says of the deployment.
#[derive(Deserialize)]
pub(crate) struct Config {
    stack_name: String,
    parameter_overrides: Vec<String>,
}

impl Config {
    pub(crate) fn read() -> Result<Self> {
        #[derive(Deserialize)]
        struct Command {
            parameters: Config,
        }
        #[derive(Deserialize)]
        struct Commands {
            deploy: Command,
        }
        let text = fs::read_to_string(root().join("samconfig.toml"))?;
        let mut environments: HashMap<String, toml::Value> = toml::from_str(&text)?;
        let local = environments.remove(ENVIRONMENT).context("samconfig.toml has no local environment")?;
        Ok(local.try_into::<Commands>()?.deploy.parameters)
    }

    /// The value that the local environment gives a parameter.
    pub(crate) fn parameter(&self, name: &str) -> Result<&str> {
        self.parameter_overrides
            .iter()
            .find_map(|entry| entry.strip_prefix(name)?.strip_prefix('='))
            .with_context(|| format!("samconfig.toml does not set {name}"))
    }

    /// All the overrides, with some parameters set to other values.
    fn overrides(&self, values: &[(&str, &str)]) -> Vec<String> {
        let mut overrides = self.parameter_overrides.clone();
        overrides.retain(|entry| !values.iter().any(|(name, _)| entry.starts_with(&format!("{name}="))));
        overrides.extend(values.iter().map(|(name, value)| format!("{name}={value}")));
        overrides
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_local_environment_is_deployable_with_other_values() {
        let config = Config::read().unwrap();
        assert_eq!(config.parameter("JwtAudience").unwrap(), "sharelink");
        let overrides = config.overrides(&[("JwtIssuer", "http://127.0.0.1:1")]);
        assert_eq!(overrides.len(), config.parameter_overrides.len());
        assert_eq!(overrides.last().unwrap(), "JwtIssuer=http://127.0.0.1:1");
    }
}
