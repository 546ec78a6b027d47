//! The lists of all items' shares: complete, in order, and limited to what the caller may see now.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use serde_json::{Value, json};
use sharelink_aws::share_table::{Cursor, Page, Selection, ShareTable, StatusFilter};
use sharelink_aws::{Error, new_write_id};
use sharelink_domain::index_key::IndexKey;
use sharelink_domain::testing::{file, permitted};
use sharelink_domain::{Item, Share, Status};
use tokio::sync::oneshot;

use crate::support::events::{api_event, create_event, list_event};
use crate::support::fixtures::{RETENTION, job, now};
use crate::support::manager::{AUDITOR, JOBS_LEAD, Manager, User, admin, id_of, ids, producer, shared_by};
use crate::support::proxy::Fault;
use crate::support::{Aws, Stack, TestItem, World, address, eventually, send, unique};

/// The operation that reads an index.
const QUERY: &str = "DynamoDB_20120810.Query";

/// The operation that reads the shares of a page.
const BATCH: &str = "DynamoDB_20120810.BatchGetItem";

const NO_IDS: [String; 0] = [];

/// Returns an item in this module that no other test uses.
fn item_in(module: &str) -> Item {
    Item { module: module.parse().unwrap(), name: unique("item").parse().unwrap() }
}

/// Sorts shares as the lists do: newest first, then by id.
fn sort(shares: &mut [Share]) {
    shares.sort_by_key(|share| Reverse((share.created_at, share.id.to_string())));
}

/// Returns the ids of the expected shares, in the order of the lists.
fn expected_ids<'s>(shares: impl Iterator<Item = &'s Share>) -> Vec<String> {
    let mut shares: Vec<Share> = shares.cloned().collect();
    sort(&mut shares);
    ids(&shares)
}

/// Reads all pages of a list from the table.
async fn read_all(read: impl AsyncFn(Option<&Cursor>) -> Result<Page, Error>) -> Vec<String> {
    let (mut found, mut cursor) = (Vec::new(), None);
    loop {
        let page = read(cursor.as_ref()).await.unwrap();
        found.extend(ids(&page.shares));
        cursor = page.next;
        if cursor.is_none() {
            return found;
        }
    }
}

/// Many sharers, recipients and items; many shares are created in the same millisecond.
#[tokio::test]
async fn pages_equal_those_of_a_simple_model() {
    let stack = Stack::get().await;
    let emulator = Aws::new(&stack);
    let dynoxide = emulator.start_dynoxide().await;
    let key = IndexKey::new("the index key of this test, which has 32 bytes").unwrap();
    for config in [emulator.config(), &dynoxide] {
        let table = ShareTable::new(config, &stack.info.table_name);
        let now = now();
        let subs: Vec<_> = (0..3).map(|_| unique("sharer")).collect();
        let recipients: Vec<_> = (0..5).map(|_| address("ann")).collect();
        let mut shares = Vec::new();
        for i in 0..30 {
            let item = item_in(["jobs", "assets"][i % 2]);
            for (j, recipient) in recipients.iter().enumerate() {
                let at = now - TimeDelta::milliseconds(((i * 7 + j * 3) % 11).try_into().unwrap());
                let sub = &subs[(i * i + j) % subs.len()];
                let mut share = shared_by(sub, &item, at).recipient(recipient).build();
                if (i + j) % 4 == 0 {
                    share.revoked_at = Some(at);
                }
                let hashes = key.hashes(&share);
                table.create(permitted(&share), hashes, RETENTION, new_write_id().unwrap()).await.unwrap();
                shares.push(share);
            }
        }
        let in_jobs = |item: &Item| item.module.as_str() == "jobs";
        let has_odd_id = |share: &Share| share.id.to_bytes()[0] % 2 == 1;
        let selections = [
            (Selection::ALL, 7),
            (Selection { status: Some(StatusFilter::Active), ..Selection::ALL }, 20),
            (
                Selection { status: Some(StatusFilter::Inactive), includes_item: &in_jobs, ..Selection::ALL },
                1,
            ),
            (Selection { includes_share: Some(&has_odd_id), ..Selection::ALL }, 4),
            (Selection { includes_share: Some(&has_odd_id), includes_item: &in_jobs, ..Selection::ALL }, 100),
        ];
        for (selection, limit) in &selections {
            let is_selected = |share: &&Share| {
                let is_active = share.status(now) == Status::Active;
                (selection.includes_item)(&share.item)
                    && selection.includes_share.is_none_or(|includes| includes(share))
                    && selection.status.is_none_or(|status| is_active == (status == StatusFilter::Active))
            };
            for sub in &subs {
                let found = read_all(async |cursor| {
                    table.list_by_sharer(key.sharer(sub), selection, *limit, cursor, now).await
                });
                let is_expected = |share: &&Share| share.created_by.sub == *sub && is_selected(share);
                assert_eq!(found.await, expected_ids(shares.iter().filter(is_expected)), "{limit}");
            }
            for recipient in &recipients {
                let address = recipient.parse().unwrap();
                let found = read_all(async |cursor| {
                    table.list_by_recipient(key.recipient(&address), selection, *limit, cursor, now).await
                });
                let is_expected = |share: &&Share| share.recipient == address && is_selected(share);
                assert_eq!(found.await, expected_ids(shares.iter().filter(is_expected)), "{limit}");
            }
        }
    }
}

#[tokio::test]
async fn api_lists_new_shares_of_the_caller() {
    let stack = Stack::get().await;
    let sub = unique("sharer|\u{fc} ,#%+/=&");
    let claims = json!({"sub": sub, "accessRights": ["producer"]});
    let mut item = TestItem::new(&stack).await;
    item.token = stack.token_with_claims(&claims).await;
    let (first, second) = (address("ann"), address("bob"));
    item.share(&[&first]).await.assert_status(201);
    item.share(&[&second]).await.assert_status(201);
    let url = format!("{}/shares", stack.info.api_url);
    let get = async |token: &str, query: &[(&str, &str)]| {
        let url = reqwest::Url::parse_with_params(&url, query).unwrap();
        send(stack.client.get(url).bearer_auth(token)).await
    };

    let list = eventually("the index", || async {
        let list = get(&item.token, &[]).await.json()["shares"].as_array().unwrap().clone();
        (list.len() == 2).then_some(list)
    })
    .await;

    let recipients: Vec<_> = list.iter().map(|share| share["recipient"].as_str().unwrap()).collect();
    assert_eq!(recipients, [&second, &first]);
    assert_eq!((&list[0]["module"], &list[0]["item"]), (&json!("jobs"), &json!(item.name)));
    let auditor = stack.token(&["auditor"]).await;
    let by_sub = get(&auditor, &[("sharer", &sub)]).await.json();
    assert_eq!(by_sub["shares"].as_array().unwrap().len(), 2, "{by_sub}");
    let typed = format!(" <{}> ", first.to_uppercase());
    let by_recipient = get(&auditor, &[("recipient", &typed)]).await.json();
    assert_eq!(id_of(&by_recipient["shares"][0]), id_of(&list[1]));
    get(&item.token, &[("sharer", &sub)]).await.assert_problem(403, "manage-all-permission-missing");
    let request = stack.client.get(format!("{url}?limit=1")).header("Accept", "text/csv");
    let csv = send(request.bearer_auth(&item.token)).await;
    csv.assert_status(200);
    assert_eq!(csv.text.lines().count(), 2, "{csv:?}");
    assert!(csv.header("link").starts_with("<?limit=1&cursor="), "{csv:?}");
}

#[tokio::test]
async fn every_subject_has_its_own_list() {
    let stack = Stack::get().await;
    let world = World::new(&stack).await;
    let manager = Manager::new(&world).await;
    let subs = [
        "a",
        "A",
        "a#1",
        "a#0",
        " a",
        "a ",
        "a,b",
        "a\u{308}",
        "\u{e4}",
        "a|b",
        "%61",
        "a+b",
        "a\"b\\",
        "\u{1f600}",
        &"x".repeat(255),
    ];
    let shares: Vec<_> = subs.map(|sub| shared_by(sub, &item_in("jobs"), world.now()).build()).into();
    manager.store_all(&shares).await;
    for (sub, share) in subs.iter().zip(&shares) {
        let expected = ids(std::slice::from_ref(share));
        assert_eq!(manager.ids(producer(sub), &[]).await, expected, "{sub}");
        assert_eq!(manager.ids(AUDITOR, &[("sharer", sub)]).await, expected, "{sub}");
    }
}

#[tokio::test]
async fn every_form_of_an_address_finds_its_shares() {
    let stack = Stack::get().await;
    let world = World::new(&stack).await;
    let manager = Manager::new(&world).await;
    let share =
        |recipient: &str| shared_by("ann", &item_in("jobs"), world.now()).recipient(recipient).build();
    let shares = [share("Ann.Lee@B\u{fc}cher.example"), share("ann.lee@xn--bcher-kva.example")];
    manager.store_all(&shares).await;
    manager.store(&share("annlee@xn--bcher-kva.example")).await;
    for typed in [
        "ann.lee@b\u{fc}cher.example",
        "ANN.LEE@XN--BCHER-KVA.EXAMPLE",
        " ann.lee@bu\u{308}cher.example ",
        "<Ann.Lee@b\u{fc}cher.example>;",
        "mailto:ann.lee@b\u{fc}cher.example",
    ] {
        let found: BTreeSet<_> = manager.ids(AUDITOR, &[("recipient", typed)]).await.into_iter().collect();
        assert_eq!(found, ids(&shares).into_iter().collect(), "{typed}");
    }
}

#[tokio::test]
async fn creates_between_pages_change_no_page() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let manager = Manager::new(&world).await;
    let mut shares = Vec::new();
    for i in 0..40 {
        let at = world.now() - TimeDelta::milliseconds(i / 10);
        shares.push(shared_by("ann", &item_in("jobs"), at).recipient(&address("r")).build());
    }
    manager.store_all(&shares).await;
    let (mut seen, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let mut query = vec![("limit", "7")];
        query.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
        let page = manager.get(producer("ann"), &query).await.json();
        seen.extend(page["shares"].as_array().unwrap().iter().map(id_of));
        let Some(next) = page["nextCursor"].as_str() else { break };
        cursor = Some(next.to_owned());
        world.advance(TimeDelta::seconds(1));
        manager.store(&shared_by("ann", &item_in("jobs"), world.now()).build()).await;
    }
    assert_eq!(seen, expected_ids(shares.iter()));
}

#[tokio::test]
async fn only_modules_with_a_right_are_listed() {
    let stack = Stack::get().await;
    let world = World::new(&stack).await;
    let manager = Manager::new(&world).await;
    let recipient = address("ann");
    let share =
        |sub: &str, module: &str| shared_by(sub, &item_in(module), world.now()).recipient(&recipient).build();
    let mine = [share("ann", "jobs"), share("ann", "assets")];
    let others = [share("bob", "jobs"), share("bob", "assets")];
    manager.store_all(&mine).await;
    manager.store_all(&others).await;
    let list = async |user: User<'static>, query: &[(&str, &str)]| {
        let response = manager.get(user, query).await;
        if response.status != 200 {
            return Err(response.problem_type());
        }
        let shares = response.json()["shares"].as_array().unwrap().clone();
        Ok(shares.iter().map(id_of).collect::<BTreeSet<_>>())
    };
    let set = |shares: &[&Share]| -> Result<BTreeSet<String>, String> {
        Ok(shares.iter().map(|share| share.id.to_string()).collect())
    };
    let no_share = || Err("share-permission-missing".to_owned());
    let no_manage = || Err("manage-all-permission-missing".to_owned());
    let [jobs, assets] = &mine;
    let [other_jobs, other_assets] = &others;
    let user = |rights| User { sub: "ann", rights };

    // The caller's own shares.
    assert_eq!(list(admin("ann"), &[]).await, set(&[jobs, assets]));
    assert_eq!(list(producer("ann"), &[]).await, set(&[jobs]), "the right in assets was lost");
    assert_eq!(list(user(&["jobs-lead"]), &[]).await, set(&[jobs]), "may manage all");
    assert_eq!(list(user(&["auditor"]), &[("module", "assets")]).await, set(&[assets]));
    assert_eq!(list(producer("ann"), &[("module", "jobs")]).await, set(&[jobs]));
    assert_eq!(list(producer("ann"), &[("module", "assets")]).await, no_share());
    assert_eq!(list(user(&["viewer"]), &[]).await, no_share(), "no right at all");
    assert_eq!(list(producer("carl"), &[]).await, set(&[]), "no shares");

    // Everyone's shares.
    for query in [("recipient", recipient.as_str()), ("sharer", "bob")] {
        let all = |module: Option<&str>| {
            let is_listed = |share: &&&Share| {
                (query.0 == "recipient" || share.created_by.sub == "bob")
                    && module.is_none_or(|module| share.item.module.as_str() == module)
            };
            let shares = [jobs, assets, other_jobs, other_assets];
            set(&shares.iter().filter(is_listed).copied().collect::<Vec<_>>())
        };
        assert_eq!(list(AUDITOR, &[query]).await, all(None));
        assert_eq!(list(AUDITOR, &[query, ("module", "assets")]).await, all(Some("assets")));
        assert_eq!(list(JOBS_LEAD, &[query]).await, all(Some("jobs")));
        assert_eq!(list(JOBS_LEAD, &[query, ("module", "assets")]).await, no_manage());
        assert_eq!(list(admin("ann"), &[query]).await, no_manage(), "the Share permission is not enough");
        assert_eq!(list(user(&["viewer"]), &[query]).await, no_manage());
    }
    assert_eq!(list(admin("bob"), &[("sharer", "bob")]).await, no_manage(), "the caller's own id");
}

#[tokio::test]
async fn right_lost_between_two_pages_ends_the_list() {
    let stack = Stack::get().await;
    let world = World::new(&stack).await;
    let manager = Manager::new(&world).await;
    let share = |i: i64| {
        let module = ["jobs", "assets"][usize::try_from(i % 2).unwrap()];
        shared_by("ann", &item_in(module), world.now() - TimeDelta::seconds(i)).build()
    };
    let shares: Vec<_> = (0..8).map(share).collect();
    manager.store_all(&shares).await;
    let first = manager.get(admin("ann"), &[("limit", "2")]).await.json();
    assert_eq!(first["shares"].as_array().unwrap().len(), 2);
    let next = [("cursor", first["nextCursor"].as_str().unwrap())];
    let rest = manager.get(producer("ann"), &next).await.json();
    let modules: Vec<_> = rest["shares"].as_array().unwrap().iter().map(|share| &share["module"]).collect();
    assert_eq!(modules, ["jobs"; 3], "{rest}");
    let viewer = User { sub: "ann", rights: &["viewer"] };
    manager.get(viewer, &next).await.assert_problem(403, "share-permission-missing");
}

#[tokio::test]
async fn list_reflects_each_change_immediately() {
    let stack = Stack::get().await;
    let mut world = World::new(&stack).await;
    let manager = Manager::new(&world).await;
    let share = shared_by("ann", &item_in("jobs"), world.now()).build();
    manager.store(&share).await;
    let statuses = async || {
        let count = async |status| manager.ids(producer("ann"), &[("status", status)]).await.len();
        (count("active").await, count("inactive").await)
    };
    assert_eq!(statuses().await, (1, 0));
    world.revoke(&share).await;
    assert_eq!(statuses().await, (0, 1), "revoked");
    world.expire_in(&share, TimeDelta::hours(1)).await;
    assert_eq!(statuses().await, (1, 0), "reactivated");
    world.renew(&share, false).await;
    assert_eq!(statuses().await, (1, 0), "renewed");
    world.advance(TimeDelta::hours(1));
    assert_eq!(statuses().await, (0, 1), "expired");
    world.lose(&share).await;
    assert_eq!(statuses().await, (0, 0), "purged");
}

/// Holds the read of the shares until `change` is done, after the index was read.
async fn list_while(
    world: &World<'_>,
    manager: &Manager,
    user: User<'_>,
    query: &[(&str, &str)],
    change: impl Future<Output = ()>,
) -> Vec<String> {
    let (reached, is_reached) = oneshot::channel();
    let (release, is_released) = oneshot::channel();
    world.dynamodb.inject_once(&[BATCH], Fault::Pause(reached, is_released));
    let change = async {
        is_reached.await.unwrap();
        change.await;
        release.send(()).unwrap();
    };
    let (list, ()) = futures_util::future::join(manager.get(user, query), change).await;
    list.json()["shares"].as_array().unwrap().iter().map(id_of).collect()
}

#[tokio::test]
async fn outdated_index_entry_shows_no_share() {
    let stack = Stack::get().await;
    let world = World::new(&stack).await;
    let manager = Manager::new(&world).await;
    let item = item_in("jobs");
    let share = shared_by("ann", &item, world.now()).build();
    manager.store(&share).await;
    let revoke = world.revoke(&share);
    let found = list_while(&world, &manager, producer("ann"), &[("status", "active")], revoke).await;
    assert_eq!(found, NO_IDS, "revoked in between");

    let replace = async {
        world.lose(&share).await;
        manager.store(&shared_by("bob", &item, world.now()).build()).await;
    };
    let found = list_while(&world, &manager, producer("ann"), &[], replace).await;
    assert_eq!(found, NO_IDS, "purged, and created again by another sharer");
    assert_eq!(manager.ids(producer("bob"), &[]).await, ids(std::slice::from_ref(&share)));

    let later = world.now() + TimeDelta::milliseconds(1);
    let replace = async {
        world.lose(&share).await;
        manager.store(&shared_by("bob", &item, later).build()).await;
    };
    let found = list_while(&world, &manager, producer("bob"), &[], replace).await;
    assert_eq!(found, NO_IDS, "created again later, at another position");
}

#[tokio::test]
async fn shares_are_found_by_text() {
    let stack = Stack::get().await;
    let world = World::new(&stack).await;
    let manager = Manager::new(&world).await;
    let build = |name: &str, recipient: &str, title: &str, file_name: &str| {
        let item = job(&unique(name));
        let share = shared_by("ann", &item, world.now()).recipient(recipient).title(title);
        share.files(vec![file(file_name)]).build()
    };
    let spring = build("spring", "bea@acme.example", "Campaign", "brief.pdf");
    let tracks = build("autumn", "carl@b\u{fc}cher.example", "\u{c4}rger", "Footage, 1+1.mov");
    manager.store_all(&[spring.clone(), tracks.clone()]).await;
    for (text, expected) in [
        ("SPRING", vec![&spring]),
        ("acme", vec![&spring]),
        ("campaign", vec![&spring]),
        ("\u{e4}RGER", vec![&tracks]),
        ("b\u{fc}cher", vec![&tracks]),
        ("footage, 1+1", vec![&tracks]),
        ("example", vec![&spring, &tracks]),
        (" ", vec![&spring, &tracks]),
        ("jobs", vec![]),
    ] {
        let found = manager.ids(producer("ann"), &[("q", text)]).await;
        assert_eq!(found, expected_ids(expected.into_iter()), "{text}");
    }
}

/// A rare text among 1,100 shares, and a module without shares that the caller may see: pages are short or
/// empty, and no page reads everything.
#[tokio::test]
async fn page_reads_a_limited_number_of_shares() {
    let stack = Stack::get().await;
    let world = World::new(&stack).await;
    let manager = Manager::new(&world).await;
    let recipient = "eve@example.com";
    let at = |i: i64| world.now() - TimeDelta::milliseconds(i);
    let mut shares: Vec<_> =
        (0..1_100).map(|i| shared_by("ann", &item_in("jobs"), at(i)).recipient(recipient).build()).collect();
    let rare = shared_by("ann", &job(&unique("needle")), at(1_050)).recipient(recipient).build();
    shares.push(rare.clone());
    manager.store_all(&shares).await;
    world.dynamodb.take_call_count(&[""]);
    let pages = manager.pages(producer("ann"), &[("q", "NEEDLE"), ("limit", "1")]).await;
    let calls = world.dynamodb.take_call_count(&[QUERY, BATCH]);
    let sizes: Vec<_> = pages.iter().map(Vec::len).collect();
    assert!(pages.len() >= 3 && sizes.iter().sum::<usize>() == 1, "{sizes:?}");
    assert!(calls < 80, "{calls}");
    assert_eq!(pages.concat().iter().map(id_of).collect::<Vec<_>>(), ids(&[rare]));
    assert_eq!(manager.ids(producer("ann"), &[("limit", "100")]).await, expected_ids(shares.iter()));
}

#[tokio::test]
async fn cursor_reveals_no_share_that_the_caller_may_not_see() {
    let stack = Stack::get().await;
    let world = World::new(&stack).await;
    let manager = Manager::new(&world).await;
    let recipient = "eve@example.com";
    let share = |module: &str, i: i64| {
        let at = world.now() - TimeDelta::milliseconds(i / 3);
        shared_by("ann", &item_in(module), at).recipient(recipient).build()
    };
    let hidden: Vec<_> = (0..4_200).map(|i| share("assets", i)).collect();
    let visible = share("jobs", 20_000);
    manager.store_all(&hidden).await;
    manager.store(&visible).await;
    let query = [("recipient", recipient)];
    let first = manager.get(JOBS_LEAD, &query).await.json();
    assert_eq!(first["shares"], json!([]), "the page ends after a limited number of entries");
    let cursor = first["nextCursor"].as_str().unwrap();
    let position = String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).unwrap()).unwrap();
    assert!(position.ends_with(&format!("#{}", "0".repeat(32))), "the position contains a share's id");
    let second = manager.get(JOBS_LEAD, &[query[0], ("cursor", cursor)]).await.json();
    assert_eq!(second["shares"].as_array().unwrap().iter().map(id_of).collect::<Vec<_>>(), ids(&[visible]));
    assert_eq!(second.get("nextCursor"), None);
}

#[tokio::test]
async fn invalid_parameters_are_reported() {
    let stack = Stack::get().await;
    let world = World::new(&stack).await;
    let manager = Manager::new(&world).await;
    let log_cursor = URL_SAFE_NO_PAD.encode("2030-03-10T12:00:00.000Z#877fab806afa6fcb1a85617f9ffe0709.1.1");
    let long = "a".repeat(257);
    for (name, value) in [
        ("status", "expired"),
        ("status", ""),
        ("module", "a/b"),
        ("module", ""),
        ("limit", "0"),
        ("limit", "101"),
        ("limit", "ten"),
        ("cursor", ""),
        ("cursor", "x"),
        ("cursor", &log_cursor),
        ("recipient", "ann"),
        ("recipient", ""),
        ("recipient", "a@example.com,b@example.com"),
        ("sharer", ""),
        ("sharer", &long),
        ("q", &long),
    ] {
        manager.get(AUDITOR, &[(name, value)]).await.assert_invalid(&[name]);
    }
    let both = [("recipient", "ann@example.com"), ("sharer", "bob")];
    manager.get(AUDITOR, &both).await.assert_invalid(&["sharer"]);
}

#[tokio::test]
async fn cursor_of_another_list_shows_only_the_callers_shares() {
    let stack = Stack::get().await;
    let world = World::new(&stack).await;
    let manager = Manager::new(&world).await;
    let item = item_in("jobs");
    let share = |sub: &str, i: i64| {
        shared_by(sub, &item, world.now() - TimeDelta::seconds(i)).recipient(&address("r")).build()
    };
    let (ann, bob): (Vec<_>, Vec<_>) = (0..4).map(|i| (share("ann", 2 * i), share("bob", 2 * i + 1))).unzip();
    manager.store_all(&ann).await;
    manager.store_all(&bob).await;
    let first = manager.get(AUDITOR, &[("sharer", "bob"), ("limit", "2")]).await.json();
    let cursor = first["nextCursor"].as_str().unwrap();
    assert_eq!(manager.ids(producer("ann"), &[("cursor", cursor)]).await, ids(&ann[2..]));
}

#[tokio::test]
async fn csv_has_a_row_for_each_share_and_a_link_to_the_next_page() {
    let stack = Stack::get().await;
    let world = World::new(&stack).await;
    let manager = Manager::new(&world).await;
    let share = |i: i64| {
        let at = world.now() - TimeDelta::seconds(i);
        let share = shared_by("=ann", &item_in("jobs"), at).recipient(&format!("+{i}@example.com"));
        share.title("=HYPERLINK(\"https://evil.example\")").files(vec![file("-1.pdf")]).build()
    };
    let shares: Vec<_> = (0..5).map(share).collect();
    manager.store_all(&shares).await;
    let mut query: HashMap<String, String> =
        [("sharer", "=ann"), ("limit", "2"), ("q", "example.com")].map(|(k, v)| (k.into(), v.into())).into();
    let mut rows = Vec::new();
    loop {
        let query_pairs: Vec<_> = query.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let page = manager.get_csv(AUDITOR, &query_pairs).await;
        page.assert_status(200);
        assert_eq!(page.header("content-type"), "text/csv; charset=utf-8; header=present");
        let text = page.text.strip_prefix('\u{feff}').unwrap();
        rows.extend(text.trim_end().split("\r\n").skip(1).map(str::to_owned));
        let Some(link) = page.headers.get("link") else { break };
        let link = link.to_str().unwrap().strip_suffix(">; rel=\"next\"").unwrap().strip_prefix('<').unwrap();
        let url = reqwest::Url::parse("https://api.example.com/shares").unwrap().join(link).unwrap();
        query = url.query_pairs().into_owned().collect();
    }
    let found: Vec<_> = rows.iter().map(|row| row.rsplit('"').nth(1).unwrap().to_owned()).collect();
    assert_eq!(found, ids(&shares));
    for row in rows {
        for formula in ["\"=", "\"+", "\"-", "\"@"] {
            assert!(!row.contains(&format!(",{formula}")), "{row}");
        }
        assert!(row.contains("\"'=HYPERLINK(\"\"https://evil.example\"\")\""), "{row}");
    }
    let empty = manager.get_csv(AUDITOR, &[("sharer", "nobody")]).await;
    assert_eq!(empty.text.lines().count(), 1, "{empty:?}");
    assert_eq!(empty.header("link"), "");
    manager
        .get_csv(producer("ann"), &[("sharer", "=ann")])
        .await
        .assert_problem(403, "manage-all-permission-missing");
}

#[tokio::test]
async fn dynamodb_faults_lose_no_share() {
    let stack = Stack::get().await;
    let world = World::new(&stack).await;
    let manager = Manager::new(&world).await;
    let shares: Vec<_> = (0..12)
        .map(|i| {
            let at = world.now() - TimeDelta::seconds(i);
            shared_by("ann", &item_in("jobs"), at).recipient(&address("r")).build()
        })
        .collect();
    manager.store_all(&shares).await;
    world.dynamodb.throttle(2, &[QUERY]);
    world.dynamodb.lose_responses(1, &[QUERY]);
    world.dynamodb.throttle(1, &[BATCH]);
    assert_eq!(manager.ids(producer("ann"), &[("limit", "5")]).await, ids(&shares));
    assert_eq!(world.dynamodb.pending_faults(), 0);
    world.dynamodb.throttle(1_000, &["bySharer"]);
    let failed = manager.get(producer("ann"), &[]).await;
    failed.assert_problem(503, "temporarily-unavailable");
}

#[tokio::test]
async fn missing_index_key_fails_only_what_needs_it() {
    let stack = Stack::get().await;
    let world = World::with_variables(&stack, &[("INDEX_KEY_SECRET", "none")]).await;
    world.upload().await;
    let share = world.share(&address("ann"), TimeDelta::days(7)).await;
    let manage = world.new_function("ManageShares").await;
    let list = list_event(&world.item);
    assert_eq!(manage.invoke(&list).await.unwrap()["statusCode"], 200, "an item's list");
    let all = api_event("GET /shares", &json!({}), &Value::Null);
    assert_eq!(manage.invoke(&all).await.unwrap()["statusCode"], 500, "a list by the index");
    let create = world.new_function("CreateShares").await;
    let event = create_event(&world.item, &[address("bob")], world.now());
    assert_eq!(create.invoke(&event).await.unwrap()["statusCode"], 500);
    assert!(world.read(&share).await.is_some());
}

/// The other units of a create: the share, its entry in `byCreated`, and its pending email in `outbox`.
#[tokio::test]
async fn indexes_cost_a_create_two_write_units() {
    let stack = Stack::get().await;
    let world = World::new(&stack).await;
    world.upload().await;
    let recipient = address("ann");
    let create = world.new_function("CreateShares").await;
    let event = create_event(&world.item, std::slice::from_ref(&recipient), world.now());
    assert_eq!(create.invoke(&event).await.unwrap()["statusCode"], 201);
    let [put] = world.dynamodb.take_calls(&["DynamoDB_20120810.PutItem"]).try_into().unwrap();

    // Repeat the write, and ask for its units.
    let mut request: Value = serde_json::from_str(&put[put.find("{\"TableName\"").unwrap()..]).unwrap();
    let (item, entry) = (&request["Item"]["item"]["S"], &request["Item"]["entry"]["S"]);
    world.aws().delete_row(item.as_str().unwrap(), entry.as_str().unwrap()).await;
    request["ReturnConsumedCapacity"] = "INDEXES".into();
    let response = world.aws().call("dynamodb", "DynamoDB_20120810.PutItem", &request).await;

    let consumed = &response["ConsumedCapacity"];
    assert_eq!(consumed["CapacityUnits"], 5.0, "{consumed}");
    for index in ["bySharer", "byRecipient"] {
        assert_eq!(consumed["GlobalSecondaryIndexes"][index]["CapacityUnits"], 1.0, "{consumed}");
    }
}
