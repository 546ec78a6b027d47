//! The functions' clock: a file that the functions read, but only in builds with debug assertions.

use std::{fmt, fs};

use anyhow::{Context, Result, bail};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

use crate::paths::target;

/// How the functions' clock differs from this machine's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    RealTime,
    Shifted,
    Stopped,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::RealTime => "real time",
            Self::Shifted => "shifted",
            Self::Stopped => "stopped",
        })
    }
}

/// Runs `cargo local clock`: applies the change, if any, and prints the clock's time.
pub(crate) fn run(change: Option<&str>) -> Result<()> {
    let file = target("clock");
    if let Some(change) = change {
        fs::create_dir_all(target(""))?;
        set(&apply(change, &fs::read_to_string(&file).unwrap_or_default())?)?;
    }
    let (time, mode) = read();
    println!("{} ({mode})", time.to_rfc3339_opts(SecondsFormat::Secs, true));
    Ok(())
}

/// Returns the clock's time.
pub(crate) fn now() -> DateTime<Utc> {
    read().0
}

/// Returns whether the clock shows real time.
pub(crate) fn is_real_time() -> bool {
    read().1 == Mode::RealTime
}

fn read() -> (DateTime<Utc>, Mode) {
    let text = fs::read_to_string(target("clock")).unwrap_or_default();
    match (text.parse::<i64>(), text.parse::<DateTime<Utc>>()) {
        (_, Ok(time)) => (time, Mode::Stopped),
        (Ok(offset), _) if offset != 0 => (Utc::now() + TimeDelta::milliseconds(offset), Mode::Shifted),
        _ => (Utc::now(), Mode::RealTime),
    }
}

/// Resets the clock to real time.
pub(crate) fn reset() -> Result<()> {
    set("0")
}

/// Replaces the file atomically, so that a function never reads a partly written file.
fn set(text: &str) -> Result<()> {
    let next = target("clock.next");
    fs::write(&next, text)?;
    Ok(fs::rename(next, target("clock"))?)
}

/// Returns the file's content after a change: an offset in milliseconds, or the time at which the clock is
/// stopped.
fn apply(change: &str, old: &str) -> Result<String> {
    if change == "reset" {
        return Ok("0".into());
    }
    if let Ok(time) = change.parse::<DateTime<Utc>>() {
        return Ok(time.to_rfc3339());
    }
    let offset = parse_offset(change)?;
    Ok(match (old.parse::<i64>(), old.parse::<DateTime<Utc>>()) {
        (_, Ok(time)) => (time + offset).to_rfc3339(),
        (old, _) => (old.unwrap_or_default() + offset.num_milliseconds()).to_string(),
    })
}

/// Parses an offset such as `+2d`, `-3h`, `+90m` or `+10s`.
fn parse_offset(text: &str) -> Result<TimeDelta> {
    let usage =
        || format!("invalid clock change {text:?}: use +2d, -3h, +90m, +10s, an RFC 3339 time, or reset");
    let (sign, rest) = match text.split_at_checked(1) {
        Some(("+", rest)) => (1, rest),
        Some(("-", rest)) => (-1, rest),
        _ => bail!(usage()),
    };
    let (number, unit) = rest.split_at_checked(rest.len().saturating_sub(1)).with_context(usage)?;
    let number: i64 = number.parse::<u32>().with_context(usage)?.into();
    Ok(match unit {
        "d" => TimeDelta::days(sign * number),
        "h" => TimeDelta::hours(sign * number),
        "m" => TimeDelta::minutes(sign * number),
        "s" => TimeDelta::seconds(sign * number),
        _ => bail!(usage()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offset_applies_to_real_time() {
        assert_eq!(apply("+2d", "").unwrap(), "172800000");
    }

    #[test]
    fn offsets_add_up() {
        assert_eq!(apply("-1h", "3600000").unwrap(), "0");
    }

    #[test]
    fn offset_moves_a_stopped_clock() {
        assert_eq!(apply("+1s", "2030-01-01T00:00:00Z").unwrap(), "2030-01-01T00:00:01+00:00");
    }

    #[test]
    fn reset_removes_the_offset() {
        assert_eq!(apply("reset", "172800000").unwrap(), "0");
    }

    #[test]
    fn malformed_change_is_rejected() {
        for change in ["", "2d", "+d", "+2w", "+-2d", "+2é", "tomorrow"] {
            assert!(apply(change, "").is_err(), "{change:?} was accepted");
        }
    }
}
