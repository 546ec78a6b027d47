//! The whole conversation between a sharer and a recipient: a share, a reminder, a request for more time, and
//! the notices to the sharer.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::browser::{Browser, DESKTOP};
use crate::page::{Page, downloaded_file, wait_for_event};
use crate::site::{self, ORIGIN, evaluate};
use crate::support::{Aws, Email, Stack, TestItem, address, emails_to, eventually, rfc3339, unique};

const GERMAN: &str = "<body lang=de></body>";

/// Notices are gathered for ten minutes.
const NOTICES_SENT_AFTER: TimeDelta = TimeDelta::minutes(15);

/// Creates an item whose sharer has an address that no other test uses.
async fn item_of<'a>(stack: &'a Stack, sharer: &str) -> TestItem<'a> {
    let claims = json!({
        "sub": unique("sharer"), "name": "Tess Tester", "email": sharer, "accessRights": ["producer"],
    });
    TestItem { token: stack.token_with_claims(&claims).await, ..TestItem::new(stack).await }
}

/// Runs the function that sends overdue emails, as the schedule does every minute.
async fn run_schedule(stack: &Stack) {
    let event = json!({
        "version": "0", "id": "53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa", "detail-type": "Scheduled Event",
        "source": "aws.events", "account": "123456789012", "time": "2030-03-10T12:00:00Z",
        "region": "us-east-1", "resources": [], "detail": {},
    });
    Aws::new(stack).invoke("NotifyRecipients", &event).await;
}

/// Waits until an address has this many emails, and returns the last one.
async fn wait_for_emails(stack: &Stack, address: &str, count: usize) -> Email {
    eventually(&format!("email {count} to {address}"), async || {
        run_schedule(stack).await;
        let mut emails = emails_to(stack, address).await;
        assert!(emails.len() <= count, "{} emails to {address}", emails.len());
        (emails.len() == count).then(|| emails.pop().unwrap())
    })
    .await
}

fn time(value: &Value) -> DateTime<Utc> {
    value.as_str().unwrap().parse().unwrap()
}

/// Opens a dialog on a German page of the platform, whose clock shows `now`.
async fn open_dialog(browser: &Browser, now: DateTime<Utc>, element: &str, options: &str) {
    browser.set_clock(&rfc3339(now)).await;
    evaluate(browser, "load()").await;
    let script = format!(
        "const dialog = document.createElement('{element}');
         Object.assign(dialog, {{ module: 'jobs', item: arguments[0] }});
         document.body.append(dialog);
         dialog.open({options});"
    );
    let item = evaluate(browser, "document.body.dataset.item").await;
    browser.run(&script, vec![item]).await;
}

/// Asserts that a notice leads the sharer to the platform and never to the files.
fn assert_contains_no_link_to_files(notice: &Email) {
    for text in [&notice.subject, &notice.text, &notice.html] {
        assert!(!text.contains("/s/"), "{text}");
    }
}

#[tokio::test]
async fn reminded_recipient_asks_for_more_time_and_gets_it() {
    let (stack, clock) = Stack::with_clock().await;
    let (ann, tess) = (address("ann"), address("tess"));
    let item = item_of(&stack, &tess).await;
    let html = GERMAN.replace("<body", "<body data-item={item}");
    let start = Utc::now();
    clock.stop_at(start);

    // The sharer shares for a week, in German.
    let sharer = Page { browser: site::open(&item, DESKTOP, &html).await };
    let browser = &sharer.browser;
    open_dialog(browser, start, "share-dialog", "").await;
    browser.wait_for(".files label", "brief.pdf").await;
    browser.enter("Empfänger", &format!("{ann},")).await;
    browser.press("1 Woche").await;
    browser.click("summary", "Weitere Optionen").await;
    assert_eq!(browser.selected("Sprache der E-Mail").await, "Deutsch");
    browser.select("Erinnerung, wenn nichts heruntergeladen wurde", "1 Tag vor dem Ablauf").await;
    browser.click("label", "Beim ersten Download eines Empfängers benachrichtigen").await;
    browser.click(".primary", "Teilen").await;
    browser.wait_for("h2", "Mit einem Empfänger geteilt").await;
    let first = item.wait_for_email(&ann).await;
    assert!(first.html.contains("lang=\"de\""), "{}", first.html);
    let id = item.get("").await.json()["shares"][0]["shareId"].as_str().unwrap().to_owned();
    let share = item.get_share(&id).await;
    assert_eq!(share["language"], "de");
    assert_eq!(share["notifyOnFirstDownload"], true);
    assert_eq!(share["reminder"]["state"], "planned");
    let (due, expiry) = (time(&share["reminder"]["at"]), time(&share["expiresAt"]));
    assert_eq!(expiry - due, TimeDelta::days(1));
    // A later share with the same end, whose recipient does not ask.
    let bob = address("bob");
    let body = json!({"recipients": [bob], "expiresAt": rfc3339(expiry), "notify": false});
    item.post(&body).await.assert_status(201);

    // The reminder arrives a day before the end, with the same link.
    clock.stop_at(due - TimeDelta::minutes(1));
    run_schedule(&stack).await;
    assert_eq!(emails_to(&stack, &ann).await.len(), 1, "the reminder is not due yet");
    clock.stop_at(due + TimeDelta::minutes(2));
    let reminder = wait_for_emails(&stack, &ann, 2).await;
    assert_eq!(reminder.link(), first.link());
    assert_eq!(item.get_share(&id).await["reminder"]["state"], "sent");

    // After the end, the recipient asks for more time.
    clock.stop_at(expiry + TimeDelta::hours(1));
    let recipient = Browser::start(DESKTOP).await;
    recipient.open(&first.link()).await;
    recipient.click("form[action$=more-time] button", "").await;
    eventually("the request", async || {
        (item.get_share(&id).await["moreTime"]["isOpen"] == true).then_some(())
    })
    .await;
    wait_for_event(&item, "moreTimeRequested").await;
    recipient.quit().await;

    // The sharer gets one notice, ten minutes later.
    assert!(emails_to(&stack, &tess).await.is_empty(), "notices are gathered first");
    let later = expiry + TimeDelta::hours(1) + NOTICES_SENT_AFTER;
    clock.stop_at(later);
    let notice = wait_for_emails(&stack, &tess, 1).await;
    assert!(notice.text.contains(&ann), "{}", notice.text);
    assert_contains_no_link_to_files(&notice);

    // It leads to the share, which is marked and first. Changing the expiration sends no email.
    site::show(browser, ORIGIN, &item, &html).await;
    open_dialog(browser, later, "link-access-dialog", &format!("{{ shareId: '{id}' }}")).await;
    browser.wait_for("[role=tab][aria-selected=true]", "Inaktiv 2").await;
    browser.wait_for("li.marked .badge", "Bittet um mehr Zeit").await;
    let first_row = browser.wait_for("li[data-share]", "").await.text().await.unwrap();
    assert!(first_row.contains(&ann), "{first_row}");
    browser.assert_accessible("a request for more time").await;
    sharer.press_in_row(&ann, "Ablauf ändern").await;
    browser.press("1 Woche").await;
    browser.press("Speichern").await;
    browser.wait_for(".status", &format!("{ann} hat Zugriff bis")).await;
    browser.wait_for("[role=tab]", "Inaktiv 1").await;
    assert_eq!(item.get_share(&id).await["moreTime"]["isOpen"], false);
    run_schedule(&stack).await;
    assert_eq!(emails_to(&stack, &ann).await.len(), 2, "the change should be silent");

    // One press more sends the link again.
    browser.press("Link erneut senden").await;
    browser.wait_for(".status", &format!("Eine weitere E-Mail an {ann} ist unterwegs.")).await;
    browser.wait_until_gone("button", "Link erneut senden").await;
    let again = wait_for_emails(&stack, &ann, 3).await;
    assert_eq!(again.link(), first.link());

    // The recipient downloads the file, and the sharer gets one notice.
    let recipient = Browser::start(DESKTOP).await;
    recipient.open(&again.link()).await;
    assert_eq!(recipient.downloaded().await, downloaded_file("brief.pdf"));
    recipient.quit().await;
    wait_for_event(&item, "downloaded").await;
    clock.stop_at(later + NOTICES_SENT_AFTER);
    let notice = wait_for_emails(&stack, &tess, 2).await;
    assert!(notice.text.contains(&ann), "{}", notice.text);
    assert_contains_no_link_to_files(&notice);

    browser.press("Verlauf").await;
    for event in ["Erinnerung gesendet", "hat um mehr Zeit gebeten", "Zugriff reaktiviert", "heruntergeladen"]
    {
        browser.wait_for(".log li", event).await;
    }
    sharer.browser.quit().await;
}
