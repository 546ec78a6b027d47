//! Notices to sharers, gathered in one email.

use chrono::TimeDelta;
use futures_util::future::join;
use serde_json::json;
use sharelink_aws::new_write_id;
use sharelink_domain::access::{DownloadError, Target};
use sharelink_domain::delivery::{Bounce, DeliveryEvent, EmailId};
use sharelink_domain::history::{FailedDownload, LinkUse};
use sharelink_domain::link::Link;
use sharelink_domain::notices::NoticeKinds;
use sharelink_domain::{Share, Sharer};

use crate::support::fixtures::{index_hashes, share_builder};
use crate::support::proxy::Fault;
use crate::support::{Stack, World, address, emails_to, unique};

/// Returns a sharer to whom no other test sends notices.
pub(crate) fn new_sharer() -> Sharer {
    Sharer { sub: unique("sharer"), name: None, email: Some(address("tess").parse().unwrap()) }
}

/// Stores a share of this sharer, whose email is pending.
pub(crate) async fn shared_by(world: &World<'_>, sharer: &Sharer) -> Share {
    let builder = share_builder(&world.item, TimeDelta::days(30), world.now()).sharer(sharer.clone());
    let builder = builder.notify(true).notify_on_first_download();
    world.store(builder.recipient(&address("bob")).build()).await
}

/// Applies SES's report that a share's email bounced.
pub(crate) async fn bounce(world: &World<'_>, share: &Share) {
    let event = DeliveryEvent::Bounced(Bounce::new("Permanent", "NoEmail"));
    let decide = |current: &Share| current.with_delivery_report(&EmailId::of(share), event, world.now());
    let applied = world.table.apply_report(&share.item, share.id, new_write_id().unwrap(), decide);
    assert!(applied.await.unwrap());
}

async fn download(world: &World<'_>, share: &Share) {
    let link = Link { item: share.item.clone(), share: share.id, generation: share.generation };
    let link_use = LinkUse { id: new_write_id().unwrap(), at: world.now(), source: None };
    world.table.redeem(&link, Target::Link, &link_use).await.unwrap();
}

async fn digests(stack: &Stack, sharer: &Sharer) -> Vec<crate::support::Email> {
    emails_to(stack, sharer.email.as_ref().unwrap().as_str()).await
}

/// Records that the link's last download failed.
async fn fail_download(world: &World<'_>, share: &Share) {
    let link = Link { item: share.item.clone(), share: share.id, generation: share.generation };
    let usage = world.read(share).await.unwrap().usage;
    let failed = FailedDownload {
        id: usage.last_id.unwrap(),
        at: world.now(),
        error: DownloadError::Archived,
        number: Some(usage.download_attempts()),
        source: None,
    };
    world.table.record_failed_download(&link, &failed).await.unwrap();
}

/// Lets the time pass until the digest is sent.
async fn send_digest(world: &mut World<'_>) {
    world.run_sweep().await;
    world.run_minutes(12).await;
}

async fn notice_rows(world: &World<'_>, share: &Share) -> usize {
    let key = format!("NOTICES#{}", index_hashes(share).sharer);
    world.aws().rows(&key).await.len()
}

#[tokio::test]
async fn digest_says_what_happened_and_leads_to_the_platform() {
    let stack = Stack::get().await;
    let url = "https://platform.example/{module}/{item}?share={share}";
    let mut world = World::with_variables(&stack, &[("PLATFORM_URL", url)]).await;
    let sharer = new_sharer();
    let bounced = shared_by(&world, &sharer).await;
    let downloaded = shared_by(&world, &sharer).await;
    world.run_notify().await;
    bounce(&world, &bounced).await;
    download(&world, &downloaded).await;
    download(&world, &downloaded).await;
    world.run_sweep().await;
    world.run_minutes(9).await;
    assert_eq!(digests(&stack, &sharer).await.len(), 0, "gathered for ten minutes");
    world.run_minutes(3).await;

    let emails = digests(&stack, &sharer).await;
    assert_eq!(emails.len(), 1);
    let email = &emails[0];
    assert_eq!(email.subject, "2 notices about files that you shared");
    for share in [&bounced, &downloaded] {
        let page = format!("https://platform.example/{}?share={}", share.item, share.id);
        assert!(email.html.contains(&page) && email.text.contains(&page), "{}", email.text);
        assert!(email.text.contains(share.recipient.as_str()), "{}", email.text);
    }
    assert!(email.text.contains("The address does not exist.\nCheck the address"), "{}", email.text);
    assert!(!email.text.contains("/s/") && !email.html.contains("/s/"), "a link to the files");
    assert_eq!(notice_rows(&world, &bounced).await, 0);
    world.run_minutes(30).await;
    assert_eq!(digests(&stack, &sharer).await.len(), 1);
}

#[tokio::test]
async fn cause_that_is_delivered_twice_is_noticed_once() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let sharer = new_sharer();
    let both = [shared_by(&world, &sharer).await, shared_by(&world, &sharer).await];
    for share in &both {
        bounce(&world, share).await;
    }
    let records = world.records().await;
    world.sweep_forwards_and_backwards(&records).await;
    world.sweep_forwards_and_backwards(&records).await;
    let row = world.aws().json_rows(&format!("NOTICES#{}", index_hashes(&both[0]).sharer)).await.remove(0);
    assert_eq!(row["noticeCount"], json!({"N": "2"}));
    assert_eq!(row["notices"]["L"].as_array().unwrap().len(), 2);
    let text = row.to_string();
    assert!(!text.contains('@'), "the row names no one: {text}");
    send_digest(&mut world).await;
    assert_eq!(digests(&stack, &sharer).await.len(), 1);
}

#[tokio::test]
async fn lost_responses_and_throttling_neither_lose_nor_double_a_notice() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let sharer = new_sharer();
    let share = shared_by(&world, &sharer).await;
    bounce(&world, &share).await;
    world.dynamodb.lose_responses(2, &["TransactWriteItems"]);
    world.dynamodb.throttle(5, &["TransactWriteItems"]);
    world.run_sweep().await;
    assert_eq!(world.dynamodb.pending_faults(), 0);
    assert_eq!(world.log_events(share.id).await, ["created", "emailed", "bounced"]);
    send_digest(&mut world).await;
    let emails = digests(&stack, &sharer).await;
    assert_eq!(emails.len(), 1);
    assert!(emails[0].subject.starts_with("The email could not be delivered"), "{}", emails[0].subject);
}

#[tokio::test]
async fn thousand_bounces_in_a_minute_are_one_email() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let sharer = new_sharer();
    for _ in 0..1_000 {
        let share = shared_by(&world, &sharer).await;
        bounce(&world, &share).await;
    }
    send_digest(&mut world).await;
    world.run_minutes(30).await;
    let emails = digests(&stack, &sharer).await;
    assert_eq!(emails.len(), 1);
    assert_eq!(emails[0].subject, "1000 notices about files that you shared");
    assert!(emails[0].text.contains("And 980 more."), "{}", emails[0].text);
}

#[tokio::test]
async fn each_sharer_gets_a_digest() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let sharers = [new_sharer(), new_sharer()];
    for sharer in &sharers {
        let share = shared_by(&world, sharer).await;
        bounce(&world, &share).await;
    }
    world.run_sweep().await;
    world.advance(TimeDelta::minutes(11));
    let another = world.new_function("NotifyRecipients").await;
    let event = json!({"detail-type": "Scheduled Event"});
    let (first, second) = join(world.run_schedule(), another.invoke(&event)).await;
    assert!(first.is_ok() && second.is_ok());
    for sharer in &sharers {
        assert_eq!(digests(&stack, sharer).await.len(), 1);
    }
}

/// The digest waits as long as an email does, and then contains everything that happened until then.
#[tokio::test]
async fn digest_survives_a_two_day_ses_outage() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let sharer = new_sharer();
    let first = shared_by(&world, &sharer).await;
    world.run_notify().await;
    bounce(&world, &first).await;
    world.run_sweep().await;
    world.ses.set_fault_policy(|_| Some(Fault::Disconnect));
    for hour in 0..48 {
        world.advance(TimeDelta::hours(1));
        world.run_schedule().await.unwrap();
        if hour == 20 {
            let second = shared_by(&world, &sharer).await;
            bounce(&world, &second).await;
            world.run_sweep().await;
        }
    }
    assert_eq!(digests(&stack, &sharer).await.len(), 0);
    world.ses.clear_faults();
    world.run_minutes(65).await;
    let emails = digests(&stack, &sharer).await;
    assert_eq!(emails.len(), 1);
    assert_eq!(emails[0].subject, "2 notices about files that you shared");
}

#[tokio::test]
async fn switched_off_notices_are_not_sent() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let sharer = new_sharer();
    let share = shared_by(&world, &sharer).await;
    let wanted = NoticeKinds { email_problem: false, ..NoticeKinds::ALL };
    let key = index_hashes(&share).sharer;
    world.table.save_notice_settings(key, wanted).await.unwrap();
    bounce(&world, &share).await;
    world.run_sweep().await;
    assert_eq!(world.log_events(share.id).await, ["created", "emailed", "bounced"]);
    assert_eq!(notice_rows(&world, &share).await, 0, "switched off before");

    world.table.save_notice_settings(key, NoticeKinds::ALL).await.unwrap();
    let another = shared_by(&world, &sharer).await;
    bounce(&world, &another).await;
    world.run_sweep().await;
    assert_eq!(notice_rows(&world, &another).await, 1);
    world.table.save_notice_settings(key, wanted).await.unwrap();
    send_digest(&mut world).await;
    assert_eq!(digests(&stack, &sharer).await.len(), 0, "switched off since");
    assert_eq!(notice_rows(&world, &another).await, 0);

    let mut world = World::with_variables(&stack, &[("NOTICES", "moreTime")]).await;
    let share = shared_by(&world, &sharer).await;
    bounce(&world, &share).await;
    world.run_sweep().await;
    assert_eq!(world.log_events(share.id).await, ["created", "emailed", "bounced"]);
    assert_eq!(notice_rows(&world, &share).await, 0, "switched off by the deployment");
}

#[tokio::test]
async fn unwanted_notices_do_not_crowd_out_the_others() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let sharer = new_sharer();
    let downloaded = shared_by(&world, &sharer).await;
    let wanted = NoticeKinds { email_problem: false, ..NoticeKinds::ALL };
    world.table.save_notice_settings(index_hashes(&downloaded).sharer, wanted).await.unwrap();
    for _ in 0..25 {
        let share = shared_by(&world, &sharer).await;
        bounce(&world, &share).await;
    }
    download(&world, &downloaded).await;
    send_digest(&mut world).await;
    let emails = digests(&stack, &sharer).await;
    assert_eq!(emails.len(), 1);
    assert!(emails[0].subject.contains(downloaded.recipient.as_str()), "{}", emails[0].subject);
    assert!(!emails[0].text.contains(" more."), "{}", emails[0].text);
}

#[tokio::test]
async fn download_after_a_failed_one_is_noticed_as_the_first() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let sharer = new_sharer();
    let share = shared_by(&world, &sharer).await;
    world.run_notify().await;
    download(&world, &share).await;
    fail_download(&world, &share).await;
    send_digest(&mut world).await;
    assert_eq!(digests(&stack, &sharer).await.len(), 0, "the download failed");
    for _ in 0..3 {
        download(&world, &share).await;
    }
    send_digest(&mut world).await;
    download(&world, &share).await;
    send_digest(&mut world).await;
    let emails = digests(&stack, &sharer).await;
    assert_eq!(emails.len(), 1);
    assert!(emails[0].subject.contains(share.recipient.as_str()), "{}", emails[0].subject);
}

/// A share that was purged while a notice about it waited, and that another sharer created again.
#[tokio::test]
async fn notice_does_not_tell_of_the_share_of_another_sharer() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let (former, current) = (new_sharer(), new_sharer());
    let share = shared_by(&world, &former).await;
    bounce(&world, &share).await;
    world.run_sweep().await;
    world.lose(&share).await;
    world.advance(TimeDelta::minutes(1));
    let again = Share { created_at: world.now(), created_by: current.clone(), ..share };
    let again = world.store(again).await;
    bounce(&world, &again).await;
    send_digest(&mut world).await;
    assert_eq!(digests(&stack, &former).await.len(), 0);
    assert_eq!(digests(&stack, &current).await.len(), 1);
}

#[tokio::test]
async fn purge_of_a_share_with_a_pending_email_is_not_noticed() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let share = shared_by(&world, &new_sharer()).await;
    world.lose(&share).await;
    world.run_sweep().await;
    let mut events = world.log_events(share.id).await;
    events.sort_unstable();
    assert_eq!(events, ["created", "mailFailed", "purged"]);
    assert_eq!(notice_rows(&world, &share).await, 0);
}

#[tokio::test]
async fn purged_and_resent_shares_are_left_out() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let sharer = new_sharer();
    let [purged, resent] = [shared_by(&world, &sharer).await, shared_by(&world, &sharer).await];
    for share in [&purged, &resent] {
        bounce(&world, share).await;
    }
    world.run_sweep().await;
    world.lose(&purged).await;
    world.advance(TimeDelta::minutes(6));
    world.resend(&resent).await;
    world.run_notify().await;
    world.run_minutes(10).await;
    assert_eq!(digests(&stack, &sharer).await.len(), 0);
    assert_eq!(notice_rows(&world, &resent).await, 0);
}

#[tokio::test]
async fn sharer_without_an_address_gets_no_notices() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let sharer = Sharer { email: None, ..new_sharer() };
    let share = shared_by(&world, &sharer).await;
    bounce(&world, &share).await;
    world.run_sweep().await;
    assert_eq!(notice_rows(&world, &share).await, 0);
}
