//! Typed readers for environment variables. An empty variable is treated as unset, because the template
//! passes optional parameters even if they are empty; [`required_or_empty`] is the exception.

use chrono::TimeDelta;
use thiserror::Error;

/// The function cannot start: a setting is missing or invalid, or metrics were already started.
#[derive(Debug, Error)]
pub enum SettingError {
    #[error("the environment variable {0} is not set")]
    Missing(&'static str),
    #[error("the environment variable {0} is not a positive whole number up to 65535")]
    NotPositiveNumber(&'static str),
    #[error("the environment variable {0} is not a whole number from 0 to 65535")]
    NotNumber(&'static str),
    #[error("the environment variable {0} is neither true nor false")]
    NotBool(&'static str),
    #[error("metrics were already started")]
    MetricsStarted,
}

/// Reads a required setting.
pub fn required(name: &'static str) -> Result<String, SettingError> {
    optional(name).ok_or(SettingError::Missing(name))
}

/// Reads a required setting whose value may be empty.
pub fn required_or_empty(name: &'static str) -> Result<String, SettingError> {
    std::env::var(name).map_err(|_| SettingError::Missing(name))
}

/// Reads an optional setting.
#[must_use]
pub fn optional(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Reads a required whole number.
pub fn required_number(name: &'static str) -> Result<u16, SettingError> {
    required(name)?.parse().map_err(|_| SettingError::NotNumber(name))
}

/// Reads a required whole number greater than zero.
pub fn required_positive_number(name: &'static str) -> Result<u16, SettingError> {
    required(name)?.parse().ok().filter(|number| *number > 0).ok_or(SettingError::NotPositiveNumber(name))
}

/// Reads a required boolean: `true` or `false`.
pub fn required_bool(name: &'static str) -> Result<bool, SettingError> {
    required(name)?.parse().map_err(|_| SettingError::NotBool(name))
}

/// Reads a required duration of one or more whole days.
pub fn required_days(name: &'static str) -> Result<TimeDelta, SettingError> {
    Ok(TimeDelta::days(required_positive_number(name)?.into()))
}
