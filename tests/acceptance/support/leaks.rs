//! Detects secrets and personal data in logs: addresses, links and tokens.

/// The maximum length of a word that is not a token. Ids have 36 characters; link tokens have more than 100.
const LONGEST_WORD: usize = 60;

/// Returns the kind of secret that `text` contains, if any.
///
/// Recognizes secrets by their format, not by the values that a particular test uses, so it works on the
/// output of any test.
pub(crate) fn find_leak(text: &str) -> Option<&'static str> {
    let is_token_character = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let is_token = |rest: &str| rest.starts_with(is_token_character);
    if text.contains('@') {
        Some("an address")
    } else if text.split("/s/").skip(1).any(is_token) || text.contains("/files/1") {
        Some("a link")
    } else if text.contains("X-Amz-") {
        Some("a signed URL")
    } else if text.split(|c| !is_token_character(c)).any(|word| word.len() > LONGEST_WORD) {
        Some("a token")
    } else if text.contains("Bearer ") || text.contains("eyJ") {
        Some("a caller's token")
    } else {
        None
    }
}

#[test]
fn find_leak_names_the_kind_of_secret() {
    for (text, expected) in [
        (r#"{"route":"GET /s/{token}","status":200,"id":"8f14e45f-ceea-467f-ab5e-000000000000"}"#, None),
        ("no mailbox ann@example.com", Some("an address")),
        ("GET /s/AWsxAAA", Some("a link")),
        ("AWsxAAA/files/1", Some("a link")),
        ("https://files/brief.pdf?X-Amz-Signature=0", Some("a signed URL")),
        (&"A_-9".repeat(16), Some("a token")),
        ("authorization: Bearer abc", Some("a caller's token")),
    ] {
        assert_eq!(find_leak(text), expected, "{text}");
    }
}
