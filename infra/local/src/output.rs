//! What the person at the terminal reads.

use std::time::Instant;

/// One step of the work: its name at once, and how long it took when it is done.
pub(crate) struct Step {
    start: Instant,
    name: String,
}

impl Step {
    pub(crate) fn start(name: impl Into<String>) -> Self {
        let name = name.into();
        eprintln!("  … {name}");
        Self { start: Instant::now(), name }
    }

    pub(crate) fn done(self) {
        eprintln!("  ✓ {} ({:.1} s)", self.name, self.start.elapsed().as_secs_f64());
    }
}
