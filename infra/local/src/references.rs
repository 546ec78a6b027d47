//! `cargo local references`: builds the benchmark's reference programs, which redeem links in Node and in
//! Python.

use std::path::PathBuf;

use anyhow::Result;
use serde_json::json;

use crate::node::{Node, copy_files};
use crate::output::Step;
use crate::paths::{root, target};
use crate::python::BENCHMARKS;

/// Builds the references, and prints the command that starts each one, as JSON.
pub(crate) async fn print_commands() -> Result<()> {
    BENCHMARKS.prepare().await?;
    let python = PathBuf::from(BENCHMARKS.program("python")?.as_std().get_program());
    let script = root().join("tests/benchmarks/references/python/redeem.py");
    let node = Node::prepare().await?;
    let bundle = bundle(&node).await?;
    println!("{}", json!({"node": [node.program(), bundle], "python": [python, script]}));
    Ok(())
}

/// Bundles the Node reference with the AWS SDK, unless a bundle of the same sources already exists.
async fn bundle(node: &Node) -> Result<PathBuf> {
    let (source, directory) = (root().join("tests/benchmarks/references/node"), target("references"));
    let bundle = directory.join("redeem.cjs");
    let names = [".npmrc", "package.json", "package-lock.json", "redeem.mjs"];
    let has_changed = copy_files(&source, &directory, &names)?;
    if has_changed || !bundle.exists() {
        let step = Step::start("bundling the Node reference");
        let out = format!("--outfile={}", bundle.display());
        node.npm(&directory, &["ci", "--loglevel", "error"]).await?;
        node.npm(&directory, &["run", "--silent", "build", "--", &out]).await?;
        step.done();
    }
    Ok(bundle)
}
