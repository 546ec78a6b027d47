//! The stored form of an order: the list of files is too long for a message.

use serde::{Deserialize, Serialize};
use sharelink_domain::archive::{ArchiveFile, ArchiveId, ArchiveOrder, ETag, LeftOut};
use sharelink_domain::{FileName, ObjectKey, Timestamp};

use crate::files::SERVICE;
use crate::share_table::StoredReason;
use crate::{AwsError, InternalError};

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct StoredOrder {
    files: Vec<StoredOrderedFile>,
    left_out: Vec<StoredLeftOut>,
}

#[derive(Deserialize, Serialize)]
struct StoredOrderedFile {
    name: FileName,
    key: ObjectKey,
    etag: String,
    size: u64,
    /// In milliseconds since 1970.
    modified: i64,
}

#[derive(Deserialize, Serialize)]
struct StoredLeftOut {
    name: FileName,
    reason: StoredReason,
}

pub(super) fn encode(order: &ArchiveOrder) -> Result<Vec<u8>, InternalError> {
    let file = |file: &ArchiveFile| StoredOrderedFile {
        name: file.name.clone(),
        key: file.key.clone(),
        etag: file.etag.as_str().to_owned(),
        size: file.size,
        modified: file.modified.timestamp_millis(),
    };
    let left_out = |file: &LeftOut| StoredLeftOut { name: file.name.clone(), reason: file.reason.into() };
    let stored = StoredOrder {
        files: order.files.iter().map(file).collect(),
        left_out: order.left_out.iter().map(left_out).collect(),
    };
    serde_json::to_vec(&stored).map_err(|_| InternalError::Encoding("an order"))
}

pub(super) fn decode(id: ArchiveId, json: &[u8]) -> Result<ArchiveOrder, AwsError> {
    let invalid = |what| AwsError::InvalidData { service: SERVICE, what };
    let stored: StoredOrder = serde_json::from_slice(json).map_err(|_| invalid("an order"))?;
    let files: Option<Vec<_>> = stored
        .files
        .into_iter()
        .map(|file| {
            Some(ArchiveFile {
                name: file.name,
                key: file.key,
                etag: ETag::parse(&file.etag)?,
                size: file.size,
                crc32: None,
                modified: Timestamp::from_timestamp_millis(file.modified)?,
            })
        })
        .collect();
    let left_out = |file: StoredLeftOut| LeftOut { name: file.name, reason: file.reason.into() };
    Ok(ArchiveOrder {
        id,
        files: files.ok_or(invalid("a file in an order"))?,
        left_out: stored.left_out.into_iter().map(left_out).collect(),
    })
}

#[cfg(test)]
mod tests {
    use sharelink_domain::archive::{LeftOutReason, Limits};
    use sharelink_domain::testing::{NOW, time};

    use super::*;

    /// Golden vector: orders in the bucket look like this. Never edit it.
    #[test]
    fn orders_are_frozen() {
        let file = ArchiveFile {
            name: "a.pdf".parse().unwrap(),
            key: ObjectKey::try_from("jobs/7/a.pdf".to_owned()).unwrap(),
            etag: ETag::parse("0123").unwrap(),
            size: 6,
            crc32: None,
            modified: time(NOW),
        };
        let left_out = LeftOut { name: "b".parse().unwrap(), reason: LeftOutReason::Archived };
        let limits = Limits { bytes: 6, files: 2 };
        let order = ArchiveOrder::new(vec![file], vec![left_out], limits).unwrap();
        let json = String::from_utf8(encode(&order).unwrap()).unwrap();
        assert_eq!(
            json,
            r#"{"files":[{"name":"a.pdf","key":"jobs/7/a.pdf","etag":"\"0123\"","size":6,"modified":1773144000000}],"leftOut":[{"name":"b","reason":"archived"}]}"#
        );
        assert_eq!(decode(order.id, json.as_bytes()), Ok(order));
    }
}
