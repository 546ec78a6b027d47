//! Tests how `notify-recipients` handles batches of stream records. The emulator ignores the batch response,
//! so these tests invoke the function directly and check its response.

use chrono::TimeDelta;
use serde_json::{Value, json};
use sharelink_aws::new_write_id;
use sharelink_aws::share_table::ShareTable;
use sharelink_domain::Mail;
use sharelink_domain::testing::permitted;

use crate::support::fixtures::{RETENTION, index_hashes, job, new_share, now};
use crate::support::{Aws, Stack, TestItem, address, emails_to};

fn record(sequence_number: &str, image: &Value) -> Value {
    json!({
        "eventID": sequence_number, "eventName": "MODIFY", "eventSource": "aws:dynamodb", "awsRegion": "us-east-1",
        "dynamodb": {
            "ApproximateCreationDateTime": 1_900_000_000, "Keys": {}, "NewImage": image,
            "SequenceNumber": sequence_number, "SizeBytes": 1, "StreamViewType": "NEW_AND_OLD_IMAGES",
        },
    })
}

#[tokio::test]
async fn poison_record_is_reported_without_blocking_others() {
    let (stack, clock) = Stack::with_clock().await;
    let item = TestItem::new(&stack).await;
    let aws = Aws::new(&stack);
    let recipient = address("ann");
    let start = now();
    clock.stop_at(start);
    // This share's email is due in five minutes, so the function ignores the share's record when the stream
    // delivers it. Waiting for a later share's email ensures that the record has been delivered.
    let path = job(&item.name);
    let mut share = new_share(&path, &recipient, TimeDelta::days(1), start);
    share.mail = Mail::queued(start + TimeDelta::minutes(5));
    let table = ShareTable::new(aws.config(), &stack.info.table_name);
    table.create(permitted(&share), index_hashes(&share), RETENTION, new_write_id().unwrap()).await.unwrap();
    let valid = aws.json_rows(&path.to_string()).await.remove(0);
    item.share_with(&address("later")).await;
    assert!(emails_to(&stack, &recipient).await.is_empty(), "the email is not due yet");

    clock.stop_at(start + TimeDelta::minutes(5));
    let mut poison = valid.clone();
    poison["recipient"] = json!({"S": "no address"});
    let event = json!({"Records": [record("1", &poison), record("2", &valid), record("3", &json!({}))]});
    let response = aws.invoke("NotifyRecipients", &event).await;

    assert_eq!(response, json!({"batchItemFailures": [{"itemIdentifier": "1"}, {"itemIdentifier": "3"}]}));
    assert_eq!(emails_to(&stack, &recipient).await.len(), 1);
}

#[tokio::test]
async fn redelivered_record_sends_no_second_email() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let aws = Aws::new(&stack);
    let recipient = address("ann");
    item.share_with(&recipient).await;
    let mut image = aws.json_rows(&item.path()).await.remove(0);
    image["mailState"] = json!({"S": "queued"});
    image["mailDue"] = json!({"N": "0"});
    image["mailShard"] = json!({"S": "0"});

    for _ in 0..3 {
        let response = aws.invoke("NotifyRecipients", &json!({"Records": [record("1", &image)]})).await;
        assert_eq!(response, json!({"batchItemFailures": []}));
    }

    assert_eq!(emails_to(&stack, &recipient).await.len(), 1);
}
