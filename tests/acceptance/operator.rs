//! The operator's commands that list, change and export shares.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use chrono::TimeDelta;
use serde_json::{Value, json};
use sharelink_domain::log::{LogEntry, LogEvent};
use sharelink_domain::notices::NoticeKinds;
use sharelink_domain::{Share, Sharer};

use crate::support::events::create_event;
use crate::support::fixtures::{new_item, share_builder};
use crate::support::operator::{Operator, Report};
use crate::support::proxy::Fault;
use crate::support::{Stack, World, address, rfc3339, unique};

const WEEK: TimeDelta = TimeDelta::days(7);

fn user(sub: &str) -> Sharer {
    Sharer { sub: sub.to_owned(), name: None, email: None }
}

/// Stores shares with new recipients, one from each sharer.
async fn share_by(world: &World<'_>, operator: &Operator, subs: &[&str]) -> Vec<Share> {
    let mut shares = Vec::new();
    for sub in subs {
        let share =
            share_builder(&world.item, WEEK, world.now()).recipient(&address("ann")).sharer(user(sub));
        let share = share.build();
        operator.store(world, &share).await;
        shares.push(share);
    }
    shares
}

/// Returns the paths of the shares in a list, in its order.
fn listed(report: &Report) -> Vec<String> {
    assert!(report.is_success, "{report:?}");
    report.output.lines().skip(1).map(|line| line.split('\t').next().unwrap().to_owned()).collect()
}

fn path(share: &Share) -> String {
    format!("{}/{}", share.item, share.id)
}

async fn is_revoked(world: &World<'_>, share: &Share) -> bool {
    world.read(share).await.unwrap().revoked_at.is_some()
}

#[tokio::test]
async fn list_finds_shares_by_every_condition() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let operator = Operator::new(&world).await;
    let [u1, u2] = [unique("u1"), unique("u2")];
    let early = share_by(&world, &operator, &[&u1, &u2]).await;
    world.advance(TimeDelta::hours(1));
    let late = share_by(&world, &operator, &[&u1]).await;
    let elsewhere = share_builder(&new_item(), WEEK, world.now()).recipient(early[0].recipient.as_str());
    let elsewhere = elsewhere.sharer(user(&u2)).build();
    operator.store(&world, &elsewhere).await;
    world.revoke(&early[0]).await;
    let spelling = early[0].recipient.as_str().to_uppercase();
    let item = world.item.to_string();
    let since = rfc3339(world.now());
    let [first, second, third, fourth] = [&early[0], &early[1], &late[0], &elsewhere].map(path);

    for (arguments, expected) in [
        (vec!["--sharer", &u1], vec![&third, &first]),
        (vec!["--recipient", &spelling], vec![&fourth, &first]),
        (vec!["--recipient", &spelling, "--sharer", &u1], vec![&first]),
        (vec!["--recipient", &spelling, "--item", &item], vec![&first]),
        (vec!["--sharer", &u1, "--since", &since], vec![&third]),
        (vec!["--sharer", &u1, "--status", "active"], vec![&third]),
        (vec!["--sharer", &u1, "--status", "inactive"], vec![&first]),
        (vec!["--sharer", &u1, "--module", "other"], vec![]),
        (vec!["--share", &second, "--share", &first], vec![&second, &first]),
        (vec!["--sharer", "nobody"], vec![]),
    ] {
        let report = operator.run_on_shares("list", &arguments).await;
        assert_eq!(listed(&report).iter().collect::<Vec<_>>(), expected, "{arguments:?}");
    }
    let of_item = listed(&operator.run_on_shares("list", &["--item", &item]).await);
    assert_eq!(BTreeSet::from_iter(&of_item), BTreeSet::from([&first, &second, &third]));
}

#[tokio::test]
async fn invalid_arguments_are_explained() {
    let stack = Stack::get().await;
    let world = World::new(&stack).await;
    let operator = Operator::new(&world).await;
    for (command, arguments, part) in [
        ("list", vec![], "name the shares"),
        ("revoke", vec!["--module", "jobs"], "name the shares"),
        ("list", vec!["--share", "jobs/1042"], "is not a share"),
        ("list", vec!["--recipient", "ann"], "is not an email address"),
        ("list", vec!["--share", "jobs/1042/877fab806afa6fcb1a85617f9ffe0709"], "does not exist"),
        ("extend", vec!["--item", "jobs/1", "--until", "2030-03-10"], "--until"),
        ("extend", vec!["--item", "jobs/1", "--until", "2030-03-09T12:00:00Z"], "--until"),
        ("revoke", vec!["--item", "jobs/1", "--by", "a\tb"], "--by"),
    ] {
        let report = operator.run_on_shares(command, &arguments).await;
        assert!(!report.is_success && report.errors.contains(part), "{command} {arguments:?}: {report:?}");
    }
    let nobody = operator.run_on_people("erase", &[]).await;
    assert!(!nobody.is_success && nobody.errors.contains("name --recipient or --sharer"), "{nobody:?}");
    let no_key = operator.run(&["list", "--table", "t", "--sharer", "u1"]).await;
    assert!(!no_key.is_success && no_key.errors.contains("require --index-key"), "{no_key:?}");
}

#[tokio::test]
async fn revoke_ends_what_a_sharer_gave_away_in_a_rogue_hour() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let operator = Operator::new(&world).await;
    let [u1, u2] = [unique("u1"), unique("u2")];
    let before = share_by(&world, &operator, &[&u1]).await;
    world.advance(TimeDelta::hours(1));
    let since = rfc3339(world.now());
    let rogue = share_by(&world, &operator, &[u1.as_str(); 120]).await;
    let others = share_by(&world, &operator, &[&u2]).await;
    world.revoke(&rogue[0]).await;
    let first_revocation = world.read(&rogue[0]).await;
    let arguments = ["--sharer", &u1, "--since", &since, "--by", "opal"];

    let dry_run = operator.run_on_shares("revoke", &[arguments.as_slice(), &["--dry-run"]].concat()).await;
    assert_eq!((dry_run.number("shares revoked"), dry_run.number("left as they are")), (119, 1));
    assert!(!is_revoked(&world, &rogue[1]).await);

    let revoked = operator.run_on_shares("revoke", &arguments).await;
    assert!(revoked.is_success, "{revoked:?}");
    assert_eq!((revoked.number("shares revoked"), revoked.number("left as they are")), (119, 1));
    for share in &rogue {
        assert!(is_revoked(&world, share).await);
    }
    assert_eq!(world.read(&rogue[0]).await, first_revocation);
    assert!(!is_revoked(&world, &before[0]).await && !is_revoked(&world, &others[0]).await);

    let again = operator.run_on_shares("revoke", &arguments).await;
    assert_eq!((again.number("shares revoked"), again.number("left as they are")), (0, 120));
    world.run_sweep().await;
    let page = world.log.list(&world.item, 100, None).await.unwrap();
    let opal = Some(Sharer::operator("opal"));
    let is_by_operator = |entry: &LogEntry| entry.event == LogEvent::Revoked && entry.by == opal;
    assert!(page.entries.iter().any(is_by_operator), "the log does not show who revoked");
    assert_eq!(world.read(&rogue[1]).await.unwrap().changed.unwrap().action.by, Sharer::operator("opal"));
}

#[tokio::test]
async fn revoked_share_keeps_its_retention() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let operator = Operator::new(&world).await;
    let shares = share_by(&world, &operator, &[&unique("u1")]).await;
    world.advance(TimeDelta::hours(1));
    let recipient = shares[0].recipient.as_str();
    assert!(operator.run_on_shares("revoke", &["--recipient", recipient]).await.is_success);
    let row = &world.aws().rows(&world.item.to_string()).await[0];
    let expected = (world.now() + crate::support::fixtures::RETENTION).timestamp().to_string();
    assert_eq!(row["ttl"].as_n().unwrap(), &expected);
    assert_eq!(world.read(&shares[0]).await.unwrap().changed.unwrap().action.by, Sharer::operator("opal"));
}

#[tokio::test]
async fn failed_revocations_are_reported_and_repeated() {
    let stack = Stack::get().await;
    let world = World::new(&stack).await;
    let operator = Operator::new(&world).await;
    let sub = unique("u1");
    let shares = share_by(&world, &operator, &[sub.as_str(); 5]).await;
    let denied = || Some(Fault::Respond(400, "AccessDeniedException", "not allowed"));
    world.dynamodb.inject(2, &["UpdateItem"], denied);

    let failed = operator.run_on_shares("revoke", &["--sharer", &sub]).await;

    assert!(!failed.is_success && failed.errors.contains("run the command again"), "{failed:?}");
    assert_eq!((failed.number("shares revoked"), failed.number("because of an error")), (3, 2));
    let repeated = operator.run_on_shares("revoke", &["--sharer", &sub]).await;
    assert!(repeated.is_success);
    assert_eq!(repeated.number("shares revoked"), 2);
    for share in &shares {
        assert!(is_revoked(&world, share).await);
    }
}

#[tokio::test]
async fn extend_prolongs_only_what_would_end_earlier() {
    let stack = Stack::get().await;
    let world = World::new(&stack).await;
    let operator = Operator::new(&world).await;
    let sub = unique("u1");
    let shares = share_by(&world, &operator, &[sub.as_str(); 3]).await;
    world.expire_in(&shares[1], TimeDelta::days(60)).await;
    world.revoke(&shares[2]).await;
    let before = [world.read(&shares[1]).await, world.read(&shares[2]).await];
    let until = rfc3339(world.now() + TimeDelta::days(30));
    let extend = ["--sharer", &sub, "--until", &until];

    let extended = operator.run_on_shares("extend", &extend).await;

    assert!(extended.is_success, "{extended:?}");
    assert_eq!((extended.number("shares extended"), extended.number("left as they are")), (1, 2));
    assert_eq!(rfc3339(world.read(&shares[0]).await.unwrap().expires_at), until);
    assert_eq!([world.read(&shares[1]).await, world.read(&shares[2]).await], before);

    let reactivated =
        operator.run_on_shares("extend", &[extend.as_slice(), &["--reactivate"]].concat()).await;
    assert_eq!(reactivated.number("shares extended"), 1);
    let share = world.read(&shares[2]).await.unwrap();
    assert_eq!((share.revoked_at, rfc3339(share.expires_at)), (None, until));
}

#[tokio::test]
async fn export_has_everything_about_a_recipient_and_no_link() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let operator = Operator::new(&world).await;
    let (recipient, other) = (address("Erik"), address("bob"));
    world.upload().await;
    let create = world.new_function("CreateShares").await;
    let event = create_event(&world.item, &[recipient.clone(), other.clone()], world.now());
    assert_eq!(create.invoke(&event).await.unwrap()["statusCode"], 201);
    world.run_notify().await;
    let [link] = world.links_to(&recipient).await.try_into().unwrap();
    let erik = Sharer { sub: "erik".into(), name: None, email: Some(recipient.parse().unwrap()) };
    let mention = share_builder(&world.item, WEEK, world.now()).recipient(&address("carl")).sharer(erik);
    let mention = mention.message(&format!("ask {recipient}")).build();
    operator.store(&world, &mention).await;
    for (sub, first_download) in [("erik", false), ("tess", true)] {
        let wanted = NoticeKinds { first_download, ..NoticeKinds::ALL };
        world.table.save_notice_settings(operator.index_key.sharer(sub), wanted).await.unwrap();
    }
    world.run_sweep().await;
    operator.send_report(&world, &json!({"requestPayload": {"destination": [recipient]}})).await;
    operator.send_report(&world, &json!({"requestPayload": {"destination": [other]}})).await;
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(unique("export"));
    let name = file.to_str().unwrap();

    let report =
        operator.run_on_people("export", &["--recipient", &recipient.to_lowercase(), "--output", name]).await;

    assert!(report.is_success, "{report:?}");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let text = std::fs::read_to_string(&file).unwrap();
    let again = operator.run_on_people("export", &["--recipient", &recipient, "--output", name]).await;
    assert!(!again.is_success && again.errors.contains("cannot be created"), "{again:?}");
    let printed = operator.run_on_people("export", &["--recipient", &recipient]).await;
    std::fs::remove_file(&file).unwrap();
    let export: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(export, serde_json::from_str::<Value>(&printed.output).unwrap());
    let shares = export["shares"].as_array().unwrap();
    assert_eq!(shares.len(), 1);
    assert_eq!(shares[0]["recipient"], recipient);
    assert_eq!(shares[0]["expiresAt"], (world.now() + WEEK).to_rfc3339());
    let events: Vec<&Value> =
        export["logEntries"].as_array().unwrap().iter().map(|entry| &entry["event"]).collect();
    assert_eq!(events, ["created", "emailed"]);
    let mentions: Vec<&Value> =
        export["mentions"].as_array().unwrap().iter().map(|mention| &mention["attributes"]).collect();
    assert_eq!(mentions, [&json!(["createdBy", "message"]), &json!(["by"])]);
    assert_eq!(export["hasCounters"], true);
    assert_eq!(export["noticeSettings"].as_array().unwrap().len(), 1);
    assert_eq!(export["noticeSettings"][0]["firstDownload"], false);
    assert_eq!(export["failedReports"].as_array().unwrap().len(), 1);
    // Neither the link nor what it is made of.
    let share = &world.table.get(&world.item, shares[0]["shareId"].as_str().unwrap().parse().unwrap()).await;
    let generation = share.as_ref().unwrap().as_ref().unwrap().generation.to_string();
    let token = link.rsplit('/').next().unwrap();
    assert!(!text.contains(&generation) && !text.contains(token) && !text.contains("linkKeyId"), "{text}");
    assert!(!text.contains(&other), "the export names another recipient");
    // The export changes nothing: all reports are still there.
    assert_eq!(operator.take_reports(&world).await.len(), 2);
}

/// The actions that a policy allows.
fn allowed(policy: &str) -> BTreeSet<String> {
    let policy: Value = serde_json::from_str(policy).unwrap();
    let statements = policy["Statement"].as_array().unwrap().iter();
    let allow = statements.filter(|statement| statement["Effect"] == "Allow");
    let actions = allow.flat_map(|statement| statement["Action"].as_array().unwrap().clone());
    actions.map(|action| action.as_str().unwrap().to_owned()).collect()
}

macro_rules! policy {
    ($name:literal) => {
        allowed(include_str!(concat!("../../infra/operator-policy/", $name, ".json")))
    };
}

/// Returns the actions of these commands, which must have succeeded.
fn actions_of(world: &World<'_>, operator: &Operator, reports: &[Report]) -> BTreeSet<String> {
    assert!(reports.iter().all(|report| report.is_success), "{reports:?}");
    operator.take_actions(world)
}

/// Runs every command, and compares its calls to AWS with its policy in `infra/operator-policy`.
#[tokio::test]
async fn policies_allow_exactly_what_the_commands_do() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let operator = Operator::new(&world).await;
    let [u1, u2] = [unique("u1"), unique("u2")];
    let shares = share_by(&world, &operator, &[&u1, &u2, &u2]).await;
    let item = world.item.to_string();
    let recipient = shares[0].recipient.as_str().to_owned();
    let until = rfc3339(world.now() + TimeDelta::days(30));
    world.upload().await;
    let create = world.new_function("CreateShares").await;
    let event = create_event(&world.item, &[recipient.to_uppercase(), address("bob")], world.now());
    create.invoke(&event).await.unwrap();
    world.run_sweep().await;
    operator.send_report(&world, &json!({"destination": [recipient]})).await;
    operator.send_report(&world, &json!({"destination": ["bob@example.com"]})).await;
    operator.take_actions(&world);

    let listed = vec![
        operator.run_on_shares("list", &["--recipient", &recipient]).await,
        operator.run_on_shares("list", &["--share", &path(&shares[0])]).await,
        operator.run_on_shares("list", &["--item", &item]).await,
    ];
    assert_eq!(actions_of(&world, &operator, &listed), policy!("list"));
    let changed = vec![
        operator.run_on_shares("extend", &["--item", &item, "--until", &until]).await,
        operator.run_on_shares("revoke", &["--sharer", &u2]).await,
        operator.run_on_shares("revoke", &["--share", &path(&shares[0])]).await,
    ];
    assert_eq!(actions_of(&world, &operator, &changed), policy!("change"));
    let switched = vec![operator.switch_sharer("off", &u1).await, operator.switch_sharer("on", &u1).await];
    assert_eq!(actions_of(&world, &operator, &switched), policy!("switch"));
    let exported = vec![operator.run_on_people("export", &["--recipient", &recipient]).await];
    assert_eq!(actions_of(&world, &operator, &exported), policy!("export"));

    let backup = world.aws().back_up(&item).await;
    world.advance(TimeDelta::minutes(1));
    // The row changes while the erasure edits it, so that it reads the row again.
    let conflict = Fault::Respond(400, "ConditionalCheckFailedException", "the row has changed");
    world.dynamodb.inject_once(&["UpdateItem", "sharerKey"], conflict);
    let erase = ["--recipient", &recipient, "--sharer", &u2, "--revoke"];
    let erased = vec![operator.run_on_people("erase", &erase).await];
    assert_eq!(actions_of(&world, &operator, &erased), policy!("erase"));

    world.lose(&shares[1]).await;
    world.run_sweep().await;
    for row in world.aws().log_rows(&item).await {
        world.aws().delete_log_row(&item, row["entry"].as_s().unwrap()).await;
    }
    world.advance(TimeDelta::minutes(1));
    operator.take_actions(&world);
    let restored = operator.restore(&backup, &["--trust-backup", "--item", &item]).await;
    assert!(restored.number("shares restored in their last known state") >= 1, "{restored:?}");
    let everything = operator.restore(&backup, &["--trust-backup"]).await;
    // Only a restored table has earlier erasures, which the command copies.
    let mut expected = policy!("restore");
    expected.remove("dynamodb:UpdateItem");
    assert_eq!(actions_of(&world, &operator, &[restored, everything]), expected);
}

/// Returns whether a string matches an IAM pattern, which may end with `*`.
fn matches(pattern: &str, text: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == text, |prefix| text.starts_with(prefix))
}

/// Returns whether a policy allows an action on the rows of the table of shares with this partition key.
fn is_allowed(policy: &str, action: &str, key: &str) -> bool {
    let policy: Value = serde_json::from_str(policy).unwrap();
    let has = |values: &Value, text: &str| {
        values.as_array().unwrap().iter().any(|value| matches(value.as_str().unwrap(), text))
    };
    let applies = |statement: &&Value| {
        let conditions = statement["Condition"].as_object();
        let concerns_key = |(operator, condition): (&String, &Value)| match operator.as_str() {
            "ForAllValues:StringLike" | "ForAnyValue:StringLike" => {
                has(&condition["dynamodb:LeadingKeys"], key)
            }
            // Every one of these requests has a key.
            "Null" => condition["dynamodb:LeadingKeys"] == "false",
            other => panic!("{other}"),
        };
        has(&statement["Action"], action)
            && has(&statement["Resource"], "arn:aws:dynamodb:{Region}:{AccountId}:table/{StackName}-Table-1")
            && conditions.is_none_or(|conditions| conditions.iter().all(concerns_key))
    };
    let statements = policy["Statement"].as_array().unwrap();
    let mut effects = statements.iter().filter(applies).map(|statement| &statement["Effect"]).peekable();
    effects.peek().is_some() && effects.all(|effect| effect == "Allow")
}

#[test]
fn policies_protect_switches_and_erasures() {
    macro_rules! writes {
        ($name:literal, $key:literal) => {
            ["PutItem", "UpdateItem", "DeleteItem"].map(|operation| {
                let policy = include_str!(concat!("../../infra/operator-policy/", $name, ".json"));
                is_allowed(policy, &format!("dynamodb:{operation}"), $key)
            })
        };
    }
    const NONE: [bool; 3] = [false; 3];
    assert_eq!(writes!("list", "SWITCHES"), NONE);
    assert_eq!(writes!("export", "SWITCHES"), NONE);
    assert_eq!(writes!("change", "SWITCHES"), NONE);
    assert_eq!(writes!("erase", "SWITCHES"), NONE);
    // From a backup, if the table has none.
    assert_eq!(writes!("restore", "SWITCHES"), [true, false, false]);
    assert_eq!(writes!("switch", "SWITCHES"), [true, false, false]);

    assert_eq!(writes!("change", "ERASED#1f"), NONE);
    assert_eq!(writes!("erase", "ERASED#1f"), [false, true, false], "recorded, never deleted");
    assert_eq!(writes!("switch", "ERASED#1f"), NONE);

    assert_eq!(writes!("change", "jobs/1042"), [false, true, false]);
    assert_eq!(writes!("erase", "jobs/1042"), [false, true, true]);
    assert_eq!(writes!("restore", "jobs/1042"), [true, true, false]);
    assert_eq!(writes!("switch", "jobs/1042"), NONE);
}

#[test]
fn operations_notes_describe_every_command() {
    let notes = include_str!("../../infra/operations.md");
    for command in ["list", "revoke", "extend", "erase", "export", "restore", "switch"] {
        assert!(notes.contains(&format!("cargo operator {command}")), "{command}");
    }
    for policy in ["list", "change", "erase", "export", "restore", "switch"] {
        assert!(notes.contains(&format!("operator-policy/{policy}.json")), "{policy}");
    }
}
