//! `GET …/share-permission` and `POST /share-permissions`: report whether the caller may share, so that
//! frontends know whether to show the Share button.

use lambda_http::http::StatusCode;
use serde::{Deserialize, Serialize};
use sharelink_domain::names::NameError;
use sharelink_domain::{ItemName, ModuleName};
use sharelink_http::{
    Authorization, FieldError, Object, Problem, Request, Response, json_response, parse_item, parse_json_body,
};

/// The maximum number of items in a request.
const ITEMS_LIMIT: usize = 100;

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
    module: String,
    item: String,
    #[serde(flatten)]
    permission: Permission,
}

/// Returns whether the caller may share one item.
pub(crate) fn get(authorization: &Authorization, request: &Request) -> Result<Response, Problem> {
    let item = parse_item(request)?;
    let caller = authorization.authenticate(request)?;
    let can_share = authorization.can_share(&caller, &item.module);
    Ok(json_response(StatusCode::OK, "application/json", &Permission { can_share }))
}

/// Returns whether the caller may share each of several items, in the request's order.
pub(crate) fn get_many(authorization: &Authorization, request: &Request) -> Result<Response, Problem> {
    let caller = authorization.authenticate(request)?;
    let items = parse_json_body::<ItemsBody>(request)?.items.unwrap_or_default();
    if !(1..=ITEMS_LIMIT).contains(&items.len()) {
        let detail = format!("must contain 1 to {ITEMS_LIMIT} items");
        return Err(Problem::Invalid(vec![FieldError::pointer("/items", detail)]));
    }
    let mut errors = Vec::new();
    let mut permissions = Vec::new();
    for (i, Object(ItemBody { module, item })) in items.into_iter().enumerate() {
        let mut add_error =
            |field, error: NameError| errors.push(FieldError::pointer(format!("/items/{i}/{field}"), error));
        if let Err(error) = item.parse::<ItemName>() {
            add_error("item", error);
        }
        match module.parse::<ModuleName>() {
            Err(error) => add_error("module", error),
            Ok(name) => {
                let can_share = authorization.can_share(&caller, &name);
                permissions.push(ItemPermission { module, item, permission: Permission { can_share } });
            }
        }
    }
    if errors.is_empty() {
        Ok(json_response(StatusCode::OK, "application/json", &PermissionsResponse { permissions }))
    } else {
        Err(Problem::Invalid(errors))
    }
}
