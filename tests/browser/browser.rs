//! Drives headless Chromium through chromedriver.

use std::cell::Cell;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use serde_json::{Value, json};
use thirtyfour::TypingData;
use thirtyfour::prelude::*;
use tokio::sync::{OnceCell, Semaphore, SemaphorePermit};

use crate::site;
use crate::support::{eventually, root, unique};

/// Limits the number of concurrent browsers.
static BROWSERS: Semaphore = Semaphore::const_new(4);

/// The source code of axe-core, which checks pages against WCAG and best practices.
static AXE: LazyLock<String> = LazyLock::new(|| {
    let path = Command::new(env!("CARGO")).args(["local", "axe"]).current_dir(root()).output().unwrap();
    assert!(path.status.success(), "{}", String::from_utf8_lossy(&path.stderr));
    std::fs::read_to_string(String::from_utf8(path.stdout).unwrap().trim()).unwrap()
});

/// Defines `within`, which lists all elements under a root, including those in shadow roots; `all`, which
/// contains all elements on the page; and `modal`, the innermost open dialog.
const DOM_HELPERS: &str = r"
    const within = (root) => [...root.querySelectorAll('*')].flatMap(
        (element) => element.shadowRoot ? [element, ...within(element.shadowRoot)] : [element]);
    const all = within(document);
    const modal = all.findLast((element) => element.matches('dialog:modal'));
";

/// Finds a visible element by its accessible name or text, in the open dialog if there is one. Prefers exact
/// matches.
const FIND: &str = r"
    const [selector, text] = arguments;
    const label = (element) => [...(element.labels ?? [])].map((label) => label.textContent).join(' ');
    const name = (element) =>
        (element.getAttribute('aria-label') || label(element) || (element.shadowRoot ?? element).textContent)
            .replace(/[\u2068\u2069]/g, '').replace(/\s+/g, ' ').trim();
    const found = (modal ? [modal, ...within(modal)] : all).filter(
        (element) => element.matches(selector) && element.checkVisibility({ visibilityProperty: true }));
    return found.find((element) => name(element) === text)
        ?? found.find((element) => name(element).includes(text));
";

/// A browser's settings.
#[derive(Clone, Copy)]
pub(crate) struct Device {
    /// The user's preferred languages, as in `Accept-Language`.
    pub(crate) languages: &'static str,
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) is_dark: bool,
}

pub(crate) const DESKTOP: Device = Device { languages: "en-GB,en", width: 1280, height: 900, is_dark: false };
pub(crate) const PHONE: Device = Device { width: 360, height: 740, ..DESKTOP };

pub(crate) struct Browser {
    pub(crate) driver: WebDriver,
    downloads: PathBuf,
    _permit: SemaphorePermit<'static>,
}

impl Browser {
    pub(crate) async fn start(device: Device) -> Self {
        Self::start_with(device, "").await
    }

    /// Starts a browser that also applies these host resolver rules.
    pub(crate) async fn start_with(device: Device, resolver_rules: &str) -> Self {
        let permit = BROWSERS.acquire().await.unwrap();
        let downloads = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(unique("downloads"));
        std::fs::create_dir_all(&downloads).unwrap();
        let mut chrome = DesiredCapabilities::chrome();
        for argument in [
            "--headless=new",
            // Chromium's sandbox does not work for root, the usual user in containers.
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            "--force-color-profile=srgb",
            &format!("--host-resolver-rules={},{resolver_rules}", site::resolver_rules()),
        ] {
            chrome.add_arg(argument).unwrap();
        }
        // The language of the browser's user interface, including date fields.
        let language = device.languages.split(',').next().unwrap();
        chrome.add_arg(&format!("--lang={language}")).unwrap();
        if let Ok(program) = std::env::var("CHROME") {
            chrome.set_binary(&program).unwrap();
        }
        let preferences = json!({
            "intl.accept_languages": device.languages,
            "download.default_directory": downloads,
            "download.prompt_for_download": false,
        });
        chrome.add_experimental_option("prefs", preferences).unwrap();
        let driver =
            WebDriver::new(chromedriver().await, chrome).await.expect("chromedriver should start a browser");
        let browser = Self { driver, downloads, _permit: permit };
        let Device { width, height, .. } = device;
        let metrics =
            json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600});
        browser.cdp("Emulation.setDeviceMetricsOverride", metrics).await;
        browser.set_dark(device.is_dark).await;
        browser
    }

    pub(crate) async fn quit(self) {
        self.driver.clone().quit().await.unwrap();
        let _ = std::fs::remove_dir_all(&self.downloads);
    }

    /// Sends a command over Chromium's debugging protocol (CDP).
    pub(crate) async fn cdp(&self, command: &str, parameters: Value) -> Value {
        self.driver.cdp().send_raw(command, parameters).await.unwrap()
    }

    /// Emulates the user's preference for a dark or light color scheme.
    pub(crate) async fn set_dark(&self, is_dark: bool) {
        let scheme = if is_dark { "dark" } else { "light" };
        let features = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.cdp("Emulation.setEmulatedMedia", features).await;
    }

    pub(crate) async fn open(&self, url: &str) {
        self.driver.goto(url).await.unwrap();
    }

    /// Runs a script in the page and returns its result.
    pub(crate) async fn run(&self, script: &str, arguments: Vec<Value>) -> Value {
        self.driver.execute(script, arguments).await.unwrap().json().clone()
    }

    /// Returns the element if it is currently visible.
    pub(crate) async fn find(&self, selector: &str, text: &str) -> Option<WebElement> {
        let script = format!("{DOM_HELPERS}{FIND}");
        let found = self.driver.execute(script, vec![selector.into(), text.into()]).await.ok()?;
        found.element().ok()
    }

    /// Waits for an element to be visible.
    pub(crate) async fn wait_for(&self, selector: &str, text: &str) -> WebElement {
        eventually(&format!("{selector} {text:?}"), async || self.find(selector, text).await).await
    }

    /// Waits until no such element is visible.
    pub(crate) async fn wait_until_gone(&self, selector: &str, text: &str) {
        eventually(&format!("no {selector} {text:?}"), async || {
            self.find(selector, text).await.is_none().then_some(())
        })
        .await;
    }

    pub(crate) async fn click(&self, selector: &str, text: &str) {
        eventually(&format!("a click on {selector} {text:?}"), async || {
            // If the page replaces the element before the click, try again.
            self.find(selector, text).await?.click().await.ok()
        })
        .await;
    }

    pub(crate) async fn press(&self, button: &str) {
        self.click("button", button).await;
    }

    pub(crate) async fn enter(&self, field: &str, text: &str) {
        self.wait_for("input, textarea", field).await.send_keys(text).await.unwrap();
    }

    /// Selects an option by its text.
    pub(crate) async fn select(&self, field: &str, option: &str) {
        let select = self.wait_for("select", field).await;
        let script = r"
            const [select, text] = arguments;
            select.value = [...select.options].find((option) => option.text === text && !option.disabled).value;
            select.dispatchEvent(new Event('change', { bubbles: true }));
        ";
        self.run(script, vec![select.to_json().unwrap(), option.into()]).await;
    }

    /// Returns the text of the selected option.
    pub(crate) async fn selected(&self, field: &str) -> String {
        let select = self.wait_for("select", field).await;
        let script = "return arguments[0].selectedOptions[0].text;";
        self.run(script, vec![select.to_json().unwrap()]).await.as_str().unwrap().to_owned()
    }

    /// Sets a `datetime-local` field, regardless of how the browser formats dates.
    pub(crate) async fn set_time(&self, field: &str, local: &str) {
        let input = self.wait_for("input[type=datetime-local]", field).await;
        let script = "arguments[0].value = arguments[1]; \
                      arguments[0].dispatchEvent(new Event('input', { bubbles: true }));";
        self.run(script, vec![input.to_json().unwrap(), local.into()]).await;
    }

    /// Sets the page's clock. The components' timers run only when `tick` is called in the page.
    pub(crate) async fn set_clock(&self, local: &str) {
        let script = r"
            window.RealDate ??= Date;
            const now = new RealDate(arguments[0]).getTime();
            window.Date = class extends RealDate {
                constructor(...values) { values.length ? super(...values) : super(now); }
                static now() { return now; }
            };
            window.setInterval = (run) => { window.tick = run; return 1; };
        ";
        self.run(script, vec![local.into()]).await;
    }

    /// Sets a `datetime-local` field to the start of today.
    pub(crate) async fn set_time_to_midnight(&self, field: &str) {
        let today = self.run("return new Date().toLocaleDateString('sv');", vec![]).await;
        self.set_time(field, &format!("{}T00:00", today.as_str().unwrap())).await;
    }

    pub(crate) async fn send_keys(&self, keys: impl Into<TypingData>) {
        self.driver.action_chain().send_keys(keys).perform().await.unwrap();
    }

    /// Sends keys while a modifier key is held.
    pub(crate) async fn send_chord(&self, modifier: Key, keys: impl Into<TypingData>) {
        let keys = self.driver.action_chain().key_down(modifier.clone()).send_keys(keys).key_up(modifier);
        keys.perform().await.unwrap();
    }

    /// Returns the accessible name of the focused element.
    pub(crate) async fn focused(&self) -> String {
        let script = r"
            let active = document.activeElement;
            while (active?.shadowRoot?.activeElement) active = active.shadowRoot.activeElement;
            const label = [...(active.labels ?? [])].map((label) => label.textContent).join(' ');
            const name = active.getAttribute('aria-label') || label || active.textContent;
            return name.replace(/\s+/g, ' ').trim();
        ";
        self.run(script, vec![]).await.as_str().unwrap().to_owned()
    }

    /// Returns how many requests to URLs that contain `part` the page has completed, once there are at least
    /// `min`. The page may show a response before the browser counts its request.
    pub(crate) async fn count_requests(&self, part: &str, min: u64) -> u64 {
        let script = "return performance.getEntriesByType('resource')\
                      .filter(({ name }) => name.includes(arguments[0])).length;";
        eventually(&format!("{min} requests to {part}"), async || {
            self.run(script, vec![part.into()]).await.as_u64().filter(|count| *count >= min)
        })
        .await
    }

    /// Waits until an element whose accessible name begins with `name` has focus. Some focus changes follow
    /// an event, such as a dialog's `close`, which arrives after the change on the screen.
    pub(crate) async fn wait_for_focus(&self, name: &str) {
        eventually(&format!("the focus on {name:?}"), async || {
            self.focused().await.starts_with(name).then_some(())
        })
        .await;
    }

    /// Presses Tab until an element whose name begins with `name` has focus.
    pub(crate) async fn tab_to(&self, name: &str) {
        for _ in 0..60 {
            if self.focused().await.starts_with(name) {
                return;
            }
            self.send_keys(Key::Tab).await;
        }
        panic!("the Tab key does not reach {name}");
    }

    /// Returns the visible text of the open dialog or, if no dialog is open, of the page.
    pub(crate) async fn visible_text(&self) -> String {
        let script = format!("{DOM_HELPERS} return (modal ?? document.body).innerText;");
        self.run(&script, vec![]).await.as_str().unwrap().to_owned()
    }

    /// Waits for the download, and returns the file's name and bytes.
    pub(crate) async fn downloaded(&self) -> (String, Vec<u8>) {
        // Chromium reserves the name with an empty file, so the size must stay the same for a while.
        let last_size = Cell::new(None);
        let equal_polls = Cell::new(0);
        eventually("the download", async || {
            let files: Vec<_> = std::fs::read_dir(&self.downloads).unwrap().map(Result::unwrap).collect();
            let [file] = files.as_slice() else { return None };
            let name = file.file_name().into_string().unwrap();
            let size = file.metadata().ok()?.len();
            let is_complete = !name.ends_with(".crdownload") && !name.starts_with('.');
            let is_same = last_size.replace(Some(size)) == Some(size);
            equal_polls.set(if is_same { equal_polls.get() + 1 } else { 0 });
            let is_stable = equal_polls.get() >= if size == 0 { 20 } else { 1 };
            (is_complete && is_stable).then(|| (name, std::fs::read(file.path()).unwrap()))
        })
        .await
    }

    /// Waits for the download, and returns the file's name and bytes. Deletes the file, so that the next
    /// download is the only file.
    pub(crate) async fn take_download(&self) -> (String, Vec<u8>) {
        let (name, bytes) = self.downloaded().await;
        std::fs::remove_file(self.downloads.join(&name)).unwrap();
        (name, bytes)
    }

    /// Asserts that axe-core finds no violations on the page, in both the light and dark color schemes.
    pub(crate) async fn assert_accessible(&self, state: &str) {
        for is_dark in [false, true] {
            self.set_dark(is_dark).await;
            // Finish all animations, because contrast cannot be measured while an element fades in.
            self.run("document.getAnimations().forEach((animation) => animation.finish());", vec![]).await;
            self.run(&AXE, vec![]).await;
            let script = r"
                const done = arguments[arguments.length - 1];
                axe.run(document, { resultTypes: ['violations'] }).then(
                    ({ violations }) => done(violations.map(
                        ({ id, nodes }) => [id, nodes.map((node) => node.html + ' ' + node.failureSummary)])),
                    (error) => done(String(error)));
            ";
            let violations = self.driver.execute_async(script, vec![]).await.unwrap();
            assert_eq!(violations.json(), &json!([]), "{state}, dark: {is_dark}");
        }
        self.set_dark(false).await;
    }

    /// Asserts that no element extends beyond the right edge of the screen.
    pub(crate) async fn assert_fits(&self, state: &str) {
        let find_wide = r"
            const wide = (modal ? [modal, ...within(modal)] : all).filter((element) =>
                element.checkVisibility() && getComputedStyle(element).position !== 'absolute'
                && element.getBoundingClientRect().right > innerWidth + 1);
            return wide.map((element) => element.outerHTML.slice(0, 200));
        ";
        let script = format!("{DOM_HELPERS}{find_wide}");
        assert_eq!(self.run(&script, vec![]).await, json!([]), "{state}");
    }
}

/// If a test fails, leaves its browser open until the process exits. The driver's own teardown would block the
/// runtime that it needs, and the test would never end.
impl Drop for Browser {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let _ = self.driver.clone().leak();
        }
    }
}

/// Returns the URL of chromedriver, which is started once for all tests.
async fn chromedriver() -> &'static str {
    static URL: OnceCell<String> = OnceCell::const_new();
    URL.get_or_init(async || start_chromedriver()).await
}

/// Starts chromedriver through a shell. When this process exits, the shell's standard input closes, and the
/// shell kills chromedriver and the browsers.
fn start_chromedriver() -> String {
    let program = std::env::var("CHROMEDRIVER").unwrap_or_else(|_| "chromedriver".to_owned());
    let version = Command::new(&program).arg("--version").stdout(Stdio::null()).status();
    assert!(
        version.is_ok_and(|status| status.success()),
        "{program} does not start: install Chromium and its driver (Debian: chromium, chromium-driver), or \
         set CHROMEDRIVER and CHROME to their paths"
    );
    let mut shell = Command::new("sh")
        .args(["-c", "\"$0\" --port=0 & cat; kill 0", &program])
        // Use a different time zone from the functions, which use UTC.
        .env("TZ", "Europe/Berlin")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .process_group(0)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(shell.stdout.take().unwrap()).lines();
    let port = lines.find_map(|line| {
        let port: u16 = line.unwrap().split(" on port ").nth(1)?.trim_end_matches('.').parse().ok()?;
        (port > 0).then_some(port)
    });
    std::mem::forget((shell, lines));
    format!("http://127.0.0.1:{}", port.expect("chromedriver should print its port"))
}
