//! Moving the functions' clock: a file that they read, in builds with debug assertions only.

use std::fs;

use anyhow::{Context, Result, bail};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

use crate::paths::made;

/// Moves the clock, sets it back, or tells what it shows.
pub(crate) fn run(change: Option<&str>) -> Result<()> {
    let file = made("clock");
    if let Some(change) = change {
        fs::create_dir_all(made(""))?;
        set(&changed(change, &fs::read_to_string(&file).unwrap_or_default())?)?;
    }
    let (time, how) = shown();
    println!("{} ({how})", time.to_rfc3339_opts(SecondsFormat::Secs, true));
    Ok(())
}

/// What the clock shows.
pub(crate) fn now() -> DateTime<Utc> {
    shown().0
}

fn shown() -> (DateTime<Utc>, &'static str) {
    let set = fs::read_to_string(made("clock")).unwrap_or_default();
    match (set.parse::<i64>(), set.parse::<DateTime<Utc>>()) {
        (_, Ok(time)) => (time, "standing still"),
        (Ok(offset), _) if offset != 0 => (Utc::now() + TimeDelta::milliseconds(offset), "moved"),
        _ => (Utc::now(), "the real time"),
    }
}

/// Sets the clock back to the real time.
pub(crate) fn reset() -> Result<()> {
    set("0")
}

/// In one step, or a function would read an empty file.
fn set(text: &str) -> Result<()> {
    let next = made("clock.next");
    fs::write(&next, text)?;
    Ok(fs::rename(next, made("clock"))?)
}

/// What the file holds after a change: an offset in milliseconds, or a moment to stand still at.
fn changed(change: &str, old: &str) -> Result<String> {
    if change == "reset" {
        return Ok("0".into());
    }
    if let Ok(moment) = change.parse::<DateTime<Utc>>() {
        return Ok(moment.to_rfc3339());
    }
    let by = parse_offset(change)?;
    Ok(match (old.parse::<i64>(), old.parse::<DateTime<Utc>>()) {
        (_, Ok(moment)) => (moment + by).to_rfc3339(),
        (offset, _) => (offset.unwrap_or_default() + by.num_milliseconds()).to_string(),
    })
}

/// An offset such as `+2d`, `-3h`, `+90m` or `+10s`.
fn parse_offset(text: &str) -> Result<TimeDelta> {
    let usage = || {
        format!("{text:?} is no change of the clock: try +2d, -3h, +90m, +10s, a time in RFC 3339, or reset")
    };
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
    fn changes_add_up_until_they_are_reset() {
        assert_eq!(changed("+2d", "").unwrap(), "172800000");
        assert_eq!(changed("-1h", "3600000").unwrap(), "0");
        assert_eq!(changed("+1s", "2030-01-01T00:00:00Z").unwrap(), "2030-01-01T00:00:01+00:00");
        assert_eq!(changed("reset", "172800000").unwrap(), "0");
        for bad in ["", "2d", "+d", "+2w", "+-2d", "+2é", "tomorrow"] {
            assert!(changed(bad, "").is_err(), "{bad}");
        }
    }
}
