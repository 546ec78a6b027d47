//! The platform's brand in emails and on pages.

use serde_json::Value;

use crate::support::events::open_event;
use crate::support::function::Function;
use crate::support::{Email, Stack, World, address, emails_to};

const BRAND: [(&str, &str); 5] = [
    ("BRAND_NAME", "Studio <North>"),
    ("BRAND_LOGO_URL", "https://cdn.studio.example:8443/logo.png"),
    ("BRAND_COLOR", "#00695C"),
    ("IMPRINT_TEXT", "Studio North Ltd\n1 Pier & Sons"),
    ("IMPRINT_URL", "https://studio.example/imprint"),
];

/// What a page and an email contain of the brand.
const SHOWN: [&str; 6] = [
    "https://cdn.studio.example:8443/logo.png",
    "alt=\"Studio &#60;North&#62;\"",
    "#00695c",
    "Studio North Ltd",
    "1 Pier &#38; Sons",
    "href=\"https://studio.example/imprint\"",
];

/// Requests the page of a link to several files or of an ended link.
async fn open(redeem: &Function, link: &str) -> Value {
    let mut event = open_event(link);
    event["headers"]["accept"] = "text/html".into();
    redeem.invoke(&event).await.unwrap()
}

/// Shares a file, and ends the share. Returns its email and the page of its link.
async fn email_and_page(variables: &[(&str, &str)]) -> (Email, Value) {
    let stack = Stack::get().await;
    let mut world = World::with_variables(&stack, variables).await;
    let redeem = world.new_function("RedeemLink").await;
    let recipient = address("ann");
    let (share, link) = world.share_by_email(&recipient).await;
    world.revoke(&share).await;
    let [email] = emails_to(&stack, &recipient).await.try_into().unwrap();
    (email, open(&redeem, &link).await)
}

fn policy(response: &Value) -> &str {
    response["headers"]["content-security-policy"].as_str().unwrap()
}

#[tokio::test]
async fn email_and_page_show_the_brand() {
    let (email, response) = email_and_page(&BRAND).await;
    let page = response["body"].as_str().unwrap();
    for body in [&email.html, page] {
        for part in SHOWN {
            assert!(body.contains(part), "{part}: {body}");
        }
        assert!(!body.contains("#1a56c4") && !body.contains("#8ab4ff"), "{body}");
    }
    assert_eq!(email.html.matches("<img").count(), 1);
    let imprint = "\n\nStudio North Ltd\n1 Pier & Sons\nhttps://studio.example/imprint";
    assert!(email.text.contains(imprint), "{}", email.text);
}

#[tokio::test]
async fn policy_of_a_branded_page_allows_the_logo_s_host() {
    let (_, response) = email_and_page(&BRAND).await;
    let policy = policy(&response);
    assert!(policy.contains("; img-src https://cdn.studio.example:8443; "), "{policy}");
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
    assert_eq!(policy.matches("https:").count(), 1, "{policy}");
}

#[tokio::test]
async fn without_a_brand_nothing_is_loaded_and_no_one_named() {
    let variables = BRAND.map(|(name, _)| (name, ""));
    let (email, response) = email_and_page(&variables).await;
    let page = response["body"].as_str().unwrap();
    for body in [&email.html, page] {
        for part in ["<img", "<header", "<footer", "src="] {
            assert!(!body.contains(part), "{part}: {body}");
        }
        assert!(body.contains("#1a56c4") && body.contains("#8ab4ff"), "{body}");
    }
    assert!(!policy(&response).contains("img-src"), "{}", policy(&response));
}

#[tokio::test]
async fn functions_do_not_start_with_an_invalid_brand() {
    let stack = Stack::get().await;
    let world = World::new(&stack).await;
    for (variable, value, reason) in [
        ("BRAND_COLOR", "#767676", "BRAND_COLOR must be darker: its contrast with white and with #f4f6f9"),
        ("BRAND_COLOR", "teal", "BRAND_COLOR must be a color such as #1a56c4"),
        (
            "BRAND_LOGO_URL",
            "http://cdn.example.com/logo.png",
            "BRAND_LOGO_URL must be an https URL of a file",
        ),
        ("BRAND_LOGO_URL", "https://cdn.example.com/logo.png", "BRAND_LOGO_URL requires a brand name"),
        ("IMPRINT_TEXT", "a\tb", "IMPRINT_TEXT must not contain control characters"),
        ("IMPRINT_URL", "http://example.com", "IMPRINT_URL must be an https URL"),
    ] {
        for name in ["RedeemLink", "NotifyRecipients"] {
            let function = world.new_function_with(name, &[("BRAND_NAME", ""), (variable, value)]).await;
            let output = function.fail_to_start().await;
            assert!(output.contains(reason), "{name}: {reason}: {output}");
        }
    }
}
