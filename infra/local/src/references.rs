//! `cargo local references`: what the benchmark compares a redemption with, in Node and in Python.

use std::path::{Path, PathBuf};

use anyhow::Result;
use serde_json::json;

use crate::node::{Node, copied};
use crate::output::Step;
use crate::paths::{made, root};
use crate::python::BENCHMARKS;

/// Builds them, and prints how each is started.
pub(crate) async fn run_commands() -> Result<()> {
    BENCHMARKS.prepare().await?;
    let python = BENCHMARKS.program("python")?;
    let python = Path::new(python.as_std().get_program()).to_owned();
    let node = Node::prepared().await?;
    let program = bundle(&node).await?;
    let source = root().join("tests/benchmarks/references/python/redeem.py");
    println!("{}", json!({"node": [node.program(), program], "python": [python, source]}));
    Ok(())
}

/// Bundles the program with the SDK, unless the very same sources were bundled before.
async fn bundle(node: &Node) -> Result<PathBuf> {
    let (source, directory) = (root().join("tests/benchmarks/references/node"), made("references"));
    let bundle = directory.join("redeem.cjs");
    let same = copied(&source, &directory, &[".npmrc", "package.json", "package-lock.json", "redeem.mjs"])?;
    if !same || !bundle.exists() {
        let step = Step::start("bundling the reference in Node");
        let out = format!("--outfile={}", bundle.display());
        node.npm(&directory, &["ci", "--loglevel", "error"]).await?;
        node.npm(&directory, &["run", "--silent", "build", "--", &out]).await?;
        step.done();
    }
    Ok(bundle)
}
