//! A platform's own pages, on an origin that the API allows.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{LazyLock, Mutex};
use std::thread;

use serde_json::Value;

use crate::browser::{Browser, Device};
use crate::support::{TestItem, unique};

/// The origin of the pages. The browser resolves it to this process's server, and treats it as a secure
/// context.
pub(crate) const ORIGIN: &str = "http://localhost:5173";

/// Another origin of the same pages, in an insecure context.
pub(crate) const INSECURE_ORIGIN: &str = "http://platform.test:5173";

/// The files, by path, with their headers.
static FILES: LazyLock<Mutex<HashMap<String, (String, String)>>> = LazyLock::new(Mutex::default);

/// The server's port. The server runs until the process exits.
static PORT: LazyLock<u16> = LazyLock::new(|| {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(|| respond(stream));
        }
    });
    port
});

/// Returns Chromium's rules that map the origins to this process's server.
pub(crate) fn resolver_rules() -> String {
    [ORIGIN, INSECURE_ORIGIN]
        .map(|origin| format!("MAP {} 127.0.0.1:{}", origin.trim_start_matches("http://"), *PORT))
        .join(",")
}

/// Records what the console shows, and defines `load`, which loads the components.
const PRELUDE: &str = r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>A platform</title>
<link rel="icon" href="data:,">
<script>
  const shown = [];
  for (const level of ["debug", "warn", "error"])
    console[level] = (...values) => shown.push(`${level}: ${values.join(" ")}`);
  addEventListener("error", ({ message }) => shown.push(`thrown: ${message}`));
  addEventListener("unhandledrejection", ({ reason }) => shown.push(`rejected: ${reason}`));
  const api = "{api}";
  const tokenOf = async () => "{token}";
  async function load(config = { api, token: tokenOf }) {
    const { configure } = await import(api + "/ui/sharelink.js");
    if (config) configure(config);
  }
</script>
</head>
"#;

/// Opens a page in a new browser. In the HTML, `{item}` is the item's name, `{token}` its user's token, and
/// `{api}` the API's base URL.
pub(crate) async fn open(item: &TestItem<'_>, device: Device, html: &str) -> Browser {
    let browser = Browser::start(device).await;
    show(&browser, ORIGIN, item, html).await;
    browser
}

/// Opens a page in a browser.
pub(crate) async fn show(browser: &Browser, origin: &str, item: &TestItem<'_>, html: &str) {
    let page = format!("{PRELUDE}{html}")
        .replace("{api}", &item.stack.info.api_url)
        .replace("{token}", &item.token)
        .replace("{item}", &item.name);
    browser.open(&format!("{origin}{}", publish("text/html", page))).await;
}

/// Serves a file, and returns its path.
pub(crate) fn publish(content_type: &str, content: String) -> String {
    publish_with(format!("Content-Type: {content_type}; charset=utf-8\r\n"), content)
}

/// Serves a file with these headers, each with its line break, and returns its path.
pub(crate) fn publish_with(headers: String, content: String) -> String {
    let path = format!("/{}", unique("page"));
    FILES.lock().unwrap().insert(path.clone(), (headers, content));
    path
}

/// Returns what the page's console has shown so far.
pub(crate) async fn console(browser: &Browser) -> Vec<String> {
    let shown = browser.run("return shown;", vec![]).await;
    shown.as_array().unwrap().iter().map(|line| line.as_str().unwrap().to_owned()).collect()
}

/// Evaluates a JavaScript expression in the page.
pub(crate) async fn evaluate(browser: &Browser, expression: &str) -> Value {
    browser.run(&format!("return {expression};"), vec![]).await
}

/// Responds to one request.
fn respond(mut stream: TcpStream) {
    let mut lines = BufReader::new(&stream).lines().map_while(Result::ok);
    let request = lines.next().unwrap_or_default();
    let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
    let _ = lines.find(String::is_empty);
    let file = FILES.lock().unwrap().get(&path).cloned();
    let (status, (headers, content)) =
        file.map_or(("404 Not Found", Default::default()), |file| ("200 OK", file));
    let _ = write!(
        stream,
        "HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\n\
         Cache-Control: no-store\r\nConnection: close\r\n\r\n{content}",
        content.len()
    );
}
