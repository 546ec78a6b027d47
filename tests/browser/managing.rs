//! The Manage Link Access dialog.

use chrono::{TimeDelta, Utc};
use serde_json::{Value, json};
use thirtyfour::By;

use crate::browser::{DESKTOP, Device, PHONE};
use crate::page::Page;
use crate::support::{Aws, Stack, TestItem, address, eventually, next_week, rfc3339};

#[tokio::test]
async fn stale_change_needs_confirmation() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let ann = address("ann");
    let id = item.share(&[&ann]).await.share_id();
    let page = Page::open(&item, DESKTOP).await;
    let first = page.browser.driver.window().await.unwrap();
    page.open_link_access().await;
    page.press_in_row(&ann, "Change Expiration").await;
    page.browser.set_time("Access expires", "2030-03-01T12:00").await;

    let second = page.browser.driver.new_window().await.unwrap();
    page.browser.driver.switch_to_window(second).await.unwrap();
    page.show(&item).await;
    page.open_link_access().await;
    page.press_in_row(&ann, "Change Expiration").await;
    page.browser.set_time("Access expires", "2030-02-01T12:00").await;
    page.browser.press("Save").await;
    page.browser.wait_for("p", &format!("{ann} has access until")).await;

    page.browser.driver.switch_to_window(first).await.unwrap();
    page.browser.press("Save").await;
    page.browser.wait_for("p", "Someone else has changed this link: it now expires 1 Feb 2030, 12:00").await;
    let expires_at = item.get_share(&id).await["expiresAt"].clone();
    assert_eq!(expires_at, "2030-02-01T11:00:00Z", "nothing should be saved before the user confirms");
    page.browser.press("Save").await;
    page.browser.wait_for("p", &format!("{ann} has access until 1 Mar 2030, 12:00")).await;
    assert_eq!(item.get_share(&id).await["expiresAt"], "2030-03-01T11:00:00Z");

    // A revocation also makes the change stale. Canceling the change shows the revoked share.
    page.press_in_row(&ann, "Change Expiration").await;
    item.revoke(&id).await;
    page.browser.press("Save").await;
    page.browser.wait_for("p", "Someone else has changed this link: access was revoked").await;
    page.browser.press("Cancel").await;
    page.browser.wait_for("[role=tab]", "Inactive 1").await;
    page.browser.quit().await;
}

#[tokio::test]
async fn scrolling_loads_all_links() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let recipients: Vec<String> = (0..60).map(|_| address("r")).collect();
    item.post(&json!({"recipients": recipients, "expiresAt": next_week(), "notify": false})).await;
    let page = Page::open(&item, DESKTOP).await;
    page.open_link_access().await;
    page.browser.wait_for("[role=tab]", "Active 25+").await;
    // A changed link keeps its place in the list.
    let row = page.browser.wait_for("li[data-share]", "").await;
    let recipient = row.find(By::Tag("h3")).await.unwrap().text().await.unwrap();
    page.press_in_row(&recipient, "Change Expiration").await;
    page.browser.press("1 month").await;
    page.browser.press("Save").await;
    page.browser.wait_for("p", &format!("{recipient} has access until")).await;
    page.browser.wait_for("li[data-share]", &recipient).await;
    page.browser.wait_for("[role=tab]", "Active 25+").await;
    let scroll =
        "document.querySelector('link-access-dialog').shadowRoot.querySelector('.body').scrollTo(0, 1e9);";
    eventually("all links", async || {
        page.browser.run(scroll, vec![]).await;
        page.browser.find("[role=tab]", "Active 60").await
    })
    .await;
    let count_rows = r"
        const { shadowRoot } = document.querySelector('link-access-dialog');
        return shadowRoot.querySelectorAll('[data-share]').length;
    ";
    let shown = page.browser.run(count_rows, vec![]).await;
    assert_eq!(shown, 60);
    page.browser.quit().await;
}

#[tokio::test]
async fn resend_is_limited_and_a_copied_link_is_logged() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let ann = address("ann");
    let shared = item.share_with(&ann).await;
    let page = Page::open(&item, DESKTOP).await;
    page.open_link_access().await;
    page.press_in_row(&ann, "Resend email").await;
    page.browser.wait_for(".banner", "Another can be sent in 5 minutes.").await;

    let grant = json!({"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]});
    page.browser.cdp("Browser.grantPermissions", grant).await;
    page.press_in_row(&ann, "Copy link").await;
    page.browser.wait_for(".banner", "Anyone with this link can download the files.").await;
    let read = "navigator.clipboard.readText().then(arguments[0], (error) => arguments[0](String(error)));";
    let copied = page.browser.driver.execute_async(read, vec![]).await.unwrap();
    assert_eq!(copied.json(), &json!(shared.link));

    item.wait_for_log(3).await;
    page.browser.press("Share log").await;
    page.browser.wait_for("h2", "Share log").await;
    for entry in ["shared, by Tess Tester", "email sent", "link copied, by Ann Example"] {
        page.browser.wait_for(".log li", entry).await;
    }
    page.browser.press("Back to the links").await;
    page.browser.wait_for("li[data-share]", &ann).await;
    page.browser.quit().await;
}

#[tokio::test]
async fn expiration_earlier_today_ends_access() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let ann = address("ann");
    item.share(&[&ann]).await;
    let page = Page::open(&item, DESKTOP).await;
    page.open_link_access().await;
    page.press_in_row(&ann, "Change Expiration").await;
    page.browser.set_time_to_midnight("Access expires").await;
    page.browser.wait_for(".note", "This time has passed: access ends immediately.").await;
    page.browser.press("Save").await;
    page.browser.wait_for("p", &format!("{ann} no longer has access.")).await;
    page.browser.click("[role=tab]", "Inactive 1").await;
    page.browser.wait_for("li[data-share]", &ann).await;
    page.browser.quit().await;
}

#[tokio::test]
async fn dialog_events_reach_the_page() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let page = Page::open(&item, DESKTOP).await;
    let listen = r"
        window.events = [];
        for (const name of ['sharelink-shared', 'sharelink-changed', 'sharelink-closed'])
            document.addEventListener(name, ({ type, target, detail }) =>
                events.push([type, target.localName, Object.keys(detail)]));
    ";
    page.browser.run(listen, vec![]).await;
    let ann = address("ann");
    page.open_share_dialog().await;
    page.browser.enter("Recipients", &ann).await;
    page.browser.press("Share").await;
    page.browser.press("Done").await;
    page.open_link_access().await;
    page.press_in_row(&ann, "Revoke Access").await;
    page.browser.press("Yes, revoke").await;
    page.browser.wait_for("[role=tab]", "Inactive 1").await;
    page.browser.press("Close").await;
    let expected: Value = json!([
        ["sharelink-shared", "share-button", ["results"]],
        ["sharelink-closed", "share-button", []],
        ["sharelink-changed", "share-button", ["share"]],
        ["sharelink-closed", "share-button", []],
    ]);
    // Browsers dispatch a dialog's `close` event in a later task.
    eventually("the events", async || {
        (page.browser.run("return window.events;", vec![]).await == expected).then_some(())
    })
    .await;
    page.browser.quit().await;
}

#[tokio::test]
async fn row_shows_the_files_and_the_message() {
    let stack = Stack::get().await;
    let files = ["a budget.zip", "b.pdf", "c.pdf", "d.pdf"];
    let item = TestItem::with_files(&stack, &files).await;
    let (ann, bob) = (address("ann"), address("bob"));
    let share = async |recipient: &str, files: &[&str], message: &str| {
        let body = json!({
            "recipients": [recipient], "files": files, "message": message, "expiresAt": next_week(),
            "notify": false,
        });
        item.post(&body).await.assert_status(201);
    };
    share(&ann, &files[..2], "Second round.\nComments by Friday, please.").await;
    share(&bob, &files, &format!("Beginning {} end", "word ".repeat(60))).await;
    let page = Page::open(&item, DESKTOP).await;
    let browser = &page.browser;
    page.open_link_access().await;

    let row = browser.wait_for("li[data-share]", &ann).await.text().await.unwrap();
    assert!(row.contains("2 files, 17 bytes: a budget.zip, b.pdf"), "{row}");
    assert!(row.contains("Message: Second round.\nComments by Friday, please."), "{row}");

    // Long lists and messages are folded.
    let row = browser.wait_for("li[data-share]", &bob).await;
    let folded = row.text().await.unwrap();
    assert!(!folded.contains("d.pdf") && !folded.contains("Beginning"), "{folded}");
    browser.click("summary", "4 files, 27 bytes").await;
    browser.click("summary", "Message").await;
    let unfolded = row.text().await.unwrap();
    assert!(unfolded.contains("d.pdf") && unfolded.contains(" end"), "{unfolded}");
    browser.assert_accessible("the files and the message").await;
    let are_translated = r"
        const { shadowRoot } = document.querySelector('link-access-dialog');
        return [...shadowRoot.querySelectorAll('.given bdi:not(.message), h3 bdi')].map(({ translate }) => translate);
    ";
    assert_eq!(browser.run(are_translated, vec![]).await, json!(vec![false; 8]));
    page.browser.quit().await;
}

#[tokio::test]
async fn long_file_names_and_messages_fit_the_screen() {
    let stack = Stack::get().await;
    let long = "name-without-a-break-".repeat(9);
    let names: Vec<String> = (0..5).map(|n| format!("{long}{n}.pdf")).collect();
    let item = TestItem::with_files(&stack, &names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let body = json!({
        "recipients": [address("ann")], "message": long.repeat(4), "expiresAt": next_week(), "notify": false,
    });
    item.post(&body).await.assert_status(201);
    for device in [Device { width: 320, height: 256, ..PHONE }, PHONE, Device { height: 757, ..DESKTOP }] {
        let page = Page::open(&item, device).await;
        page.open_link_access().await;
        page.browser.click("summary", "5 files").await;
        page.browser.click("summary", "Message").await;
        page.browser.assert_fits(&format!("{} pixels", device.width)).await;
        page.browser.quit().await;
    }
}

#[tokio::test]
async fn title_is_the_name_attribute_or_the_newest_title() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let id = item.share(&[&address("ann")]).await.share_id();
    // The platform's item resolver gives titles, but this stack has none.
    let update = json!({
        "TableName": stack.info.table_name,
        "Key": {"item": {"S": item.path()}, "entry": {"S": format!("SHARE#{id}")}},
        "UpdateExpression": "SET title = :title",
        "ExpressionAttributeValues": {":title": {"S": "Spring campaign"}},
    });
    Aws::new(&stack).call("dynamodb", "DynamoDB_20120810.UpdateItem", &update).await;
    let page = Page::open(&item, DESKTOP).await;
    page.open_link_access().await;
    page.browser.wait_for("h2", "Manage Link Access Spring campaign").await;
    page.browser.press("Share log").await;
    page.browser.wait_for("h2", "Share log Spring campaign").await;
    page.browser.press("Close").await;
    page.set_attribute("name", "Job 1042").await;
    page.browser.click(".toolbar share-button", "Manage Link Access").await;
    page.browser.wait_for("[role=tab]", "Active 1").await;
    page.browser.wait_for("h2", "Manage Link Access Job 1042").await;
    page.browser.quit().await;
}

#[tokio::test]
async fn copied_inactive_link_is_said_not_to_work() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let ann = address("ann");
    item.revoke(&item.share(&[&ann]).await.share_id()).await;
    let bob = address("bob");
    let tomorrow = Utc::now() + TimeDelta::days(1);
    item.post(&json!({"recipients": [bob], "expiresAt": rfc3339(tomorrow), "notify": false})).await;
    let page = Page::open(&item, DESKTOP).await;
    page.control_time().await;
    page.open_link_access().await;
    page.browser.wait_for("[role=tab]", "Active 1").await;
    page.pass_time(TimeDelta::days(2)).await;
    page.browser.click("[role=tab]", "Inactive 2").await;
    for (is_allowed, place) in [(false, "label"), (true, ".status")] {
        let clipboard = if is_allowed { "granted" } else { "denied" };
        let permission = json!({"permission": {"name": "clipboard-write"}, "setting": clipboard});
        page.browser.cdp("Browser.setPermission", permission).await;
        for (recipient, state) in
            [(&ann, "It does not work now: Revoked"), (&bob, "It does not work now: Expired")]
        {
            page.press_in_row(recipient, "Copy link").await;
            let text = page.browser.wait_for(place, recipient).await.text().await.unwrap();
            assert!(text.contains(state), "{text}");
            assert!(text.contains("To make it work again, change its expiration."), "{text}");
            assert!(!text.contains("Anyone"), "{text}");
        }
    }
    page.browser.quit().await;
}

#[tokio::test]
async fn link_that_expires_leaves_the_active_tab() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let recipients = [address("soon"), address("edited"), address("later"), address("far")];
    let [soon, edited, later, far] = &recipients;
    let share = async |recipient: &str, life: TimeDelta| {
        let body = json!({
            "recipients": [recipient], "expiresAt": rfc3339(Utc::now() + life), "notify": false,
        });
        item.post(&body).await.assert_status(201);
    };
    share(soon, TimeDelta::minutes(10)).await;
    share(edited, TimeDelta::minutes(20)).await;
    share(later, TimeDelta::hours(2)).await;
    // Longer than a browser's timer can wait.
    share(far, TimeDelta::days(60)).await;
    let page = Page::open(&item, DESKTOP).await;
    let browser = &page.browser;
    page.control_time().await;
    page.open_link_access().await;
    browser.wait_for("[role=tab]", "Active 4").await;
    page.press_in_row(edited, "Change Expiration").await;
    browser.set_time("Access expires", "2030-03-01T12:00").await;
    page.pass_time(TimeDelta::minutes(11)).await;
    browser.wait_for("[role=tab]", "Inactive 1").await;
    browser.wait_for("[role=tab]", "Active 3").await;

    // A row with an open form says that the link has expired, and stays.
    page.pass_time(TimeDelta::minutes(11)).await;
    let row = browser.wait_for("li[data-share]", edited).await;
    assert!(row.text().await.unwrap().contains("Expired"), "{}", row.text().await.unwrap());
    let typed = browser.wait_for("input", "Access expires").await.prop("value").await.unwrap();
    assert_eq!(typed.as_deref(), Some("2030-03-01T12:00"));
    browser.wait_for(".panel .note", "A time in the future makes the same link work again.").await;
    page.press_in_row(edited, "Copy link").await;
    let copied = browser.wait_for(".status p, label", "It does not work now: Expired").await;
    assert!(!copied.text().await.unwrap().contains("Anyone"));
    browser.press("Cancel").await;
    browser.wait_for("[role=tab]", "Active 3").await;
    browser.click("[role=tab]", "Inactive 1").await;
    page.pass_time(TimeDelta::minutes(1)).await;
    browser.wait_for("[role=tab]", "Inactive 2").await;
    for recipient in [soon, edited] {
        let row = browser.wait_for("li[data-share]", recipient).await.text().await.unwrap();
        assert!(row.contains("Expired") && !row.contains("Revoke Access"), "{row}");
    }

    // The share log can be open when a link expires.
    browser.press("Share log").await;
    page.pass_time(TimeDelta::hours(2)).await;
    browser.press("Back to the links").await;
    browser.wait_for("[role=tab]", "Inactive 3").await;
    browser.wait_for("[role=tab]", "Active 1").await;
    page.browser.quit().await;
}

#[tokio::test]
async fn link_that_cannot_be_copied_is_in_view() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let recipients: Vec<_> = (0..4).map(|n| address(&format!("r{n}"))).collect();
    item.share(&recipients.iter().map(String::as_str).collect::<Vec<_>>()).await;
    for (width, height) in [(1280, 757), (360, 740), (320, 256)] {
        let page = Page::open(&item, Device { width, height, ..DESKTOP }).await;
        let browser = &page.browser;
        let permission = json!({"permission": {"name": "clipboard-write"}, "setting": "denied"});
        browser.cdp("Browser.setPermission", permission).await;
        page.open_link_access().await;
        browser.wait_for("[role=tab]", "Active 4").await;
        // The button is at the bottom, so the link appears below the screen.
        let press = r"
            const { shadowRoot } = document.querySelector('link-access-dialog');
            const buttons = shadowRoot.querySelectorAll('.shares > :nth-child(2) button');
            const copy = [...buttons].find(({ textContent }) => textContent === 'Copy link');
            copy.scrollIntoView({ block: 'end' });
            copy.click();
        ";
        browser.run(press, vec![]).await;
        browser.wait_for("label", "Copy the link for").await;
        let is_in_view = r"
            const { shadowRoot } = document.querySelector('link-access-dialog');
            const field = shadowRoot.activeElement;
            const { left, top, bottom } = field.getBoundingClientRect();
            const isAt = (y) => shadowRoot.elementFromPoint(left + 20, y) === field;
            return [field.selectionEnd > 0, isAt(top + 3), isAt(bottom - 3)];
        ";
        let visible = browser.run(is_in_view, vec![]).await;
        assert_eq!(visible, json!([true, true, true]), "{width}x{height}");
        page.browser.quit().await;
    }
}
