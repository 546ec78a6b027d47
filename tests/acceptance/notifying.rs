//! What `notify-recipients` makes of a batch of the stream. The emulator does not act on its answer, so the
//! answer itself is looked at.

use chrono::{TimeDelta, Utc};
use serde_json::{Value, json};
use sharelink_aws::new_write_id;
use sharelink_aws::share_table::ShareTable;
use sharelink_domain::{Item, Mail};

use crate::share_table::{RETENTION, share};
use crate::support::{Aws, Stack, TestItem, address, mails_to};

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
async fn a_poison_record_is_reported_and_keeps_no_other_from_its_email() {
    let (stack, clock) = Stack::with_clock().await;
    let item = TestItem::new(&stack).await;
    let aws = Aws::of(&stack);
    let recipient = address("ann");
    let now = sharelink_domain::to_millis(Utc::now());
    clock.stop_at(now);
    // A share whose email is due in five minutes. The stream delivers it before the later share's, too early.
    let path = Item { module: "jobs".parse().unwrap(), name: item.name.parse().unwrap() };
    let mut share = share(&path, &recipient, 1, TimeDelta::days(1), now);
    share.mail = Mail::queued(now + TimeDelta::minutes(5));
    let table = ShareTable::new(aws.config(), &stack.info.table_name);
    table.create(&share, RETENTION, new_write_id().unwrap()).await.unwrap();
    let good = aws.images(&path.to_string()).await.remove(0);
    item.shared_with(&address("later")).await;
    assert!(mails_to(&stack, &recipient).await.is_empty());

    clock.stop_at(now + TimeDelta::minutes(5));
    let mut poison = good.clone();
    poison["recipient"] = json!({"S": "no address"});
    let event = json!({"Records": [record("1", &poison), record("2", &good), record("3", &json!({}))]});
    let answer = aws.invoke("NotifyRecipients", &event).await;

    assert_eq!(answer, json!({"batchItemFailures": [{"itemIdentifier": "1"}, {"itemIdentifier": "3"}]}));
    assert_eq!(mails_to(&stack, &recipient).await.len(), 1);
}

#[tokio::test]
async fn a_record_that_comes_again_sends_nothing_again() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let aws = Aws::of(&stack);
    let recipient = address("ann");
    item.shared_with(&recipient).await;
    let mut image = aws.images(&format!("jobs/{}", item.name)).await.remove(0);
    image["mailState"] = json!({"S": "queued"});
    image["mailDue"] = json!({"N": "0"});
    image["mailShard"] = json!({"S": "0"});
    for _ in 0..3 {
        let answer = aws.invoke("NotifyRecipients", &json!({"Records": [record("1", &image)]})).await;
        assert_eq!(answer, json!({"batchItemFailures": []}));
    }
    assert_eq!(mails_to(&stack, &recipient).await.len(), 1);
}
