//! What each function is invoked with: what AWS sends it for the most common thing that it does.

use chrono::{DateTime, TimeDelta, Utc};
use dynoxide::actions::get_item::GetItemRequest;
use serde_json::{Value, json};
use sharelink_aws::new_write_id;
use sharelink_aws::share_table::ShareTable;
use sharelink_domain::Share;
use sharelink_domain::delivery::EmailId;
use sharelink_domain::link::Link;
use sharelink_domain::request::{Message, ShareRequest};

use super::cloud::{Cloud, TABLE};
use super::programs::key_ring;
use crate::support::events::{api_event, ses_event};
use crate::support::fixtures::{accept, job, share_request};
use crate::support::{address, aws_config, rfc3339, unique};

/// The table, filled with what events are about.
pub(crate) struct Shares<'a> {
    cloud: &'a Cloud,
    table: ShareTable,
    now: DateTime<Utc>,
}

/// How many shares an item has that is listed: a page of them.
const LISTED: usize = 50;

impl<'a> Shares<'a> {
    pub(crate) async fn of(cloud: &'a Cloud) -> Self {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let config = aws_config(&format!("http://{}", listener.local_addr().unwrap()), "eu-central-1");
        tokio::spawn(dynoxide::server::serve_on(listener, cloud.database.clone()));
        Self { cloud, table: ShareTable::new(&config, TABLE), now: sharelink_domain::to_millis(Utc::now()) }
    }

    /// A share of one file, of an item of this name; its email is pending.
    async fn share(&self, item: &str) -> Share {
        let request = ShareRequest {
            message: Message::parse("The brief, as promised.").unwrap(),
            notify: true,
            ..share_request(&job(item), TimeDelta::days(7), self.now)
        };
        let share = accept(&request, &address("r"), self.now);
        self.table.create(&share, TimeDelta::days(90), new_write_id().unwrap()).await.unwrap();
        share
    }

    /// A recipient opens a link, again and again.
    pub(crate) async fn opened(&self) -> Value {
        let share = self.share(&unique("item")).await;
        let (ring, link) =
            (key_ring(), Link { item: share.item, share: share.id, generation: share.generation });
        let token = ring.seal(ring.current(), &link).unwrap();
        api_event("GET /s/{token}", &json!({"token": token.expose()}), &Value::Null)
    }

    /// A sharer shares an item with one more recipient each time.
    pub(crate) fn created(&self) -> Value {
        let body = json!({
            "recipients": [address("r")], "expiresAt": rfc3339(self.now + TimeDelta::days(7)),
            "message": "The brief, as promised.", "files": ["brief.pdf"],
        });
        let item = json!({"module": "jobs", "item": unique("item")});
        api_event("POST /modules/{module}/items/{item}/shares", &item, &body)
    }

    /// A sharer looks at an item's active shares, again and again.
    pub(crate) async fn listed(&self) -> Value {
        let item = unique("item");
        for _ in 0..LISTED {
            self.share(&item).await;
        }
        api_event(
            "GET /modules/{module}/items/{item}/shares",
            &json!({"module": "jobs", "item": item}),
            &Value::Null,
        )
    }

    /// A share was created.
    pub(crate) async fn inserted(&self) -> Value {
        let share = self.share(&unique("item")).await;
        let key =
            json!({"item": {"S": share.item.to_string()}, "entry": {"S": format!("SHARE#{}", share.id)}});
        let get: GetItemRequest = serde_json::from_value(json!({"TableName": TABLE, "Key": key})).unwrap();
        let image = serde_json::to_value(self.cloud.database.get_item(get).unwrap()).unwrap()["Item"].take();
        json!({"Records": [{
            "eventID": unique("event"), "eventName": "INSERT", "eventVersion": "1.1", "eventSource": "aws:dynamodb",
            "awsRegion": "eu-central-1",
            "dynamodb": {
                "ApproximateCreationDateTime": self.now.timestamp(), "Keys": key, "NewImage": image,
                "SequenceNumber": "111", "SizeBytes": 600, "StreamViewType": "NEW_AND_OLD_IMAGES",
            },
            "eventSourceARN": "arn:aws:dynamodb:eu-central-1:123456789012:table/shares/stream/2030-03-10T12:00:00.000",
        }]})
    }

    /// SES has delivered a share's email.
    pub(crate) async fn delivered(&self) -> Value {
        let share = self.share(&unique("item")).await;
        ses_event(&EmailId::of(&share), "Delivery", self.now, &json!({"smtpResponse": "250 OK"}))
    }
}
