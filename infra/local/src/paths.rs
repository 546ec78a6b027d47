//! Where things are. Everything that is made is under `target/`.

use std::path::{Path, PathBuf};

/// The project's root.
pub(crate) fn root() -> &'static Path {
    const CRATE: &str = env!("CARGO_MANIFEST_DIR");
    Path::new(CRATE).ancestors().nth(2).unwrap_or(Path::new(CRATE))
}

/// A file of this crate.
pub(crate) fn source(name: &str) -> PathBuf {
    root().join("infra/local").join(name)
}

/// A file that the local stack makes.
pub(crate) fn made(name: &str) -> PathBuf {
    root().join("target/local").join(name)
}
