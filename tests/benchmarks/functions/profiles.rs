//! What the settings of the release profile are worth: `redeem-link`, built with one of them changed each time.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use super::programs::Program;
use crate::support::root;

/// A profile, as it differs from the one in `Cargo.toml`.
pub(crate) struct Profile {
    pub(crate) name: &'static str,
    settings: &'static [&'static str],
}

pub(crate) const PROFILES: [Profile; 7] = [
    Profile { name: "as it is", settings: &[] },
    Profile { name: "opt-level 3", settings: &["profile.release.opt-level=3"] },
    Profile { name: "opt-level z", settings: &["profile.release.opt-level='z'"] },
    Profile { name: "thin LTO", settings: &["profile.release.lto='thin'"] },
    Profile { name: "no LTO", settings: &["profile.release.lto='off'"] },
    Profile { name: "16 codegen units", settings: &["profile.release.codegen-units=16"] },
    Profile { name: "unwinding panics", settings: &["profile.release.panic='unwind'"] },
];

/// A function that was built with a profile.
pub(crate) struct Built {
    pub(crate) program: Program,
    /// How long everything took.
    pub(crate) clean: Duration,
    /// How long it took when only the function had changed.
    pub(crate) again: Duration,
}

impl Profile {
    /// Builds the function, from nothing and once more.
    pub(crate) fn build(&self) -> Built {
        let target: PathBuf = root().join("target/profiles").join(self.name.replace(' ', "-"));
        let _ = std::fs::remove_dir_all(&target);
        let clean = self.timed(&target);
        let main = root().join("functions/redeem-link/src/main.rs");
        let file = std::fs::File::options().append(true).open(main).unwrap();
        file.set_modified(std::time::SystemTime::now()).unwrap();
        let again = self.timed(&target);
        let mut programs = std::fs::read_dir(&target).unwrap().flatten();
        let program = programs.find_map(|triple| {
            Some(triple.path().join("release/redeem-link")).filter(|program| program.exists())
        });
        Built { program: Program::at(self.name, program.unwrap()), clean, again }
    }

    fn timed(&self, target: &std::path::Path) -> Duration {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--release", "--locked", "--quiet", "--package", "redeem-link", "--target-dir"]);
        cargo.arg(target).current_dir(root());
        if cfg!(target_arch = "x86_64") {
            // As cargo-lambda does.
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
