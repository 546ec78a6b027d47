//! Describes the running stack to other programs, in `target/local/stack.json`.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::paths::target;
use crate::signature::Credentials;

/// The running stack.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StackInfo {
    /// The deployed environment in `samconfig.toml`.
    pub(crate) environment: String,
    /// The API's base URL.
    pub(crate) api_url: String,
    /// The emulator's endpoint.
    pub(crate) aws_endpoint_url: String,
    pub(crate) region: String,
    #[serde(flatten)]
    pub(crate) credentials: Credentials,
    pub(crate) files_bucket: String,
    /// The pattern of the files' keys, with the placeholders `{module}`, `{item}` and `{file}`.
    pub(crate) file_key_pattern: String,
    /// The pattern of the keys of the items' documents, if an item resolver reads them.
    pub(crate) document_key_pattern: Option<String>,
    pub(crate) table_name: String,
    pub(crate) log_table_name: String,
    pub(crate) issuer: String,
    pub(crate) audience: String,
    /// The URL that returns the sent emails as a JSON list.
    pub(crate) mail_url: String,
    /// The file that controls the functions' clock.
    pub(crate) clock_file: PathBuf,
    /// The process with which the stack stops, if there is one.
    pub(crate) owner: Option<u32>,
}

fn file() -> PathBuf {
    target("stack.json")
}

impl StackInfo {
    /// Returns the running stack, if any. Ignores a file left behind by a crashed stack, and a stack that is
    /// about to stop because its owner has exited.
    pub(crate) async fn find_running() -> Option<Self> {
        let stack: Self = serde_json::from_slice(&fs::read(file()).ok()?).ok()?;
        if stack.owner.is_some_and(|owner| !Path::new(&format!("/proc/{owner}")).exists()) {
            return None;
        }
        let url = format!("{}/.well-known/openid-configuration", stack.issuer);
        let response = reqwest::get(url).await.ok()?;
        response.status().is_success().then_some(stack)
    }

    /// Returns the key at which the platform uploads an item's file.
    pub(crate) fn file_key(&self, module: &str, item: &str, file: &str) -> String {
        let pattern = self.file_key_pattern.replace("{module}", module).replace("{item}", item);
        pattern.replace("{file}", file)
    }

    /// Returns the key of the item's document, if an item resolver reads it.
    pub(crate) fn document_key(&self, module: &str, item: &str) -> Option<String> {
        Some(self.document_key_pattern.as_ref()?.replace("{module}", module).replace("{item}", item))
    }

    /// Announces to this user's other programs that the stack is ready.
    pub(crate) fn write(&self) -> Result<()> {
        let unfinished = target("stack.json.new");
        // A file that exists would keep its permissions.
        let _ = fs::remove_file(&unfinished);
        let mut private = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?;
        private.write_all(&serde_json::to_vec_pretty(self)?)?;
        Ok(fs::rename(unfinished, file())?)
    }

    /// Announces to other programs that the stack has stopped.
    pub(crate) fn remove() {
        // This fails if the stack never became ready.
        let _ = fs::remove_file(file());
    }
}
