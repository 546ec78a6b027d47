//! The language of a share: in its request, in the deployment, in its email and on its recipient's pages.

use chrono::{DateTime, FixedOffset, TimeDelta};
use serde_json::{Value, json};
use sharelink_domain::testing::file;
use sharelink_domain::{Item, Language, Share, ShareId};

use crate::api::create_body_with;
use crate::support::events::{create_event, open_event};
use crate::support::fixtures::share_builder;
use crate::support::function::Function;
use crate::support::{Stack, TestItem, World, address, unique};

#[tokio::test]
async fn email_is_in_the_language_of_the_request() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let expiry = "2032-03-10T14:30:00+01:00";
    let at: DateTime<FixedOffset> = expiry.parse().unwrap();
    let recipients = Language::ALL.map(|language| address(language.tag()));
    for (language, recipient) in Language::ALL.iter().zip(&recipients) {
        let fields = json!({"expiresAt": expiry, "language": language.tag()});
        let created = item.post(&create_body_with(&[recipient], &fields)).await;
        created.assert_status(201);
        assert_eq!(created.json()["results"][0]["share"]["language"], language.tag());
        assert_eq!(item.get_share(&created.share_id()).await["language"], language.tag());
    }
    for (language, recipient) in Language::ALL.iter().zip(&recipients) {
        let email = item.wait_for_email(recipient).await;
        let lang = format!("<html lang=\"{}\"", language.tag());
        assert!(email.html.contains(&lang), "{}", email.html);
        for body in [&email.text, &email.html] {
            assert!(body.contains(&language.date(at)), "{body}");
        }
    }
}

#[tokio::test]
async fn tag_with_a_region_counts_as_its_language() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    for (tag, language) in [("de-AT", "de"), ("DE_de", "de"), ("fr-CA", "fr")] {
        let created = item.post(&create_body_with(&[address("ann")], &json!({"language": tag}))).await;
        created.assert_status(201);
        assert_eq!(created.json()["results"][0]["share"]["language"], language, "{tag}");
    }
}

#[tokio::test]
async fn unknown_language_is_an_error_at_its_field() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    for tag in ["", "it", "deutsch", "de;q=1", "*", "de-<b>"] {
        let invalid = item.post(&create_body_with(&[address("ann")], &json!({"language": tag}))).await;
        invalid.assert_invalid(&["/language"]);
    }
    let wrong_type = item.post(&create_body_with(&[address("ann")], &json!({"language": ["de"]}))).await;
    assert!((400..500).contains(&wrong_type.status), "{wrong_type:?}");
    let shares = item.get("").await.json();
    assert_eq!(shares["shares"], json!([]), "nothing was shared");
}

#[tokio::test]
async fn language_belongs_to_an_idempotent_request() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let (ann, key) = (address("ann"), unique("key"));
    let body = |language| create_body_with(&[&ann], &json!({"language": language}));
    let german = body("de");
    item.post_with_key(&key, &german).await.assert_status(201);
    item.post_with_key(&key, &german).await.assert_status(201);
    let mut french = german.clone();
    french["language"] = "fr".into();
    item.post_with_key(&key, &french).await.assert_problem(422, "idempotency-key-reused");
}

/// Creates a share, and returns it as it is stored.
async fn create(world: &World<'_>, create: &Function, key: &str, fields: &Value, recipient: &str) -> Share {
    let mut event = create_event(&world.item, &[recipient.to_owned()], world.now());
    let mut body: Value = serde_json::from_str(event["body"].as_str().unwrap()).unwrap();
    body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    event["body"] = body.to_string().into();
    event["headers"]["idempotency-key"] = key.into();
    let response = create.invoke(&event).await.unwrap();
    assert_eq!(response["statusCode"], 201, "{response}");
    let id = ShareId::new(&world.item, &recipient.parse().unwrap());
    world.table.get(&world.item, id).await.unwrap().unwrap()
}

#[tokio::test]
async fn deployment_has_a_default_language() {
    let stack = Stack::get().await;
    let world = World::new(&stack).await;
    world.upload().await;
    let english = world.new_function("CreateShares").await;
    let french = world.new_function_with("CreateShares", &[("DEFAULT_LANGUAGE", "fr")]).await;
    let new = |function, fields: Value| {
        let world = &world;
        async move { create(world, function, &unique("key"), &fields, &address("ann")).await.language }
    };
    assert_eq!(new(&*english, json!({})).await, Language::English);
    assert_eq!(new(&french, json!({})).await, Language::French);
    assert_eq!(new(&french, json!({"language": null})).await, Language::French);
    assert_eq!(new(&french, json!({"language": "sv"})).await, Language::Swedish);
}

/// What the first attempt did not create gets the language that the first attempt would have given it.
#[tokio::test]
async fn retry_keeps_the_default_language_of_the_first_attempt() {
    let stack = Stack::get().await;
    let world = World::new(&stack).await;
    world.upload().await;
    let french = world.new_function_with("CreateShares", &[("DEFAULT_LANGUAGE", "fr")]).await;
    let dutch = world.new_function_with("CreateShares", &[("DEFAULT_LANGUAGE", "nl")]).await;
    let (key, ann) = (unique("key"), address("ann"));
    let first = create(&world, &french, &key, &json!({}), &ann).await;
    world.lose(&first).await;
    let retried = create(&world, &dutch, &key, &json!({}), &ann).await;
    assert_eq!(retried.language, Language::French);
}

#[tokio::test]
async fn unknown_default_language_prevents_the_functions_from_starting() {
    let stack = Stack::get().await;
    let world = World::new(&stack).await;
    for name in ["CreateShares", "ManageShares", "RedeemLink"] {
        for (language, error) in [("xx", "UnknownLanguage"), ("", "DEFAULT_LANGUAGE")] {
            let function = world.new_function_with(name, &[("DEFAULT_LANGUAGE", language)]).await;
            let output = function.fail_to_start().await;
            assert!(output.contains(error), "{name}, {language}: {output}");
        }
    }
}

/// Opens a link in a browser that asks for these languages. Returns the language of the page.
async fn page_language(redeem: &Function, link: &str, accept_language: Option<&str>) -> String {
    let mut event = open_event(link);
    match accept_language {
        Some(languages) => event["headers"]["accept-language"] = languages.into(),
        None => drop(event["headers"].as_object_mut().unwrap().remove("accept-language")),
    }
    let response = redeem.invoke(&event).await.unwrap();
    let page = response["body"].as_str().unwrap();
    let (_, rest) = page.split_once("<html lang=\"").unwrap_or_else(|| panic!("{page}"));
    rest.split('"').next().unwrap().to_owned()
}

/// Stores a share of two files in Danish, and returns it with its link.
async fn danish_share(world: &mut World<'_>, item: &Item) -> (Share, String) {
    let share = share_builder(item, TimeDelta::days(7), world.now())
        .recipient(&address("ann"))
        .files(["brief.pdf", "logo.svg"].map(file).to_vec())
        .language(Language::Danish)
        .notify(true)
        .build();
    let link = world.send_link(&share).await;
    (share, link)
}

#[tokio::test]
async fn page_is_in_the_browser_s_language_or_the_share_s() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let redeem = world.new_function_with("RedeemLink", &[("DEFAULT_LANGUAGE", "nl")]).await;
    let item = world.item.clone();
    let (share, link) = danish_share(&mut world, &item).await;
    let forged = format!("{}x", &link[..link.len() - 4]);
    let languages = [
        (Some("sv-SE,sv;q=0.9"), "sv"),
        (Some("pt;q=0.9, fr;q=0.5"), "fr"),
        (Some("pt-BR,pt;q=0.9"), "da"),
        (Some("*"), "da"),
        (None, "da"),
    ];
    for (accept_language, expected) in languages {
        assert_eq!(page_language(&redeem, &link, accept_language).await, expected, "{accept_language:?}");
    }
    assert_eq!(page_language(&redeem, &forged, Some("es")).await, "es");
    assert_eq!(page_language(&redeem, &forged, None).await, "nl", "the deployment's");

    world.renew(&share, false).await;
    assert_eq!(page_language(&redeem, &link, None).await, "nl", "a replaced link is like a forged one");
}

#[tokio::test]
async fn page_of_an_ended_link_is_in_the_share_s_language() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let redeem = world.new_function("RedeemLink").await;
    let item = world.item.clone();
    let (share, revoked) = danish_share(&mut world, &item).await;
    world.revoke(&share).await;
    let (_, expired) = danish_share(&mut world, &item).await;
    world.advance(TimeDelta::days(8));
    for link in [&revoked, &expired] {
        assert_eq!(page_language(&redeem, link, None).await, "da");
        assert_eq!(page_language(&redeem, link, Some("de")).await, "de");
    }
}
