//! What `notify-recipients` makes of a batch of the stream. The emulator does not act on its answer, so the
//! answer itself is looked at.

use serde_json::{Value, json};

use crate::support::{Aws, Stack, TestItem, address, mails_to, next_week};

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
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let aws = Aws::of(&stack);
    let recipient = address("ann");
    let body = json!({"recipients": [recipient], "expiresAt": next_week(), "notify": false});
    assert_eq!(item.post(&body).await.status, 201);
    // The image of a share whose email is pending, as the stream would have it; the row's own is not.
    let mut pending = aws.images(&format!("jobs/{}", item.name)).await.remove(0);
    pending["mailDue"] = json!({"N": "0"});
    let mut poison = pending.clone();
    poison["recipient"] = json!({"S": "no address"});
    let event = json!({"Records": [record("1", &poison), record("2", &pending), record("3", &json!({}))]});

    let answer = aws.invoke("NotifyRecipients", &event).await;

    assert_eq!(answer, json!({"batchItemFailures": [{"itemIdentifier": "1"}, {"itemIdentifier": "3"}]}));
    // The row says that nothing is pending, and the row's word counts.
    assert!(mails_to(&stack, &recipient).await.is_empty());
}

#[tokio::test]
async fn a_record_that_comes_again_sends_nothing_again() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let aws = Aws::of(&stack);
    let recipient = address("ann");
    item.shared_with(&recipient).await;
    let mut image = aws.images(&format!("jobs/{}", item.name)).await.remove(0);
    image["mailDue"] = json!({"N": "0"});
    image["mailShard"] = json!({"S": "0"});
    for _ in 0..3 {
        let answer = aws.invoke("NotifyRecipients", &json!({"Records": [record("1", &image)]})).await;
        assert_eq!(answer, json!({"batchItemFailures": []}));
    }
    assert_eq!(mails_to(&stack, &recipient).await.len(), 1);
}
