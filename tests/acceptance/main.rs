//! What "works" means, shown from outside: real HTTP, real presigned URLs, real sent mail.
//!
//! Every test makes an item and addresses of its own, so they run in any order and in parallel. Those that
//! move the clock have the stack to themselves meanwhile.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "all of it is tests")]

mod access;
mod alarms;
mod bad_input;
mod changing;
mod components;
mod contract;
mod delivery;
#[cfg(feature = "dynamodb-local")]
mod dynamodb_local;
mod faults;
mod files;
mod key_ring;
mod leaks;
mod limits;
mod link;
mod listing;
mod lost_answers;
mod model;
mod notifying;
mod one_link;
mod operations;
mod outbox;
mod racing;
mod random_faults;
mod redemption;
mod repeating;
mod share_log;
mod share_table;
mod sharing;
mod support;
mod template;
mod time;
mod unavailable;
