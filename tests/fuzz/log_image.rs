//! Every image from the log's stream is either parsed or rejected. Its event names no recipient.

#![no_main]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a fuzz target fails by a panic")]

mod json_input;

use std::sync::LazyLock;

use aws_lambda_events::dynamodb::EventRecord;
use json_input::JsonInput;
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};
use sharelink_aws::event_bus::ShareEvent;
use sharelink_aws::share_table::{is_log_entry, parse_log_image};
use sharelink_domain::Item;
use sharelink_domain::log::LogEntry;

static SAMPLE_RECORD: LazyLock<Value> = LazyLock::new(|| {
    let entry = "2026-03-10T12:00:00.000Z#877fab806afa6fcb1a85617f9ffe0709.21.1";
    let kinds = "created emailed mailFailed delivered bounced complained opened downloaded downloadedAll \
                 expirationChanged revoked reactivated linkCopied linkRenewed resent moreTimeRequested emailsStopped \
                 emailsAllowed expired purged restored";
    let kinds: Vec<_> = kinds.split(' ').map(|kind| json!({"S": kind})).collect();
    json!({
        "awsRegion": "eu-central-1", "eventName": "INSERT", "eventID": "1", "eventSource": "aws:dynamodb",
        "eventVersion": "1.1",
        "dynamodb": {
            "ApproximateCreationDateTime": 1_773_144_000, "SequenceNumber": "1", "SizeBytes": 1,
            "StreamViewType": "NEW_AND_OLD_IMAGES",
            "Keys": {"item": {"S": "jobs/1042"}, "entry": {"S": entry}},
            "NewImage": {
                "item": {"S": "jobs/1042"}, "entry": {"S": entry},
                "shareId": {"S": "877fab806afa6fcb1a85617f9ffe0709"}, "recipient": {"S": "ann@example.com"},
                "by": {"M": {"sub": {"S": "u1"}, "name": {"S": "Ann"}, "email": {"S": "a@example.com"}}},
                "source": {"M": {"network": {"S": "203.0.113.0/24"}, "client": {"S": "firefox"}}},
                "event": {"S": "downloadFailed"}, "reason": {"S": "missing"},
                // The attributes of the other kinds of events, so that an edit can change the kind.
                "number": {"N": "1"}, "detail": {"S": "givenUp"},
                "from": {"S": "2026-03-10T12:00:00Z"}, "to": {"S": "2026-03-11T12:00:00Z"},
                "createdAt": {"S": "2026-03-10T12:00:00Z"},
                "generation": {"S": "07070707070707070707070707070707"}, "ttl": {"N": "1775739600"},
            },
        },
        "others": kinds,
    })
});

fn process_record(json: &[u8]) -> Option<()> {
    let change = serde_json::from_slice::<EventRecord>(json).ok()?.change;
    let _ = is_log_entry(&change.keys);
    let (item, entry) = parse_log_image(change.new_image).ok()??;
    let event = ShareEvent::new(&item, &entry).unwrap();
    assert_eq!(event.is_none(), entry.is_internal());
    let detail: Value = serde_json::from_str(&event?.detail).expect("the detail is JSON");
    assert_eq!(detail["shareId"], entry.share.to_string());
    check_facts(entry);
    Some(())
}

/// Checks what the event contains beside the item, the sharer's subject and the entry's key.
fn check_facts(entry: LogEntry) {
    let item = Item { module: "jobs".parse().unwrap(), name: "1042".parse().unwrap() };
    let entry = LogEntry { by: None, sequence: "1".into(), ..entry };
    let detail = ShareEvent::new(&item, &entry).unwrap().expect("the same event").detail;
    assert!(!detail.contains('@'), "the event contains an address: {detail}");
}

fuzz_target!(
    init: process_record(SAMPLE_RECORD.to_string().as_bytes()).expect("the sample record is valid"),
    |json: JsonInput| {
        let _ = process_record(&json.into_bytes(&SAMPLE_RECORD));
    }
);
