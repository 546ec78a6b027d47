//! What every function starts with: its settings, the clock, logging and metrics; and how a batch of the table's
//! stream is handled, behind a feature.

mod clock;
mod log;
mod metrics;
mod settings;
#[cfg(feature = "streams")]
pub mod streams;

pub use clock::Clock;
pub use log::start_logging;
pub use metrics::Metrics;
pub use settings::{SettingError, days, optional, required, whole_number};
