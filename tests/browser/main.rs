//! End-to-end tests in a real browser against the local stack.
//!
//! They need Chromium and chromedriver: `cargo test --features sharelink-tests/browser --test browser`.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "test code")]
#![allow(dead_code, unused_imports, reason = "uses only part of the shared test support")]

#[path = "../acceptance/support/mod.rs"]
mod support;

mod accessibility;
mod archives;
mod brand;
mod browser;
mod conversation;
mod dates;
mod downloads;
mod embedding;
mod faults;
mod frameworks;
mod journey;
mod keyboard;
mod languages;
mod managing;
mod many_recipients;
mod message;
mod my_shares;
mod options;
mod page;
mod phone;
mod pictures;
mod pinned;
mod recipient;
mod recipients;
mod replacing;
mod results;
mod rules;
mod selection;
mod share_log;
mod sharing;
mod site;
mod suggestions;
mod undo;
