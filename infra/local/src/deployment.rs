//! Builds and deploys the stack, with the same commands that an operator runs.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::check::deployment_check;
use crate::command::run;
use crate::emulator::{Emulator, REGION, credentials};
use crate::functions;
use crate::output::Step;
use crate::paths::{root, target};
use crate::python::{DEPLOY, Environment, TOOLS};

/// The environment in `samconfig.toml` that is deployed.
const ENVIRONMENT: &str = "local";

/// Returns the environment variables that disable SAM's telemetry and keep its files under `target/`.
pub(crate) fn sam_environment() -> [(&'static str, PathBuf); 2] {
    [("SAM_CLI_TELEMETRY", "0".into()), ("__SAM_CLI_APP_DIR", target("sam-cli"))]
}

/// This machine's architecture, which the functions are built for.
const ARCHITECTURE: &str = if cfg!(target_arch = "aarch64") { "arm64" } else { "x86_64" };

/// Where an emulator runs the functions.
#[derive(Clone, Copy)]
pub(crate) enum Host {
    /// Directly on this machine. The plain compiler is enough, and its output is shared with `cargo build`.
    ThisMachine,
    /// In a container. Its C library is older, so zig links the functions.
    Container,
}

impl Host {
    /// Returns the Python environment whose tools build for this host.
    pub(crate) fn tools(self) -> Environment {
        match self {
            Self::ThisMachine => DEPLOY,
            Self::Container => TOOLS,
        }
    }

    fn compiler(self) -> &'static str {
        match self {
            Self::ThisMachine => "cargo",
            Self::Container => "cargo-zigbuild",
        }
    }
}

/// The checks of `check_deployment.py` that ministack cannot pass.
const UNSUPPORTED_CHECKS: [&str; 4] = [
    // ministack does not apply these settings of the template.
    "throttles",
    "backups",
    // The local stack implements TTL.
    "ttl",
    // `complete_deployment.py` replaces the base URL with the emulator's address.
    "base-url",
];

/// The deployed stack's outputs.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Outputs {
    pub(crate) api_url: String,
    pub(crate) files_bucket_name: String,
    pub(crate) table_name: String,
}

/// Builds the functions' packages with `sam build --config-env local`.
pub(crate) async fn build(host: Host) -> Result<()> {
    let step = Step::start("building the deployment");
    let mut sam = host.tools().program("sam")?;
    sam.current_dir(root())
        .envs(sam_environment())
        .env("AWS_DEFAULT_REGION", REGION)
        // Debug builds compile faster, and only debug builds have a clock that can be changed.
        .env("SAM_BUILD_MODE", "debug")
        .env("CARGO_LAMBDA_COMPILER", host.compiler())
        .env("CARGO_LAMBDA_GLOBAL", functions::write_cargo_lambda_config()?)
        .args(["build", "--config-env", ENVIRONMENT, "--parameter-overrides"])
        .arg(format!("Architecture={ARCHITECTURE}"));
    run(&mut sam).await?;
    step.done();
    Ok(())
}

/// Deploys the build with `sam deploy --config-env local`, then adds what the emulator does not support.
pub(crate) async fn deploy(emulator: &Emulator, issuer: &str) -> Result<Outputs> {
    let config = Config::read()?;
    let step = Step::start("deploying the template");
    let tools = emulator.host().tools();
    let mut sam = tools.program("sam")?;
    sam.current_dir(root())
        .envs(sam_environment())
        .envs(credentials(&emulator.endpoint))
        .args(["deploy", "--config-env", ENVIRONMENT, "--parameter-overrides"])
        // These overrides replace the entire list in `samconfig.toml`. The issuer's server also serves the
        // demo page, which calls the API, so the issuer's address must be an allowed origin.
        .args(config.overrides(&[
            ("Architecture", ARCHITECTURE),
            ("JwtIssuer", issuer),
            ("CorsOrigins", &format!("{},{issuer}", config.parameter("CorsOrigins")?)),
        ]));
    run(&mut sam).await?;
    step.done();

    let step = Step::start("completing the deployment");
    let mut complete = tools.script("complete_deployment.py")?;
    complete
        .envs(credentials(&emulator.endpoint))
        .args(["--stack-name", &config.stack_name, "--endpoint", &emulator.endpoint, "--clock-file"])
        .arg(target("clock"));
    if emulator.is_ministack {
        complete.arg("--ministack");
    }
    let outputs: Outputs =
        serde_json::from_str(&run(&mut complete).await?).context("invalid stack outputs")?;
    step.done();

    let step = Step::start("checking the deployment");
    let mut check = deployment_check(&tools, &config.stack_name)?;
    check.envs(credentials(&emulator.endpoint)).args(["--api-url", &outputs.api_url]);
    if emulator.is_ministack {
        check.args(UNSUPPORTED_CHECKS.iter().flat_map(|name| ["--skip", name]));
    }
    run(&mut check).await?;
    step.done();
    Ok(outputs)
}

/// The deployment's settings in `samconfig.toml`.
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

    /// Returns a parameter's value in the local environment.
    pub(crate) fn parameter(&self, name: &str) -> Result<&str> {
        self.parameter_overrides
            .iter()
            .find_map(|entry| entry.strip_prefix(name)?.strip_prefix('='))
            .with_context(|| format!("samconfig.toml does not set {name}"))
    }

    /// Returns all overrides, with the given parameters replaced.
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
    fn parameter_has_the_value_in_samconfig() {
        let config = Config::read().unwrap();

        assert_eq!(config.parameter("JwtAudience").unwrap(), "sharelink");
    }

    #[test]
    fn override_replaces_the_parameter_in_samconfig() {
        let config = Config::read().unwrap();

        let overrides = config.overrides(&[("JwtIssuer", "http://127.0.0.1:1")]);

        assert_eq!(overrides.len(), config.parameter_overrides.len(), "no parameter should be added or lost");
        assert_eq!(overrides.last().unwrap(), "JwtIssuer=http://127.0.0.1:1");
    }
}
