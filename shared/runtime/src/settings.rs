use chrono::TimeDelta;
use thiserror::Error;

/// A setting that the deployment must give is missing or wrong; the function does not start.
#[derive(Debug, Error)]
pub enum SettingError {
    #[error("the environment variable {0} is not set")]
    Missing(&'static str),
    #[error("the environment variable {0} is not a number of days")]
    Days(&'static str),
}

/// A setting without which the function cannot work.
pub fn required(name: &'static str) -> Result<String, SettingError> {
    optional(name).ok_or(SettingError::Missing(name))
}

/// A setting that may be left out; empty is the same as absent, since a template cannot omit a variable.
#[must_use]
pub fn optional(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// A setting in whole days.
pub fn days(name: &'static str) -> Result<TimeDelta, SettingError> {
    let days = required(name)?.parse::<u16>().map_err(|_| SettingError::Days(name))?;
    Ok(TimeDelta::days(days.into()))
}
