//! What people see and do, in a real browser on the deployed stack.
//!
//! `cargo test --package sharelink-tests --features browser --test browser` needs Chromium and chromedriver.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "all of it is tests")]
#![allow(dead_code, unused_imports, reason = "it needs only some of what the other tests need")]

#[path = "../acceptance/support/mod.rs"]
mod support;

mod accessibility;
mod browser;
mod faults;
mod journey;
mod keyboard;
mod managing;
mod page;
mod phone;
mod pictures;
mod pinned;
mod recipient;
mod sharing;
