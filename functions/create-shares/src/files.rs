//! The files that an item has to share.

use lambda_http::http::StatusCode;
use serde::Serialize;
use sharelink_aws::files::{FileStore, Listing};
use sharelink_domain::request::FILES_LIMIT;
use sharelink_domain::{FileName, Item, SharedFile};
use sharelink_http::{Answer, Problem, Request, answer, cursor, next_cursor};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct FilesAnswer {
    files: Vec<SharedFile>,
    left_out: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// A page of an item's files: as many as one share may have.
pub(crate) async fn page(store: &FileStore, request: &Request, item: &Item) -> Result<Answer, Problem> {
    let after = cursor(request, str::parse::<FileName>)?;
    let Listing { mut files, left_out } = store.list(item, after.as_ref()).await?;
    let has_more = files.len() > FILES_LIMIT;
    files.truncate(FILES_LIMIT);
    let last = files.last().filter(|_| has_more);
    let next_cursor = last.map(|file| next_cursor(file.name.as_str()));
    Ok(answer(StatusCode::OK, "application/json", &FilesAnswer { files, left_out, next_cursor }))
}
