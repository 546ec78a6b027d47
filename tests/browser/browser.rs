//! A person with a browser: Chromium, without a screen, through chromedriver.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use serde_json::{Value, json};
use thirtyfour::TypingData;
use thirtyfour::prelude::*;
use tokio::sync::{OnceCell, Semaphore, SemaphorePermit};

use crate::support::{eventually, root, unique};

/// How many browsers run at the same time.
static TURNS: Semaphore = Semaphore::const_new(4);

/// The rules of WCAG and of good practice, as code.
static AXE: LazyLock<String> = LazyLock::new(|| {
    let path = Command::new(env!("CARGO")).args(["local", "axe"]).current_dir(root()).output().unwrap();
    assert!(path.status.success(), "{}", String::from_utf8_lossy(&path.stderr));
    std::fs::read_to_string(String::from_utf8(path.stdout).unwrap().trim()).unwrap()
});

/// Finds what a person would: something visible, in the open dialog if there is one, by its name or text.
const FIND: &str = r"
    const [selector, text] = arguments;
    const within = (root) => [...root.querySelectorAll('*')].flatMap(
        (element) => element.shadowRoot ? [element, ...within(element.shadowRoot)] : [element]);
    const all = within(document);
    const modal = all.find((element) => element.matches('dialog:modal'));
    const label = (element) => [...(element.labels ?? [])].map((label) => label.textContent).join(' ');
    const name = (element) =>
        (element.getAttribute('aria-label') || label(element) || (element.shadowRoot ?? element).textContent)
            .replace(/[\u2068\u2069]/g, '').replace(/\s+/g, ' ').trim();
    const found = (modal ? within(modal) : all).filter(
        (element) => element.matches(selector) && element.checkVisibility({ visibilityProperty: true }));
    return found.find((element) => name(element) === text) ?? found.find((element) => name(element).includes(text));
";

/// How a browser differs from another.
#[derive(Clone, Copy)]
pub(crate) struct Device {
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
    _turn: SemaphorePermit<'static>,
}

impl Browser {
    pub(crate) async fn start(device: Device) -> Self {
        let turn = TURNS.acquire().await.unwrap();
        let downloads = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(unique("downloads"));
        std::fs::create_dir_all(&downloads).unwrap();
        let mut chrome = DesiredCapabilities::chrome();
        for argument in [
            "--headless=new",
            // As root, as in a container, there is no other way.
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            "--force-color-profile=srgb",
        ] {
            chrome.add_arg(argument).unwrap();
        }
        // What the browser itself says, such as in a field for a date.
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
        let driver = WebDriver::new(chromedriver().await, chrome).await.expect("a browser");
        let browser = Self { driver, downloads, _turn: turn };
        let Device { width, height, .. } = device;
        let metrics =
            json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600});
        browser.cdp("Emulation.setDeviceMetricsOverride", metrics).await;
        browser.dark(device.is_dark).await;
        browser
    }

    pub(crate) async fn quit(self) {
        self.driver.quit().await.unwrap();
        let _ = std::fs::remove_dir_all(self.downloads);
    }

    /// A command of the browser's own protocol.
    pub(crate) async fn cdp(&self, command: &str, parameters: Value) -> Value {
        self.driver.cdp().send_raw(command, parameters).await.unwrap()
    }

    pub(crate) async fn dark(&self, is_dark: bool) {
        let scheme = if is_dark { "dark" } else { "light" };
        let features = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.cdp("Emulation.setEmulatedMedia", features).await;
    }

    pub(crate) async fn open(&self, url: &str) {
        self.driver.goto(url).await.unwrap();
    }

    pub(crate) async fn run(&self, script: &str, arguments: Vec<Value>) -> Value {
        self.driver.execute(script, arguments).await.unwrap().json().clone()
    }

    /// What is there now, if it is.
    pub(crate) async fn find(&self, selector: &str, text: &str) -> Option<WebElement> {
        let found = self.driver.execute(FIND, vec![selector.into(), text.into()]).await.ok()?;
        found.element().ok()
    }

    /// What is there, or comes.
    pub(crate) async fn see(&self, selector: &str, text: &str) -> WebElement {
        eventually(&format!("{selector} {text:?}"), async || self.find(selector, text).await).await
    }

    /// Until it is not there any more.
    pub(crate) async fn see_no(&self, selector: &str, text: &str) {
        eventually(&format!("no {selector} {text:?}"), async || {
            self.find(selector, text).await.is_none().then_some(())
        })
        .await;
    }

    pub(crate) async fn click(&self, selector: &str, text: &str) {
        eventually(&format!("a click on {selector} {text:?}"), async || {
            // What has just been there may be made anew.
            self.find(selector, text).await?.click().await.ok()
        })
        .await;
    }

    pub(crate) async fn press(&self, button: &str) {
        self.click("button", button).await;
    }

    pub(crate) async fn enter(&self, field: &str, text: &str) {
        self.see("input, textarea", field).await.send_keys(text).await.unwrap();
    }

    /// Sets a date and a time, in whatever way the browser's own field takes them.
    pub(crate) async fn set_time(&self, field: &str, local: &str) {
        let input = self.see("input[type=datetime-local]", field).await;
        let script = "arguments[0].value = arguments[1]; \
                      arguments[0].dispatchEvent(new Event('input', { bubbles: true }));";
        self.run(script, vec![input.to_json().unwrap(), local.into()]).await;
    }

    pub(crate) async fn keys(&self, keys: impl Into<TypingData>) {
        self.driver.action_chain().send_keys(keys).perform().await.unwrap();
    }

    /// The name of what has the focus.
    pub(crate) async fn focused(&self) -> String {
        let script = r"
            let active = document.activeElement;
            while (active?.shadowRoot?.activeElement) active = active.shadowRoot.activeElement;
            const label = [...(active.labels ?? [])].map((label) => label.textContent).join(' ');
            return (active.getAttribute('aria-label') || label || active.textContent).replace(/\s+/g, ' ').trim();
        ";
        self.run(script, vec![]).await.as_str().unwrap().to_owned()
    }

    /// Presses Tab until something of this name has the focus.
    pub(crate) async fn tab_to(&self, name: &str) {
        for _ in 0..60 {
            if self.focused().await.starts_with(name) {
                return;
            }
            self.keys(Key::Tab).await;
        }
        panic!("Tab does not lead to {name}");
    }

    /// Everything that the page shows, in the open dialog if there is one.
    pub(crate) async fn text(&self) -> String {
        let script = r"
            const within = (root) => [...root.querySelectorAll('*')].flatMap(
                (element) => element.shadowRoot ? [element, ...within(element.shadowRoot)] : [element]);
            return (within(document).find((element) => element.matches('dialog:modal')) ?? document.body).innerText;
        ";
        self.run(script, vec![]).await.as_str().unwrap().to_owned()
    }

    /// The bytes of the file that the browser has downloaded, and its name there.
    pub(crate) async fn downloaded(&self) -> (String, Vec<u8>) {
        eventually("the download", async || {
            let file = std::fs::read_dir(&self.downloads).unwrap().next()?.unwrap();
            let name = file.file_name().into_string().unwrap();
            let is_whole = !name.ends_with(".crdownload") && !name.starts_with('.');
            is_whole.then(|| (name, std::fs::read(file.path()).unwrap()))
        })
        .await
    }

    /// What keeps people from using what is shown now, in light and in dark.
    pub(crate) async fn assert_accessible(&self, state: &str) {
        for is_dark in [false, true] {
            self.dark(is_dark).await;
            // Fades are over.
            self.run("document.getAnimations().forEach((animation) => animation.finish());", vec![]).await;
            self.run(&AXE, vec![]).await;
            let script = r"
                const done = arguments[arguments.length - 1];
                axe.run(document, { resultTypes: ['violations'] }).then(
                    ({ violations }) => done(violations.map(({ id, nodes }) => [id, nodes.map((node) => node.html + ' ' + node.failureSummary)])),
                    (error) => done(String(error)));
            ";
            let violations = self.driver.execute_async(script, vec![]).await.unwrap();
            assert_eq!(violations.json(), &json!([]), "{state}, dark: {is_dark}");
        }
        self.dark(false).await;
    }

    /// Everything fits into the width of the screen.
    pub(crate) async fn assert_fits(&self, state: &str) {
        let script = r"
            const within = (root) => [...root.querySelectorAll('*')].flatMap(
                (element) => element.shadowRoot ? [element, ...within(element.shadowRoot)] : [element]);
            const modal = within(document).find((element) => element.matches('dialog:modal'));
            const wide = (modal ? [modal, ...within(modal)] : within(document)).filter((element) =>
                element.checkVisibility() && getComputedStyle(element).position !== 'absolute'
                && element.getBoundingClientRect().right > innerWidth + 1);
            return wide.map((element) => element.outerHTML.slice(0, 200));
        ";
        assert_eq!(self.run(script, vec![]).await, json!([]), "{state}");
    }
}

/// The address of chromedriver, started once for all tests.
async fn chromedriver() -> &'static str {
    static URL: OnceCell<String> = OnceCell::const_new();
    URL.get_or_init(async || start_chromedriver()).await
}

/// Starts chromedriver, and whatever it starts ends with this process: with it, standard input closes.
fn start_chromedriver() -> String {
    let program = std::env::var("CHROMEDRIVER").unwrap_or_else(|_| "chromedriver".to_owned());
    let is_there = Command::new(&program).arg("--version").stdout(Stdio::null()).status();
    assert!(
        is_there.is_ok_and(|status| status.success()),
        "{program} cannot be started: install Chromium and its driver (Debian: chromium, chromium-driver), or say where \
         they are in CHROMEDRIVER and CHROME"
    );
    let mut shell = Command::new("sh")
        .args(["-c", "\"$0\" --port=0 & cat; kill 0", &program])
        // A time zone that differs from the functions'.
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
    format!("http://127.0.0.1:{}", port.expect("chromedriver's port"))
}
