//! `GET /share-suggestions`: addresses that the caller has used before.

use lambda_http::http::StatusCode;
use serde::Serialize;
use sharelink_aws::share_table::{PAGE_LIMIT, Selection};
use sharelink_domain::suggestions::{Prefix, Suggestion, Suggestions};
use sharelink_domain::{Item, RecipientName};
use sharelink_http::{Problem, ProblemType, Request, Response, json_response, query_parameter, to_rfc3339};

use crate::router::ManageShares;

/// The number of pages of the caller's newest shares that a request reads: 200 shares.
const PAGES_LIMIT: usize = 2;

#[derive(Serialize)]
struct SuggestionsResponse<'a> {
    suggestions: Vec<SuggestionResponse<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SuggestionResponse<'a> {
    address: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    last_shared_at: String,
}

impl<'a> From<&'a Suggestion> for SuggestionResponse<'a> {
    fn from(suggestion: &'a Suggestion) -> Self {
        Self {
            address: suggestion.address.as_str(),
            name: suggestion.name.as_ref().map(RecipientName::as_str),
            last_shared_at: to_rfc3339(suggestion.last_shared_at),
        }
    }
}

impl ManageShares {
    /// Suggests recipients of the caller's own shares, in the modules where they may share now, if the rules
    /// still allow them.
    pub(crate) async fn suggest_recipients(&self, request: &Request) -> Result<Response, Problem> {
        let caller = self.authorization.authenticate(request)?;
        if !self.authorization.can_share_somewhere(&caller) {
            return Err(ProblemType::SharePermissionMissing.into());
        }
        let mut suggestions = Suggestions::default();
        if self.suggests_recipients {
            let prefix = Prefix::new(&query_parameter(request, "prefix").unwrap_or_default());
            let sharer = self.index_key.get_or_fetch().await?.sharer(caller.sub());
            let now = self.clock.now();
            let includes_item = |item: &Item| self.authorization.can_share(&caller, &item.module);
            let selection = Selection { includes_item: &includes_item, ..Selection::ALL };
            let mut after = None;
            for _ in 0..PAGES_LIMIT {
                let page =
                    self.table.list_by_sharer(sharer, &selection, PAGE_LIMIT, after.as_ref(), now).await?;
                suggestions.add(&page.shares, &prefix, &self.rules);
                after = page.next;
                if after.is_none() || suggestions.is_full() {
                    break;
                }
            }
        }
        let found = suggestions.into_vec();
        let body = SuggestionsResponse { suggestions: found.iter().map(Into::into).collect() };
        Ok(json_response(StatusCode::OK, "application/json", &body))
    }
}
