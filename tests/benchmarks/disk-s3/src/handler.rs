//! The calls.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;

use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::header::{CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, LAST_MODIFIED};
use hyper::http::request::Parts;
use hyper::{Method, Request, Response, StatusCode};
use tokio::task::spawn_blocking;

use crate::body::{self, Body};
use crate::request::{ObjectId, elements, encode_xml, header, parse_path, parse_query, parse_range};
use crate::store::{Object, Store, StoreError, pieces_in};

/// Every object has the same time.
const MODIFIED: &str = "Thu, 01 Jan 2026 00:00:00 GMT";
const MODIFIED_XML: &str = "2026-01-01T00:00:00.000Z";

/// The path of the calls that are not S3's.
const CONTROL: &str = "-";

#[derive(Clone)]
pub(crate) struct Handler {
    pub(crate) store: Arc<Store>,
    pub(crate) is_counted: bool,
}

impl Handler {
    pub(crate) async fn handle(&self, request: Request<Incoming>) -> Response<Body> {
        if self.is_counted {
            self.store.count(|counts| counts.calls += 1);
        }
        let (head, body) = request.into_parts();
        self.respond(&head, body).await.unwrap_or_else(|error| error_response(&error))
    }

    async fn respond(&self, head: &Parts, body: Incoming) -> Result<Response<Body>, StoreError> {
        let (store, id) = (&self.store, parse_path(head.uri.path()));
        let query = parse_query(head.uri.query().unwrap_or_default());
        let parameter = |name: &str| query.get(name).map(String::as_str);
        let (bucket, key) = (&id.0, &id.1);
        if bucket == CONTROL && !self.is_counted {
            return self.control(key, body).await;
        }
        let has_key = !key.is_empty();
        match (&head.method, parameter("uploadId")) {
            (&Method::PUT, Some(upload)) => self.put_part(head, body, upload, &query).await,
            (&Method::POST, Some(upload)) => {
                let xml = collect(body).await?;
                let (numbers, etags) = (elements(&xml, "PartNumber"), elements(&xml, "ETag"));
                let parts = numbers.zip(etags).map(|(number, etag)| (number.parse().unwrap_or(0), etag));
                let parts: Vec<(u32, String)> =
                    parts.map(|(number, etag)| (number, etag.replace("&quot;", "\""))).collect();
                let parts: Vec<(u32, &str)> = parts.iter().map(|(number, etag)| (*number, &**etag)).collect();
                let must_not_exist = header(head, "if-none-match") == Some("*");
                let etag = store.complete(upload, &parts, must_not_exist)?;
                Ok(xml_response("CompleteMultipartUploadResult", &format!("<ETag>\"{etag}\"</ETag>")))
            }
            (&Method::DELETE, Some(upload)) => {
                store.abort(upload)?;
                Ok(empty(StatusCode::NO_CONTENT))
            }
            (&Method::POST, None) if parameter("uploads").is_some() => {
                let (bucket, key) = (encode_xml(bucket), encode_xml(key));
                let upload = store.start_upload(id);
                let result =
                    format!("<Bucket>{bucket}</Bucket><Key>{key}</Key><UploadId>{upload}</UploadId>");
                Ok(xml_response("InitiateMultipartUploadResult", &result))
            }
            (&Method::GET, None) if parameter("uploads").is_some() => {
                let uploads = store.list_uploads(bucket, parameter("prefix").unwrap_or_default());
                let result = uploads.iter().fold(String::new(), |mut xml, (key, upload)| {
                    let key = encode_xml(key);
                    let _ = write!(xml, "<Upload><Key>{key}</Key><UploadId>{upload}</UploadId></Upload>");
                    xml
                });
                Ok(xml_response("ListMultipartUploadsResult", &result))
            }
            (&Method::GET, None) if !has_key => {
                let objects = store.list(bucket, parameter("prefix").unwrap_or_default());
                let result =
                    objects.iter().fold(String::new(), |mut xml, (key, Object { etag, size, .. })| {
                        let key = encode_xml(key);
                        let _ = write!(
                            xml,
                            "<Contents><Key>{key}</Key><LastModified>{MODIFIED_XML}</LastModified>\
                         <ETag>\"{etag}\"</ETag><Size>{size}</Size>\
                         <StorageClass>STANDARD</StorageClass></Contents>"
                        );
                        xml
                    });
                Ok(xml_response("ListBucketResult", &format!("<IsTruncated>false</IsTruncated>{result}")))
            }
            (&Method::GET, None) => self.get(head, &id),
            (&Method::HEAD, None) if !has_key => Ok(empty(StatusCode::OK)),
            (&Method::HEAD, None) => {
                let object = store.get(&id, header(head, "if-match"))?;
                let mut response = object_response(head, &object, StatusCode::OK);
                response.headers_mut().insert(CONTENT_LENGTH, object.size.into());
                Ok(response)
            }
            (&Method::PUT, None) => {
                let path = store.new_file();
                let size = self.receive(body, &path).await?;
                let etag = store.put(id, vec![Arc::new(Store::own(path, size))], None);
                Ok(with_etag(empty(StatusCode::OK), &etag))
            }
            (&Method::DELETE, None) => {
                store.delete(&id);
                Ok(empty(StatusCode::NO_CONTENT))
            }
            _ => Err(StoreError::InvalidRequest),
        }
    }

    fn get(&self, head: &Parts, id: &ObjectId) -> Result<Response<Body>, StoreError> {
        let object = self.store.get(id, header(head, "if-match"))?;
        let range = match header(head, "range") {
            Some(range) => Some(parse_range(range, object.size).ok_or(StoreError::InvalidRange)?),
            None => None,
        };
        let status = if range.is_some() { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
        let mut response = object_response(head, &object, status);
        if let Some(range) = &range {
            let value = format!("bytes {}-{}/{}", range.start, range.end - 1, object.size);
            insert(&mut response, CONTENT_RANGE.as_str(), &value);
        }
        let range = range.unwrap_or(0..object.size);
        let length = range.end - range.start;
        response.headers_mut().insert(CONTENT_LENGTH, length.into());
        if self.is_counted {
            self.store.count(|counts| counts.read += length);
        }
        *response.body_mut() = body::read(pieces_in(&object.pieces, range));
        Ok(response)
    }

    async fn put_part(
        &self,
        head: &Parts,
        body: Incoming,
        upload: &str,
        query: &HashMap<String, String>,
    ) -> Result<Response<Body>, StoreError> {
        let number = query.get("partNumber").and_then(|number| number.parse().ok());
        let number: u32 =
            number.filter(|number| (1..=10_000).contains(number)).ok_or(StoreError::InvalidRequest)?;
        let Some(source) = header(head, "x-amz-copy-source") else {
            let path = self.store.new_file();
            let size = self.receive(body, &path).await?;
            let etag = self.store.add_part(upload, number, Store::own(path, size))?;
            return Ok(with_etag(empty(StatusCode::OK), &etag));
        };
        let object = self.store.get(&parse_path(source), header(head, "x-amz-copy-source-if-match"))?;
        let range = match header(head, "x-amz-copy-source-range") {
            Some(range) => Some(parse_range(range, object.size).ok_or(StoreError::InvalidRange)?),
            None => None,
        };
        let store = Arc::clone(&self.store);
        let copy =
            spawn_blocking(move || store.copy(&object, range)).await.map_err(std::io::Error::other)??;
        let etag = self.store.add_part(upload, number, copy)?;
        Ok(xml_response("CopyPartResult", &format!("<ETag>\"{etag}\"</ETag>")))
    }

    async fn receive(&self, body: Incoming, path: &std::path::Path) -> Result<u64, StoreError> {
        let size = body::write(body, path).await?;
        if self.is_counted {
            self.store.count(|counts| counts.written += size);
        }
        Ok(size)
    }

    /// The calls that are not S3's.
    async fn control(&self, name: &str, body: Incoming) -> Result<Response<Body>, StoreError> {
        let body = collect(body).await?;
        let invalid = |_| StoreError::InvalidRequest;
        match name {
            "objects" => {
                let (store, added) = (Arc::clone(&self.store), serde_json::from_str(&body).map_err(invalid)?);
                let tags =
                    spawn_blocking(move || store.add(added)).await.map_err(std::io::Error::other)??;
                Ok(Response::new(body::full(serde_json::to_vec(&tags).map_err(invalid)?)))
            }
            "counts" => {
                let counts = serde_json::to_vec(&self.store.take_counts()).map_err(invalid)?;
                Ok(Response::new(body::full(counts)))
            }
            _ => Err(StoreError::NoSuchKey),
        }
    }
}

async fn collect(body: Incoming) -> Result<String, StoreError> {
    let bytes = body.collect().await.map_err(std::io::Error::other)?.to_bytes();
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(body::full(""));
    *response.status_mut() = status;
    response
}

fn object_response(head: &Parts, object: &Object, status: StatusCode) -> Response<Body> {
    let mut response = with_etag(empty(status), &object.etag);
    insert(&mut response, LAST_MODIFIED.as_str(), MODIFIED);
    insert(&mut response, "accept-ranges", "bytes");
    if let Some(crc32) = object.crc32.as_ref().filter(|_| header(head, "x-amz-checksum-mode").is_some()) {
        insert(&mut response, "x-amz-checksum-crc32", crc32);
        insert(&mut response, "x-amz-checksum-type", "FULL_OBJECT");
    }
    response
}

fn with_etag(mut response: Response<Body>, etag: &str) -> Response<Body> {
    insert(&mut response, ETAG.as_str(), &format!("\"{etag}\""));
    response
}

fn insert(response: &mut Response<Body>, name: &str, value: &str) {
    if let (Ok(name), Ok(value)) = (hyper::header::HeaderName::try_from(name), value.try_into()) {
        response.headers_mut().insert(name, value);
    }
}

fn xml_response(element: &str, content: &str) -> Response<Body> {
    let xml = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?><{element}>{content}</{element}>");
    let mut response = Response::new(body::full(xml));
    insert(&mut response, CONTENT_TYPE.as_str(), "application/xml");
    response
}

fn error_response(error: &StoreError) -> Response<Body> {
    let (status, code) = match error {
        StoreError::NoSuchKey => (StatusCode::NOT_FOUND, "NoSuchKey"),
        StoreError::NoSuchUpload => (StatusCode::NOT_FOUND, "NoSuchUpload"),
        StoreError::PreconditionFailed => (StatusCode::PRECONDITION_FAILED, "PreconditionFailed"),
        StoreError::InvalidRange => (StatusCode::RANGE_NOT_SATISFIABLE, "InvalidRange"),
        StoreError::InvalidRequest => (StatusCode::BAD_REQUEST, "InvalidRequest"),
        StoreError::EntityTooSmall => (StatusCode::BAD_REQUEST, "EntityTooSmall"),
        StoreError::EntityTooLarge => (StatusCode::BAD_REQUEST, "EntityTooLarge"),
        StoreError::InvalidPart => (StatusCode::BAD_REQUEST, "InvalidPart"),
        StoreError::Io(_) => (StatusCode::INTERNAL_SERVER_ERROR, "InternalError"),
    };
    let message = match error {
        StoreError::Io(error) => encode_xml(&error.to_string()),
        _ => String::new(),
    };
    let mut response = xml_response("Error", &format!("<Code>{code}</Code><Message>{message}</Message>"));
    *response.status_mut() = status;
    response
}
