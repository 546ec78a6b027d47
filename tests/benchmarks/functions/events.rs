//! The events for the most common use of each function, in AWS's formats.

use chrono::{DateTime, TimeDelta, Utc};
use dynoxide::actions::get_item::GetItemRequest;
use serde_json::{Value, json};
use sharelink_aws::new_write_id;
use sharelink_aws::share_table::ShareTable;
use sharelink_domain::delivery::EmailId;
use sharelink_domain::link::Link;
use sharelink_domain::testing::permitted;
use sharelink_domain::{Share, SharedFile, Sharer};

use super::fake_aws::{FakeAws, TABLE};
use super::programs::key_ring;
use crate::support::events::{api_event, ses_event};
use crate::support::fixtures::{index_hashes, job, share_builder};
use crate::support::{address, aws_config, rfc3339, unique};

/// Number of shares in a listed item.
const LISTED_SHARES: usize = 50;

/// Creates events, and stores the shares that they refer to in the table.
pub(crate) struct EventFactory<'a> {
    aws: &'a FakeAws,
    pub(crate) table: ShareTable,
    now: DateTime<Utc>,
}

impl<'a> EventFactory<'a> {
    pub(crate) async fn new(aws: &'a FakeAws) -> Self {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let config = aws_config(&format!("http://{}", listener.local_addr().unwrap()), "eu-central-1");
        tokio::spawn(dynoxide::server::serve_on(listener, aws.database.clone()));
        Self {
            aws,
            table: ShareTable::new(&config, TABLE),
            now: sharelink_domain::truncate_to_millis(Utc::now()),
        }
    }

    /// Creates a share of one of this item's files, with a pending email.
    async fn create_share(&self, item: &str) -> Share {
        let share = share_builder(&job(item), TimeDelta::days(7), self.now)
            .sharer(Sharer { sub: "u1".into(), name: Some("Ann Example".into()), email: None })
            .message("The brief, as promised.")
            .notify(true)
            .recipient(&address("r"))
            .build();
        self.table
            .create(permitted(&share), index_hashes(&share), TimeDelta::days(90), new_write_id().unwrap())
            .await
            .unwrap();
        share
    }

    /// A recipient opens a link. The event can be repeated.
    pub(crate) async fn redemption(&self) -> Value {
        let share = self.create_share(&unique("item")).await;
        api_event("GET /s/{token}", &json!({"token": token(share)}), &Value::Null)
    }

    /// A recipient downloads a file, and all files, of a share of two files. The events can be repeated.
    pub(crate) async fn downloads(&self, item: &str, size: u64) -> [Value; 2] {
        let file = |name: &str| SharedFile { name: name.parse().unwrap(), size, key: None };
        let share = share_builder(&job(item), TimeDelta::days(7), self.now)
            .files(["1.bin", "2.bin"].map(file).into())
            .recipient(&address("r"))
            .build();
        self.table
            .create(permitted(&share), index_hashes(&share), TimeDelta::days(90), new_write_id().unwrap())
            .await
            .unwrap();
        let token = token(share);
        [
            api_event("GET /s/{token}/files/{n}", &json!({"token": token, "n": "1"}), &Value::Null),
            api_event("GET /s/{token}/archive", &json!({"token": token}), &Value::Null),
        ]
    }

    /// A sharer shares an item with one recipient.
    pub(crate) fn create_request(&self) -> Value {
        let body = json!({
            "recipients": [address("r")],
            "expiresAt": rfc3339(self.now + TimeDelta::days(7)),
            "message": "The brief, as promised.",
            "files": ["brief.pdf"],
        });
        let item = json!({"module": "jobs", "item": unique("item")});
        api_event("POST /modules/{module}/items/{item}/shares", &item, &body)
    }

    /// A sharer lists an item's active shares. The event can be repeated.
    pub(crate) async fn list_request(&self) -> Value {
        let item = unique("item");
        for _ in 0..LISTED_SHARES {
            self.create_share(&item).await;
        }
        let path = json!({"module": "jobs", "item": item});
        api_event("GET /modules/{module}/items/{item}/shares", &path, &Value::Null)
    }

    /// A browser loads the module of the web components. Every version serves the current one.
    pub(crate) fn module_request() -> Value {
        let path = json!({"version": "1", "file": "sharelink.js"});
        api_event("GET /ui/{version}/{file}", &path, &Value::Null)
    }

    /// The table's stream reports a new share.
    pub(crate) async fn stream_insert(&self) -> Value {
        let share = self.create_share(&unique("item")).await;
        let key =
            json!({"item": {"S": share.item.to_string()}, "entry": {"S": format!("SHARE#{}", share.id)}});
        let get: GetItemRequest = serde_json::from_value(json!({"TableName": TABLE, "Key": key})).unwrap();
        let image = serde_json::to_value(self.aws.database.get_item(get).unwrap()).unwrap()["Item"].take();
        let stream = "arn:aws:dynamodb:eu-central-1:123456789012:table/shares/stream/2030-03-10T12:00:00.000";
        json!({"Records": [{
            "eventID": unique("event"), "eventName": "INSERT", "eventVersion": "1.1",
            "eventSource": "aws:dynamodb", "eventSourceARN": stream, "awsRegion": "eu-central-1",
            "dynamodb": {
                "ApproximateCreationDateTime": self.now.timestamp(), "Keys": key, "NewImage": image,
                "SequenceNumber": "111", "SizeBytes": 600, "StreamViewType": "NEW_AND_OLD_IMAGES",
            },
        }]})
    }

    /// SES reports that it delivered a share's email.
    pub(crate) async fn email_delivery(&self) -> Value {
        let share = self.create_share(&unique("item")).await;
        ses_event(&EmailId::of(&share), "Delivery", self.now, &json!({"smtpResponse": "250 OK"}))
    }
}

/// Returns the token of a share's link.
fn token(share: Share) -> String {
    let link = Link { item: share.item, share: share.id, generation: share.generation };
    let ring = key_ring();
    ring.seal(ring.current(), &link).unwrap().expose().to_owned()
}
