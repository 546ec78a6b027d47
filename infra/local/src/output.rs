//! Progress on the terminal.

use std::io::{IsTerminal, stderr};
use std::time::Instant;

/// A step. Prints one line when the step starts and another, with the duration, when the step is done.
///
/// Steps may run at the same time, so each line names its step.
pub(crate) struct Step {
    start: Instant,
    name: String,
}

impl Step {
    pub(crate) fn start(name: impl Into<String>) -> Self {
        let name = name.into();
        print(&format!("  … {name}"));
        Self { start: Instant::now(), name }
    }

    pub(crate) fn done(self) {
        print(&format!("  ✓ {} ({:.1} s)", self.name, self.start.elapsed().as_secs_f64()));
    }
}

fn print(line: &str) {
    // Clear cargo's progress bar; cargo redraws it.
    let clear_line = if stderr().is_terminal() { "\r\x1b[K" } else { "" };
    eprintln!("{clear_line}{line}");
}
