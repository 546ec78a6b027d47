//! Takes the READMEs' screenshots on the demo page.

use chrono::{TimeDelta, Utc};
use serde_json::json;

use crate::brand;
use crate::browser::{Browser, DESKTOP, Device};
use crate::my_shares;
use crate::page::Page;
use crate::support::{Aws, Stack, TestItem, all_emails, rfc3339, root};

const WINDOW: Device = Device { width: 1000, height: 920, ..DESKTOP };

/// Saves a screenshot under `functions/serve-ui/pictures`.
async fn take(browser: &Browser, name: &str) {
    let picture = browser.driver.screenshot_as_png().await.unwrap();
    let directory = root().join("functions/serve-ui/pictures");
    std::fs::create_dir_all(&directory).unwrap();
    std::fs::write(directory.join(format!("{name}.png")), picture).unwrap();
}

#[tokio::test]
#[ignore = "writes to the repository"]
async fn take_readme_pictures() {
    let stack = Stack::get().await;
    let item = TestItem::with_files(&stack, &[]).await;
    for (file, size) in [("artwork.pdf", 2_417_000), ("dieline.pdf", 348_200), ("notes.pdf", 41_900)] {
        Aws::new(&stack).upload(&item.key(file), &vec![0; size]).await;
    }
    let page = Page::open(&item, WINDOW).await;
    page.set_attribute("name", "Spring packaging").await;
    page.open_share_dialog().await;
    page.browser.enter("Recipients", "erin@studio.example, noor@print.example, mika@studio,").await;
    page.browser.enter("Message", "Second round of the packaging. Comments by Friday, please.").await;
    take(&page.browser, "share").await;
    page.browser.press("Remove mika@studio").await;
    page.browser.press("Share").await;
    page.browser.wait_for("h2", "Shared with 2 recipients").await;
    page.browser.press("Done").await;

    let email = item.wait_for_email("erin@studio.example").await;
    let recipient = Browser::start(Device { width: 800, height: 640, ..WINDOW }).await;
    recipient.open(&email.link()).await;
    recipient.wait_for("h1", "Ann Example shared 3 files with you").await;
    take(&recipient, "recipient").await;
    recipient.quit().await;

    item.wait_for_email("noor@print.example").await;
    let n = all_emails(&stack).await.iter().rposition(|email| email.to == ["noor@print.example"]).unwrap();
    let reader = Browser::start(Device { width: 800, height: 780, ..WINDOW }).await;
    reader.open(&format!("{}/mail/{n}", stack.info.issuer)).await;
    reader.wait_for("h1", "Ann Example shared 3 files with you").await;
    take(&reader, "mail").await;
    reader.quit().await;

    page.open_link_access().await;
    page.browser.wait_for("li[data-share]", "erin@studio.example").await;
    take(&page.browser, "manage").await;
    page.browser.quit().await;
}

#[tokio::test]
#[ignore = "writes to the repository"]
async fn take_picture_of_all_links() {
    let stack = Stack::get().await;
    let first = my_shares::own_item(&stack).await;
    let shared = [
        ("packaging-2041", "dieline.pdf", 348_200, ["erin@studio.example", "noor@print.example"], 20),
        ("press-kit-7", "logos.zip", 2_417_000, ["mika@agency.example", "erin@studio.example"], 6),
        ("catalog-2027", "proof.pdf", 1_190_000, ["lou@translate.example", "sam@print.example"], 90),
    ];
    for (name, file, size, recipients, days) in shared {
        let item = TestItem { name: name.into(), token: first.token.clone(), ..TestItem::new(&stack).await };
        Aws::new(&stack).open_item(&item.path()).await;
        Aws::new(&stack).upload(&item.key(file), &vec![0; size]).await;
        let expires_at = rfc3339(Utc::now() + TimeDelta::days(days));
        let body = json!({"recipients": recipients, "expiresAt": expires_at});
        item.post(&body).await.assert_status(201);
    }
    let browser = my_shares::open(&first, WINDOW, "").await;
    my_shares::wait_for_count(&browser, 6).await;
    for recipient in ["erin@studio.example", "noor@print.example"] {
        let script = format!(
            "[...document.querySelector('my-shares').shadowRoot.querySelectorAll('[data-key]')]
            .find((row) => row.textContent.includes('{recipient}')).querySelector('input').click()"
        );
        browser.run(&script, vec![]).await;
    }
    take(&browser, "my-shares").await;
    browser.quit().await;
}

#[tokio::test]
#[ignore = "writes to the repository"]
async fn take_brand_pictures() {
    let files = [("artwork.pdf", 2_417_000), ("dieline.pdf", 348_200), ("notes.pdf", 41_900)];
    let shared = brand::share(&files, "Second round of the packaging. Comments by Friday, please.").await;
    for (name, address, height) in [("brand-page", shared.page, 900), ("brand-mail", shared.email, 1080)] {
        let browser = Browser::start(Device { width: 640, height, ..WINDOW }).await;
        browser.open(&address).await;
        browser.wait_for("h1", "Ann Example shared 3 files with you").await;
        browser.wait_for("img", "").await;
        take(&browser, name).await;
        browser.quit().await;
    }
}
