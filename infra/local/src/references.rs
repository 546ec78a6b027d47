//! `cargo local references`: builds the benchmarks' reference programs, which redeem links and make archives
//! in Node and in Python.

use std::path::PathBuf;

use anyhow::Result;
use serde_json::{Value, json};

use crate::node::{Node, copy_files};
use crate::output::Step;
use crate::paths::{root, target};
use crate::python::BENCHMARKS;

/// The reference programs' names, without the extension.
const PROGRAMS: [&str; 2] = ["redeem", "archive"];

/// Builds the references, and prints the commands that start them, as JSON.
pub(crate) async fn print_commands() -> Result<()> {
    BENCHMARKS.prepare().await?;
    let python = PathBuf::from(BENCHMARKS.program("python")?.as_std().get_program());
    let scripts = root().join("tests/benchmarks/references/python");
    let node = Node::prepare().await?;
    let bundles = bundle(&node).await?;
    let commands = PROGRAMS.map(|name| {
        let bundle = bundles.join(name).with_extension("cjs");
        let script = scripts.join(name).with_extension("py");
        // -B: writes no bytecode next to the sources.
        let python = json!([python, "-B", script]);
        (name.to_owned(), json!({"node": [node.program(), bundle], "python": python}))
    });
    println!("{}", Value::from_iter(commands));
    Ok(())
}

/// Bundles the Node references with the AWS SDK, unless bundles of the same sources already exist. Returns
/// their directory.
async fn bundle(node: &Node) -> Result<PathBuf> {
    let (source, directory) = (root().join("tests/benchmarks/references/node"), target("references"));
    let programs = PROGRAMS.map(|name| (format!("{name}.mjs"), directory.join(name).with_extension("cjs")));
    let mut names = vec![".npmrc", "package.json", "package-lock.json", "runtime.mjs"];
    names.extend(programs.iter().map(|(program, _)| program.as_str()));
    let has_changed = copy_files(&source, &directory, &names)?;
    if has_changed || programs.iter().any(|(_, bundle)| !bundle.exists()) {
        let step = Step::start("bundling the Node references");
        node.npm(&directory, &["ci", "--loglevel", "error"]).await?;
        for (program, bundle) in &programs {
            let out = format!("--outfile={}", bundle.display());
            node.npm(&directory, &["run", "--silent", "build", "--", program, &out]).await?;
        }
        step.done();
    }
    Ok(directory)
}
