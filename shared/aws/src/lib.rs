//! Adapters to AWS, each behind a feature so that a function links only what it uses.
//!
//! They translate and nothing more: what a share may do is decided in `sharelink-domain`.

#[cfg(any(
    feature = "dynamodb",
    feature = "parameters",
    feature = "s3",
    feature = "secrets",
    feature = "ses"
))]
mod calls;
mod config;
mod error;
#[cfg(any(feature = "dynamodb", feature = "s3", feature = "secrets"))]
mod warm_up;
mod write_id;

#[cfg(feature = "s3")]
pub mod files;
#[cfg(feature = "secrets")]
pub mod key_ring_cache;
#[cfg(all(feature = "parameters", feature = "secrets"))]
pub mod links;
#[cfg(feature = "ses")]
pub mod mailer;
#[cfg(feature = "parameters")]
pub mod parameters;
#[cfg(feature = "dynamodb")]
pub mod share_table;

pub use config::{ConfigError, load as load_config, within};
pub use error::{AwsError, IdempotencyError};
pub use write_id::{new_generation, new_write_id};
