//! Recipients' pages and emails in the platform's look.

use chrono::TimeDelta;
use serde_json::{Value, json};
use sharelink_domain::{SharedFile, Sharer};

use crate::browser::{Browser, DESKTOP, PHONE};
use crate::site;
use crate::support::events::open_event;
use crate::support::fixtures::share_builder;
use crate::support::{Stack, World, address, emails_to};

const LOGO: &str = r##"<svg xmlns="http://www.w3.org/2000/svg" width="200" height="40">
<circle cx="20" cy="20" r="16" fill="#00695c"/>
<text x="46" y="27" font-family="sans-serif" font-size="20" font-weight="600" fill="#00695c">Studio North</text>
</svg>"##;

/// The addresses of a branded page, its email and the logo on both.
pub(crate) struct Branded {
    pub(crate) page: String,
    pub(crate) email: String,
    logo: String,
}

/// Shares files by functions with a brand, and serves the page and the email.
pub(crate) async fn share(files: &[(&str, u64)], message: &str) -> Branded {
    let stack = Stack::get().await;
    let logo = format!("{}{}", site::ORIGIN, site::publish("image/svg+xml", LOGO.to_owned()));
    let variables = [
        ("BRAND_NAME", "Studio North"),
        ("BRAND_LOGO_URL", &logo),
        ("BRAND_COLOR", "#00695c"),
        ("IMPRINT_TEXT", "Studio North Ltd, 1 Pier Road, Cork\nRegistered in Ireland, no. 123456"),
        ("IMPRINT_URL", "https://studio.example/imprint"),
    ];
    let mut world = World::with_variables(&stack, &variables).await;
    let sharer = Sharer {
        sub: "ann".into(),
        name: Some("Ann Example".into()),
        email: Some("ann@studio.example".parse().unwrap()),
    };
    let listed =
        files.iter().map(|(name, size)| SharedFile { name: name.parse().unwrap(), size: *size, key: None });
    let recipient = address("erin");
    let share = share_builder(&world.item, TimeDelta::days(7), world.now())
        .files(listed.collect())
        .sharer(sharer)
        .recipient(&recipient)
        .message(message)
        .title("Spring packaging")
        .notify(true)
        .build();
    let link = world.send_link(&share).await;
    let [email] = emails_to(&stack, &recipient).await.try_into().unwrap();
    let redeem = world.new_function("RedeemLink").await;
    let response = redeem.invoke(&open_event(&link)).await.unwrap();
    assert_eq!(response["statusCode"], 200);
    let header = |(name, value): (&String, &Value)| format!("{name}: {}\r\n", value.as_str().unwrap());
    let headers = response["headers"].as_object().unwrap().iter().map(header).collect();
    let page = site::publish_with(headers, response["body"].as_str().unwrap().to_owned());
    let email = site::publish("text/html", email.html);
    Branded { page: format!("{}{page}", site::ORIGIN), email: format!("{}{email}", site::ORIGIN), logo }
}

async fn assert_logo_is_the_only_request(browser: &Browser, logo: &str) {
    let script = r"
        const done = arguments[arguments.length - 1];
        const [logo] = document.images;
        const report = () => done([document.images.length, logo.naturalWidth, logo.alt]);
        logo.decode().then(report, report);
    ";
    let images = browser.driver.execute_async(script, vec![]).await.unwrap();
    assert_eq!(images.json(), &json!([1, 200, "Studio North"]));
    // Chromium also requests an icon.
    let requests = "return performance.getEntriesByType('resource').map(({ name }) => name)
        .filter((name) => !name.endsWith('/favicon.ico'));";
    assert_eq!(browser.run(requests, vec![]).await, json!([logo]));
}

const FILES: [(&str, u64); 2] = [("artwork.pdf", 2_417_000), ("dieline.pdf", 348_200)];

#[tokio::test]
async fn branded_page_loads_only_the_logo_and_its_style() {
    let shared = share(&FILES, "Hello").await;
    let browser = Browser::start(DESKTOP).await;
    browser.open(&shared.page).await;
    browser.wait_for("h1", "Ann Example shared 2 files with you").await;
    assert_logo_is_the_only_request(&browser, &shared.logo).await;
    let color = "return getComputedStyle(document.querySelector('footer a')).color;";
    assert_eq!(browser.run(color, vec![]).await, "rgb(0, 105, 92)", "the policy allows the style sheet");
    browser.set_dark(true).await;
    assert_eq!(browser.run(color, vec![]).await, "rgb(74, 148, 139)");
    browser.set_dark(false).await;
    // The policy allows no other host's image.
    let blocked = browser
        .driver
        .execute_async(
            "const done = arguments[arguments.length - 1];
            addEventListener('securitypolicyviolation', ({ effectiveDirective, blockedURI }) =>
                done([effectiveDirective, blockedURI]));
            new Image().src = 'https://other.example/pixel.png';",
            vec![],
        )
        .await
        .unwrap();
    assert_eq!(blocked.json(), &json!(["img-src", "https://other.example/pixel.png"]));
    browser.quit().await;
}

#[tokio::test]
async fn branded_page_is_accessible_and_fits_a_phone() {
    let shared = share(&FILES, "Hello").await;
    let browser = Browser::start(PHONE).await;
    browser.open(&shared.page).await;
    browser.wait_for("h1", "Ann Example shared 2 files with you").await;
    browser.assert_fits("a branded page").await;
    browser.assert_accessible("a branded page").await;
    let lines = "return [...document.querySelectorAll('footer p')].map((line) => line.innerText);";
    let imprint =
        json!(["Studio North Ltd, 1 Pier Road, Cork", "Registered in Ireland, no. 123456", "Legal notice"]);
    assert_eq!(browser.run(lines, vec![]).await, imprint);
    browser.quit().await;
}

#[tokio::test]
async fn branded_email_loads_only_the_logo_and_fits_a_phone() {
    let shared = share(&FILES, "Hello").await;
    let browser = Browser::start(PHONE).await;
    browser.open(&shared.email).await;
    browser.wait_for("h1", "Ann Example shared 2 files with you").await;
    assert_logo_is_the_only_request(&browser, &shared.logo).await;
    browser.assert_fits("a branded email").await;
    let button = "return getComputedStyle(document.querySelector('.button')).backgroundColor;";
    assert_eq!(browser.run(button, vec![]).await, "rgb(0, 105, 92)");
    browser.set_dark(true).await;
    assert_eq!(browser.run(button, vec![]).await, "rgb(74, 148, 139)");
    browser.quit().await;
}
