//! What TTL does on AWS: deletes the rows whose time has passed, by the functions' clock, so that the table's
//! stream tells of it. The emulator's own TTL goes by the real time and tells nobody.

use std::time::Duration;

use anyhow::Result;
use reqwest::Client;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::clock;
use crate::stack::StackInfo;

/// How long to wait between two looks: each passes over the whole table.
const PAUSE: Duration = Duration::from_secs(2);

/// Looks again and again.
pub(crate) async fn run(stack: StackInfo) {
    let client = Client::new();
    loop {
        // A busy emulator is asked again.
        let _ = delete_expired(&client, &stack).await;
        sleep(PAUSE).await;
    }
}

async fn delete_expired(client: &Client, stack: &StackInfo) -> Result<()> {
    let by_now = || {
        json!({
            "TableName": stack.table_name,
            "ExpressionAttributeNames": {"#ttl": "ttl"},
            "ExpressionAttributeValues": {":now": {"N": clock::now().timestamp().to_string()}},
        })
    };
    let mut scan = by_now();
    scan["FilterExpression"] = "#ttl <= :now".into();
    scan["ProjectionExpression"] = "#item, entry".into();
    scan["ExpressionAttributeNames"]["#item"] = "item".into();
    loop {
        let page = call(client, stack, "Scan", &scan).await?;
        for key in page["Items"].as_array().into_iter().flatten() {
            let mut delete = by_now();
            delete["ConditionExpression"] = "#ttl <= :now".into();
            delete["Key"] = key.clone();
            // It may have been given more time since, or be gone; and the clock may have been set back.
            let _ = call(client, stack, "DeleteItem", &delete).await;
        }
        match page.get("LastEvaluatedKey") {
            Some(last) => scan["ExclusiveStartKey"] = last.clone(),
            None => return Ok(()),
        }
    }
}

/// A call in DynamoDB's protocol; the emulator does not check signatures.
async fn call(client: &Client, stack: &StackInfo, operation: &str, body: &Value) -> Result<Value> {
    let scope = format!("test/20260101/{}/dynamodb/aws4_request", stack.region);
    let request = client
        .post(&stack.aws_endpoint_url)
        .header("X-Amz-Target", format!("DynamoDB_20120810.{operation}"))
        .header("Content-Type", "application/x-amz-json-1.0")
        .header(
            "Authorization",
            format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"),
        )
        .body(body.to_string());
    Ok(request.send().await?.error_for_status()?.json().await?)
}
