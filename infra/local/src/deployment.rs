//! Builds and deploys the stack, with the same commands that an operator runs.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::ValueEnum;
use serde::Deserialize;

use crate::check::deployment_check;
use crate::command::run;
use crate::emulator::{Emulator, REGION};
use crate::functions;
use crate::output::Step;
use crate::paths::{root, source, target};
use crate::python::{DEPLOY, Environment, TOOLS};

/// The environment in `samconfig.toml` that is deployed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum DeployedEnvironment {
    /// A stack with a bucket of its own.
    #[default]
    Local,
    /// A stack beside a platform that already has a bucket and an item resolver.
    Platform,
}

impl DeployedEnvironment {
    /// Returns the environment's name in `samconfig.toml`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Platform => "platform",
        }
    }
}

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
const UNSUPPORTED_CHECKS: [&str; 3] = [
    // ministack does not apply these settings of the template.
    "throttles",
    "backups",
    // The local stack implements TTL.
    "ttl",
];

/// The deployed stack's outputs.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Outputs {
    pub(crate) api_url: String,
    pub(crate) files_bucket_name: String,
    pub(crate) table_name: String,
    pub(crate) log_table_name: String,
}

/// Builds the functions' packages with `sam build --config-env local`. All environments deploy this build.
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
        .args(["build", "--config-env", DeployedEnvironment::Local.name(), "--parameter-overrides"])
        .arg(format!("Architecture={ARCHITECTURE}"));
    run(&mut sam).await?;
    step.done();
    Ok(())
}

/// Deploys the build with `sam deploy`, then adds what the emulator does not support.
pub(crate) async fn deploy(
    emulator: &Emulator,
    environment: DeployedEnvironment,
    config: &Config,
    issuer: &str,
) -> Result<Outputs> {
    let tools = emulator.host().tools();
    if environment == DeployedEnvironment::Platform {
        create_platform(emulator, config).await?;
    }
    let step = Step::start("deploying the template");
    let mut sam = tools.program("sam")?;
    sam.current_dir(root())
        .envs(sam_environment())
        .envs(emulator.environment())
        .args(["deploy", "--config-env", environment.name(), "--parameter-overrides"])
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
        .envs(emulator.environment())
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
    check.envs(emulator.environment()).args(["--api-url", &outputs.api_url]);
    // `complete_deployment.py` has replaced the base URL with the emulator's address.
    check.args(["--skip", "base-url"]);
    if emulator.is_ministack {
        check.args(UNSUPPORTED_CHECKS.iter().flat_map(|name| ["--skip", name]));
    }
    run(&mut check).await?;
    step.done();
    Ok(outputs)
}

/// Creates the bucket and the item resolver that a platform has before Sharelink is deployed.
async fn create_platform(emulator: &Emulator, config: &Config) -> Result<()> {
    let step = Step::start("creating a platform with files");
    let mut create = emulator.host().tools().program("python")?;
    create
        .arg(source("create_platform.py"))
        .envs(emulator.environment())
        .args(["--endpoint", &emulator.endpoint])
        .args(["--bucket", config.parameter("ExistingFilesBucket")?])
        .args(["--item-resolver", config.parameter("ItemResolver")?]);
    run(&mut create).await?;
    step.done();
    Ok(())
}

/// The deployment's settings in `samconfig.toml`.
#[derive(Deserialize)]
pub(crate) struct Config {
    stack_name: String,
    parameter_overrides: Vec<String>,
}

impl Config {
    pub(crate) fn read(environment: DeployedEnvironment) -> Result<Self> {
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
        let name = environment.name();
        let commands =
            environments.remove(name).with_context(|| format!("samconfig.toml has no environment {name}"))?;
        Ok(commands.try_into::<Commands>()?.deploy.parameters)
    }

    /// Returns a parameter's value in this environment.
    pub(crate) fn parameter(&self, name: &str) -> Result<&str> {
        self.optional_parameter(name).with_context(|| format!("samconfig.toml does not set {name}"))
    }

    /// Returns a parameter's value in this environment, or `None` if the default applies.
    pub(crate) fn optional_parameter(&self, name: &str) -> Option<&str> {
        self.parameter_overrides.iter().find_map(|entry| entry.strip_prefix(name)?.strip_prefix('='))
    }

    /// Returns the pattern of the keys in the files bucket, with the placeholders `{module}`, `{item}` and
    /// `{file}`.
    pub(crate) fn file_key_pattern(&self) -> String {
        let prefix = self.optional_parameter("FilesPrefix").unwrap_or("{module}/{item}/");
        // The sample item resolver looks for files in this folder.
        let folder = if self.optional_parameter("ItemResolver").is_some() { "current/" } else { "" };
        format!("{prefix}{folder}{{file}}")
    }

    /// Returns the pattern of the documents' keys that the sample item resolver reads, if there is one.
    pub(crate) fn document_key_pattern(&self) -> Option<String> {
        self.optional_parameter("ItemResolver")?;
        Some(format!("{}item.json", self.optional_parameter("FilesPrefix")?))
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
        let config = Config::read(DeployedEnvironment::Local).unwrap();

        assert_eq!(config.parameter("JwtAudience").unwrap(), "sharelink");
    }

    #[test]
    fn file_keys_follow_the_environments_layout() {
        let pattern = |environment| Config::read(environment).unwrap().file_key_pattern();

        assert_eq!(pattern(DeployedEnvironment::Local), "{module}/{item}/{file}");
        assert_eq!(pattern(DeployedEnvironment::Platform), "platform/{module}/assets/{item}/current/{file}");
    }

    #[test]
    fn override_replaces_the_parameter_in_samconfig() {
        let config = Config::read(DeployedEnvironment::Local).unwrap();

        let overrides = config.overrides(&[("JwtIssuer", "http://127.0.0.1:1")]);

        assert_eq!(overrides.len(), config.parameter_overrides.len(), "no parameter should be added or lost");
        assert_eq!(overrides.last().unwrap(), "JwtIssuer=http://127.0.0.1:1");
    }
}
