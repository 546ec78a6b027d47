//! The list of all of a user's shares, and changes of many at once.

use chrono::{TimeDelta, Utc};
use serde_json::{Value, json};
use thirtyfour::Key;
use tokio::sync::oneshot;

use crate::browser::{Browser, DESKTOP, Device, PHONE};
use crate::site::{self, console, evaluate};
use crate::support::proxy::Fault;
use crate::support::{
    Proxy, Stack, TestItem, address, eventually, next_week, rfc3339, unique, within_minutes,
};

/// Creates an item whose sharer has shared nothing else.
pub(crate) async fn own_item(stack: &Stack) -> TestItem<'_> {
    item_of(stack, &unique("sharer"), &["producer"]).await
}

/// Creates an item, and a user with this `sub`.
async fn item_of<'a>(stack: &'a Stack, sub: &str, rights: &[&str]) -> TestItem<'a> {
    let claims = json!({
        "sub": sub, "name": "Ann Example", "email": "ann@sharelink.example", "accessRights": rights,
    });
    TestItem { token: stack.token_with_claims(&claims).await, ..TestItem::new(stack).await }
}

/// Shares an item with this number of recipients, without emails.
async fn share_with(item: &TestItem<'_>, count: usize, expires_at: &str) -> Vec<String> {
    let recipients: Vec<_> = (0..count).map(|_| address("r")).collect();
    for part in recipients.chunks(100) {
        let body = json!({"recipients": part, "expiresAt": expires_at, "notify": false});
        item.post(&body).await.assert_status(201);
    }
    recipients
}

/// Opens a page with the list.
pub(crate) async fn open(item: &TestItem<'_>, device: Device, attributes: &str) -> Browser {
    let html = format!(
        "<body><style>:root {{ color-scheme: light dark; }}
        body {{ background: light-dark(#fff, #12161d); }}</style>
        <main><h1>Links</h1><my-shares {attributes}></my-shares></main>
        <script type=module>
          await load();
          await import('{{api}}/ui/my-shares.js');
        </script></body>"
    );
    site::open(item, device, &html).await
}

/// Opens a page with the list, and a proxy between the list and the API.
async fn open_behind_proxy(item: &TestItem<'_>, attributes: &str) -> (Browser, Proxy) {
    let api = &item.stack.info.api_url;
    let origin_end = api.match_indices('/').nth(2).map_or(api.len(), |(at, _)| at);
    let proxy = Proxy::start(&api[..origin_end]).await;
    let api_attribute = format!("api={}{}", proxy.url, &api[origin_end..]);
    let browser = open(item, DESKTOP, &format!("{attributes} {api_attribute}")).await;
    (browser, proxy)
}

/// Returns the shadow root of the list.
const ROOT: &str = "document.querySelector('my-shares').shadowRoot";

/// Returns the recipients in the list, in its order.
async fn listed(browser: &Browser) -> Vec<String> {
    texts(browser, "[data-key] strong").await
}

/// Returns the recipients of the selected rows.
async fn selected(browser: &Browser) -> Vec<String> {
    texts(browser, "[aria-selected=true] strong").await
}

async fn texts(browser: &Browser, selector: &str) -> Vec<String> {
    let script =
        format!("[...{ROOT}.querySelectorAll('{selector}')].map(({{ textContent }}) => textContent)");
    let texts = evaluate(browser, &script).await;
    texts.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
}

/// Waits until the list says how many links it has.
pub(crate) async fn wait_for_count(browser: &Browser, count: usize) {
    let text = if count == 1 { "1 link".to_owned() } else { format!("{count} links") };
    eventually(&text, async || {
        let status = browser.find(".summary [role=status]", &text).await?;
        (status.text().await.ok()? == text).then_some(())
    })
    .await;
}

/// Chooses an option of a field.
async fn choose(browser: &Browser, field: &str, value: &str) {
    let field = browser.wait_for("select", field).await;
    let script = "arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('change'));";
    browser.run(script, vec![field.to_json().unwrap(), value.into()]).await;
}

/// Returns the number of the item's shares with a status.
async fn count(item: &TestItem<'_>, status: &str) -> usize {
    let mut count = 0;
    let mut cursor = String::new();
    loop {
        let page = item.get(&format!("?status={status}&limit=100{cursor}")).await.json();
        count += page["shares"].as_array().unwrap().len();
        let Some(next) = page["nextCursor"].as_str() else { return count };
        cursor = format!("&cursor={next}");
    }
}

#[tokio::test]
async fn one_gesture_revokes_150_links_and_undo_restores_them() {
    let stack = Stack::get().await;
    let item = own_item(&stack).await;
    let soon = rfc3339(Utc::now() + TimeDelta::days(2));
    share_with(&item, 90, &next_week()).await;
    let [first, ..] = share_with(&item, 60, &soon).await.try_into().map(|all: [String; 60]| all).unwrap();
    let browser = open(&item, DESKTOP, "").await;
    wait_for_count(&browser, 150).await;
    browser.click("label", "Select all").await;
    browser.wait_for("[role=status]", "150 links selected").await;
    browser.assert_accessible("a selection").await;
    browser.press("Revoke Access").await;
    browser.wait_for("p", "Revoke 150 links? They stop working immediately.").await;
    // The safe choice should have the focus.
    browser.wait_for_focus("Cancel").await;
    browser.assert_accessible("the question").await;
    browser.press("Revoke 150 links").await;
    browser.wait_for("p", "150 links were revoked.").await;
    assert!(browser.find("p", "Undo restores").await.is_none(), "Undo restores every link");
    assert_eq!(browser.count_requests("/shares/revoke", 2).await, 2);
    assert_eq!((count(&item, "active").await, count(&item, "inactive").await), (0, 150));
    wait_for_count(&browser, 0).await;
    browser.assert_accessible("the result").await;

    browser.wait_for_focus("Undo").await;
    browser.send_chord(Key::Control, "z").await;
    browser.wait_for("p", "150 links were changed back.").await;
    wait_for_count(&browser, 150).await;
    assert_eq!(count(&item, "active").await, 150);
    // Each link has its own expiration again.
    let shares = item.get("?status=active&limit=100").await.json()["shares"].clone();
    let restored = shares.as_array().unwrap().iter().find(|share| share["recipient"] == *first).unwrap();
    let expires_at: chrono::DateTime<Utc> = restored["expiresAt"].as_str().unwrap().parse().unwrap();
    assert_eq!(rfc3339(expires_at), soon);
    assert_eq!(console(&browser).await, [""; 0]);
    browser.quit().await;
}

#[tokio::test]
async fn failed_request_keeps_its_links_selected_for_a_retry() {
    let stack = Stack::get().await;
    let item = own_item(&stack).await;
    share_with(&item, 120, &next_week()).await;
    let (browser, proxy) = open_behind_proxy(&item, "").await;
    wait_for_count(&browser, 120).await;
    browser.click("label", "Select all").await;
    browser.press("Change Expiration").await;
    browser.press("1 month").await;
    // The second request and its retries are carried out, but their responses are lost.
    let mut sent = 0;
    proxy.set_fault_policy(move |request| {
        let is_change = request.contains("/shares/expiration") && request.contains("method: POST");
        sent += usize::from(is_change);
        (is_change && sent > 1).then_some(Fault::LoseResponse)
    });
    browser.press("Change 120 links").await;
    browser.wait_for("p", "20 links were not changed:").await;
    browser.wait_for("p", "100 links were changed.").await;
    browser.wait_for("[role=status]", "20 links selected").await;
    assert_eq!(selected(&browser).await.len(), 20);
    assert_eq!(texts(&browser, ".banner > .results li").await.len(), 20, "failures are listed first");
    browser.assert_accessible("a failure").await;

    // The retry repeats the request with its idempotency key, so the links are not reported as stale.
    proxy.clear_faults();
    browser.press("Retry 20 links").await;
    browser.wait_for("p", "120 links were changed.").await;
    browser.wait_until_gone("[role=status]", "links selected").await;
    assert_eq!(selected(&browser).await, [""; 0]);
    browser.quit().await;
}

#[tokio::test]
async fn changes_by_others_are_reported_per_link() {
    let stack = Stack::get().await;
    let item = own_item(&stack).await;
    let (ann, bob) = (address("ann"), address("bob"));
    let ids = [item.share(&[&ann]).await.share_id(), item.share(&[&bob]).await.share_id()];
    let browser = open(&item, DESKTOP, "").await;
    wait_for_count(&browser, 2).await;
    // Another user changes one of the links.
    let version = item.get_share(&ids[0]).await["version"].as_u64().unwrap();
    item.change_expiration(&ids[0], version, "2030-02-01T12:00:00Z").await.assert_status(200);
    browser.click("label", "Select all").await;
    browser.press("Change Expiration").await;
    browser.set_time("Access expires", "2030-03-01T12:00").await;
    browser.press("Change 2 links").await;
    browser.wait_for(".failed", &ann).await;
    browser.wait_for(".failed", "Someone else has changed this link.").await;
    browser.wait_for("p", "1 link was changed.").await;
    assert_eq!(item.get_share(&ids[0]).await["expiresAt"], "2030-02-01T12:00:00Z");
    // The list shows the other user's change, and the retry is for the link as it is now.
    browser.wait_for("[data-key] bdi", "1 February 2030").await;
    browser.press("Retry 1 link").await;
    browser.wait_for("p", "2 links were changed.").await;
    browser.wait_until_gone(".failed", "").await;
    assert_eq!(item.get_share(&ids[0]).await["expiresAt"], "2030-03-01T11:00:00Z");
    browser.quit().await;
}

#[tokio::test]
async fn undo_and_retry_keep_what_others_decided() {
    let stack = Stack::get().await;
    let item = own_item(&stack).await;
    let (ann, bob) = (address("ann"), address("bob"));
    let ids = [item.share(&[&ann]).await.share_id(), item.share(&[&bob]).await.share_id()];
    let browser = open(&item, DESKTOP, "").await;
    wait_for_count(&browser, 2).await;
    // Another user shortens a link, and this user revokes it.
    let shortened = rfc3339(Utc::now() + TimeDelta::hours(20));
    let version = item.get_share(&ids[0]).await["version"].as_u64().unwrap();
    item.change_expiration(&ids[0], version, &shortened).await.assert_status(200);
    browser.click("label", "Select all").await;
    browser.press("Revoke Access").await;
    browser.press("Revoke 2 links").await;
    browser.wait_for("p", "2 links were revoked.").await;
    browser.press("Undo").await;
    browser.wait_for("p", "2 links were changed back.").await;
    wait_for_count(&browser, 2).await;
    assert_eq!(item.get_share(&ids[0]).await["expiresAt"], *shortened);

    // Another user revokes a link, whose expiration this user changes.
    item.revoke(&ids[1]).await.assert_status(200);
    browser.click("label", "Select all").await;
    browser.press("Change Expiration").await;
    browser.press("1 month").await;
    browser.press("Change 2 links").await;
    browser.wait_for(".failed", "Someone else has changed this link.").await;
    browser.wait_for(".failed", "Revoked").await;
    assert!(browser.find("button", "Retry").await.is_none(), "a retry would reactivate the link");
    assert_eq!(item.get_share(&ids[1]).await["status"], "inactive");
    browser.quit().await;
}

#[tokio::test]
async fn question_and_undo_belong_to_the_links_that_were_selected() {
    let stack = Stack::get().await;
    let item = own_item(&stack).await;
    let (ann, bob) = (address("ann"), address("bob"));
    item.share(&[&ann, &bob, &address("carl")]).await;
    let browser = open(&item, DESKTOP, "").await;
    wait_for_count(&browser, 3).await;
    browser.click("[data-key] strong", &ann).await;
    browser.press("Revoke Access").await;
    browser.wait_for("p", "Revoke 1 link?").await;
    browser.click("[data-key] strong", &bob).await;
    browser.wait_until_gone("p", "Revoke 1 link?").await;
    browser.click("[data-key] strong", &bob).await;
    browser.press("Revoke Access").await;
    browser.press("Revoke 1 link").await;
    browser.wait_for("p", "1 link was revoked.").await;
    wait_for_count(&browser, 2).await;
    browser.enter("Search recipients, items and files", &bob).await;
    wait_for_count(&browser, 1).await;
    browser.press("Undo").await;
    browser.wait_for("p", "1 link was changed back.").await;
    assert_eq!(listed(&browser).await, [&*bob], "the other link does not match the search");
    assert_eq!(item.list_recipients("active").await.len(), 3);
    browser.quit().await;
}

#[tokio::test]
async fn partial_undo_says_how_many_links_it_restores() {
    let stack = Stack::get().await;
    let item = own_item(&stack).await;
    let (ann, bob) = (address("ann"), address("bob"));
    let ids = [item.share(&[&ann]).await.share_id(), item.share(&[&bob]).await.share_id()];
    item.revoke(&ids[0]).await.assert_status(200);
    let before = item.get_share(&ids[1]).await["expiresAt"].clone();
    let browser = open(&item, DESKTOP, "").await;
    choose(&browser, "State", "").await;
    wait_for_count(&browser, 2).await;
    browser.click("label", "Select all").await;
    browser.press("Change Expiration").await;
    browser.press("1 month").await;
    browser.press("Change 2 links").await;
    browser.wait_for("p", "2 links were changed. Undo restores only 1 link.").await;
    browser.press("Undo").await;
    browser.wait_for("p", "1 link was changed back.").await;
    assert_eq!(item.get_share(&ids[1]).await["expiresAt"], before);
    assert_eq!(item.get_share(&ids[0]).await["status"], "active", "it was inactive before the change");
    browser.quit().await;
}

#[tokio::test]
async fn result_does_not_take_the_focus_from_the_search_field() {
    let stack = Stack::get().await;
    let item = own_item(&stack).await;
    let ann = address("ann");
    item.share(&[&ann, &address("bob")]).await;
    let (browser, proxy) = open_behind_proxy(&item, "").await;
    wait_for_count(&browser, 2).await;
    browser.click("[data-key] strong", &ann).await;
    browser.press("Revoke Access").await;
    let (notify_arrival, arrived) = oneshot::channel();
    let (resume, may_resume) = oneshot::channel();
    proxy.inject_once(&["method: POST", "/shares/revoke"], Fault::Pause(notify_arrival, may_resume));
    browser.press("Revoke 1 link").await;
    within_minutes(2, arrived).await.unwrap();
    browser.enter("Search", "bo").await;
    resume.send(()).unwrap();
    browser.wait_for("button", "Undo").await;
    assert_eq!(browser.focused().await, "Search recipients, items and files");
    browser.send_keys("b").await;
    assert_eq!(evaluate(&browser, &format!("{ROOT}.querySelector('#search').value")).await, "bob");
    browser.quit().await;
}

#[tokio::test]
async fn keyboard_selects_like_a_grid() {
    let stack = Stack::get().await;
    let item = own_item(&stack).await;
    let mut recipients = Vec::new();
    for _ in 0..5 {
        recipients.insert(0, address("r"));
        item.share(&[&recipients[0]]).await;
    }
    let browser = open(&item, DESKTOP, "").await;
    wait_for_count(&browser, 5).await;
    assert_eq!(listed(&browser).await, recipients, "newest first");
    browser.run(&format!("{ROOT}.querySelector('#all').focus();"), vec![]).await;
    browser.tab_to(&recipients[0]).await;
    let expect = async |keys: &str, rows: &[usize]| {
        let expected: Vec<_> = rows.iter().map(|&row| recipients[row].clone()).collect();
        assert_eq!(selected(&browser).await, expected, "{keys}");
    };
    browser.send_keys(Key::Space).await;
    expect("Space", &[0]).await;
    browser.send_keys(Key::Space).await;
    expect("Space again", &[]).await;
    browser.send_keys(Key::Down).await;
    browser.send_keys(Key::Space).await;
    browser.send_chord(Key::Shift, Key::Down).await;
    browser.send_chord(Key::Shift, Key::Down).await;
    expect("Shift and Down", &[1, 2, 3]).await;
    browser.send_chord(Key::Shift, Key::Up).await;
    expect("Shift and Up", &[1, 2]).await;
    browser.send_chord(Key::Control, "a").await;
    expect("Ctrl+A", &[0, 1, 2, 3, 4]).await;
    browser.send_keys(Key::Escape + "").await;
    expect("Escape", &[]).await;
    browser.send_keys(Key::End + "").await;
    browser.send_keys(Key::Space).await;
    expect("End", &[4]).await;

    // Enter opens the item's dialog at the link, and focus returns to its row.
    browser.send_keys(Key::Enter + "").await;
    browser.wait_for("h2", "Manage Link Access").await;
    browser.wait_for("li.marked", &recipients[4]).await;
    browser.send_keys(Key::Escape + "").await;
    browser.wait_until_gone("dialog", "").await;
    let focused = format!("{ROOT}.activeElement.querySelector('strong').textContent");
    assert_eq!(evaluate(&browser, &focused).await, json!(recipients[4]));
    // The row takes over what the dialog changes.
    browser.send_keys(Key::Enter + "").await;
    browser.wait_for("li.marked", &recipients[4]).await;
    browser.press("Revoke Access").await;
    browser.press("Yes, revoke").await;
    browser.wait_for("p", "no longer has access.").await;
    browser.press("Close").await;
    wait_for_count(&browser, 4).await;
    browser.quit().await;
}

#[tokio::test]
async fn range_follows_the_order_that_is_shown() {
    let stack = Stack::get().await;
    let item = own_item(&stack).await;
    let share = async |days| {
        let recipient = address("r");
        let expires_at = rfc3339(Utc::now() + TimeDelta::days(days));
        let body = json!({"recipients": [recipient], "expiresAt": expires_at, "notify": false});
        item.post(&body).await.assert_status(201);
        recipient
    };
    // The order by expiration is c, a, d, b.
    let (a, b, c, d) = (share(2).await, share(4).await, share(1).await, share(3).await);
    let browser = open(&item, DESKTOP, "").await;
    wait_for_count(&browser, 4).await;
    let click = async |recipient: &str, modifiers: &str| {
        let script = format!(
            "const row = [...{ROOT}.querySelectorAll('[data-key]')].find(
                ({{ textContent }}) => textContent.includes(arguments[0]));
            row.dispatchEvent(new MouseEvent('click', {{ bubbles: true, {modifiers} }}));"
        );
        browser.run(&script, vec![recipient.into()]).await;
    };
    click(&a, "").await;
    choose(&browser, "Sort by", "expiry").await;
    assert_eq!(listed(&browser).await, [&*c, &a, &d, &b]);
    click(&d, "shiftKey: true").await;
    assert_eq!(selected(&browser).await, [&*a, &d], "the range should be between the rows, as shown");
    click(&a, "").await;
    assert_eq!(selected(&browser).await, [&*d], "a second click should deselect the row");

    // Only what the list shows is changed: a link that is created later stays active.
    let later = share(9).await;
    browser.click("label", "Select all").await;
    browser.press("Revoke Access").await;
    browser.press("Revoke 4 links").await;
    browser.wait_for("p", "4 links were revoked.").await;
    assert_eq!(item.list_recipients("active").await, [later]);
    browser.quit().await;
}

#[tokio::test]
async fn list_is_searched_filtered_and_sorted() {
    let stack = Stack::get().await;
    let sub = unique("sharer");
    let item = item_of(&stack, &sub, &["producer"]).await;
    let other = item_of(&stack, &sub, &["producer"]).await;
    other.upload("Contract.docx").await;
    let (ann, bob, eve) = (address("ann"), address("bob"), address("eve"));
    let share = async |item: &TestItem<'_>, recipient: &str, days| {
        let expires_at = rfc3339(Utc::now() + TimeDelta::days(days));
        let body = json!({"recipients": [recipient], "expiresAt": expires_at, "notify": false});
        item.post(&body).await.share_id()
    };
    share(&item, &ann, 3).await;
    share(&other, &bob, 1).await;
    let revoked = share(&item, &eve, 9).await;
    item.revoke(&revoked).await;
    let browser = open(&item, DESKTOP, "").await;
    wait_for_count(&browser, 2).await;
    assert_eq!(listed(&browser).await, [&*bob, &ann]);
    choose(&browser, "State", "").await;
    wait_for_count(&browser, 3).await;
    assert_eq!(listed(&browser).await, [&*eve, &bob, &ann]);
    choose(&browser, "Sort by", "expiry").await;
    assert_eq!(listed(&browser).await, [&*bob, &ann, &eve]);
    choose(&browser, "State", "inactive").await;
    wait_for_count(&browser, 1).await;
    assert_eq!(listed(&browser).await, [&*eve]);
    choose(&browser, "State", "active").await;
    for (search, found) in [(&*ann.to_uppercase(), &ann), ("contract", &bob), (&other.name, &bob)] {
        let field = browser.wait_for("input[type=search]", "Search").await;
        field.clear().await.unwrap();
        field.send_keys(search).await.unwrap();
        eventually(search, async || (listed(&browser).await == [&**found]).then_some(())).await;
    }
    choose(&browser, "Module", "jobs").await;
    wait_for_count(&browser, 1).await;
    browser.enter("Search", "nothing-like-this").await;
    browser.wait_for("p", "No matching links.").await;
    browser.quit().await;
}

#[tokio::test]
async fn selection_survives_a_search_and_says_so() {
    let stack = Stack::get().await;
    let item = own_item(&stack).await;
    let (ann, bob) = (address("ann"), address("bob"));
    item.share(&[&ann, &bob]).await;
    let browser = open(&item, DESKTOP, "").await;
    wait_for_count(&browser, 2).await;
    browser.click("label", "Select all").await;
    browser.enter("Search", &ann).await;
    wait_for_count(&browser, 1).await;
    browser.wait_for("[role=status]", "2 links selected (1 not in the list below)").await;
    browser.press("Clear selection").await;
    browser.wait_until_gone("[role=status]", "selected").await;
    assert_eq!(selected(&browser).await, [""; 0]);
    browser.quit().await;
}

#[tokio::test]
async fn administrator_finds_and_revokes_the_links_of_others() {
    let stack = Stack::get().await;
    let (sharer, ann) = (unique("sharer"), address("ann"));
    let theirs = item_of(&stack, &sharer, &["producer"]).await;
    let id = theirs.share(&[&ann]).await.share_id();
    let auditor = item_of(&stack, &unique("auditor"), &["auditor"]).await;
    let browser = open(&auditor, DESKTOP, "everyone").await;
    choose(&browser, "Whose links", "recipient").await;
    browser.wait_for("p", "Enter the recipient's whole email address.").await;
    browser.enter("Recipient's email address", &ann).await;
    browser.wait_for("[data-key]", &ann).await;
    browser.wait_for("[data-key]", "Shared by Ann Example").await;
    browser.assert_accessible("the links of others").await;
    choose(&browser, "Whose links", "sharer").await;
    browser.enter("Sharer's user ID", &sharer).await;
    browser.wait_for("[data-key]", &ann).await;
    browser.click("label", "Select all").await;
    browser.press("Revoke Access").await;
    browser.press("Revoke 1 link").await;
    browser.wait_for("p", "1 link was revoked.").await;
    assert_eq!(theirs.get_share(&id).await["status"], "inactive");
    browser.quit().await;

    // Other users see that they lack the permission.
    let browser = open(&theirs, DESKTOP, &format!("recipient={ann}")).await;
    browser.wait_for("p", "You do not have permission to manage the links of others.").await;
    browser.quit().await;
}

#[tokio::test]
async fn whole_list_is_downloaded_as_csv() {
    let stack = Stack::get().await;
    let item = own_item(&stack).await;
    let recipients = share_with(&item, 130, &next_week()).await;
    let browser = open(&item, DESKTOP, "").await;
    wait_for_count(&browser, 130).await;
    browser.press("Download CSV").await;
    let (name, bytes) = browser.take_download().await;
    assert_eq!(name, "links.csv");
    let text = String::from_utf8(bytes).unwrap();
    assert_eq!(text.matches("\"recipient\",\"status\"").count(), 1);
    assert_eq!(text.lines().count(), 131);
    assert!(recipients.iter().all(|recipient| text.contains(recipient)));
    assert_eq!(text.matches('\u{feff}').count(), 1);
    browser.quit().await;
}

#[tokio::test]
async fn csv_of_an_administrator_has_only_the_links_of_the_page() {
    let stack = Stack::get().await;
    let sharer = unique("sharer");
    let (ann, bob, carl) = (address("ann"), address("bob"), address("carl"));
    item_of(&stack, &sharer, &["producer"]).await.share(&[&ann, &bob]).await.assert_status(201);
    own_item(&stack).await.share(&[&ann]).await.assert_status(201);
    let rights = ["producer", "auditor"];
    let auditor = item_of(&stack, &unique("auditor"), &rights).await;
    auditor.share(&[&carl]).await.assert_status(201);
    for (attribute, value, recipients) in
        [("recipient", &ann, vec![&ann]), ("sharer", &sharer, vec![&ann, &bob])]
    {
        let (browser, proxy) = open_behind_proxy(&auditor, &format!("{attribute}={value} module=jobs")).await;
        wait_for_count(&browser, 2).await;
        browser.press("Download CSV").await;
        let (_, bytes) = browser.take_download().await;
        let text = String::from_utf8(bytes).unwrap();
        let rows: Vec<_> = text.lines().skip(1).collect();
        assert_eq!(rows.len(), 2, "{text}");
        let is_expected = |row: &&str| recipients.iter().any(|recipient| row.contains(recipient.as_str()));
        assert!(rows.iter().all(is_expected), "{attribute}: {text}");

        let calls = proxy.take_calls(&["text/csv"]);
        let query = format!("/shares?{attribute}={}&status=active&module=jobs&", value.replace('@', "%40"));
        assert_eq!(calls.len(), 1);
        assert!(calls[0].contains(&query), "{query} is not in {}", calls[0]);
        browser.quit().await;
    }
}

#[tokio::test]
async fn list_fits_a_phone_screen_in_german() {
    let stack = Stack::get().await;
    let name = format!("{}.pdf", "a-very-long-name-without-a-break-".repeat(5));
    let item = own_item(&stack).await;
    item.upload(&name).await;
    item.share(&[&address(&"long-address-".repeat(3)), &address("bob")]).await;
    for (device, lang) in [(PHONE, "en"), (PHONE, "de"), (Device { width: 320, ..PHONE }, "de")] {
        let browser = open(&item, device, &format!("everyone lang={lang}")).await;
        browser.wait_for("[data-key]", "bob").await;
        browser.assert_fits("the list").await;
        let is_german = lang == "de";
        browser.click("label", if is_german { "Alle auswählen" } else { "Select all" }).await;
        browser.press(if is_german { "Ablauf ändern" } else { "Change Expiration" }).await;
        browser.wait_for(".panel", "").await;
        browser.assert_fits("the expiration form").await;
        browser.press(if is_german { "Zugriff entziehen" } else { "Revoke Access" }).await;
        browser.press(if is_german { "Abbrechen" } else { "Cancel" }).await;
        browser.assert_accessible("the list on a phone").await;
        assert_eq!(console(&browser).await, [""; 0]);
        browser.quit().await;
    }
}

#[tokio::test]
async fn list_of_another_user_is_not_changed() {
    let stack = Stack::get().await;
    let item = own_item(&stack).await;
    let other = own_item(&stack).await;
    let (ann, bob) = (address("ann"), address("bob"));
    item.share(&[&ann]).await;
    other.share(&[&bob]).await;
    let browser = open(&item, DESKTOP, "").await;
    browser.wait_for("[data-key]", &ann).await;
    browser.click("label", "Select all").await;
    browser.press("Revoke Access").await;
    // A different user signs in.
    let token = format!("document.querySelector('my-shares').token = async () => {:?}", other.token);
    browser.run(&token, vec![]).await;
    browser.press("Revoke 1 link").await;
    browser.wait_for("[data-key]", &bob).await;
    assert_eq!(listed(&browser).await, [&*bob]);
    assert_eq!(selected(&browser).await, [""; 0]);
    assert_eq!((count(&item, "active").await, count(&other, "active").await), (1, 1));
    browser.quit().await;
}

#[tokio::test]
async fn bulk_change_ends_when_another_user_signs_in() {
    let stack = Stack::get().await;
    // The page either calls `refresh`, or leaves it to the list to detect the new user.
    for is_refreshed in [false, true] {
        let item = own_item(&stack).await;
        let other = own_item(&stack).await;
        let bob = address("bob");
        share_with(&item, 101, &next_week()).await;
        other.share(&[&bob]).await.assert_status(201);
        let (browser, proxy) = open_behind_proxy(&item, "").await;
        wait_for_count(&browser, 101).await;
        let sign_in =
            async |token: &str| browser.run("window.signedIn = arguments[0];", vec![token.into()]).await;
        sign_in(&item.token).await;
        let provider = "document.querySelector('my-shares').token = async () => window.signedIn;";
        browser.run(provider, vec![]).await;
        browser.click("label", "Select all").await;
        browser.press("Revoke Access").await;
        // A different user signs in during the first of two requests.
        let (notify_arrival, arrived) = oneshot::channel();
        let (resume, may_resume) = oneshot::channel();
        proxy.inject_once(&["method: POST", "/shares/revoke"], Fault::Pause(notify_arrival, may_resume));
        browser.press("Revoke 101 links").await;
        within_minutes(2, arrived).await.unwrap();
        sign_in(&other.token).await;
        if is_refreshed {
            browser.run("document.querySelector('my-shares').refresh();", vec![]).await;
            browser.wait_for("[data-key]", &bob).await;
        }
        resume.send(()).unwrap();
        browser.wait_for("[data-key]", &bob).await;
        // The list ignores the selection until the change has ended.
        eventually("a selection", async || {
            browser.click("label", "Select all").await;
            browser.find("[role=status]", "1 link selected").await
        })
        .await;
        assert_eq!(listed(&browser).await, [&*bob], "refreshed: {is_refreshed}");
        assert!(browser.find(".result p", "").await.is_none(), "the result is for the earlier user");
        let calls = proxy.take_calls(&["/shares/revoke"]);
        let sent = calls.iter().filter(|call| call.contains("method: POST")).count();
        assert_eq!(sent, 1, "refreshed: {is_refreshed}");
        assert_eq!((count(&item, "active").await, count(&other, "active").await), (1, 1));
        browser.quit().await;
    }
}
