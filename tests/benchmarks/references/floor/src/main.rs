//! The redemption of `redeem-link` without the AWS SDK, for a link to a single file.
//!
//! It makes the same two signed calls and signs the same URL, and it leaves out what the Node and Python
//! references leave out. It is the floor for a redemption's CPU time, and what `redeem-link` takes in addition
//! is the price of the SDK, the logs and the metrics.
//!
//! The event `{"handshakes": n}` opens n connections to AWS instead, as a reference for a handshake's time.

mod aws;

use std::env;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws::{Aws, Service};
use aws_lc_rs::rand;
use hyper::StatusCode;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::{Value, json};
use sharelink_domain::link::{KeyRing, Link};

/// The characters that stay unencoded in a signed path (the unreserved ones and the slash).
const PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    handshakes: Option<usize>,
    #[serde(default)]
    path_parameters: PathParameters,
}

#[derive(Default, Deserialize)]
struct PathParameters {
    token: String,
}

struct Floor {
    aws: Aws,
    dynamodb: Service,
    s3: Service,
    keys: KeyRing,
    table: String,
    bucket: String,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let aws = Aws::from_env()?;
    let floor = Floor {
        keys: fetch_keys(&aws).await?,
        dynamodb: aws.connect("dynamodb").await?,
        s3: aws.connect("s3").await?,
        aws,
        table: env::var("TABLE_NAME")?,
        bucket: env::var("FILES_BUCKET")?,
    };
    run(service_fn(async |event: LambdaEvent<Event>| floor.handle(event.payload).await)).await
}

async fn fetch_keys(aws: &Aws) -> Result<KeyRing, Error> {
    let service = aws.connect("secretsmanager").await?;
    let request = json!({"SecretId": env::var("KEY_RING_SECRET")?}).to_string();
    let (_, body) = aws.call(&service, "secretsmanager.GetSecretValue", request).await?;
    let secret: Value = serde_json::from_slice(&body)?;
    Ok(KeyRing::parse(secret["SecretString"].as_str().unwrap_or_default())?)
}

impl Floor {
    async fn handle(&self, event: Event) -> Result<Value, Error> {
        if let Some(handshakes) = event.handshakes {
            for _ in 0..handshakes {
                drop(self.aws.open_connection().await?);
            }
            return Ok(json!({"statusCode": 204}));
        }
        let Ok(link) = self.keys.open(&event.path_parameters.token) else { return Ok(page(404)) };
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis();
        let share = self.redeem(&link, now).await?;
        if share["generation"]["S"].as_str() != Some(&link.generation.to_string()) {
            return Ok(page(404));
        }
        let expires_at: u128 = share["expiresAt"]["N"].as_str().unwrap_or_default().parse()?;
        let seconds_left = u64::try_from(expires_at.saturating_sub(now) / 1000)?;
        if !share["revokedAt"].is_null() || seconds_left < 1 {
            return Ok(page(410));
        }
        let name = share["files"]["L"][0]["M"]["name"]["S"].as_str().unwrap_or_default();
        let key = format!("{}/{}/{name}", self.bucket, link.item);
        let path = format!("/{}", utf8_percent_encode(&key, PATH));
        if self.aws.head_object(&self.s3, &path).await? == StatusCode::NOT_FOUND {
            return Ok(page(404));
        }
        let disposition = format!("attachment; filename=\"{name}\"; filename*=UTF-8''{name}");
        let query =
            format!("response-content-disposition={}", utf8_percent_encode(&disposition, NON_ALPHANUMERIC));
        let url = self.aws.sign_url(&path, &query, Duration::from_secs(seconds_left.min(60)))?;
        Ok(json!({"statusCode": 302, "headers": {
            "cache-control": "no-store", "referrer-policy": "no-referrer", "x-robots-tag": "noindex",
            "location": url,
        }, "body": ""}))
    }

    /// Counts a use if the link gives access. Returns the share in either case.
    async fn redeem(&self, link: &Link, now: u128) -> Result<Value, Error> {
        let mut write = [0; 16];
        rand::fill(&mut write).map_err(|_| "no random bytes")?;
        let write = write.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
        let update = json!({
            "TableName": self.table,
            "Key": {"item": {"S": link.item.to_string()}, "entry": {"S": format!("SHARE#{}", link.share)}},
            "UpdateExpression":
                "SET opens = opens + :one, downloads = downloads + downloadsPerOpen, lastOpenedAt = :now, \
                 firstOpenedAt = if_not_exists(firstOpenedAt, :now), lastUses[1] = lastUses[0], \
                 lastUses[2] = lastUses[1], lastUses[3] = lastUses[2], lastUses[0] = :write",
            "ConditionExpression":
                "generation = :generation AND expiresAt >= :least AND attribute_not_exists(revokedAt) \
                 AND fileCount >= :file AND NOT contains(lastUses, :write)",
            "ExpressionAttributeValues": {
                ":one": {"N": "1"}, ":now": {"N": now.to_string()}, ":least": {"N": (now + 1000).to_string()},
                ":file": {"N": "1"}, ":generation": {"S": link.generation.to_string()}, ":write": {"S": write},
            },
            "ReturnValues": "ALL_NEW",
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        });
        let target = "DynamoDB_20120810.UpdateItem";
        let (status, body) = self.aws.call(&self.dynamodb, target, update.to_string()).await?;
        let mut response: Value = serde_json::from_slice(&body)?;
        Ok(response[if status.is_success() { "Attributes" } else { "Item" }].take())
    }
}

fn page(status: u16) -> Value {
    json!({"statusCode": status, "headers": {"content-type": "text/html; charset=utf-8"}, "body": ""})
}
