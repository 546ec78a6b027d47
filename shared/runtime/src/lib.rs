//! Runtime support shared by every function: settings, the clock, logging, metrics, and the processing of
//! stream batches.

mod clock;
mod log;
mod metrics;
mod settings;
pub mod streams;

pub use clock::Clock;
pub use log::start_logging;
pub use metrics::{Metrics, record_call_duration};
pub use settings::{
    SettingError, optional, required, required_bool, required_days, required_number, required_or_empty,
    required_positive_number,
};
