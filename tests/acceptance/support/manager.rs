//! `manage-shares` in a world, called by any user.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::stream::{StreamExt, iter};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};
use sharelink_aws::new_write_id;
use sharelink_aws::share_table::{Creation, ShareTable};
use sharelink_domain::index_key::IndexKey;
use sharelink_domain::testing::{ShareBuilder, permitted};
use sharelink_domain::{Item, Share, Sharer};

use super::events::{api_event, with_caller};
use super::fixtures::{RETENTION, share_builder};
use super::function::Function;
use super::{Aws, Response, Stack, World, contract};

/// A user of the platform.
#[derive(Clone, Copy)]
pub(crate) struct User<'u> {
    pub(crate) sub: &'u str,
    pub(crate) rights: &'u [&'u str],
}

/// Returns a user who has the Share permission in the module `jobs`.
pub(crate) fn producer(sub: &str) -> User<'_> {
    User { sub, rights: &["producer"] }
}

/// Returns a user who has the Share permission in every module.
pub(crate) fn admin(sub: &str) -> User<'_> {
    User { sub, rights: &["admin"] }
}

/// A user who may manage all shares.
pub(crate) const AUDITOR: User<'static> = User { sub: "auditor", rights: &["auditor"] };

/// A user who may manage all shares of the module `jobs`.
pub(crate) const JOBS_LEAD: User<'static> = User { sub: "lead", rights: &["jobs-lead"] };

pub(crate) struct Manager {
    pub(crate) function: Arc<Function>,
    pub(crate) key: IndexKey,
    table: ShareTable,
}

/// Returns the deployed key of the indexes.
pub(crate) async fn index_key(stack: &Stack) -> IndexKey {
    let aws = Aws::new(stack);
    let secret = aws.function_environment("ManageShares").await["INDEX_KEY_SECRET"].clone();
    let read = json!({"SecretId": secret});
    let response = aws.call("secretsmanager", "secretsmanager.GetSecretValue", &read).await;
    IndexKey::new(response["SecretString"].as_str().unwrap()).unwrap()
}

impl Manager {
    pub(crate) async fn new(world: &World<'_>) -> Self {
        Self {
            function: world.new_function("ManageShares").await,
            key: index_key(world.stack).await,
            table: world.table.clone(),
        }
    }

    /// Sends a request, and checks the response against the OpenAPI document.
    pub(crate) async fn send(&self, user: User<'_>, event: Value) -> Response {
        let route = event["routeKey"].as_str().unwrap().to_owned();
        let (method, path) = route.split_once(' ').unwrap();
        let result =
            self.function.invoke(&with_caller(event, user.sub, "Ann Example", user.rights)).await.unwrap();
        let headers = result["headers"].as_object().unwrap().iter().map(|(name, value)| {
            let name: HeaderName = name.parse().unwrap();
            (name, HeaderValue::from_str(value.as_str().unwrap()).unwrap())
        });
        let body = result["body"].as_str().unwrap();
        let is_base64 = result["isBase64Encoded"] == true;
        let text = if is_base64 {
            String::from_utf8(STANDARD.decode(body).unwrap()).unwrap()
        } else {
            body.to_owned()
        };
        let status = result["statusCode"].as_u64().unwrap().try_into().unwrap();
        let response = Response { status, headers: headers.collect::<HeaderMap>(), text };
        let url = format!("https://api.example.com{path}").parse().unwrap();
        contract::check_response(&method.parse().unwrap(), &url, &response);
        response
    }

    /// Requests a page of the list of all shares.
    pub(crate) async fn get(&self, user: User<'_>, query: &[(&str, &str)]) -> Response {
        self.send(user, list_event(query)).await
    }

    /// Requests a page of the list of all shares as CSV.
    pub(crate) async fn get_csv(&self, user: User<'_>, query: &[(&str, &str)]) -> Response {
        let mut event = list_event(query);
        event["headers"]["accept"] = "text/csv".into();
        self.send(user, event).await
    }

    /// Returns the shares on each page of the list of all shares.
    pub(crate) async fn pages(&self, user: User<'_>, query: &[(&str, &str)]) -> Vec<Vec<Value>> {
        let (mut pages, mut cursor) = (Vec::new(), None::<String>);
        loop {
            let mut query = query.to_vec();
            query.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
            let response = self.get(user, &query).await;
            response.assert_status(200);
            let page = response.json();
            pages.push(page["shares"].as_array().unwrap().clone());
            let Some(next) = page["nextCursor"].as_str() else { return pages };
            cursor = Some(next.to_owned());
        }
    }

    /// Returns the ids of the shares on all pages of the list of all shares.
    pub(crate) async fn ids(&self, user: User<'_>, query: &[(&str, &str)]) -> Vec<String> {
        self.pages(user, query).await.concat().iter().map(id_of).collect()
    }

    /// Sends a request to change several shares.
    pub(crate) async fn post(
        &self,
        user: User<'_>,
        route: &str,
        key: Option<&str>,
        body: &Value,
    ) -> Response {
        let mut event = api_event(&format!("POST /shares/{route}"), &json!({}), body);
        if let Some(key) = key {
            event["headers"]["idempotency-key"] = key.into();
        }
        self.send(user, event).await
    }

    /// Stores a share, which the indexes then list.
    pub(crate) async fn store(&self, share: &Share) {
        let hashes = self.key.hashes(share);
        let created =
            self.table.create(permitted(share), hashes, RETENTION, new_write_id().unwrap()).await.unwrap();
        assert_eq!(created, Creation::Created);
    }

    /// Stores several shares concurrently.
    pub(crate) async fn store_all(&self, shares: &[Share]) {
        iter(shares).for_each_concurrent(16, |share| self.store(share)).await;
    }
}

fn list_event(query: &[(&str, &str)]) -> Value {
    let mut event = api_event("GET /shares", &json!({}), &Value::Null);
    event["headers"]["accept"] = "application/json".into();
    let parameters = query.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value)));
    event["queryStringParameters"] = Value::Object(parameters.collect());
    event
}

/// Returns the id of a share in a response.
pub(crate) fn id_of(share: &Value) -> String {
    share["shareId"].as_str().unwrap().to_owned()
}

/// Returns the ids of shares.
pub(crate) fn ids(shares: &[Share]) -> Vec<String> {
    shares.iter().map(|share| share.id.to_string()).collect()
}

/// Returns a builder of shares that a user creates at this time, for a week.
pub(crate) fn shared_by(sub: &str, item: &Item, at: DateTime<Utc>) -> ShareBuilder {
    let sharer = Sharer { sub: sub.to_owned(), name: None, email: None };
    share_builder(item, TimeDelta::days(7), at).sharer(sharer)
}

/// Returns a reference to a share, as in requests to change several shares.
pub(crate) fn reference(share: &Share) -> Value {
    let Item { module, name } = &share.item;
    json!({"module": module.to_string(), "item": name.to_string(), "shareId": share.id.to_string()})
}
