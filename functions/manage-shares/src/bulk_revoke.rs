//! `POST /shares/revoke`: revokes many shares together.

use serde::Deserialize;
use sharelink_domain::share::ExpectedVersion;
use sharelink_http::{Object, Problem, Request, Response, parse_json_body};

use crate::bulk::{BulkChange, Reference};
use crate::router::{ManageShares, permit_revocation};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RevokeBody {
    shares: Option<Vec<Object<RevokeEntry>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RevokeEntry {
    module: Option<String>,
    item: Option<String>,
    share_id: Option<String>,
}

impl ManageShares {
    pub(crate) async fn revoke_all(&self, request: &Request) -> Result<Response, Problem> {
        let caller = self.authorization.authenticate(request)?;
        let entries = parse_json_body::<RevokeBody>(request)?.shares.unwrap_or_default();
        let references = entries.into_iter().map(|Object(RevokeEntry { module, item, share_id })| {
            Reference { module, item, share_id, expected: ExpectedVersion::Any }
        });
        let change = BulkChange {
            decide: &|share, action, _| Ok(share.revoked(action)),
            permit: permit_revocation,
            contents: None,
        };
        self.change_many(request, caller, references.collect(), &change).await
    }
}
