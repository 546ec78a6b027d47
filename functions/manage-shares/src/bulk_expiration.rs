//! `POST /shares/expiration`: changes the expiration of many shares together.

use serde::Deserialize;
use sharelink_domain::expiry::RequestedExpiry;
use sharelink_domain::share::ExpectedVersion;
use sharelink_http::{FieldError, Object, Problem, Request, Response, parse_json_body};

use crate::bulk::{BulkChange, Reference};
use crate::router::ManageShares;
use crate::shares::invalid_expiry;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ExpirationBody {
    shares: Option<Vec<Object<ExpirationEntry>>>,
    expires_at: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ExpirationEntry {
    module: Option<String>,
    item: Option<String>,
    share_id: Option<String>,
    version: Option<u64>,
}

impl ManageShares {
    pub(crate) async fn change_all_expirations(&self, request: &Request) -> Result<Response, Problem> {
        let caller = self.authorization.authenticate(request)?;
        let ExpirationBody { shares, expires_at } = parse_json_body(request)?;
        let expires_at = expires_at.ok_or_else(|| invalid_expiry("is required"))?;
        let expiry: RequestedExpiry = expires_at.parse().map_err(invalid_expiry)?;
        let (mut references, mut errors) = (Vec::new(), Vec::new());
        for (i, Object(entry)) in shares.unwrap_or_default().into_iter().enumerate() {
            let ExpirationEntry { module, item, share_id, version } = entry;
            match version.map(ExpectedVersion::Exactly) {
                Some(expected) => references.push(Reference { module, item, share_id, expected }),
                None => errors.push(FieldError::pointer(format!("/shares/{i}/version"), "is required")),
            }
        }
        if !errors.is_empty() {
            return Err(Problem::Invalid(errors));
        }
        let is_caller_off = self.is_caller_off(caller.sub(), self.clock.now()).await?;
        let change = BulkChange {
            decide: &|share, action, expected| {
                self.decide_expiration(share, expiry, action, expected, is_caller_off)
            },
            permit: |checked| checked,
            contents: Some(&expires_at),
        };
        self.change_many(request, caller, references, &change).await
    }
}
