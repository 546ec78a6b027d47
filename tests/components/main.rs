//! Runs the unit tests of the web components' modules, `*.test.js`, in Node.
//!
//! Node runs each file in a separate process, so a file may set `process.env.TZ`.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "test code")]

use std::path::Path;
use std::process::Command;

#[test]
fn component_modules_pass_their_unit_tests() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("components");
    let installed =
        Command::new(env!("CARGO")).args(["local", "node"]).current_dir(&directory).output().unwrap();
    assert!(installed.status.success(), "{}", String::from_utf8_lossy(&installed.stderr));
    let node = String::from_utf8(installed.stdout).unwrap();
    let files = std::fs::read_dir(&directory).unwrap().map(|file| file.unwrap().path());
    let tests: Vec<_> = files.filter(|file| file.to_string_lossy().ends_with(".test.js")).collect();
    assert!(!tests.is_empty(), "{} contains no tests", directory.display());
    let run = Command::new(node.trim())
        // The components have no `package.json` that declares them as modules.
        .args(["--test", "--test-reporter=spec", "--disable-warning=MODULE_TYPELESS_PACKAGE_JSON"])
        .args(tests)
        .output()
        .unwrap();
    let (output, errors) = (String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    assert!(run.status.success(), "{output}{errors}");
}
