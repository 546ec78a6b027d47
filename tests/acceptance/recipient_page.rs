//! What a recipient's pages say: the list of files, and the page of a link that has ended.

use chrono::{DateTime, FixedOffset, TimeDelta, Utc};
use reqwest::Url;
use serde_json::{Value, json};
use sharelink_domain::{Share, Sharer};

use crate::api::create_body_with;
use crate::support::events::open_event;
use crate::support::fixtures::share_builder;
use crate::support::function::Function;
use crate::support::{Aws, Stack, TestItem, World, address, next_week, send};

/// Requests a link's page or JSON. Returns the status and the body.
async fn open(redeem: &Function, link: &str, accept: &str) -> (u64, String) {
    let mut event = open_event(link);
    event["headers"]["accept"] = accept.into();
    let response = redeem.invoke(&event).await.unwrap();
    (response["statusCode"].as_u64().unwrap(), response["body"].as_str().unwrap().to_owned())
}

/// Opens a link that has ended. Returns the status, and the body without the link's token, which is in the
/// address of the page's form.
async fn open_ended(redeem: &Function, link: &str, accept: &str) -> (u64, String) {
    let (status, body) = open(redeem, link, accept).await;
    (status, body.replace(link.rsplit('/').next().unwrap(), "TOKEN"))
}

/// Shares two files for a week in this sharer's name. Returns the share and its link.
async fn share_as(world: &mut World<'_>, sharer: &str) -> (Share, String) {
    let recipient = address("ann");
    let sharer = Sharer {
        sub: "kim".into(),
        name: Some(sharer.into()),
        email: Some("kim@sharelink.example".parse().unwrap()),
    };
    let share = share_builder(&world.item, TimeDelta::days(7), world.now())
        .recipient(&recipient)
        .files(["brief.pdf", "logo.svg"].map(sharelink_domain::testing::file).to_vec())
        .sharer(sharer)
        .message("The secret plan.")
        .title("Spring campaign")
        .notify(true)
        .build();
    let link = world.send_link(&share).await;
    (share, link)
}

#[tokio::test]
async fn list_states_the_message_total_and_time_left() {
    let stack = Stack::get().await;
    let item = TestItem::with_files(&stack, &[]).await;
    for (file, size) in [("art.pdf", 2_417_000), ("data.xlsx", 41_900)] {
        Aws::new(&stack).upload(&item.key(file), &vec![0; size]).await;
    }
    let recipient = address("ann");
    let message = "First <i>line</i>\r\n\r\n\u{5e9}\u{5dc}\u{5d5}\u{5dd} https://example.com";
    let expiry = (Utc::now() + TimeDelta::days(7))
        .with_timezone(&FixedOffset::east_opt(2 * 3600).unwrap())
        .to_rfc3339();
    let create = create_body_with(&[&recipient], &json!({"message": message, "expiresAt": expiry}));
    item.post(&create).await.assert_status(201);
    let link = item.wait_for_email(&recipient).await.link();

    let page = stack.open(&link).await;
    let list = send(stack.client.get(&link).header("Accept", "application/json")).await.json();

    for part in [
        "First &#60;i&#62;line&#60;/i&#62;\r\n\r\n\u{5e9}\u{5dc}\u{5d5}\u{5dd} https://example.com</p>",
        "2 files, 2.45 MB in total",
        "PDF document, 2.41 MB",
        "Spreadsheet, 41.9 kB",
        "Access ends <strong>in 7 days</strong>, on ",
        "(UTC+02:00)</time>.",
        "If a download stops, select the file again to restart it.",
    ] {
        assert!(page.text.contains(part), "{part}: {}", page.text);
    }
    assert_eq!(
        page.text.matches("href=").count(),
        4,
        "only the archive, the files and the choice about emails are links: {}",
        page.text
    );
    assert_eq!(list["message"], message);
    assert_eq!(list["sharer"], "Tess Tester");
    let expires_at: DateTime<Utc> = list["expiresAt"].as_str().unwrap().parse().unwrap();
    assert_eq!(expires_at.timestamp(), expiry.parse::<DateTime<FixedOffset>>().unwrap().timestamp());
}

#[tokio::test]
async fn expired_and_revoked_links_get_the_same_anonymous_page() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let redeem = world.new_function("RedeemLink").await;
    let (share, revoked) = share_as(&mut world, "Kim Example").await;
    world.revoke(&share).await;
    let (_, expired) = share_as(&mut world, "Ann Other").await;
    world.advance(TimeDelta::days(8));
    for accept in ["text/html", "application/json"] {
        let expired_response = open_ended(&redeem, &expired, accept).await;
        let (status, body) = open_ended(&redeem, &revoked, accept).await;
        assert_eq!(status, 410);
        assert_eq!((status, body.clone()), expired_response);
        for word in ["Kim", "Ann", "sharer\"", "brief", "plan", "Spring", "jobs", "revoked", "expired"] {
            assert!(!body.contains(word), "{word}: {body}");
        }
    }
}

#[tokio::test]
async fn ended_page_names_the_sharer_if_the_deployment_allows_it() {
    let stack = Stack::get().await;
    let mut world = World::with_variables(&stack, &[("ENDED_PAGE_NAMES_SHARER", "true")]).await;
    let redeem = world.new_function("RedeemLink").await;
    let (share, revoked) = share_as(&mut world, "Kim <b>").await;
    world.revoke(&share).await;
    let (_, expired) = share_as(&mut world, "Kim <b>").await;
    world.advance(TimeDelta::days(8));

    let (status, page) = open_ended(&redeem, &revoked, "text/html").await;
    assert_eq!(status, 410);
    assert!(page.contains("ask <bdi translate=\"no\">Kim &#60;b&#62;</bdi>.</p>"), "{page}");
    assert_eq!(open_ended(&redeem, &expired, "text/html").await, (410, page.clone()));
    let (_, problem) = open(&redeem, &expired, "application/json").await;
    assert_eq!(serde_json::from_str::<Value>(&problem).unwrap()["sharer"], "Kim <b>");
    for word in ["kim@", "\"kim\"", "brief", "plan", "Spring", "jobs", "revoked", "expired"] {
        assert!(!page.contains(word) && !problem.contains(word), "{word}: {page} {problem}");
    }

    let (base, token) = revoked.rsplit_once('/').unwrap();
    let forged = format!("{base}/{}", &token[..token.len() - 1]);
    let (status, page) = open(&redeem, &forged, "text/html").await;
    assert_eq!(status, 404);
    assert!(!page.contains("Kim"), "{page}");
}

#[tokio::test]
async fn misleading_sharer_name_is_on_no_page() {
    let stack = Stack::get().await;
    let variables = [("ENDED_PAGE_NAMES_SHARER", "true"), ("BRAND_NAME", "Plätform")];
    let mut world = World::with_variables(&stack, &variables).await;
    let redeem = world.new_function("RedeemLink").await;
    for name in ["Plätform Security", "ceo@bank.example", "Open https://evil.example", "\u{200b}\u{2060}"] {
        let (share, link) = share_as(&mut world, name).await;
        let (_, active) = open(&redeem, &link, "text/html").await;
        let (_, list) = open(&redeem, &link, "application/json").await;
        world.revoke(&share).await;
        let (_, ended) = open(&redeem, &link, "text/html").await;
        let (_, problem) = open(&redeem, &link, "application/json").await;
        assert!(active.contains("<h1>2 files were shared with you</h1>"), "{name}: {active}");
        assert!(ended.contains("ask the person who sent you the link."), "{name}: {ended}");
        for json in [list, problem] {
            assert_eq!(serde_json::from_str::<Value>(&json).unwrap().get("sharer"), None, "{name}");
        }
    }
}

#[tokio::test]
async fn pages_take_one_call_and_a_download_takes_two() {
    let stack = Stack::get().await;
    let mut world = World::with_variables(&stack, &[("ENDED_PAGE_NAMES_SHARER", "true")]).await;
    let redeem = world.new_function("RedeemLink").await;
    let (share, list) = share_as(&mut world, "Kim").await;
    let (_, download) = world.share_by_email(&address("bob")).await;
    // The first use also fetches the key ring.
    open(&redeem, &list, "text/html").await;
    let calls = async |world: &World<'_>, link: &str, expected: u64| {
        for proxy in world.proxies() {
            proxy.take_call_count(&[]);
        }
        assert_eq!(open(&redeem, link, "text/html").await.0, expected);
        world.proxies().map(|proxy| proxy.take_call_count(&["HTTP/1.1"]))
    };
    let [dynamodb, s3] = [[1, 0, 0, 0, 0], [0, 0, 1, 0, 0]];
    assert_eq!(calls(&world, &list, 200).await, dynamodb, "a list");
    assert_eq!(calls(&world, &download, 302).await, std::array::from_fn(|n| dynamodb[n] + s3[n]));
    world.revoke(&share).await;
    assert_eq!(calls(&world, &list, 410).await, dynamodb, "an ended link");
}

#[tokio::test]
async fn failed_file_leads_back_to_the_list() {
    let stack = Stack::get().await;
    let item = TestItem::with_files(&stack, &["a.pdf", "b.pdf"]).await;
    let shared = item.share_until(&address("ann"), &next_week()).await;
    Aws::new(&stack).delete(&item.key("b.pdf")).await;
    let file = format!("{}/files/2", shared.link);

    let page = stack.open(&file).await;

    page.assert_status(404);
    let hrefs = page.text.split("href=\"").skip(1).map(|rest| rest.split('"').next().unwrap());
    let url = Url::parse(&file).unwrap();
    let targets: Vec<String> = hrefs.map(|href| url.join(href).unwrap().to_string()).collect();
    assert_eq!(targets, [file, shared.link]);
}

/// Browsers and download programs continue a download with `Range` and `If-Range`.
#[tokio::test]
async fn stopped_download_continues_at_the_url_of_another_use() {
    let stack = Stack::get().await;
    let item = TestItem::with_files(&stack, &[]).await;
    let bytes: Vec<u8> = (0..50_000_u32).flat_map(u32::to_le_bytes).collect();
    Aws::new(&stack).upload(&item.key("scan.bin"), &bytes).await;
    let shared = item.share_with(&address("ann")).await;
    let url = async || stack.open(&shared.link).await.header("location").to_owned();

    let first = stack.client.get(url().await).header("Range", "bytes=0-99999").send().await.unwrap();
    let etag = first.headers()["etag"].clone();
    let start = first.bytes().await.unwrap();
    let next = async || {
        let request = stack.client.get(url().await).header("Range", "bytes=100000-");
        request.header("If-Range", &etag).send().await.unwrap()
    };
    let rest = next().await;
    assert_eq!(rest.status(), 206);
    assert_eq!(rest.headers()["etag"], etag);
    assert!(
        [&start[..], &rest.bytes().await.unwrap()[..]].concat() == bytes,
        "the parts differ from the file"
    );
}
