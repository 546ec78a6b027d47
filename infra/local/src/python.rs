//! The tools that come from PyPI: the emulator, the SAM CLI and cargo-lambda, each set in a virtual
//! environment of its own, since their dependencies do not agree.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::{env, fs};

use anyhow::{Context, Result, bail};
use tokio::process::Command;

use crate::output::Step;
use crate::paths::{made, source};
use crate::process::ProcessGroup;

/// A virtual environment with pinned packages.
pub(crate) struct Environment {
    name: &'static str,
}

/// The emulator.
pub(crate) const EMULATOR: Environment = Environment { name: "emulator" };
/// The SAM CLI, cargo-lambda, and boto3, which comes with SAM.
pub(crate) const DEPLOY: Environment = Environment { name: "deploy" };

/// What looks for holes in the template.
pub(crate) const CHECK: Environment = Environment { name: "check" };

/// What fuzzes the API.
pub(crate) const FUZZ: Environment = Environment { name: "fuzz" };

/// What the benchmark's reference in Python needs.
pub(crate) const BENCHMARKS: Environment = Environment { name: "benchmarks" };

/// Node and npm.
pub(crate) const NODE: Environment = Environment { name: "node" };

/// What fetches and runs DynamoDB Local.
pub(crate) const DYNAMODB: Environment = Environment { name: "dynamodb-local" };

impl Environment {
    fn directory(&self) -> PathBuf {
        made("python").join(self.name)
    }

    fn requirements(&self) -> PathBuf {
        source("requirements").join(format!("{}.txt", self.name))
    }

    /// A program of this environment, which finds the others by their names.
    pub(crate) fn program(&self, name: &str) -> Result<Command> {
        let bin = self.directory().join("bin");
        let mut command = Command::new(bin.join(name));
        command.env("PATH", prepend(&bin)?).env("PYTHONUNBUFFERED", "1").kill_on_drop(true);
        Ok(command)
    }

    /// Installs the packages, unless the very same ones are there.
    pub(crate) async fn prepare(&self) -> Result<()> {
        let wanted = fs::read_to_string(self.requirements())?;
        let stamp = self.directory().join("installed.txt");
        if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
            return Ok(());
        }
        let step = Step::start(format!("installing the Python packages of the {} environment", self.name));
        let directory = self.directory();
        if directory.exists() {
            fs::remove_dir_all(&directory)?;
        }
        run(Command::new("python3").args(["-m", "venv"]).arg(&directory))
            .await
            .context("Python 3.11 or later with its venv module is needed")?;
        let mut pip = self.program("pip")?;
        pip.args(["install", "--quiet", "--no-deps", "--disable-pip-version-check", "--requirement"]);
        run(pip.arg(self.requirements())).await?;
        fs::write(stamp, wanted)?;
        step.done();
        Ok(())
    }
}

/// `cargo local tools`: for whoever wants to call the deployment's tools themselves.
pub(crate) async fn print_directory() -> Result<()> {
    DEPLOY.prepare().await?;
    println!("{}", DEPLOY.directory().join("bin").display());
    Ok(())
}

fn prepend(directory: &Path) -> Result<OsString> {
    let path = env::var_os("PATH").unwrap_or_default();
    Ok(env::join_paths([directory.to_owned()].into_iter().chain(env::split_paths(&path)))?)
}

/// Runs a program to its end. What it prints is shown only if it fails. If we are stopped first, so are the
/// program and whatever it runs.
pub(crate) async fn run(command: &mut Command) -> Result<String> {
    let program = command.as_std().get_program().to_string_lossy().into_owned();
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let child = command.spawn().with_context(|| format!("cannot run {program}"))?;
    let group = ProcessGroup::of(&child);
    let output = child.wait_with_output().await?;
    group.disarm();
    if !output.status.success() {
        let (stdout, stderr) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        bail!("{program} failed: {}\n{stdout}\n{stderr}", output.status);
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
