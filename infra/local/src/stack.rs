//! What other programs need to know of the running stack: `target/local/stack.json`.

use std::fs;
use std::path::PathBuf;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::paths::made;

/// The running stack.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StackInfo {
    /// Where the API's routes begin.
    pub(crate) api_url: String,
    /// Where AWS is.
    pub(crate) aws_endpoint_url: String,
    pub(crate) region: String,
    pub(crate) files_bucket: String,
    pub(crate) table_name: String,
    pub(crate) issuer: String,
    pub(crate) audience: String,
    /// Answers sent mail as a JSON list.
    pub(crate) mail_url: String,
    /// Moves the functions' clock.
    pub(crate) clock_file: PathBuf,
}

fn file() -> PathBuf {
    made("stack.json")
}

impl StackInfo {
    /// The stack that runs now. A file that a crash left behind describes none.
    pub(crate) async fn running() -> Option<Self> {
        let stack: Self = serde_json::from_slice(&fs::read(file()).ok()?).ok()?;
        let answer = reqwest::get(format!("{}/.well-known/openid-configuration", stack.issuer)).await.ok()?;
        answer.status().is_success().then_some(stack)
    }

    /// Tells other programs that the stack is ready.
    pub(crate) fn write(&self) -> Result<()> {
        let unfinished = made("stack.json.new");
        fs::write(&unfinished, serde_json::to_vec_pretty(self)?)?;
        Ok(fs::rename(unfinished, file())?)
    }

    /// Tells other programs that the stack is no more.
    pub(crate) fn remove() {
        // It may never have been written.
        let _ = fs::remove_file(file());
    }
}
