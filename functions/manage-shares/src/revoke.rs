//! `POST …/shares/{shareId}/revoke`.

use lambda_http::http::StatusCode;
use sharelink_aws::new_write_id;
use sharelink_domain::Share;
use sharelink_http::{Problem, Response, require_empty_body};

use crate::parameters::parse_share_id;
use crate::router::{Call, ManageShares};
use crate::shares::change_problem;

impl ManageShares {
    pub(crate) async fn revoke(&self, call: &Call<'_>) -> Result<Response, Problem> {
        let id = parse_share_id(call.request)?;
        require_empty_body(call.request)?;
        let revoke = |share: &Share| Ok(share.revoked(&call.action));
        let revoked = self.table.change(&call.item, id, self.retention, new_write_id()?, revoke).await;
        Ok(call.share_response(StatusCode::OK, &revoked.map_err(change_problem)?))
    }
}
