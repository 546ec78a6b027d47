//! Every stream record is either parsed or rejected, and the domain's rules can handle every parsed share.

#![recursion_limit = "256"]
#![no_main]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a fuzz target fails by a panic")]

mod json_input;

use std::sync::LazyLock;

use aws_lambda_events::dynamodb::EventRecord;
use json_input::JsonInput;
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};
use sharelink_aws::share_table::{parse_alarm_keys, parse_share_image};
use sharelink_domain::sending::SendOutcome;
use sharelink_domain::{Share, log};

static SAMPLE_RECORD: LazyLock<Value> = LazyLock::new(|| {
    let action = json!({"M": {"at": {"N": "1773144000000"}, "by": {"M": {"sub": {"S": "u1"}}}}});
    let writes = json!({"L": [{"S": ""}, {"S": ""}, {"S": ""}, {"S": ""}]});
    let share = |version: &str, opens: &str, state: &str| {
        json!({
            "item": {"S": "jobs/1042"}, "entry": {"S": "SHARE#877fab806afa6fcb1a85617f9ffe0709"},
            "created": {"S": "2026-03-10T12:00:00.000Z#877fab806afa6fcb1a85617f9ffe0709"},
            "sharerKey": {"S": "02020202020202020202020202020202#1"},
            "recipientKey": {"S": "03030303030303030303030303030303#1"},
            "recipient": {"S": "ann@example.com"}, "message": {"S": "Hello"},
            "files": {"L": [{"M": {"name": {"S": "a.pdf"}, "size": {"N": "3"}}}]},
            "fileCount": {"N": "1"}, "downloadsPerOpen": {"N": "1"},
            "createdBy": {"M": {"sub": {"S": "u1"}, "name": {"S": "Ann"}, "email": {"S": "a@example.com"}}},
            "createdAt": {"N": "1773144000000"}, "expiresAt": {"N": "1773147600000"},
            "expiresOffset": {"N": "3600"}, "version": {"N": version},
            "generation": {"S": "07070707070707070707070707070707"}, "linkKeyId": {"S": "k1"},
            "mailState": {"S": state}, "mailAt": {"N": "1773144000000"}, "mailDetail": {"S": "givenUp"},
            "mailAttempt": {"N": version}, "mailRequested": action, "mailSentBefore": {"BOOL": true},
            "mailTries": {"N": "0"},
            "opens": {"N": opens}, "downloads": {"N": opens}, "failedDownloads": {"N": "1"},
            "lastSource": {"M": {"network": {"S": "203.0.113.0/24"}, "client": {"S": "firefox"}}},
            "firstOpenedAt": {"N": "1773144000000"}, "lastOpenedAt": {"N": "1773145000000"},
            "changed": {"M": {"of": {"S": "expiration"}, "action": action}},
            "renewedAt": {"N": "1773144000000"},
            "moreTimeRequests": {"N": version}, "moreTimeRequestedAt": {"N": "1773148000000"},
            "moreTimeVersion": {"N": "1"}, "emailChoices": {"N": version},
            "emailsStoppedAt": {"N": "1773148000000"},
            "linkCopied": {"M": {"id": {"S": "07070707070707070707070707070707"}, "action": action}},
            "createId": {"S": ""}, "lastWrites": writes, "lastUses": writes, "ttl": {"N": "1775739600"},
        })
    };
    json!({
        "awsRegion": "eu-central-1", "eventName": "MODIFY", "eventID": "1", "eventSource": "aws:dynamodb",
        "eventVersion": "1.1",
        "dynamodb": {
            "ApproximateCreationDateTime": 1_773_144_000, "SequenceNumber": "1", "SizeBytes": 1,
            "StreamViewType": "NEW_AND_OLD_IMAGES",
            "Keys": {"item": {"S": "ALARM#jobs/1042"}, "entry": {"S": "877fab806afa6fcb1a85617f9ffe0709"}},
            "OldImage": share("1", "0", "sent"), "NewImage": share("2", "1", "delivered"),
        },
    })
});

/// Limit on a link's uses between two stream records. Each use adds a log entry, so an unrealistic number of
/// uses would only exhaust memory.
const MAX_NEW_USES: u64 = 1_000;

fn process_record(json: &[u8]) -> Option<()> {
    let change = serde_json::from_slice::<EventRecord>(json).ok()?.change;
    let _ = parse_alarm_keys(change.keys);
    let old = parse_share_image(change.old_image).ok()?;
    let new = parse_share_image(change.new_image).ok()?;
    check_share(&old);
    check_share(&new);
    let has_few_uses = |old: u64, new: u64| new.saturating_sub(old) < MAX_NEW_USES;
    if has_few_uses(old.usage.opens, new.usage.opens)
        && has_few_uses(old.usage.downloads, new.usage.downloads)
    {
        let _ = log::entries_for_change(&old, &new);
    }
    Some(())
}

fn check_share(share: &Share) {
    // Omit the file names: they may contain any text, including the address.
    let without_free_text = Share { files: Vec::new(), ..share.clone() };
    assert!(
        !format!("{without_free_text:?}").contains(share.recipient.as_str()),
        "`Debug` shows the recipient's address"
    );
    let at = share.purge_at(chrono::TimeDelta::days(90));
    assert!(!log::entries_for_creation(share).is_empty(), "no log entry for the creation");
    assert!(!log::entries_for_purge(share, at).is_empty(), "no log entry for the purge");
    let _ = share.scheduled_expiry();
    let _ = share.expiry_text();
    let _ = log::entries_for_expiry(share, at);
    let _ = share.mail.is_due(at);
    let _ = SendOutcome::without_sending(share, false, at);
    let _ = share.mail.resend_allowed_at(share.created_at);
}

fuzz_target!(
    init: process_record(SAMPLE_RECORD.to_string().as_bytes()).expect("the sample record is valid"),
    |json: JsonInput| {
        let _ = process_record(&json.into_bytes(&SAMPLE_RECORD));
    }
);
