//! `GET /problems/{problem}`: the page that documents a problem type.

use lambda_http::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue};
use sharelink_http::{Problem, ProblemType, Request, Response, path_parameter};

/// Converts text to HTML, formatting the text between pairs of backticks as code.
fn to_html(text: &str) -> String {
    let part = |(i, part): (usize, &str)| {
        if i % 2 == 1 { format!("<code>{part}</code>") } else { part.to_owned() }
    };
    text.split('`').enumerate().map(part).collect()
}

/// Returns the page that documents a problem type.
pub(crate) fn get(request: &Request) -> Result<Response, Problem> {
    let name = path_parameter(request, "problem");
    let mut all = ProblemType::ALL.iter();
    let problem = all.find(|problem| problem.name() == name).ok_or(ProblemType::RouteNotFound)?;
    let (title, help, status) = (problem.title(), to_html(problem.help()), problem.status());
    let page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>{title}</title>\n\
         <h1>{title}</h1>\n<p>{help}</p>\n\
         <p>Responses of type <code>/problems/{name}</code> have the status {status}.</p>\n</html>\n"
    );
    let mut response = Response::new(page.into());
    for (header, value) in [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CACHE_CONTROL, "public, max-age=3600"),
        (CONTENT_SECURITY_POLICY, "default-src 'none'"),
    ] {
        response.headers_mut().insert(header, HeaderValue::from_static(value));
    }
    Ok(response)
}
