//! The platform's item resolver: a Lambda function that decides who may use an item, and describes the item.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_sdk_lambda::Client;
use aws_sdk_lambda::config::Builder;
use aws_sdk_lambda::primitives::Blob;
use aws_types::SdkConfig;
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sharelink_domain::resolution::{ItemQuery, ResolvedItem};
use sharelink_domain::{FileName, KeyLayout, ObjectKey, SharedFile, Timestamp};

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
    decisions: Mutex<RecentCache<ItemQuery, Decision>>,
}

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
    name: FileName,
    key: ObjectKey,
    size: u64,
}

impl From<ResolverFile> for SharedFile {
    fn from(ResolverFile { name, key, size }: ResolverFile) -> Self {
        Self { name, size, key: Some(key) }
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
    pub async fn resolve(&self, query: ItemQuery, now: Timestamp) -> Result<Arc<ResolvedItem>, ResolveError> {
        if let Some(decision) = self.lock_decisions().get(&query, now) {
            return decision.ok_or(ResolveError::Denied);
        }
        let response = self.invoke(&query).await?;
        let decision = self.parse(&query, &response).map_err(unavailable)?.map(Arc::new);
        let weight = if self.layout.is_some() { response.len() } else { 0 } + ENTRY_SIZE;
        self.lock_decisions().insert(query, decision.clone(), weight, now);
        decision.ok_or(ResolveError::Denied)
    }

    fn lock_decisions(&self) -> MutexGuard<'_, RecentCache<ItemQuery, Decision>> {
        self.decisions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn invoke(&self, query: &ItemQuery) -> Result<Vec<u8>, AwsError> {
        let payload =
            serde_json::to_vec(&ResolverRequest::from(query)).map_err(|_| unavailable("request".into()))?;
        let invoke = self.client.invoke().function_name(&self.function).payload(Blob::new(payload));
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
    fn parse(&self, query: &ItemQuery, response: &[u8]) -> Result<Option<ResolvedItem>, String> {
        if response.len() > RESPONSE_LIMIT {
            return Err(format!("response over {RESPONSE_LIMIT} bytes"));
        }
        let ResolverResponse { allowed, files, title } =
            serde_json::from_slice(response).map_err(|error| malformed("response", &error))?;
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
        let item = ResolvedItem::new(files, title.as_deref(), &layout.prefix(&query.item));
        item.map(Some).map_err(|error| format!("invalid response: {error}"))
    }
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
    use aws_sdk_lambda::config::BehaviorVersion;
    use aws_types::region::Region;
    use serde_json::{Value, json};
    use sharelink_domain::resolution::Purpose;
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
        resolver().parse(&query(), response.to_string().as_bytes())
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
        let [file] = item.files() else { panic!("{item:?}") };
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
            json!({"allowed": true, "files": [file("", KEY)]}),
            json!({"allowed": true, "files": [file("a/b", KEY)]}),
            json!({"allowed": true, "files": [file("a", "")]}),
            json!({"allowed": true, "files": [file("a", "platform/jobs/1042/")]}),
            json!({"allowed": true, "files": [file("a", "platform/jobs/1042/../1043/a")]}),
            json!({"allowed": true, "files": [file("a", "platform/jobs/10422/a")]}),
            json!({"allowed": true, "files": [file("a", "platform/assets/1042/a")]}),
            json!({"allowed": true, "files": [file("a", KEY), file("a", KEY)]}),
            json!({"allowed": true, "files": [{"name": "a", "key": KEY}]}),
            json!({"allowed": true, "files": [{"name": "a", "key": KEY, "size": -1}]}),
            json!({"allowed": true, "files": [], "title": "x".repeat(RESPONSE_LIMIT)}),
        ] {
            assert!(parse(&response).is_err(), "{response}");
        }
        assert!(resolver().parse(&query(), b"").is_err());
    }

    #[test]
    fn error_reveals_no_values() {
        let secret = "ann@example.com";
        for response in [
            json!(secret),
            json!({"allowed": secret}),
            json!({"allowed": true, "files": secret}),
            json!({"allowed": true, "files": [file(&format!("{secret}/"), KEY)]}),
            json!({"allowed": true, "files": [file("a", secret)]}),
            json!({"allowed": true, "files": [file(secret, KEY), file(secret, KEY)]}),
            json!({"allowed": true, "files": [], "title": [secret]}),
        ] {
            let error = parse(&response).unwrap_err();
            assert!(!error.contains(secret), "{error}");
        }
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
        let parsed = resolver.parse(&query(), br#"{"allowed": true, "files": "?"}"#);
        assert_eq!(parsed, Ok(Some(ResolvedItem::default())));
    }
}
