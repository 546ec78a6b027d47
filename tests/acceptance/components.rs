//! Loading the web components, as a frontend does.

use reqwest::header::ACCEPT_ENCODING;

use crate::support::{Response, Stack};

fn base_url(stack: &Stack) -> String {
    format!("{}/ui", stack.info.api_url)
}

/// Returns the component version that the entry module imports.
fn imported_version(entry: &Response) -> String {
    entry.text.split("\"./").nth(1).unwrap().split('/').next().unwrap().to_owned()
}

#[tokio::test]
async fn entry_module_exports_immutable_versioned_components() {
    let stack = Stack::get().await;
    let base = base_url(&stack);

    let entry = stack.open(&format!("{base}/sharelink.js")).await;
    entry.assert_status(200);
    assert_eq!(entry.header("cache-control"), "public, max-age=300");

    let module = stack.open(&format!("{base}/{}/sharelink.js", imported_version(&entry))).await;
    module.assert_status(200);
    assert_eq!(module.header("content-type"), "text/javascript; charset=utf-8");
    assert_eq!(module.header("cache-control"), "public, max-age=31536000, immutable");
    assert_eq!(module.header("x-content-type-options"), "nosniff");
    assert!(module.text.contains("class ShareDialog extends ItemDialog"));
    assert!(!module.text.contains("\nimport "), "the components are one module");
}

#[tokio::test]
async fn second_module_and_texts_have_the_same_version() {
    let stack = Stack::get().await;
    let base = base_url(&stack);
    let version = imported_version(&stack.open(&format!("{base}/sharelink.js")).await);
    let entry = stack.open(&format!("{base}/my-shares.js")).await;
    entry.assert_status(200);
    assert_eq!(imported_version(&entry), version);

    for (file, content_type, content) in [
        ("my-shares.js", "text/javascript; charset=utf-8", " } from \"./sharelink.js\";"),
        ("de.json", "application/json", "\"share\": \"Teilen\""),
        ("sv.json", "application/json", "\"share\": \"Dela\""),
    ] {
        let response = stack.open(&format!("{base}/{version}/{file}")).await;
        response.assert_status(200);
        assert_eq!(response.header("content-type"), content_type);
        assert_eq!(response.header("cache-control"), "public, max-age=31536000, immutable");
        assert!(response.text.contains(content), "{file}");
    }
}

#[tokio::test]
async fn component_is_compressed_if_the_browser_accepts_gzip() {
    let stack = Stack::get().await;
    let base = base_url(&stack);
    let version = imported_version(&stack.open(&format!("{base}/sharelink.js")).await);
    let url = format!("{base}/{version}/sharelink.js");

    let plain = stack.client.get(&url).send().await.unwrap();
    assert!(plain.headers().get("content-encoding").is_none());
    let plain_size = plain.bytes().await.unwrap().len();

    let compressed = stack.client.get(&url).header(ACCEPT_ENCODING, "gzip").send().await.unwrap();
    assert_eq!(compressed.headers()["content-encoding"], "gzip");
    assert_eq!(compressed.headers()["vary"], "Accept-Encoding, Origin");
    let compressed_bytes = compressed.bytes().await.unwrap();
    // The gzip header: magic number and compression method "deflate" (RFC 1952, section 2.3.1).
    assert!(compressed_bytes.starts_with(&[0x1f, 0x8b, 8]));
    assert!(compressed_bytes.len() * 2 < plain_size, "{} of {plain_size} bytes", compressed_bytes.len());
}

#[tokio::test]
async fn unknown_version_gets_current_components_uncached() {
    let stack = Stack::get().await;
    let base = base_url(&stack);

    // A browser with an old entry module in its cache still gets a complete set of components.
    let other_version = stack.open(&format!("{base}/another/sharelink.js")).await;
    other_version.assert_status(200);
    assert_eq!(other_version.header("cache-control"), "no-store");

    for missing in ["share-dialog.js", "any/share-dialog.js", "de.json", "any/it.json"] {
        let response = stack.open(&format!("{base}/{missing}")).await;
        response.assert_problem(404, "route-not-found");
        assert_eq!(response.header("cache-control"), "no-store", "{missing}");
    }
}
