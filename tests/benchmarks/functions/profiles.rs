//! Builds of `redeem-link`, each with one change to the release profile.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use super::programs::Program;
use crate::support::root;

/// A variant of the release profile in `Cargo.toml`.
pub(crate) struct Profile {
    pub(crate) name: &'static str,
    /// Changed settings, as arguments for `cargo --config`.
    settings: &'static [&'static str],
}

pub(crate) const PROFILES: [Profile; 7] = [
    Profile { name: "unchanged", settings: &[] },
    Profile { name: "opt-level 3", settings: &["profile.release.opt-level=3"] },
    Profile { name: "opt-level z", settings: &["profile.release.opt-level='z'"] },
    Profile { name: "thin LTO", settings: &["profile.release.lto='thin'"] },
    Profile { name: "no LTO", settings: &["profile.release.lto='off'"] },
    Profile { name: "16 codegen units", settings: &["profile.release.codegen-units=16"] },
    Profile { name: "unwinding panics", settings: &["profile.release.panic='unwind'"] },
];

/// `redeem-link`, built with a profile.
pub(crate) struct Build {
    pub(crate) program: Program,
    /// Duration of a build from scratch.
    pub(crate) clean: Duration,
    /// Duration of a build after changing only the function.
    pub(crate) rebuild: Duration,
}

impl Profile {
    /// Builds the function from scratch, and again after updating the modification time of `main.rs`.
    pub(crate) fn build(&self) -> Build {
        let target: PathBuf = root().join("target/profiles").join(self.name.replace(' ', "-"));
        let _ = std::fs::remove_dir_all(&target);
        let clean = self.time_build(&target);
        let main = root().join("functions/redeem-link/src/main.rs");
        let file = std::fs::File::options().append(true).open(main).unwrap();
        file.set_modified(std::time::SystemTime::now()).unwrap();
        let rebuild = self.time_build(&target);
        let mut target_triples = std::fs::read_dir(&target).unwrap().flatten();
        let program = target_triples.find_map(|triple| {
            Some(triple.path().join("release/redeem-link")).filter(|program| program.exists())
        });
        Build { program: Program::new(self.name, program.unwrap()), clean, rebuild }
    }

    fn time_build(&self, target: &std::path::Path) -> Duration {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--release", "--locked", "--quiet", "--package", "redeem-link", "--target-dir"]);
        cargo.arg(target).current_dir(root());
        if cfg!(target_arch = "x86_64") {
            // cargo-lambda sets the same flag.
            cargo.env("RUSTFLAGS", "-C target-cpu=haswell");
        }
        for setting in self.settings {
            cargo.args(["--config", setting]);
        }
        let begin = Instant::now();
        assert!(cargo.status().unwrap().success(), "{} does not build", self.name);
        begin.elapsed()
    }
}
