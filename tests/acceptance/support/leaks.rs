//! What may be in no log: addresses, links, tokens.

/// Longer than anything that a log has a reason to hold: ids have 36 characters, tokens of links more than 100.
const LONGEST_WORD: usize = 60;

/// What is in a text and should not be. Looks for the kinds of things, not for those of one test, so it may be asked of
/// what any test has caused.
pub(crate) fn leak(text: &str) -> Option<&'static str> {
    let is_of_token = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let link = |rest: &str| rest.starts_with(is_of_token);
    if text.contains('@') {
        Some("an address")
    } else if text.split("/s/").skip(1).any(link) || text.contains("/files/1") {
        Some("a link")
    } else if text.contains("X-Amz-") {
        Some("a signed URL")
    } else if text.split(|c| !is_of_token(c)).any(|word| word.len() > LONGEST_WORD) {
        Some("a token")
    } else if text.contains("Bearer ") || text.contains("eyJ") {
        Some("a caller's token")
    } else {
        None
    }
}

#[test]
fn a_leak_is_found() {
    for (text, expected) in [
        (r#"{"route":"GET /s/{token}","status":200,"id":"8f14e45f-ceea-467f-ab5e-000000000000"}"#, None),
        ("no mailbox ann@example.com", Some("an address")),
        ("GET /s/AWsxAAA", Some("a link")),
        ("AWsxAAA/files/1", Some("a link")),
        ("https://files/brief.pdf?X-Amz-Signature=0", Some("a signed URL")),
        (&"A_-9".repeat(16), Some("a token")),
        ("authorization: Bearer abc", Some("a caller's token")),
    ] {
        assert_eq!(leak(text), expected, "{text}");
    }
}
