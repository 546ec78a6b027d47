//! The paths of the project's files. All generated files are under `target/`.

use std::path::{Path, PathBuf};

/// Returns the project's root directory.
pub(crate) fn root() -> &'static Path {
    const CRATE: &str = env!("CARGO_MANIFEST_DIR");
    Path::new(CRATE).ancestors().nth(2).unwrap_or(Path::new(CRATE))
}

/// Returns the path of a source file in `infra/local`.
pub(crate) fn source(name: &str) -> PathBuf {
    root().join("infra/local").join(name)
}

/// Returns the path of a generated file in `target/local`.
pub(crate) fn target(name: &str) -> PathBuf {
    root().join("target/local").join(name)
}
