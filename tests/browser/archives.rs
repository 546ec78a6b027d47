//! Downloads of all files at once, with Chromium.

use std::sync::{Arc, Mutex};

use serde_json::json;
use thirtyfour::By;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::browser::{Browser, DESKTOP, Device, PHONE};
use crate::page::Page;
use crate::support::{Aws, Stack, TestItem, address, eventually};

/// Returns whether the archive contains these bytes. Its entries are not compressed.
fn contains(archive: &[u8], bytes: &[u8]) -> bool {
    archive.windows(bytes.len()).any(|window| window == bytes)
}

/// Clicks the button, and waits until the archive is downloaded.
async fn download_all(browser: &Browser, label: &str) -> (String, Vec<u8>) {
    browser.click("a.button", label).await;
    browser.take_download().await
}

#[tokio::test]
async fn all_files_download_at_once_without_scripts() {
    let stack = Stack::get().await;
    let item = TestItem::with_files(&stack, &["a.pdf", "b.pdf"]).await;
    let shared = item.share_with(&address("ann")).await;
    for (device, label) in [
        (Device { languages: "de-AT,de,en", ..PHONE }, "Alle herunterladen (2 Dateien, "),
        (DESKTOP, "Download all (2 files, "),
    ] {
        let browser = Browser::start(device).await;
        browser.cdp("Emulation.setScriptExecutionDisabled", json!({"value": true})).await;
        browser.open(&shared.link).await;
        let first = browser.driver.find(By::Css("main a")).await.unwrap();
        assert!(first.text().await.unwrap().starts_with(label), "the button comes first");
        let (name, archive) = download_all(&browser, label).await;
        assert_eq!(name.rsplit_once('.').unwrap().1, "zip");
        assert!(archive.starts_with(b"PK\x03\x04") && contains(&archive, b"b.pdf"), "{name}");
        browser.cdp("Emulation.setScriptExecutionDisabled", json!({"value": false})).await;
        browser.open(&shared.link).await;
        browser.assert_fits("the button").await;
        browser.assert_accessible("the button").await;
        browser.tab_to(label).await;
        browser.send_keys(thirtyfour::Key::Enter).await;
        browser.take_download().await;
        assert_eq!(browser.driver.current_url().await.unwrap().as_str(), shared.link);
        browser.quit().await;
    }
    let page = Page::open(&item, DESKTOP).await;
    page.open_link_access().await;
    page.browser.wait_for(".facts li", "4 downloads (of all files)").await;
    stack.open(&format!("{}/files/1", shared.link)).await.assert_status(302);
    page.browser.quit().await;
    let page = Page::open(&item, Device { languages: "de", ..DESKTOP }).await;
    page.browser.run("document.documentElement.lang = 'de';", vec![]).await;
    page.browser.click(".toolbar share-button", "Manage Link Access").await;
    page.browser.wait_for(".facts li", "5 Downloads (4 mit allen Dateien)").await;
    page.browser.quit().await;
}

/// The page reloads until the archive is ready, and then downloads it. Large archives are not waited for.
#[tokio::test]
async fn waiting_page_leads_to_the_download() {
    let stack = Stack::get().await;
    let item = TestItem::with_files(&stack, &["a.pdf"]).await;
    let half = vec![b'x'; 130_000_000];
    for name in ["b.bin", "c.bin"] {
        Aws::new(&stack).upload(&item.key(name), &half).await;
    }
    let shared = item.share_with(&address("ann")).await;
    Aws::new(&stack).delete(&item.key("a.pdf")).await;
    let browser = Browser::start(PHONE).await;
    browser.cdp("Emulation.setScriptExecutionDisabled", json!({"value": true})).await;
    browser.open(&shared.link).await;
    browser.click("a.button", "Download all").await;
    browser.wait_for("h1", "Preparing your download").await;
    let main = browser.driver.find(By::Tag("main")).await.unwrap().text().await.unwrap();
    for part in [" of 260 MB", "These files cannot be included:", "a.pdf\nmoved or removed"] {
        assert!(main.contains(part), "{part}: {main}");
    }
    let (name, archive) = browser.downloaded().await;
    assert_eq!(name.rsplit_once('.').unwrap().1, "zip");
    assert!(archive.len() > 260_000_000, "{}", archive.len());
    browser.click("a", "Back to the files").await;
    browser.wait_for("h1", "shared 3 files with you").await;
    assert_eq!(item.get_share(&shared.id).await["archiveDownloads"], 1, "reloads are not counted");
    browser.quit().await;
}

/// Forwards connections to the server at `upstream`. Closes the connection of the first request for an archive
/// after it has passed on this many bytes of the response. Records the head of each request for an archive.
async fn start_cutter(upstream: String, bytes: usize) -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let heads = Arc::<Mutex<Vec<String>>>::default();
    let recorded = Arc::clone(&heads);
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let server = TcpStream::connect(&upstream).await.unwrap();
            tokio::spawn(forward(client, server, Arc::clone(&recorded), bytes));
        }
    });
    (port, heads)
}

async fn forward(
    mut client: TcpStream,
    mut server: TcpStream,
    heads: Arc<Mutex<Vec<String>>>,
    bytes: usize,
) -> std::io::Result<()> {
    let (mut sent, mut received) = (vec![0; 65_536], vec![0; 65_536]);
    let mut left = usize::MAX;
    while left > 0 {
        tokio::select! {
            length = client.read(&mut sent) => {
                let request = &sent[..length?];
                if request.is_empty() {
                    break;
                }
                let text = String::from_utf8_lossy(request);
                if text.contains("/archives/") {
                    let mut heads = heads.lock().unwrap();
                    heads.push(text.into_owned());
                    left = if heads.len() == 1 { bytes } else { usize::MAX };
                }
                server.write_all(request).await?;
            }
            length = server.read(&mut received) => {
                let response = &received[..length?.min(left)];
                if response.is_empty() {
                    break;
                }
                left -= response.len();
                client.write_all(response).await?;
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn interrupted_archive_resumes_where_it_stopped() {
    let stack = Stack::get().await;
    let item = TestItem::with_files(&stack, &["a.pdf"]).await;
    let content: Vec<u8> = (0..3_000_000_u32).flat_map(u32::to_le_bytes).collect();
    Aws::new(&stack).upload(&item.key("b.bin"), &content).await;
    let shared = item.share_with(&address("ann")).await;
    let url = eventually("the archive", async || {
        let response = stack.open(&format!("{}/archive", shared.link)).await;
        (response.status == 302).then(|| response.header("location").to_owned())
    })
    .await;
    let server = url.strip_prefix("http://").unwrap().split_once('/').unwrap().0.to_owned();
    let (port, heads) = start_cutter(server.clone(), 4_000_000).await;
    let browser = Browser::start_with(DESKTOP, &format!("MAP {server} 127.0.0.1:{port}")).await;
    browser.open(&shared.link).await;

    let (_, archive) = download_all(&browser, "Download all").await;

    let heads = heads.lock().unwrap().clone();
    assert!(heads.len() >= 2, "{server} was not interrupted: {heads:?}");
    let resumed = heads[1].to_lowercase();
    assert!(resumed.contains("range: bytes=3") && resumed.contains("if-range: "), "{resumed}");
    assert!(
        contains(&archive, &content[..100_000]) && contains(&archive, &content[content.len() - 100_000..])
    );
    assert_eq!(item.get_share(&shared.id).await["archiveDownloads"], 2, "once here, and once in the browser");
    browser.quit().await;
}
