//! AWS's DynamoDB Local.

use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use super::{root, within_minutes};

/// A running DynamoDB Local. Dropping this value stops it, by closing its standard input.
pub(crate) struct DynamoDbLocal {
    pub(crate) endpoint: String,
    _process: Child,
}

impl DynamoDbLocal {
    pub(crate) async fn start() -> Self {
        let mut process = Command::new(env!("CARGO"))
            .current_dir(root())
            .args(["local", "dynamodb"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let endpoint =
            within_minutes(10, lines.next_line()).await.unwrap().expect("no endpoint in the output");
        Self { endpoint, _process: process }
    }
}
