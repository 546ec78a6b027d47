//! Black-box tests of a stack beside a platform that already has a bucket, a key layout and an item resolver.
//!
//! The stack is the environment `platform` in `samconfig.toml`. A part of the acceptance tests runs here, too:
//! those with few concurrent requests, because the emulator starts a process for each concurrent invocation of
//! the item resolver.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "this crate contains only tests")]
#![allow(dead_code, unused_imports, reason = "uses only part of the shared test support")]

#[path = "../acceptance/access.rs"]
mod access;
#[path = "../acceptance/api.rs"]
mod api;
mod ended_page;
mod item_resolver;
#[path = "../acceptance/leaks.rs"]
mod leaks;
#[path = "../acceptance/redemption.rs"]
mod redemption;
#[path = "../acceptance/sharing.rs"]
mod sharing;
#[path = "../acceptance/support/mod.rs"]
mod support;
