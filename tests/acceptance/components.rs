//! The web components, as a frontend loads them.

use reqwest::header::ACCEPT_ENCODING;

use crate::support::{Response, Stack};

#[tokio::test]
async fn the_entry_leads_to_every_component_in_a_version_that_is_kept_for_good() {
    let stack = Stack::get().await;
    let base = format!("{}/ui", stack.info.api_url);
    let entry = stack.open(&format!("{base}/sharelink.js")).await;
    assert_eq!((entry.status, entry.header("cache-control")), (200, "public, max-age=300"));
    let version = entry.text.split("\"./").nth(1).unwrap().split('/').next().unwrap().to_owned();
    let (mut waiting, mut loaded) = (vec!["sharelink.js".to_owned()], Vec::new());
    while let Some(name) = waiting.pop() {
        let module = stack.open(&format!("{base}/{version}/{name}")).await;
        assert_eq!(module.status, 200, "{name}: {module:?}");
        assert_eq!(module.header("content-type"), "text/javascript; charset=utf-8");
        assert_eq!(module.header("cache-control"), "public, max-age=31536000, immutable");
        assert_eq!(module.header("x-content-type-options"), "nosniff");
        let imports =
            module.text.split(" from \"./").skip(1).map(|rest| rest.split('"').next().unwrap().to_owned());
        loaded.push(name);
        waiting.extend(imports);
        waiting.retain(|name| !loaded.contains(name));
    }
    assert!(loaded.len() > 5, "{loaded:?}");
}

#[tokio::test]
async fn a_component_is_compressed_for_those_who_can_read_it() {
    let stack = Stack::get().await;
    let base = format!("{}/ui", stack.info.api_url);
    let entry = stack.open(&format!("{base}/sharelink.js")).await.text;
    let version = entry.split("\"./").nth(1).unwrap().split('/').next().unwrap().to_owned();
    let url = format!("{base}/{version}/share-dialog.js");
    let plain = stack.client.get(&url).send().await.unwrap();
    assert!(plain.headers().get("content-encoding").is_none());
    let plain = plain.bytes().await.unwrap();
    let compressed = stack.client.get(&url).header(ACCEPT_ENCODING, "gzip").send().await.unwrap();
    assert_eq!(compressed.headers()["content-encoding"], "gzip");
    assert_eq!(compressed.headers()["vary"], "Accept-Encoding, Origin");
    let compressed = compressed.bytes().await.unwrap();
    // The header of gzip (RFC 1952, 2.3.1).
    assert!(compressed.starts_with(&[0x1f, 0x8b, 8]) && compressed.len() * 2 < plain.len());
}

#[tokio::test]
async fn a_page_with_an_old_entry_still_gets_a_whole_version_and_what_is_not_there_is_not() {
    let stack = Stack::get().await;
    let base = format!("{}/ui", stack.info.api_url);
    let problem = async |path: &str| {
        let response: Response = stack.open(&format!("{base}/{path}")).await;
        (response.status, response.problem_type(), response.header("cache-control").to_owned())
    };
    let missing = |problem: &str| (404, problem.to_owned(), "no-store".to_owned());
    assert_eq!(problem("share-dialog.js").await, missing("route-not-found"));
    assert_eq!(problem("any/none.js").await, missing("route-not-found"));
    let another = stack.open(&format!("{base}/another/share-dialog.js")).await;
    assert_eq!((another.status, another.header("cache-control")), (200, "no-store"));
}
