//! What every function starts with: its settings, the clock, logging and metrics; and how a batch of the table's
//! stream is handled.

mod clock;
mod log;
mod metrics;
mod settings;
pub mod streams;

pub use clock::Clock;
pub use log::start_logging;
pub use metrics::{Metrics, record_call_duration};
pub use settings::{SettingError, days, optional, required, switch, whole_number};
