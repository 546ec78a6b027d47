//! What every function starts with: its settings, the clock, and logging.

mod clock;
mod log;
mod settings;

pub use clock::Clock;
pub use log::start_logging;
pub use settings::{SettingError, days, optional, required};
