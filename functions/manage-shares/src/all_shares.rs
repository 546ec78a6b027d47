//! `GET /shares`: the caller's shares of all items, or everyone's shares with a recipient or of a sharer.

use lambda_http::http::StatusCode;
use lambda_http::http::header::{HeaderValue, LINK};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use sharelink_aws::share_table::{Cursor, Page, Selection};
use sharelink_domain::search::SearchText;
use sharelink_domain::{EmailAddress, Item, ModuleName, Share};
use sharelink_http::{
    Caller, ListedShareResponse, Problem, ProblemType, Request, Response, encode_cursor, header,
    json_response, parse_cursor, query_parameter,
};

use crate::csv;
use crate::parameters::{invalid, parse_limit, parse_status};
use crate::router::ManageShares;

/// The maximum length of the claim `sub`, in bytes (OpenID Connect Core 1.0, section 2).
const SUBJECT_LIMIT: usize = 255;

/// Whose shares a request lists.
enum Whose {
    Callers,
    Recipients(EmailAddress),
    Sharers(String),
}

impl Whose {
    fn parse(request: &Request) -> Result<Self, Problem> {
        match (query_parameter(request, "recipient"), query_parameter(request, "sharer")) {
            (None, None) => Ok(Self::Callers),
            (Some(_), Some(_)) => invalid("sharer", "cannot be combined with recipient"),
            (Some(typed), None) => match EmailAddress::read(&typed) {
                Ok(address) => Ok(Self::Recipients(address)),
                Err(error) => invalid("recipient", error),
            },
            (None, Some(sub)) if sub.is_empty() || sub.len() > SUBJECT_LIMIT => {
                invalid("sharer", format!("must have 1 to {SUBJECT_LIMIT} bytes"))
            }
            (None, Some(sub)) => Ok(Self::Sharers(sub)),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SharesResponse<'a> {
    shares: Vec<ListedShareResponse<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

impl ManageShares {
    /// Returns a page of shares of the modules in which the caller may manage them now.
    pub(crate) async fn list_all_shares(&self, request: &Request) -> Result<Response, Problem> {
        let caller = self.authorization.authenticate(request)?;
        let whose = Whose::parse(request)?;
        let module = parse_module(request)?;
        let status = parse_status(request)?;
        let text = parse_search_text(request)?;
        let limit = parse_limit(request)?;
        let cursor = parse_cursor(request, Cursor::parse)?;
        self.check_list_access(&caller, &whose, module.as_ref())?;

        let may_list = |module: &ModuleName| self.may_list(&caller, &whose, module);
        let includes_item = |item: &Item| {
            module.as_ref().is_none_or(|module| *module == item.module) && may_list(&item.module)
        };
        let contains_text = text.map(|text| move |share: &Share| share.contains_text(&text));
        let selection = Selection {
            status,
            includes_item: &includes_item,
            includes_share: contains_text
                .as_ref()
                .map(|contains| contains as &(dyn Fn(&Share) -> bool + Sync)),
        };
        let now = self.clock.now();
        let key = self.index_key.get_or_fetch().await?;
        let after = cursor.as_ref();
        let by_sharer =
            async |sub: &str| self.table.list_by_sharer(key.sharer(sub), &selection, limit, after, now).await;
        let page = match &whose {
            Whose::Callers => by_sharer(caller.sub()).await?,
            Whose::Sharers(sub) => by_sharer(sub).await?,
            Whose::Recipients(address) => {
                self.table.list_by_recipient(key.recipient(address), &selection, limit, after, now).await?
            }
        };
        let Page { shares, next } = page;
        let next_cursor = next.map(|cursor| encode_cursor(cursor.as_str()));
        if csv::is_accepted(header(request, "accept")) {
            let mut response = csv::response(&shares, now);
            if let Some(cursor) = next_cursor {
                response.headers_mut().insert(LINK, next_link(request, &cursor));
            }
            return Ok(response);
        }
        let shares = shares.iter().map(|share| ListedShareResponse::new(share, now)).collect();
        Ok(json_response(StatusCode::OK, "application/json", &SharesResponse { shares, next_cursor }))
    }

    /// Returns whether the caller may list these shares of a module now. The item resolver is not asked,
    /// because a page may contain a hundred items.
    fn may_list(&self, caller: &Caller, whose: &Whose, module: &ModuleName) -> bool {
        match whose {
            Whose::Callers => self.authorization.can_manage(caller, module),
            Whose::Recipients(_) | Whose::Sharers(_) => self.authorization.can_manage_all(caller, module),
        }
    }

    /// Checks whether the caller may list these shares in the module, or in some module.
    fn check_list_access(
        &self,
        caller: &Caller,
        whose: &Whose,
        module: Option<&ModuleName>,
    ) -> Result<(), ProblemType> {
        let (may_list_somewhere, problem) = match whose {
            Whose::Callers => {
                (self.authorization.can_manage_somewhere(caller), ProblemType::SharePermissionMissing)
            }
            Whose::Recipients(_) | Whose::Sharers(_) => {
                (self.authorization.can_manage_all_somewhere(caller), ProblemType::ManageAllPermissionMissing)
            }
        };
        let may_list = module.map_or(may_list_somewhere, |module| self.may_list(caller, whose, module));
        if may_list { Ok(()) } else { Err(problem) }
    }
}

fn parse_module(request: &Request) -> Result<Option<ModuleName>, Problem> {
    match query_parameter(request, "module").map(|module| module.parse()) {
        None => Ok(None),
        Some(Ok(module)) => Ok(Some(module)),
        Some(Err(error)) => invalid("module", error),
    }
}

fn parse_search_text(request: &Request) -> Result<Option<SearchText>, Problem> {
    let typed = query_parameter(request, "q").unwrap_or_default();
    SearchText::parse(&typed).or_else(|error| invalid("q", error))
}

/// The query parameters that the next page keeps.
const KEPT_PARAMETERS: [&str; 6] = ["recipient", "sharer", "status", "module", "q", "limit"];

/// Returns a link to the next page (RFC 8288), relative to the request's URL.
fn next_link(request: &Request, cursor: &str) -> HeaderValue {
    let kept = KEPT_PARAMETERS.into_iter().filter_map(|name| Some((name, query_parameter(request, name)?)));
    let parameters = kept.chain([("cursor", cursor.to_owned())]);
    let encode =
        |(name, value): (&str, String)| format!("{name}={}", utf8_percent_encode(&value, NON_ALPHANUMERIC));
    let query: Vec<_> = parameters.map(encode).collect();
    let link = format!("<?{}>; rel=\"next\"", query.join("&"));
    HeaderValue::from_str(&link).unwrap_or(HeaderValue::from_static(""))
}
