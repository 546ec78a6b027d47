//! The sender of the emails: the From header and the SES identity.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::TimeDelta;

use crate::support::{Stack, World, address, emails_to};

const ADDRESS: &str = "no-reply@sharelink.example";

/// Sends an email with these settings of `notify-recipients`. Returns its From header and the number of
/// requests to SES that contain `pattern`.
async fn send_with(variables: &[(&str, &str)], pattern: &str) -> (String, usize) {
    let stack = Stack::get().await;
    let mut world = World::with_variables(&stack, variables).await;
    let recipient = address("ann");
    world.share(&recipient, TimeDelta::days(7)).await;
    world.run_notify().await;
    let [email] = emails_to(&stack, &recipient).await.try_into().unwrap();
    (email.from, world.ses.take_call_count(&[pattern]))
}

/// Decodes a From header that consists of encoded words (RFC 2047) and the sender's address.
fn decode_name(from: &str) -> String {
    let words = from.strip_suffix(&format!(" <{ADDRESS}>")).unwrap_or_else(|| panic!("{from}")).split(' ');
    let decode = |word: &str| {
        let text = word.strip_prefix("=?UTF-8?B?").and_then(|word| word.strip_suffix("?="));
        String::from_utf8(STANDARD.decode(text.unwrap()).unwrap()).unwrap()
    };
    words.map(decode).collect()
}

#[tokio::test]
async fn from_header_names_sharer_and_platform() {
    let (from, _) = send_with(&[("BRAND_NAME", "Plätform")], "").await;
    assert_eq!(decode_name(&from), "Tess via Plätform");
}

#[tokio::test]
async fn sharer_whose_name_resembles_the_platform_is_not_named() {
    // The platform's name has a Cyrillic letter here, as an attacker's would.
    let (from, _) = send_with(&[("BRAND_NAME", "Tеss")], "").await;
    assert_eq!(decode_name(&from), "Tеss");
}

#[tokio::test]
async fn email_asks_for_no_automatic_reply() {
    let headers = r#"{"Name":"Auto-Submitted","Value":"auto-generated"},"#.to_owned()
        + r#"{"Name":"X-Auto-Response-Suppress","Value":"OOF, AutoReply"}"#;
    assert_eq!(send_with(&[], &headers).await.1, 1);
}

#[tokio::test]
async fn without_a_platform_name_from_is_the_bare_address() {
    let (from, _) = send_with(&[("BRAND_NAME", "")], "").await;
    assert_eq!(from, ADDRESS);
}

#[tokio::test]
async fn identity_of_another_account_is_passed_to_ses() {
    const FIELD: &str = "FromEmailAddressIdentityArn";
    let identity = "arn:aws:ses:us-east-1:111122223333:identity/sharelink.example";
    let with_arn = [("EMAIL_IDENTITY_ARN", identity)];
    let request = format!(r#""{FIELD}":"{identity}""#);
    assert_eq!(send_with(&with_arn, &request).await.1, 1);
    assert_eq!(send_with(&[("EMAIL_IDENTITY_ARN", "")], FIELD).await.1, 0);
}
