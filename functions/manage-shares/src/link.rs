//! `POST …/shares/{shareId}/link`: returns the share's link, so that the caller can copy it.

use lambda_http::http::StatusCode;
use serde::Serialize;
use sharelink_aws::new_write_id;
use sharelink_http::{Problem, ProblemType, Response, json_response, require_empty_body};

use crate::parameters::parse_share_id;
use crate::router::{Call, ManageShares};

#[derive(Serialize)]
struct LinkResponse {
    link: String,
}

impl ManageShares {
    pub(crate) async fn copy_link(&self, call: &Call<'_>) -> Result<Response, Problem> {
        let id = parse_share_id(call.request)?;
        let now = call.action.at;
        require_empty_body(call.request)?;
        self.require_switched_on(call, id).await?;
        let share = self.table.get(&call.item, id).await?.ok_or(ProblemType::ShareNotFound)?;
        let copy = share.copied(&call.action, new_write_id()?, &self.rules)?;
        let key = self.links.current_key(now).await?;
        let recorded = self.table.record_link_copy(&call.item, id, &key, &copy).await?;
        let share = recorded.ok_or(ProblemType::ShareNotFound)?;
        let link = self.links.build(&share, now).await?;
        Ok(json_response(StatusCode::OK, "application/json", &LinkResponse { link }))
    }
}
