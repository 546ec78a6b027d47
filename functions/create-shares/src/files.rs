//! The list of an item's shareable files.

use lambda_http::http::StatusCode;
use serde::Serialize;
use sharelink_aws::files::FileListing;
use sharelink_domain::FileName;
use sharelink_domain::request::FILES_LIMIT;
use sharelink_domain::resolution::ItemFile;
use sharelink_http::{FileResponse, Problem, Request, Response, encode_cursor, json_response, parse_cursor};

use crate::item_source::ShareableItem;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct FilesResponse<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<String>,
    files: Vec<ItemFileResponse<'a>>,
    left_out: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

#[derive(Serialize)]
struct ItemFileResponse<'a> {
    #[serde(flatten)]
    file: FileResponse<'a>,
    archived: bool,
}

impl<'a> From<&'a ItemFile> for ItemFileResponse<'a> {
    fn from(ItemFile { file, is_archived }: &'a ItemFile) -> Self {
        Self { file: FileResponse::from(file), archived: *is_archived }
    }
}

/// Lists one page of an item's files. A page has at most as many files as one share may have.
pub(crate) async fn list(item: &ShareableItem<'_>, request: &Request) -> Result<Response, Problem> {
    let after = parse_cursor(request, str::parse::<FileName>)?;
    let FileListing { files, is_partial } = item.list(after.as_ref()).await?;
    let has_more = files.len() > FILES_LIMIT;
    let page = &files[..files.len().min(FILES_LIMIT)];
    let last = page.last().filter(|_| has_more);
    let body = FilesResponse {
        title: item.title().map(|title| title.as_str().to_owned()),
        files: page.iter().map(ItemFileResponse::from).collect(),
        left_out: is_partial,
        next_cursor: last.map(|last| encode_cursor(last.file.name.as_str())),
    };
    Ok(json_response(StatusCode::OK, "application/json", &body))
}
