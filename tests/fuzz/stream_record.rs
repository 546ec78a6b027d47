//! Whatever is in the table, its stream is read or set aside, and so is what follows from it.

#![no_main]

mod edited;

use std::sync::LazyLock;

use aws_lambda_events::dynamodb::EventRecord;
use edited::Json;
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};
use sharelink_aws::share_table::{parse_alarm_keys, parse_share_image};
use sharelink_domain::mail::SendOutcome;
use sharelink_domain::{Mail, Share, log, mail};

static USUAL: LazyLock<Value> = LazyLock::new(|| {
    let action = json!({"M": {"at": {"N": "1773144000000"}, "by": {"M": {"sub": {"S": "u1"}}}}});
    let writes = json!({"L": [{"S": ""}, {"S": ""}, {"S": ""}, {"S": ""}]});
    let share = |version: &str, opens: &str, state: &str| {
        json!({
            "item": {"S": "jobs/1042"}, "entry": {"S": "SHARE#877fab806afa6fcb1a85617f9ffe0709"},
            "created": {"S": "2026-03-10T12:00:00.000Z#877fab806afa6fcb1a85617f9ffe0709"},
            "recipient": {"S": "ann@example.com"}, "message": {"S": "Hello"},
            "files": {"L": [{"M": {"name": {"S": "a.pdf"}, "size": {"N": "3"}}}]},
            "fileCount": {"N": "1"}, "downloadsPerOpen": {"N": "1"},
            "createdBy": {"M": {"sub": {"S": "u1"}, "name": {"S": "Ann"}, "email": {"S": "a@example.com"}}},
            "createdAt": {"N": "1773144000000"}, "expiresAt": {"N": "1773147600000"},
            "expiresOffset": {"N": "3600"}, "version": {"N": version},
            "generation": {"S": "07070707070707070707070707070707"}, "linkKeyId": {"S": "k1"},
            "mailState": {"S": state}, "mailAt": {"N": "1773144000000"}, "mailDetail": {"S": "why"},
            "mailAttempt": {"N": version}, "mailRequested": action, "mailTries": {"N": "0"},
            "opens": {"N": opens}, "downloads": {"N": opens},
            "firstOpenedAt": {"N": "1773144000000"}, "lastOpenedAt": {"N": "1773145000000"},
            "changed": {"M": {"of": {"S": "expiration"}, "action": action}},
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

fn read(json: &[u8]) -> Option<()> {
    let change = serde_json::from_slice::<EventRecord>(json).ok()?.change;
    let _ = parse_alarm_keys(change.keys);
    let (old, new) = (parse_share_image(change.old_image).ok()?, parse_share_image(change.new_image).ok()?);
    for share in [&old, &new] {
        // Files may be called anything.
        let nameless =
            Share { files: Vec::new(), mail: Mail { detail: None, ..share.mail.clone() }, ..share.clone() };
        assert!(!format!("{nameless:?}").contains(share.recipient.as_str()));
        let at = share.purge_at(chrono::TimeDelta::days(90));
        assert!(
            !log::entries_for_creation(share).is_empty() && !log::entries_for_purge(share, at).is_empty()
        );
        let _ = (share.scheduled_expiry(), share.expiry_in_words(), log::entries_for_expiry(share, at));
        let _ = (share.mail.is_due(at), SendOutcome::without_sending(share, at), mail::resend_at(share));
    }
    // Each use is an entry, and nobody uses a link that often between two records.
    let few = |old: u64, new: u64| new.saturating_sub(old) < 1_000;
    if few(old.usage.opens, new.usage.opens) && few(old.usage.downloads, new.usage.downloads) {
        let _ = log::entries_for_change(&old, &new);
    }
    Some(())
}

fuzz_target!(
    init: read(USUAL.to_string().as_bytes()).unwrap(),
    |json: Json| {
        let _ = read(&json.text(&USUAL));
    }
);
