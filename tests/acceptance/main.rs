//! Black-box tests of the deployed stack, using real HTTP requests, presigned URLs and emails.
//!
//! Every test creates its own items and addresses, so tests can run in any order and in parallel. A test that
//! changes the clock has exclusive use of the stack.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "this crate contains only tests")]

mod access;
mod all_shares;
mod altered_links;
mod api;
mod archive_routes;
mod archives;
mod audit;
mod aws_errors;
mod bad_input;
mod brand;
mod bulk;
mod claims;
mod components;
mod contract;
mod deployment_check;
mod distribution;
mod duplicates;
#[cfg(feature = "dynamodb-local")]
mod dynamodb_local;
mod email_limits;
mod email_trust;
mod erasure;
mod events;
mod expiration_changes;
mod expiry;
mod expiry_alarms;
mod files;
mod freeze;
mod idempotency;
mod key_ring;
mod languages;
mod leaks;
mod limits;
mod link;
mod listing;
mod local_stack;
mod lost_responses;
mod model;
mod more_time;
mod notices;
mod notify_recipients;
mod operations;
mod operator;
mod outbox;
mod outbox_kinds;
mod racing;
mod random_faults;
mod recipient_addresses;
mod recipient_page;
mod redemption;
mod reminders;
mod renewal;
mod restore;
mod rules;
mod sender;
mod share_log;
mod share_table;
mod sharing;
mod stopped_emails;
mod suggestions;
mod support;
mod switches;
mod template;
mod text;
mod track_delivery;
mod unavailable;
mod unavailable_files;
mod unchanged_expiration;
mod uncounted;
