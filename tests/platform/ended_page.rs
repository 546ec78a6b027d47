//! The page of a link that has ended, in a deployment that names the sharer.

use chrono::{TimeDelta, Utc};

use crate::support::{Stack, TestItem, address, send};

#[tokio::test]
async fn ended_page_names_the_sharer_and_nothing_else() {
    let (stack, clock) = Stack::with_clock().await;
    let item = TestItem::new(&stack).await;
    let expired = item.share_with(&address("ann")).await;
    let revoked = item.share_with(&address("bob")).await;
    item.revoke(&revoked.id).await;
    clock.stop_at(Utc::now() + TimeDelta::days(8));

    let page = stack.open(&revoked.link).await;
    let problem = send(stack.client.get(&revoked.link).header("Accept", "application/json")).await;

    page.assert_status(410);
    assert!(page.text.contains("ask <bdi translate=\"no\">Tess Tester</bdi>."), "{page:?}");
    // The form's address contains the link's own token.
    let shown = |page: &str, link: &str| page.replace(link.rsplit('/').next().unwrap(), "");
    let text = shown(&page.text, &revoked.link);
    assert_eq!(shown(&stack.open(&expired.link).await.text, &expired.link), text);
    problem.assert_problem(410, "access-ended");
    assert_eq!(problem.json()["sharer"], "Tess Tester");
    for word in ["tess@", "test-user", "ann", "bob", "brief", "jobs", "revoked", "expired"] {
        assert!(!text.contains(word) && !problem.text.contains(word), "{word}: {page:?} {problem:?}");
    }
}
