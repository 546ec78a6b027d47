use chrono::TimeDelta;
use thiserror::Error;

/// A setting that the deployment must give is missing or wrong; the function does not start.
#[derive(Debug, Error)]
pub enum SettingError {
    #[error("the environment variable {0} is not set")]
    Missing(&'static str),
    #[error("the environment variable {0} is not a whole number above zero")]
    Number(&'static str),
    #[error("the environment variable {0} is neither true nor false")]
    Switch(&'static str),
    #[error("metrics are counted already")]
    Metrics,
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

/// A setting that is a whole number above zero.
pub fn whole_number(name: &'static str) -> Result<u16, SettingError> {
    required(name)?.parse().ok().filter(|number| *number > 0).ok_or(SettingError::Number(name))
}

/// A setting that is on or off: `true` or `false`.
pub fn switch(name: &'static str) -> Result<bool, SettingError> {
    required(name)?.parse().map_err(|_| SettingError::Switch(name))
}

/// A setting in whole days.
pub fn days(name: &'static str) -> Result<TimeDelta, SettingError> {
    Ok(TimeDelta::days(whole_number(name)?.into()))
}
