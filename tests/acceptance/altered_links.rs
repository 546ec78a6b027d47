//! Links that mail clients, chats and other programs have altered: a slash, the punctuation around the link,
//! or a `-` or `_` that is missing at its end.

use chrono::TimeDelta;
use reqwest::{Method, Url};
use sharelink_aws::new_write_id;

use crate::redemption::assert_uses;
use crate::support::fixtures::{RETENTION, index_hashes, job, share_builder};
use crate::support::{Stack, TestItem, World, address, send, unique};
use sharelink_domain::testing::permitted;

/// What programs add to a link.
const ADDITIONS: [&str; 38] = [
    "/",
    "//",
    "/.",
    "/)",
    "/%20",
    "/%E2%80%A6",
    ".",
    ",",
    ")",
    ">",
    ";",
    "!",
    "'",
    "\"",
    "*",
    "_",
    "__",
    "-",
    "]",
    "}",
    ":",
    "|",
    "~",
    "`",
    "%20",
    "%22",
    "%3E",
    "%2C",
    "%0A",
    "%C2%A0",
    "%E2%80%A6",
    "%C2%BB",
    "%E2%80%9D",
    "%E2%80%8B",
    ").",
    "%3E.",
    "*_",
    "...",
];

#[tokio::test]
async fn added_punctuation_leads_to_the_same_file() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let shared = item.share_with(&address("ann")).await;
    let file = format!("{}/files/1", shared.link);

    for addition in ADDITIONS {
        for method in [Method::GET, Method::HEAD] {
            let link = format!("{}{addition}", shared.link);
            let response = send(stack.client.request(method.clone(), &link)).await;
            assert_eq!(response.status, 302, "{method} {addition}: {response:?}");
        }
    }
    for addition in ["/", ".", ")", "%20", "%E2%80%A6", "/)"] {
        let response = stack.open(&format!("{file}{addition}")).await;
        assert_eq!(response.status, 302, "{addition}: {response:?}");
    }
    let [opens, downloads] = [ADDITIONS.len(), ADDITIONS.len() + 6].map(|n| n.try_into().unwrap());
    assert_uses(&item.get_share(&shared.id).await, opens, downloads);
    stack.open(&format!("{}?utm_source=mail&fbclid=x", shared.link)).await.assert_status(302);
}

#[tokio::test]
async fn list_of_an_altered_link_has_working_links() {
    let stack = Stack::get().await;
    let item = TestItem::with_files(&stack, &["a.txt", "b.txt"]).await;
    let shared = item.share_with(&address("ann")).await;

    for addition in ["", "/", "//", ".", "%20", "_", "/)"] {
        let link = format!("{}{addition}", shared.link);
        let page = stack.open(&link).await;
        assert_eq!(page.status, 200, "{addition}: {page:?}");
        let base = Url::parse(&link).unwrap();
        let hrefs = page.text.split("href=\"").skip(1).map(|rest| rest.split('"').next().unwrap());
        let mut contents = Vec::new();
        for href in hrefs {
            let url = base.join(href).unwrap();
            if href.ends_with("/emails") {
                stack.open(url.as_str()).await.assert_status(200);
            } else {
                contents.push(stack.download(url.as_str()).await.0);
            }
        }
        let archive = contents.remove(0);
        assert!(archive.starts_with(b"PK"), "{addition}");
        assert_eq!(contents, [b"a.txt", b"b.txt"], "{addition}");
    }
}

#[tokio::test]
async fn every_other_path_below_a_link_gets_the_recipients_page() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let shared = item.share_with(&address("ann")).await;
    let base = format!("{}/s", stack.info.api_url);

    for path in [
        format!("{}/files", shared.link),
        format!("{}/files/", shared.link),
        format!("{}/files/2/", shared.link),
        format!("{}/other", shared.link),
        format!("{}/https://example.com", shared.link),
        format!("{base}/x/"),
        format!("{base}/x/y/z"),
        format!("{base}/..."),
    ] {
        let page = stack.open(&path).await;
        assert_eq!(page.status, 404, "{path}: {page:?}");
        assert!(page.text.contains("<h1>This link does not work</h1>"), "{path}: {page:?}");
    }
    assert_uses(&item.get_share(&shared.id).await, 0, 0);
}

/// The last character of a token depends on the length of the item's name.
#[tokio::test]
async fn emailed_link_ends_in_a_letter_or_a_digit() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let mut recipients = Vec::new();
    for length in 0..3 {
        let item = job(&format!("{}{}", unique("item"), "x".repeat(length)));
        for _ in 0..8 {
            let recipient = address("ann");
            let share = share_builder(&item, TimeDelta::days(7), world.now())
                .recipient(&recipient)
                .notify(true)
                .build();
            world
                .table
                .create(permitted(&share), index_hashes(&share), RETENTION, new_write_id().unwrap())
                .await
                .unwrap();
            recipients.push(recipient);
        }
    }
    world.run_notify().await;
    for recipient in recipients {
        let [link] = world.links_to(&recipient).await.try_into().unwrap();
        assert!(link.ends_with(|c: char| c.is_ascii_alphanumeric()), "{link}");
    }
}
