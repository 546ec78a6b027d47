//! `GET …/share-permission` and `POST /share-permissions`: report whether the caller may share, so that
//! frontends know whether to show the Share button.

use futures_util::{StreamExt, TryStreamExt, stream};
use lambda_http::http::StatusCode;
use serde::{Deserialize, Serialize};
use sharelink_aws::ResolveError;
use sharelink_domain::names::NameError;
use sharelink_domain::resolution::Purpose;
use sharelink_domain::{Item, ItemName, ModuleName, Timestamp};
use sharelink_http::{
    Caller, FieldError, Object, Problem, Request, Response, json_response, parse_item, parse_json_body,
};

use crate::router::ManageShares;

/// The maximum number of items in a request.
const ITEMS_LIMIT: usize = 100;

/// The maximum number of concurrent questions to the item resolver per request. A new AWS account may run only
/// 10 functions at a time.
const CONCURRENCY: usize = 8;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Permission {
    can_share: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ItemsBody {
    items: Option<Vec<Object<ItemBody>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ItemBody {
    module: String,
    item: String,
}

#[derive(Serialize)]
struct PermissionsResponse {
    permissions: Vec<ItemPermission>,
}

#[derive(Serialize)]
struct ItemPermission {
    module: ModuleName,
    item: ItemName,
    #[serde(flatten)]
    permission: Permission,
}

impl ManageShares {
    /// Returns whether the caller may share one item.
    pub(crate) async fn get_share_permission(&self, request: &Request) -> Result<Response, Problem> {
        let item = parse_item(request)?;
        let caller = self.authorization.authenticate(request)?;
        let can_share = self.can_share(&caller, &item, self.clock.now()).await?;
        Ok(json_response(StatusCode::OK, "application/json", &Permission { can_share }))
    }

    /// Returns whether the caller may share each of several items, in the request's order.
    pub(crate) async fn get_share_permissions(&self, request: &Request) -> Result<Response, Problem> {
        let caller = self.authorization.authenticate(request)?;
        let items = parse_items(parse_json_body::<ItemsBody>(request)?.items.unwrap_or_default())?;
        let now = self.clock.now();
        let check = async |item: Item| -> Result<ItemPermission, ResolveError> {
            let can_share = self.can_share(&caller, &item, now).await?;
            Ok(ItemPermission { module: item.module, item: item.name, permission: Permission { can_share } })
        };
        let permissions = stream::iter(items).map(check).buffered(CONCURRENCY).try_collect().await?;
        Ok(json_response(StatusCode::OK, "application/json", &PermissionsResponse { permissions }))
    }

    async fn can_share(&self, caller: &Caller, item: &Item, now: Timestamp) -> Result<bool, ResolveError> {
        if !self.authorization.can_share(caller, &item.module) {
            return Ok(false);
        }
        match self.check_item_access(caller, item, Purpose::Share, now).await {
            Ok(()) => Ok(true),
            Err(ResolveError::Denied) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

fn parse_items(items: Vec<Object<ItemBody>>) -> Result<Vec<Item>, Problem> {
    if !(1..=ITEMS_LIMIT).contains(&items.len()) {
        let detail = format!("must contain 1 to {ITEMS_LIMIT} items");
        return Err(Problem::Invalid(vec![FieldError::pointer("/items", detail)]));
    }
    let mut errors = Vec::new();
    let mut parsed = Vec::new();
    for (i, Object(ItemBody { module, item })) in items.into_iter().enumerate() {
        let mut add_error =
            |field, error: NameError| errors.push(FieldError::pointer(format!("/items/{i}/{field}"), error));
        match (module.parse(), item.parse()) {
            (Ok(module), Ok(name)) => parsed.push(Item { module, name }),
            (module, name) => {
                if let Err(error) = name {
                    add_error("item", error);
                }
                if let Err(error) = module {
                    add_error("module", error);
                }
            }
        }
    }
    if errors.is_empty() { Ok(parsed) } else { Err(Problem::Invalid(errors)) }
}
