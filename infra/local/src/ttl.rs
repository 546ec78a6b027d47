//! Replaces the emulator's TTL, which uses real time and writes nothing to the table's stream. Deletes rows
//! that have expired according to the functions' clock, so that the deletions appear in the stream.

use std::time::{Duration, Instant};

use anyhow::Result;
use reqwest::Client;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::clock;
use crate::stack::StackInfo;

/// Time between scans after the functions' clock was moved, which makes rows expire. Each scan reads whole
/// tables, and the emulator serves no other request until it is done.
const INTERVAL: Duration = Duration::from_secs(2);

/// Time between scans in real time. AWS deletes expired rows days late, so a minute is early enough.
const REAL_TIME_INTERVAL: Duration = Duration::from_mins(1);

/// Time until a moved clock is noticed.
const CLOCK_INTERVAL: Duration = Duration::from_millis(500);

/// Deletes expired rows until the task is aborted.
pub(crate) async fn run(stack: StackInfo) {
    let client = Client::new();
    loop {
        for table in [&stack.table_name, &stack.log_table_name] {
            // A scan may fail if the emulator is busy; the next scan finds the same rows.
            let _ = delete_expired(&client, &stack, table).await;
        }
        let scanned = Instant::now();
        while scanned.elapsed() < if clock::is_real_time() { REAL_TIME_INTERVAL } else { INTERVAL } {
            sleep(CLOCK_INTERVAL).await;
        }
    }
}

async fn delete_expired(client: &Client, stack: &StackInfo, table: &str) -> Result<()> {
    let expired = || {
        json!({
            "TableName": table,
            "ExpressionAttributeNames": {"#ttl": "ttl"},
            "ExpressionAttributeValues": {":now": {"N": clock::now().timestamp().to_string()}},
        })
    };
    let mut scan = expired();
    scan["FilterExpression"] = "#ttl <= :now".into();
    scan["ProjectionExpression"] = "#item, entry".into();
    scan["ExpressionAttributeNames"]["#item"] = "item".into();
    loop {
        let page = call(client, stack, "Scan", &scan).await?;
        for key in page["Items"].as_array().into_iter().flatten() {
            let mut delete = expired();
            delete["ConditionExpression"] = "#ttl <= :now".into();
            delete["Key"] = key.clone();
            // This fails if the row is gone or now has a later expiry, or if the clock was set back.
            let _ = call(client, stack, "DeleteItem", &delete).await;
        }
        match page.get("LastEvaluatedKey") {
            Some(last) => scan["ExclusiveStartKey"] = last.clone(),
            None => return Ok(()),
        }
    }
}

async fn call(client: &Client, stack: &StackInfo, operation: &str, body: &Value) -> Result<Value> {
    let request = client
        .post(&stack.aws_endpoint_url)
        .header("X-Amz-Target", format!("DynamoDB_20120810.{operation}"))
        .header("Content-Type", "application/x-amz-json-1.0")
        .body(body.to_string())
        .build()?;
    let request = stack.credentials.sign(request, "dynamodb", &stack.region)?;
    Ok(client.execute(request).await?.error_for_status()?.json().await?)
}
