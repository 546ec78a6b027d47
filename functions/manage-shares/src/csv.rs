//! Lists of shares as CSV (RFC 4180), for spreadsheets and auditors.

use lambda_http::http::StatusCode;
use lambda_http::http::header::{CONTENT_DISPOSITION, HeaderValue};
use sharelink_domain::access::InactiveReason;
use sharelink_domain::{EmailAddress, Share, SharedFile, Status, Timestamp, Title};
use sharelink_http::{Response, text_response, to_rfc3339};

/// Excel recognizes UTF-8 only by this mark.
const BYTE_ORDER_MARK: char = '\u{feff}';

const COLUMNS: [&str; 19] = [
    "module",
    "item",
    "title",
    "recipient",
    "status",
    "expiresAt",
    "revokedAt",
    "createdAt",
    "sharer",
    "sharerName",
    "sharerEmail",
    "files",
    "message",
    "mail",
    "opens",
    "downloads",
    "firstOpenedAt",
    "lastOpenedAt",
    "shareId",
];

/// Returns whether a caller asks for CSV (RFC 9110, section 12.5.1). JSON is the default.
pub(crate) fn is_accepted(accept: Option<&str>) -> bool {
    accept.unwrap_or_default().split(',').any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let is_csv = parts.next().is_some_and(|range| range.eq_ignore_ascii_case("text/csv"));
        let is_refused = |part: &str| {
            let weight = part.split_once('=').filter(|(name, _)| name.trim().eq_ignore_ascii_case("q"));
            weight.is_some_and(|(_, weight)| weight.trim().parse() == Ok(0.0))
        };
        is_csv && !parts.any(is_refused)
    })
}

/// Creates the response with a row for each share, with its status as of `now`.
pub(crate) fn response(shares: &[Share], now: Timestamp) -> Response {
    let mut text = String::from(BYTE_ORDER_MARK);
    push_row(&mut text, COLUMNS.map(ToOwned::to_owned));
    for share in shares {
        push_row(&mut text, cells(share, now));
    }
    let mut response = text_response(StatusCode::OK, "text/csv; charset=utf-8; header=present", text);
    let disposition = HeaderValue::from_static("attachment; filename=\"shares.csv\"");
    response.headers_mut().insert(CONTENT_DISPOSITION, disposition);
    response
}

fn cells(share: &Share, now: Timestamp) -> [String; COLUMNS.len()] {
    let status = match share.status(now) {
        Status::Active => "active",
        Status::Inactive(InactiveReason::Expired) => "expired",
        Status::Inactive(InactiveReason::Revoked) => "revoked",
    };
    let time = |at: Option<Timestamp>| at.map(to_rfc3339).unwrap_or_default();
    let sharer = &share.created_by;
    let file_names: Vec<_> = share.files.iter().map(|SharedFile { name, .. }| name.as_str()).collect();
    [
        share.item.module.to_string(),
        share.item.name.to_string(),
        share.title.as_ref().map(Title::as_str).unwrap_or_default().to_owned(),
        share.recipient.to_string(),
        status.to_owned(),
        to_rfc3339(share.expires_at),
        time(share.revoked_at),
        to_rfc3339(share.created_at),
        sharer.sub.clone(),
        sharer.name.clone().unwrap_or_default(),
        sharer.email.as_ref().map(EmailAddress::as_str).unwrap_or_default().to_owned(),
        file_names.join("\n"),
        share.message.as_ref().map(|message| message.as_str().to_owned()).unwrap_or_default(),
        share.mail.state.name().to_owned(),
        share.usage.opens.to_string(),
        share.usage.downloads.to_string(),
        time(share.usage.first_at),
        time(share.usage.last_at),
        share.id.to_string(),
    ]
}

fn push_row(text: &mut String, cells: [String; COLUMNS.len()]) {
    text.push_str(&cells.map(|cell| quote(&cell)).join(","));
    text.push_str("\r\n");
}

/// Quotes a cell. A spreadsheet would run a cell that begins like a formula, even in quotes, so an apostrophe
/// precedes it (<https://owasp.org/www-community/attacks/CSV_Injection>). File names, messages and addresses
/// come from users.
fn quote(cell: &str) -> String {
    let apostrophe = if begins_like_a_formula(cell) { "'" } else { "" };
    format!("\"{apostrophe}{}\"", cell.replace('"', "\"\""))
}

/// Some programs skip white space before a formula, and some accept full-width signs.
fn begins_like_a_formula(cell: &str) -> bool {
    let is_control = |c: char| c.is_control();
    let is_sign = |c: char| "=+-@\u{ff1d}\u{ff0b}\u{ff0d}\u{ff20}".contains(c);
    let is_blank = |c: char| c.is_whitespace() || c.is_control() || c == BYTE_ORDER_MARK;
    cell.starts_with(is_control) || cell.trim_start_matches(is_blank).starts_with(is_sign)
}

#[cfg(test)]
mod tests {
    use sharelink_domain::testing::{NOW, ShareBuilder, file, time};

    use super::*;

    #[test]
    fn csv_is_returned_only_on_request() {
        for accept in
            ["text/csv", "TEXT/CSV; charset=utf-8", "application/json;q=0.5, text/csv", "text/csv;q=0.1"]
        {
            assert!(is_accepted(Some(accept)), "{accept}");
        }
        for accept in
            ["", "*/*", "text/*", "application/json", "text/csv;q=0", "text/csv; Q = 0.000", "xtext/csv"]
        {
            assert!(!is_accepted(Some(accept)), "{accept}");
        }
        assert!(!is_accepted(None));
    }

    #[test]
    fn cells_that_begin_like_formulas_are_neutralized() {
        for formula in [
            "=1+1",
            "=cmd|' /C calc'!A0",
            "+1",
            "-1",
            "@SUM(A1)",
            "\t=1",
            "\r=1",
            "\n=1",
            " =1",
            "\u{a0}=1",
            "\u{feff}=1",
            "\u{ff1d}1",
            "\u{ff0b}1",
            "\u{ff0d}1",
            "\u{ff20}1",
            "\tx",
        ] {
            assert_eq!(quote(formula), format!("\"'{formula}\""), "{formula:?}");
        }
        for text in ["", "a=1", "1-2", "'=1", "ann@example.com"] {
            assert_eq!(quote(text), format!("\"{text}\""), "{text:?}");
        }
    }

    #[test]
    fn row_has_a_quoted_cell_for_each_column() {
        let share = ShareBuilder::new()
            .title("A \"big\", one")
            .recipient("=cmd@example.com")
            .files(vec![file("-a.pdf"), file("b.pdf")])
            .build();
        let response = response(std::slice::from_ref(&share), time(NOW));
        assert_eq!(response.headers()["content-type"], "text/csv; charset=utf-8; header=present");
        assert_eq!(response.headers()["cache-control"], "no-store");
        let text = String::from_utf8(response.body().to_vec()).unwrap();
        let (header, row) = text.strip_prefix('\u{feff}').unwrap().split_once("\r\n").unwrap();
        assert!(header.starts_with("\"module\",\"item\",\"title\",\"recipient\",\"status\""), "{header}");
        assert_eq!(
            row,
            format!(
                "\"jobs\",\"1042\",\"A \"\"big\"\", one\",\"'=cmd@example.com\",\"active\",\
                 \"2026-03-10T13:00:00Z\",\"\",\"2026-03-10T12:00:00Z\",\"u1\",\"\",\"\",\
                 \"'-a.pdf\nb.pdf\",\"\",\"queued\",\"0\",\"0\",\"\",\"\",\"{}\"\r\n",
                share.id
            )
        );
    }
}
