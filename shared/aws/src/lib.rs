//! Adapters for AWS services, each behind a feature, so that a function links only the adapters that it uses.
//!
//! The adapters contain no rules. All rules are in `sharelink-domain`.

#[cfg(any(
    feature = "dynamodb",
    feature = "events",
    feature = "lambda",
    feature = "parameters",
    feature = "s3",
    feature = "secrets",
    feature = "ses"
))]
mod call_timer;
mod config;
#[cfg_attr(
    not(all(feature = "s3", feature = "ses")),
    allow(dead_code, reason = "only these adapters together use all of its HTTP clients")
)]
mod connections;
mod error;
mod random;
#[cfg(feature = "lambda")]
mod recent_cache;
#[cfg(any(feature = "parameters", feature = "secrets"))]
mod stale_if_error;
#[cfg(any(feature = "dynamodb", feature = "s3", feature = "secrets"))]
mod warm_up;

#[cfg(feature = "archives")]
pub mod archives;
#[cfg(feature = "parameters")]
pub mod base_url;
pub mod brand;
#[cfg(feature = "dynamodb")]
pub mod email_limits;
#[cfg(feature = "events")]
pub mod event_bus;
#[cfg(feature = "operator")]
pub mod failure_queue;
#[cfg(feature = "s3")]
pub mod files;
#[cfg(feature = "lambda")]
pub mod item_resolver;
#[cfg(feature = "secrets")]
pub mod key_ring_cache;
#[cfg(all(feature = "parameters", feature = "secrets"))]
pub mod link_builder;
#[cfg(feature = "ses")]
pub mod mailer;
pub mod share_rules;
#[cfg(feature = "dynamodb")]
pub mod share_table;
#[cfg(feature = "secrets")]
pub mod stored_key;
#[cfg(feature = "dynamodb")]
pub mod switch_cache;

pub use config::{AwsConfig, ConfigError, load_config, load_key_layout, with_timeout};
pub use error::{AwsError, ChangeError, Error, IdempotencyError, InternalError, ResolveError};
pub use random::{new_generation, new_write_id};
