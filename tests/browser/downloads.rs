//! Downloaded files have their stored bytes and their names.

use reqwest::Method;
use serde_json::json;

use crate::browser::{Browser, DESKTOP};
use crate::support::{Aws, Stack, TestItem, address, next_week};

/// A file's name, bytes, `Content-Type` and `Content-Encoding`.
type StoredFile<'a> = (&'a str, &'a [u8], &'a str, &'a str);

/// Uploads and shares these files, and downloads each with Chromium. Returns the saved names and bytes.
async fn download_all(files: &[StoredFile<'_>]) -> Vec<(String, Vec<u8>)> {
    let stack = Stack::get().await;
    let item = TestItem::with_files(&stack, &[]).await;
    for (name, bytes, content_type, encoding) in files {
        Aws::new(&stack).upload_with_headers(&item.key(name), bytes, content_type, encoding).await;
    }
    let names: Vec<&str> = files.iter().map(|(name, ..)| *name).collect();
    let body =
        json!({"recipients": [address("ann")], "expiresAt": next_week(), "files": names, "notify": false});
    let id = item.post(&body).await.share_id();
    let response = item.call(Method::POST, &format!("/{id}/link")).await.json();
    let link = response["link"].as_str().unwrap();

    let browser = Browser::start(DESKTOP).await;
    let mut downloads = Vec::new();
    for n in 1..=files.len() {
        let url = if files.len() == 1 { link.to_owned() } else { format!("{link}/files/{n}") };
        browser.open(&url).await;
        downloads.push(browser.take_download().await);
    }
    browser.quit().await;
    downloads
}

#[tokio::test]
async fn encoded_or_empty_object_arrives_as_stored() {
    // "hello", compressed with gzip.
    let gzip = b"\x1f\x8b\x08\0\0\0\0\0\0\x03\xcb\x48\xcd\xc9\xc9\x07\0\x86\xa6\x10\x36\x05\0\0\0";
    let files: &[StoredFile] = &[
        ("report.csv.gz", gzip, "text/csv", "gzip"),
        ("report.tar.gz", gzip, "application/x-tar", "x-gzip"),
        ("report.json.br", b"\x0b\x02\x80hello\x03", "application/json", "br"),
        ("not-encoded.pdf", b"%PDF-1.7", "application/pdf", "gzip"),
        ("not-encoded.txt", b"text", "text/plain", "br"),
        ("charset.csv", "Zo\u{eb}".as_bytes(), "text/csv", "utf-8"),
        ("base64.png", b"\x89PNG", "image/png", "base64"),
        ("empty.txt", b"", "text/plain", ""),
        ("empty.csv.gz", b"", "text/csv", "gzip"),
        ("page.html", b"<script>document.title = 'x'</script>", "text/html", ""),
        ("image.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml", ""),
        ("Makefile", b"all:", "text/plain", ""),
        ("README", b"<!doctype html>", "text/html", ""),
        ("wrong-type.md", b"# x", "application/pdf", ""),
    ];
    for ((name, bytes, ..), (saved_name, saved_bytes)) in files.iter().zip(download_all(files).await) {
        assert_eq!(saved_name, *name);
        assert_eq!(saved_bytes, *bytes, "{name}");
    }
}

#[tokio::test]
async fn single_encoded_file_arrives_as_stored() {
    let bytes = b"\x1f\x8b\x08\0\0\0\0\0\0\x03\x03\0\0\0\0\0\0\0\0\0";
    let downloads = download_all(&[("only.csv.gz", bytes, "text/csv", "gzip")]).await;
    assert_eq!(downloads, [("only.csv.gz".to_owned(), bytes.to_vec())]);
}

/// Chromium's names on disk differ from the suggested ones where a name would not be safe on some system. It
/// replaces the characters `"*/:<>?\|` and `~` at either end, those that are displayed as nothing, and
/// blanks at either end, removes dots at either end, and composes letters (NFC).
#[tokio::test]
async fn name_with_any_printable_character_arrives() {
    let printable: String = (' '..='~').filter(|c| *c != '/').collect();
    let saved_printable: String =
        printable.chars().map(|c| if "\"*:<>?\\|".contains(c) { '_' } else { c }).collect();
    let (all, saved_all) = (format!("a{printable}.txt"), format!("a{saved_printable}.txt"));
    let longest = format!("{}.pdf", "x".repeat(240));
    let too_long = format!("{}.pdf", "x".repeat(251));
    let shortened = format!("{}….pdf", "x".repeat(237));
    let too_long_in_bytes = format!("{}.pdf", "é".repeat(125));
    let shortened_in_bytes = format!("{}….pdf", "é".repeat(118));
    let names: &[(&str, &str)] = &[
        (&all, &saved_all),
        ("100%.pdf", "100%.pdf"),
        ("a%20b%2Fc%22d.pdf", "a%20b%2Fc%22d.pdf"),
        ("it's (1); a, b & c = d + e #f.txt", "it's (1); a, b & c = d + e #f.txt"),
        ("$HOME `x` {a}[b]!^.txt", "$HOME `x` {a}[b]!^.txt"),
        ("UTF-8''a.txt", "UTF-8''a.txt"),
        ("🎉 party.png", "🎉 party.png"),
        ("שלום.pdf", "שלום.pdf"),
        ("見積書.pdf", "見積書.pdf"),
        ("u\u{308}.txt", "ü.txt"),
        ("a\u{a0}b\u{3000}c  d.txt", "a\u{a0}b\u{3000}c  d.txt"),
        ("a\u{202e}fdp.exe", "afdp.exe"),
        ("👩\u{200d}🚀.txt", "👩_🚀.txt"),
        ("trailing dot.", "trailing dot"),
        ("trailing blank ", "trailing blank_"),
        (" leading blank.txt", "_leading blank.txt"),
        (".leading-dot", "leading-dot"),
        ("a..b", "a..b"),
        ("archive.tar.gz", "archive.tar.gz"),
        ("-rf", "-rf"),
        ("con.txt", "con.txt"),
        ("NUL", "NUL"),
        ("desktop.ini", "desktop.ini"),
        (&longest, &longest),
        (&too_long, &shortened),
        (&too_long_in_bytes, &shortened_in_bytes),
    ];
    let files: Vec<StoredFile> = names.iter().map(|(name, _)| (*name, name.as_bytes(), "", "")).collect();
    for ((name, saved), (saved_name, bytes)) in names.iter().zip(download_all(&files).await) {
        assert_eq!(saved_name, *saved, "{name}");
        assert_eq!(bytes, name.as_bytes(), "{name}");
    }
}
