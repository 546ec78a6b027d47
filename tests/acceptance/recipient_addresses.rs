//! Addresses as people type and paste them, sent to the API.

use serde_json::{Value, json};

use crate::support::{Stack, TestItem, address, next_week};

async fn create(item: &TestItem<'_>, recipients: &[String]) -> Vec<Value> {
    let body = json!({"recipients": recipients, "expiresAt": next_week(), "notify": false});
    item.post(&body).await.json()["results"].as_array().unwrap().clone()
}

/// Returns the domain of a lookalike in the error of the only recipient.
async fn refusal(item: &TestItem<'_>, recipient: &str) -> String {
    let results = create(item, &[recipient.to_owned()]).await;
    assert_eq!(results[0]["outcome"], "invalidRecipient", "{results:?}");
    assert_eq!(results[0]["recipient"], recipient, "the response repeats the recipient as it was sent");
    results[0]["problem"]["detail"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn text_around_an_address_is_removed() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let ann = address("ann");
    let (local, domain) = ann.split_once('@').unwrap();
    let spellings = [
        format!("'{ann}'"),
        format!("'{ann}"),
        format!("<{ann}>"),
        format!("mailto:{ann}?subject=Files"),
        format!("\u{201c}{ann}\u{201d}"),
        format!("{ann}."),
        format!("{ann}™"),
        format!("\u{f0b7}{ann}\u{2800}"),
        format!("mailto://{ann}"),
        format!("\u{feff}{local}\u{200b}@{domain}\u{a0}"),
        format!("{local}＠{}", domain.replace('.', "．")),
        ann.clone(),
    ];
    for spelling in &spellings {
        let item = TestItem::new(&stack).await;
        let results = create(&item, std::slice::from_ref(spelling)).await;
        assert_eq!(results[0]["outcome"], "created", "{spelling}: {results:?}");
        assert_eq!(results[0]["share"]["recipient"], ann, "{spelling}");
    }
    // All spellings are the same recipient.
    let outcomes: Vec<_> =
        create(&item, &spellings).await.iter().map(|result| result["outcome"].clone()).collect();
    assert_eq!(outcomes[0], "created");
    assert!(outcomes[1..].iter().all(|outcome| outcome == "duplicate"), "{outcomes:?}");
    assert_eq!(item.list_recipients("active").await, [ann]);
}

#[tokio::test]
async fn several_addresses_in_one_recipient_are_refused() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    for recipient in [
        "ann@example.com, bob@example.com",
        "ann@example.com bob@example.com",
        "bob@example.com <ann@example.com>",
        "Ann <ann@example.com>, Bob",
        "\"ann@example.com x\"@example.org",
        "mailto:ann%40example.com",
        "ann@example.com\u{200b}bob@example.com",
        "ann@example.com/bob@example.com",
        "bob}@example.com",
    ] {
        refusal(&item, recipient).await;
    }
    assert!(item.list_recipients("active").await.is_empty());
}

#[tokio::test]
async fn address_cut_from_other_text_is_refused() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    for recipient in [
        "'ann'@example.com",
        "email=ann@example.com",
        "href='mailto:ann@example.com'",
        "/CN=Ann/emailAddress=ann@example.com",
        "=ann@example.com",
        "-ann@example.com",
        "//ann@example.com",
        "calendar.example/ann@example.com",
        "a***@example.com",
    ] {
        let detail = refusal(&item, recipient).await;
        assert!(detail.contains("before the @"), "{recipient}: {detail}");
    }
    for recipient in ["ann@exam™ple.com", "ann@example¹.com", "ann@①example.com", "ann@exam\u{2800}ple.com"]
    {
        let detail = refusal(&item, recipient).await;
        assert!(detail.contains("invalid domain"), "{recipient}: {detail}");
    }
    assert!(item.list_recipients("active").await.is_empty());
}

#[tokio::test]
async fn lookalike_domain_is_refused_with_its_ascii_form() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    for (recipient, looks_like, ascii) in [
        ("ahmet@gmaıl.com", "gmail.com", "xn--gmal-nza.com"),
        ("AHMET@GMAİL.COM", "gmail.com", "xn--gmail-bgd.com"),
        ("eve@exam\u{2010}ple.com", "exam-ple.com", "xn--example-806c.com"),
        ("eve@аррӏе.com", "apple.com", "xn--80ak6aa92e.com"),
        ("eve@p\u{430}ypal.com", "paypal.com", "xn--pypal-4ve.com"),
        ("eve@büro.аррӏе.com", "büro.apple.com", "xn--bro-hoa.xn--80ak6aa92e.com"),
        ("eve@examーple.com", "unusual character", "xn--example-fc5f.com"),
        ("eve@paypal.comノlogin.example", "unusual character", "paypal.xn--comlogin-634g.example"),
    ] {
        let detail = refusal(&item, recipient).await;
        assert!(detail.contains(looks_like) && detail.contains(ascii), "{recipient}: {detail}");
    }
    let detail = refusal(&item, "eve@примеμ.рф").await;
    assert!(detail.contains("mixes scripts") && detail.contains("xn--"), "{detail}");
    // The ASCII form says which domain is meant.
    let results = create(&item, &["ahmet@xn--gmal-nza.com".to_owned()]).await;
    assert_eq!(results[0]["outcome"], "created", "{results:?}");
}

#[tokio::test]
async fn international_domains_are_accepted() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let recipients = [
        "ann@müller.example",
        "ann@例え.テスト",
        "ann@пример.рф",
        "ann@blåbær.example",
        "ann@日本語abc.example",
        "ann@ışık.com.tr",
        "ann@メール.example",
        "ann@نامه\u{200c}ای.example",
    ];
    let results = create(&item, &recipients.map(str::to_owned)).await;
    for (recipient, result) in recipients.iter().zip(&results) {
        assert_eq!(result["outcome"], "created", "{recipient}: {result}");
        assert!(result["share"]["recipient"].as_str().unwrap().starts_with("ann@"), "{result}");
        assert!(result["share"]["recipient"].as_str().unwrap().contains("xn--"), "{result}");
    }
}
