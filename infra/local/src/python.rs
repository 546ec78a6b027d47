//! Python virtual environments with packages from `PyPI`, pinned by version and hash: the emulator, the SAM
//! CLI, cargo-lambda and more.
//!
//! There are several environments because the packages' dependencies conflict. uv installs the packages,
//! because pip takes ten times as long.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::{env, fs};

use anyhow::{Context, Result};
use tokio::process::Command;

use crate::command::run;
use crate::lock::lock;
use crate::output::Step;
use crate::paths::{source, target};

/// A virtual environment under `target/local/python`.
pub(crate) struct Environment {
    name: &'static str,
    /// The names of files in `requirements/`, without the extension.
    requirements: &'static [&'static str],
}

/// The emulator.
pub(crate) const EMULATOR: Environment = Environment { name: "emulator", requirements: &["emulator"] };

/// The SAM CLI, cargo-lambda, and boto3, which SAM depends on.
pub(crate) const DEPLOY: Environment = Environment { name: "deploy", requirements: &["deploy"] };

/// The deployment tools, plus zig, which compiles for other machines. Zig is as large as everything else
/// combined, and a local stack's functions do not need it.
pub(crate) const TOOLS: Environment = Environment { name: "tools", requirements: &["deploy", "zig"] };

/// The template's security checks.
pub(crate) const CHECK: Environment = Environment { name: "check", requirements: &["check"] };

/// The API's fuzzer.
pub(crate) const FUZZ: Environment = Environment { name: "fuzz", requirements: &["fuzz"] };

/// The benchmark's Python reference.
pub(crate) const BENCHMARKS: Environment = Environment { name: "benchmarks", requirements: &["benchmarks"] };

/// Node and npm.
pub(crate) const NODE: Environment = Environment { name: "node", requirements: &["node"] };

/// DynamoDB Local's Java runtime, and npm, which downloads DynamoDB Local.
pub(crate) const DYNAMODB: Environment =
    Environment { name: "dynamodb-local", requirements: &["dynamodb-local"] };

/// The installer for all other environments.
const UV: Environment = Environment { name: "uv", requirements: &["uv"] };

impl Environment {
    fn directory(&self) -> PathBuf {
        target("python").join(self.name)
    }

    fn bin(&self) -> PathBuf {
        self.directory().join("bin")
    }

    fn requirement_files(&self) -> impl Iterator<Item = PathBuf> {
        self.requirements.iter().map(|name| source("requirements").join(format!("{name}.txt")))
    }

    /// Returns a command that runs a program from this environment, with the environment's other programs on
    /// its `PATH`.
    pub(crate) fn program(&self, name: &str) -> Result<Command> {
        let bin = self.bin();
        let mut command = Command::new(bin.join(name));
        command.env("PATH", prepend_to_path(&bin)?).env("PYTHONUNBUFFERED", "1").kill_on_drop(true);
        Ok(command)
    }

    /// Returns a command that runs a Python script in `infra/local`.
    pub(crate) fn script(&self, name: &str) -> Result<Command> {
        let mut command = self.program("python")?;
        // Keep compiled modules out of the source directory.
        command.env("PYTHONPYCACHEPREFIX", target("python/compiled")).arg(source(name));
        Ok(command)
    }

    /// Installs the packages, unless exactly these packages are already installed.
    pub(crate) async fn prepare(&self) -> Result<()> {
        if self.is_installed()? {
            return Ok(());
        }
        UV.install_with(Installer::Pip).await?;
        self.install_with(Installer::Uv).await
    }

    async fn install_with(&self, installer: Installer) -> Result<()> {
        fs::create_dir_all(target("python"))?;
        let _lock = lock(&format!("python/{}.lock", self.name)).await?;
        if self.is_installed()? {
            return Ok(());
        }
        let step = Step::start(format!("installing the Python packages of the {} environment", self.name));
        let directory = self.directory();
        if directory.exists() {
            // Use an asynchronous call, because other steps run at the same time.
            tokio::fs::remove_dir_all(&directory).await?;
        }
        match installer {
            Installer::Pip => self.install_with_pip().await?,
            Installer::Uv => {
                // If uv fails, try pip: its configuration may name an index that uv does not know.
                if let Err(error) = self.install_with_uv().await {
                    eprintln!("  uv failed; using pip instead: {error:#}");
                    if directory.exists() {
                        tokio::fs::remove_dir_all(&directory).await?;
                    }
                    self.install_with_pip().await?;
                }
            }
        }
        fs::write(self.stamp(), self.wanted()?)?;
        step.done();
        Ok(())
    }

    async fn install_with_pip(&self) -> Result<()> {
        run(Command::new("python3").args(["-m", "venv"]).arg(self.directory()))
            .await
            .context("Python 3.11 or later with its venv module is required")?;
        let mut pip = self.program("pip")?;
        pip.args(["install", "--quiet", "--disable-pip-version-check"]);
        run(self.add_requirements(&mut pip)).await?;
        Ok(())
    }

    async fn install_with_uv(&self) -> Result<()> {
        run(uv()?.arg("venv").arg("--python").arg(UV.bin().join("python")).arg(self.directory())).await?;
        let mut install = uv()?;
        install.args(["pip", "install", "--python"]).arg(self.bin().join("python"));
        run(self.add_requirements(&mut install)).await?;
        Ok(())
    }

    /// Adds the arguments that pip and uv share. Only wheels are installed, because building a source package
    /// runs its code, and a wheel must have one of the listed hashes.
    fn add_requirements<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.args(["--no-deps", "--require-hashes", "--only-binary", ":all:"]);
        for file in self.requirement_files() {
            command.arg("--requirement").arg(file);
        }
        command
    }

    /// Returns the contents of all requirement files.
    fn wanted(&self) -> Result<String> {
        self.requirement_files().map(|file| Ok(fs::read_to_string(file)?)).collect()
    }

    /// Returns the path of the file that records the requirements of the last complete installation.
    fn stamp(&self) -> PathBuf {
        self.directory().join("installed.txt")
    }

    fn is_installed(&self) -> Result<bool> {
        let wanted = self.wanted()?;
        Ok(fs::read_to_string(self.stamp()).is_ok_and(|installed| installed == wanted))
    }
}

enum Installer {
    Pip,
    Uv,
}

/// Returns a uv command that keeps its files under `target/` and ignores the user's configuration.
fn uv() -> Result<Command> {
    let mut uv = UV.program("uv")?;
    uv.env("UV_CACHE_DIR", target("python/cache"))
        .env("UV_PYTHON_DOWNLOADS", "never")
        // Trust the system's certificates, as pip does.
        .env("UV_SYSTEM_CERTS", "true")
        .args(["--quiet", "--no-config"]);
    Ok(uv)
}

/// Runs `cargo local tools`: installs the deployment tools and prints their directory.
pub(crate) async fn print_tools() -> Result<()> {
    TOOLS.prepare().await?;
    println!("{}", TOOLS.bin().display());
    Ok(())
}

fn prepend_to_path(directory: &Path) -> Result<OsString> {
    let path = env::var_os("PATH").unwrap_or_default();
    Ok(env::join_paths([directory.to_owned()].into_iter().chain(env::split_paths(&path)))?)
}
