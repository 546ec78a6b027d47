//! The files that an item has to share.

use lambda_http::http::StatusCode;
use serde::Serialize;
use sharelink_aws::files::{FileListing, FileStore};
use sharelink_domain::request::FILES_LIMIT;
use sharelink_domain::{FileName, Item, SharedFile};
use sharelink_http::{Problem, Request, Response, encode_cursor, json_response, parse_cursor};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct FilesResponse {
    files: Vec<SharedFile>,
    left_out: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// A page of an item's files: as many as one share may have.
pub(crate) async fn page(store: &FileStore, request: &Request, item: &Item) -> Result<Response, Problem> {
    let after = parse_cursor(request, str::parse::<FileName>)?;
    let FileListing { mut files, left_out } = store.list(item, after.as_ref()).await?;
    let has_more = files.len() > FILES_LIMIT;
    files.truncate(FILES_LIMIT);
    let last = files.last().filter(|_| has_more);
    let next_cursor = last.map(|file| encode_cursor(file.name.as_str()));
    Ok(json_response(StatusCode::OK, "application/json", &FilesResponse { files, left_out, next_cursor }))
}
