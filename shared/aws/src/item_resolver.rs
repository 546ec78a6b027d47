//! The platform's item resolver: a Lambda function that decides who may use an item, and describes the item.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use aws_sdk_lambda::Client;
use aws_sdk_lambda::config::Builder;
use aws_sdk_lambda::primitives::Blob;
use aws_types::SdkConfig;
use chrono::TimeDelta;
use serde::de::{Error as _, Unexpected};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use sharelink_domain::json::{REPLACEMENT_CHARACTER, replace_lone_surrogates};
use sharelink_domain::resolution::{DescribedFile, ItemQuery, ResolvedItem};
use sharelink_domain::{Item, KeyLayout, Timestamp};

use crate::call_timer::CallTimer;
use crate::config::call_timeout;
use crate::recent_cache::RecentCache;
use crate::{AwsError, ResolveError};

const SERVICE: &str = "item-resolver";

/// Time allowed for a decision. Half of it is allowed for one attempt, because the call may be sent over a
/// connection that was lost while the environment was frozen.
const TIMEOUT: Duration = Duration::from_secs(6);

/// How long a decision is cached.
const MAX_AGE: TimeDelta = TimeDelta::minutes(1);

/// The maximum size of the cached responses, in bytes.
const CACHE_CAPACITY: usize = 8 * 1024 * 1024;

/// The maximum size of a response, in bytes. Lambda itself allows 6 MB
/// (<https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html>).
const RESPONSE_LIMIT: usize = 1024 * 1024;

/// What a cached decision takes up in addition to its response, in bytes.
const ENTRY_SIZE: usize = 1024;

/// A client for the item resolver.
#[derive(Debug)]
pub struct ItemResolver {
    client: Client,
    function: String,
    /// The layout that the items' keys must follow. `None` ignores the files.
    layout: Option<KeyLayout>,
    decisions: Mutex<RecentCache<QueryDigest, Decision>>,
}

/// The SHA-256 digest of a request. A token may have far more access rights than a decision has data, so the
/// cache does not store the request.
type QueryDigest = [u8; 32];

/// A description of the item, or `None` if the platform denies access.
type Decision = Option<Arc<ResolvedItem>>;

#[derive(Serialize)]
struct ResolverRequest<'a> {
    module: &'a str,
    item: &'a str,
    caller: ResolverCaller<'a>,
    purpose: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResolverCaller<'a> {
    sub: &'a str,
    access_rights: Vec<&'a str>,
}

impl<'a> From<&'a ItemQuery> for ResolverRequest<'a> {
    fn from(query: &'a ItemQuery) -> Self {
        Self {
            module: query.item.module.as_str(),
            item: query.item.name.as_str(),
            caller: ResolverCaller { sub: &query.sub, access_rights: query.rights.iter().collect() },
            purpose: query.purpose.name(),
        }
    }
}

#[derive(Deserialize)]
struct ResolverResponse<'a> {
    allowed: bool,
    #[serde(borrow)]
    files: Option<&'a RawValue>,
    #[serde(borrow)]
    title: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct ResolverFile {
    name: String,
    key: String,
    #[serde(deserialize_with = "deserialize_size")]
    size: u64,
    archived: Option<bool>,
}

impl From<ResolverFile> for DescribedFile {
    fn from(ResolverFile { name, key, size, archived }: ResolverFile) -> Self {
        Self { name, key, size, is_archived: archived.unwrap_or_default() }
    }
}

/// The number above which a floating-point number may not be the integer that was meant.
const EXACT_FLOAT_LIMIT: f64 = 9_007_199_254_740_992.0;

/// Deserializes an integer that may be written as a floating-point number, such as `48213.0`: Python's numbers
/// from `DynamoDB` become such numbers.
fn deserialize_size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let number = serde_json::Number::deserialize(deserializer)?;
    match (number.as_u64(), number.as_f64()) {
        (Some(size), _) => Ok(size),
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked by the pattern")]
        (None, Some(size @ 0.0..=EXACT_FLOAT_LIMIT)) if size.fract() == 0.0 => Ok(size as u64),
        _ => Err(D::Error::invalid_value(Unexpected::Other("number"), &"a size in bytes")),
    }
}

impl ItemResolver {
    /// Creates a client that only asks whether callers have access. `function` is the ARN of a function, a
    /// version or an alias.
    #[must_use]
    pub fn for_access(config: &SdkConfig, function: impl Into<String>) -> Self {
        Self::new(config, function.into(), None)
    }

    /// Creates a client that also reads the items' files, whose keys must start with the item's prefix.
    #[must_use]
    pub fn for_files(config: &SdkConfig, function: impl Into<String>, layout: KeyLayout) -> Self {
        Self::new(config, function.into(), Some(layout))
    }

    fn new(config: &SdkConfig, function: String, layout: Option<KeyLayout>) -> Self {
        let settings = Builder::from(config)
            .timeout_config(call_timeout(TIMEOUT))
            .interceptor(CallTimer(SERVICE))
            .build();
        let decisions = Mutex::new(RecentCache::new(MAX_AGE, CACHE_CAPACITY));
        Self { client: Client::from_conf(settings), function, layout, decisions }
    }

    /// Returns the item if the platform allows the caller to use it for this purpose. A decision is cached
    /// for a minute, for this caller, these access rights, this item and this purpose. A failure is not
    /// cached.
    pub async fn resolve(
        &self,
        query: &ItemQuery,
        now: Timestamp,
    ) -> Result<Arc<ResolvedItem>, ResolveError> {
        let request = encode(query)?;
        let digest = digest_of(&request);
        if let Some(decision) = self.lock_decisions().get(&digest, now) {
            return decision.ok_or(ResolveError::Denied);
        }
        let response = self.invoke(request).await?;
        let decision = self.parse(&query.item, &response).map_err(unavailable)?.map(Arc::new);
        let weight = if self.layout.is_some() { response.len() } else { 0 } + ENTRY_SIZE;
        self.lock_decisions().insert(digest, decision.clone(), weight, now);
        decision.ok_or(ResolveError::Denied)
    }

    fn lock_decisions(&self) -> MutexGuard<'_, RecentCache<QueryDigest, Decision>> {
        self.decisions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn invoke(&self, request: Vec<u8>) -> Result<Vec<u8>, AwsError> {
        let invoke = self.client.invoke().function_name(&self.function).payload(Blob::new(request));
        // A missing function or permission is an outage, too: the platform owns the function, and may restore
        // it at any time.
        let output = invoke.send().await.map_err(|error| match AwsError::new(SERVICE, &error) {
            AwsError::Rejected { code, .. } => AwsError::Unavailable { service: SERVICE, code },
            error => error,
        })?;
        match (output.function_error, output.payload) {
            // The payload describes the error. It may contain anything, so it is not logged.
            (Some(error), _) => Err(unavailable(format!("the function failed ({error})"))),
            (None, payload) => Ok(payload.map(Blob::into_inner).unwrap_or_default()),
        }
    }

    /// Parses a response. The error contains no values, because they may be names of people or files.
    fn parse(&self, item: &Item, response: &[u8]) -> Result<Option<ResolvedItem>, String> {
        if response.len() > RESPONSE_LIMIT {
            return Err(format!("response over {RESPONSE_LIMIT} bytes"));
        }
        let response = replace_lone_surrogates(response, REPLACEMENT_CHARACTER);
        let ResolverResponse { allowed, files, title } =
            serde_json::from_slice(&response).map_err(|error| malformed("response", &error))?;
        let layout = match &self.layout {
            _ if !allowed => return Ok(None),
            None => return Ok(Some(ResolvedItem::default())),
            Some(layout) => layout,
        };
        let files = files.ok_or("response without files")?.get();
        let files: Vec<ResolverFile> =
            serde_json::from_str(files).map_err(|error| malformed("files", &error))?;
        let title: Option<String> = match title {
            Some(title) => serde_json::from_str(title.get()).map_err(|error| malformed("title", &error))?,
            None => None,
        };
        let files = files.into_iter().map(Into::into).collect();
        let item = ResolvedItem::new(files, title.as_deref(), &layout.prefix(item));
        item.map(Some).map_err(|error| format!("invalid response: {error}"))
    }
}

fn encode(query: &ItemQuery) -> Result<Vec<u8>, AwsError> {
    serde_json::to_vec(&ResolverRequest::from(query)).map_err(|_| unavailable("request".into()))
}

fn digest_of(request: &[u8]) -> QueryDigest {
    let mut bytes = QueryDigest::default();
    bytes.copy_from_slice(digest(&SHA256, request).as_ref());
    bytes
}

fn malformed(what: &str, error: &serde_json::Error) -> String {
    format!("malformed {what} at line {}, column {}", error.line(), error.column())
}

fn unavailable(code: String) -> AwsError {
    metrics::counter!("CallFailures", "Service" => SERVICE).increment(1);
    AwsError::Unavailable { service: SERVICE, code }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use aws_sdk_lambda::config::BehaviorVersion;
    use aws_types::region::Region;
    use serde_json::{Value, json};
    use sharelink_domain::resolution::{ItemFile, Purpose};
    use sharelink_domain::testing::item;

    use super::*;

    fn config() -> SdkConfig {
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::from_static("us-east-1"))
            .build()
    }

    fn resolver() -> ItemResolver {
        ItemResolver::for_files(&config(), "resolver", "platform/{module}/{item}/".parse().unwrap())
    }

    fn query() -> ItemQuery {
        let rights = ["producer".to_owned()].into_iter().collect();
        ItemQuery { item: item(), sub: "u1".into(), rights, purpose: Purpose::Share }
    }

    fn parse(response: &Value) -> Result<Option<ResolvedItem>, String> {
        resolver().parse(&item(), response.to_string().as_bytes())
    }

    fn file(name: &str, key: &str) -> Value {
        json!({"name": name, "key": key, "size": 3})
    }

    const KEY: &str = "platform/jobs/1042/v7/0d9f.pdf";

    #[test]
    fn allowed_response_describes_the_item() {
        let response = json!({"allowed": true, "title": "Spring", "files": [file("a.pdf", KEY)], "extra": 1});
        let item = parse(&response).unwrap().unwrap();
        assert_eq!(item.title().unwrap().as_str(), "Spring");
        let [ItemFile { file, is_archived: false }] = item.files() else { panic!("{item:?}") };
        assert_eq!((file.name.as_str(), file.size), ("a.pdf", 3));
        assert_eq!(file.key.as_ref().unwrap().as_str(), KEY);
    }

    #[test]
    fn denial_needs_no_other_fields() {
        assert_eq!(parse(&json!({"allowed": false})), Ok(None));
        assert_eq!(parse(&json!({"allowed": false, "files": "none"})), Ok(None));
    }

    #[test]
    fn optional_fields_may_be_null_or_absent() {
        assert!(parse(&json!({"allowed": true, "files": []})).unwrap().is_some());
        assert!(parse(&json!({"allowed": true, "files": [], "title": null})).unwrap().is_some());
    }

    #[test]
    fn invalid_response_is_never_a_decision() {
        for response in [
            json!(null),
            json!("yes"),
            json!({}),
            json!({"allowed": "true", "files": []}),
            json!({"allowed": 1, "files": []}),
            json!({"allowed": true}),
            json!({"allowed": true, "files": null}),
            json!({"allowed": true, "files": {}}),
            json!({"allowed": true, "files": [], "title": 7}),
            json!({"allowed": true, "files": [file("a", "")]}),
            json!({"allowed": true, "files": [file("a", "platform/jobs/10422/a")]}),
            json!({"allowed": true, "files": [file("a", "platform/assets/1042/a")]}),
            json!({"allowed": true, "files": [{"name": "a", "key": KEY}]}),
            json!({"allowed": true, "files": [{"name": "a", "key": KEY, "size": -1}]}),
            json!({"allowed": true, "files": [{"name": "a", "key": KEY, "size": 1.5}]}),
            json!({"allowed": true, "files": [{"name": "a", "key": KEY, "size": 1e300}]}),
            json!({"allowed": true, "files": [{"name": "a", "key": KEY, "size": "3"}]}),
            json!({"allowed": true, "files": [{"name": "a", "key": KEY, "size": 3, "archived": "yes"}]}),
            json!({"allowed": true, "files": [], "title": "x".repeat(RESPONSE_LIMIT)}),
        ] {
            assert!(parse(&response).is_err(), "{response}");
        }
        assert!(resolver().parse(&item(), b"").is_err());
    }

    #[test]
    fn error_reveals_no_values() {
        let secret = "ann@example.com";
        for response in [
            json!(secret),
            json!({"allowed": secret}),
            json!({"allowed": true, "files": secret}),
            json!({"allowed": true, "files": [file("a", secret)]}),
            json!({"allowed": true, "files": [{"name": "a", "key": KEY, "size": secret}]}),
            json!({"allowed": true, "files": [], "title": [secret]}),
        ] {
            let error = parse(&response).unwrap_err();
            assert!(!error.contains(secret), "{error}");
        }
    }

    #[test]
    fn archived_file_and_integral_size_are_accepted() {
        let file = json!({"name": "a", "key": KEY, "size": 48213.0, "archived": true});
        let item = parse(&json!({"allowed": true, "files": [file]})).unwrap().unwrap();
        let [ItemFile { file, is_archived: true }] = item.files() else { panic!("{item:?}") };
        assert_eq!(file.size, 48213);
    }

    #[test]
    fn unshareable_file_does_not_invalidate_the_response() {
        let response = json!({"allowed": true, "files": [file("a", KEY), file("", KEY), file("b\n", KEY)]});
        let item = parse(&response).unwrap().unwrap();
        assert_eq!((item.files().len(), item.is_partial()), (1, true));
    }

    /// Node.js and Python escape half of an emoji, which is left of a title that was cut off.
    #[test]
    fn title_may_end_with_half_a_character() {
        let response = br#"{"allowed": true, "title": "Spring \ud83c", "files": []}"#;
        let item = resolver().parse(&item(), response).unwrap().unwrap();
        assert_eq!(item.title().unwrap().as_str(), "Spring");
    }

    #[test]
    fn digest_covers_the_whole_query() {
        let query = query();
        let rights = |rights: &[&str]| rights.iter().map(ToString::to_string).collect();
        let other_item = |path| Item::parse(path).unwrap();
        let queries = [
            query.clone(),
            ItemQuery { item: other_item("jobs/1043"), ..query.clone() },
            ItemQuery { item: other_item("assets/1042"), ..query.clone() },
            ItemQuery { sub: "u2".into(), ..query.clone() },
            ItemQuery { rights: rights(&[]), ..query.clone() },
            ItemQuery { rights: rights(&["producer", "admin"]), ..query.clone() },
            ItemQuery { rights: rights(&["producer,admin"]), ..query.clone() },
            ItemQuery { purpose: Purpose::Manage, ..query },
        ];
        let digests: HashSet<QueryDigest> =
            queries.iter().map(|query| digest_of(&encode(query).unwrap())).collect();
        assert_eq!(digests.len(), queries.len());
    }

    #[test]
    fn request_names_the_caller_the_item_and_the_purpose() {
        let query = query();
        let request = serde_json::to_value(ResolverRequest::from(&query)).unwrap();
        let expected = json!({
            "module": "jobs", "item": "1042", "caller": {"sub": "u1", "accessRights": ["producer"]},
            "purpose": "share",
        });
        assert_eq!(request, expected);
    }

    #[test]
    fn files_are_ignored_if_only_access_matters() {
        let resolver = ItemResolver::for_access(&config(), "resolver");
        let parsed = resolver.parse(&item(), br#"{"allowed": true, "files": "?"}"#);
        assert_eq!(parsed, Ok(Some(ResolvedItem::default())));
    }
}
