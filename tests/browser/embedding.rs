//! Pages that treat the elements in ways that they do not expect.

use serde_json::{Value, json};
use thirtyfour::Key;

use crate::browser::{Browser, DESKTOP, Device, PHONE};
use crate::frameworks;
use crate::site::{self, INSECURE_ORIGIN, ORIGIN, console, evaluate};
use crate::support::{Proxy, Stack, TestItem, address, eventually};

/// Waits until an expression has a value.
async fn wait_until(browser: &Browser, expression: &str, expected: Value) {
    eventually(&format!("{expression} to be {expected}"), async || {
        (evaluate(browser, expression).await == expected).then_some(())
    })
    .await;
}

/// Opens the Share dialog of the button with this id.
async fn open_dialog(browser: &Browser, button: &str) {
    browser.click(&format!("share-button#{button}"), "").await;
    browser.wait_for(".files label", "").await;
}

/// An expression for the message in the open Share dialog.
const MESSAGE: &str = "[...document.querySelectorAll('share-dialog')].find(({ isOpen }) => isOpen)\
                       ?.shadowRoot.querySelector('textarea').value";

// --- Properties ---

#[tokio::test]
async fn properties_set_before_upgrade_are_kept() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let viewer = stack.token(&["viewer"]).await;
    let html = format!(
        r"<body><share-button id='early' action='manage'></share-button><share-button id='late'></share-button>
        <script>
          Object.assign(early, {{
            module: 'jobs', item: '{{item}}', name: 'Spring', action: undefined, token: async () => {viewer:?},
          }});
        </script></body>"
    );
    let browser = site::open(&item, DESKTOP, &html).await;
    evaluate(&browser, "load()").await;
    evaluate(&browser, "Object.assign(late, { module: 'jobs', item: early.item })").await;
    browser.wait_for("share-button#late", "Share").await;
    let attributes = "early.getAttributeNames().map((name) => [name, early.getAttribute(name)])";
    wait_until(&browser, "early.hidden", json!(true)).await;
    let kept = evaluate(&browser, attributes).await;
    for (name, value) in [("module", "jobs"), ("item", item.name.as_str()), ("name", "Spring")] {
        assert!(kept.as_array().unwrap().contains(&json!([name, value])), "{kept}");
    }
    assert_eq!(evaluate(&browser, "early.action").await, json!("share"));

    // The setter was not hidden: another user's token takes effect.
    evaluate(&browser, "early.token = tokenOf").await;
    browser.wait_for("share-button#early", "Share").await;
    evaluate(&browser, "early.item = 1042").await;
    assert_eq!(evaluate(&browser, "[early.item, early.getAttribute('item')]").await, json!(["1042", "1042"]));
    evaluate(&browser, "early.item = null").await;
    assert_eq!(evaluate(&browser, "[early.item, early.hasAttribute('item')]").await, json!(["", false]));
    browser.quit().await;
}

#[tokio::test]
async fn buttons_with_own_token_providers_share_one_request() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let browser = site::open(&item, DESKTOP, "<body></body>").await;
    let script = r"
        for (let i = 0; i < 30; i += 1) {
          const button = document.createElement('share-button');
          Object.assign(button, { module: 'jobs', item: `row-${i}`, token: async () => tokenOf() });
          document.body.append(button);
        }
    ";
    evaluate(&browser, "load()").await;
    browser.run(script, vec![]).await;
    wait_until(&browser, "document.querySelectorAll('share-button:not([hidden])').length", json!(30)).await;
    let render = "for (const button of document.querySelectorAll('share-button')) \
                  button.token = async () => tokenOf();";
    browser.run(render, vec![]).await;
    evaluate(&browser, "document.body.append(...document.querySelectorAll('share-button'))").await;
    // A request for a button that is added later would follow any earlier request.
    browser
        .run(
            "document.body.append(Object.assign(document.createElement('share-button'), \
                 { id: 'last', module: 'jobs', item: 'last' }));",
            vec![],
        )
        .await;
    browser.wait_for("#last", "Share").await;
    assert_eq!(browser.count_requests("/share-permissions", 2).await, 2);
    browser.quit().await;
}

// --- Dialogs outlive their buttons ---

#[tokio::test]
async fn dialog_outlives_a_menu_that_unmounts() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let html = r"<body><main></main><script>
        const heard = [];
        document.addEventListener('sharelink-shared', ({ target }) => heard.push(target.localName));
        function showMenu() {
          const menu = document.createElement('menu');
          menu.innerHTML = '<share-button id=entry module=jobs item={item}></share-button>';
          menu.addEventListener('click', () => menu.remove());
          menu.addEventListener('sharelink-closed', () => heard.push('menu'));
          document.querySelector('main').replaceChildren(menu);
        }
        </script></body>";
    let browser = site::open(&item, DESKTOP, html).await;
    evaluate(&browser, "load()").await;
    evaluate(&browser, "showMenu()").await;
    open_dialog(&browser, "entry").await;
    assert_eq!(evaluate(&browser, "document.querySelector('menu')").await, json!(null));
    browser.enter("Recipients", &address("ann")).await;
    browser.press("Share").await;
    browser.wait_for("h2", "Shared with 1 recipient").await;
    browser.press("Share with others").await;
    browser.enter("Message", "a draft").await;
    browser.press("Cancel").await;
    wait_until(&browser, "heard", json!(["share-dialog", "menu"])).await;
    evaluate(&browser, "showMenu()").await;
    open_dialog(&browser, "entry").await;
    assert_eq!(evaluate(&browser, MESSAGE).await, json!("a draft"));
    assert_eq!(console(&browser).await, [""; 0]);
    browser.quit().await;
}

#[tokio::test]
async fn open_dialog_keeps_its_item() {
    let stack = Stack::get().await;
    let (item, other) = (TestItem::new(&stack).await, TestItem::new(&stack).await);
    let html = "<body><share-dialog id=dialog module=jobs item={item}></share-dialog></body>";
    let browser = site::open(&item, DESKTOP, html).await;
    evaluate(&browser, "load()").await;
    evaluate(&browser, "dialog.open()").await;
    browser.wait_for(".files label", "").await;
    browser.enter("Recipients", &address("ann")).await;
    browser.run("dialog.item = arguments[0];", vec![other.name.as_str().into()]).await;
    browser.press("Share").await;
    browser.wait_for("h2", "Shared with 1 recipient").await;
    assert_eq!(item.get("").await.json()["shares"].as_array().unwrap().len(), 1);
    assert_eq!(other.get("").await.json()["shares"], json!([]));
    browser.quit().await;
}

#[tokio::test]
async fn input_is_discarded_when_the_user_changes() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let user =
        async |sub: &str| stack.token_with_claims(&json!({"sub": sub, "accessRights": ["producer"]})).await;
    let (ann, bob) = (user("ann").await, user("bob").await);
    let html = format!(
        "<body><share-button id=first module=jobs item={{item}}></share-button><main></main><script>
        let user = {ann:?};
        const kept = first;
        const add = () => {{
          document.querySelector('main').innerHTML =
            '<share-button id=second module=jobs item={{item}}></share-button>';
        }};
        </script></body>"
    );
    let browser = site::open(&item, DESKTOP, &html).await;
    evaluate(&browser, "load({ api, token: async () => user })").await;
    let write = async |text: &str| {
        browser.enter("Message", text).await;
        browser.press("Cancel").await;
        browser.wait_until_gone("dialog", "").await;
    };

    // The page replaces the button. Another user signs in, and no element knows.
    evaluate(&browser, "add()").await;
    open_dialog(&browser, "second").await;
    write("Ann's text").await;
    browser.run("user = arguments[0]; kept.remove(); add();", vec![bob.clone().into()]).await;
    open_dialog(&browser, "second").await;
    assert_eq!(evaluate(&browser, MESSAGE).await, json!(""));
    write("Bob's text").await;

    // `refresh` on any button discards the input of buttons that are no longer on the page.
    let script = "document.body.prepend(kept); second.remove(); kept.refresh(); add();";
    browser.run(script, vec![]).await;
    open_dialog(&browser, "second").await;
    assert_eq!(evaluate(&browser, MESSAGE).await, json!(""));
    browser.quit().await;
}

/// A page that signs in one user. `user` is the token.
const USER: &str =
    "<body><main><share-button id=button module=jobs item={item} name=Spring></share-button></main>
    <share-button id=manage action=manage module=jobs item={item}></share-button>
    <script>let user = '{token}'; const closed = [];
    addEventListener('sharelink-closed', ({ target }) => closed.push(target.id));</script></body>";

/// The number of dialogs in the page, after the browser has rendered several frames.
const DIALOGS: &str = "(async () => {
    for (let i = 0; i < 5; i += 1) await new Promise(requestAnimationFrame);
    return document.querySelectorAll('share-dialog, link-access-dialog').length;
})()";

#[tokio::test]
async fn refresh_closes_open_dialogs() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let browser = site::open(&item, DESKTOP, USER).await;
    evaluate(&browser, "load()").await;
    open_dialog(&browser, "button").await;
    browser.enter("Message", "unsent").await;
    evaluate(&browser, "button.refresh()").await;
    assert_eq!(evaluate(&browser, DIALOGS).await, json!(0));
    wait_until(&browser, "closed", json!(["button"])).await;

    open_dialog(&browser, "button").await;
    assert_eq!(evaluate(&browser, MESSAGE).await, json!(""));
    browser.enter("Recipients", &address("ann")).await;
    browser.press("Share").await;
    browser.press("Manage").await;
    browser.wait_for("h2", "Manage Link Access Spring").await;
    evaluate(&browser, "button.refresh()").await;
    assert_eq!(evaluate(&browser, DIALOGS).await, json!(0));
    wait_until(&browser, "closed.length", json!(3)).await;
    assert_eq!(console(&browser).await, [""; 0]);
    browser.quit().await;
}

#[tokio::test]
async fn open_dialog_refuses_the_token_of_another_user() {
    const EXPLANATION: &str = "You are now signed in as a different user";
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let claims = json!({"sub": "bob", "accessRights": ["producer"]});
    let bob: Value = stack.token_with_claims(&claims).await.into();
    let browser = site::open(&item, DESKTOP, USER).await;
    evaluate(&browser, "load({ api, token: async () => user })").await;
    open_dialog(&browser, "button").await;
    browser.enter("Recipients", &address("ann")).await;
    browser.enter("Message", "Ann's text").await;
    browser.run("window.ann = user; user = arguments[0];", vec![bob.clone()]).await;
    browser.press("Share").await;
    browser.wait_for(".banner", EXPLANATION).await;
    browser.wait_for_focus("Close").await;
    browser.assert_accessible("a different user").await;
    browser.send_keys(Key::Escape + "").await;
    browser.wait_until_gone("dialog", "").await;
    assert_eq!(evaluate(&browser, DIALOGS).await, json!(0));
    assert_eq!(item.get("").await.json()["shares"], json!([]));

    open_dialog(&browser, "button").await;
    assert_eq!(evaluate(&browser, MESSAGE).await, json!(""));
    browser.enter("Recipients", &address("ann")).await;
    browser.press("Share").await;
    browser.wait_for("h2", "Shared with 1 recipient").await;
    assert_eq!(item.get("").await.json()["shares"][0]["createdBy"]["sub"], json!("bob"));

    // Manage Link Access, opened from the results, belongs to the same user.
    browser.press("Manage").await;
    browser.press("Revoke Access").await;
    browser.run("user = ann;", vec![]).await;
    browser.click(".panel button", "Yes").await;
    browser.wait_for(".banner", EXPLANATION).await;
    browser.send_keys(Key::Escape + "").await;
    browser.wait_until_gone("dialog", "").await;
    assert_eq!(evaluate(&browser, DIALOGS).await, json!(0));
    assert_eq!(item.get("").await.json()["shares"][0]["status"], json!("active"));

    // A dialog that the page has placed remains, but without the previous user's input.
    let place = "document.querySelector('main').innerHTML = \
                 `<share-dialog id=placed module=jobs item=${button.item}></share-dialog>`; placed.open();";
    browser.run(place, vec![]).await;
    browser.wait_for(".files label", "").await;
    browser.enter("Message", "Ann's text").await;
    browser.press("Cancel").await;
    browser.wait_until_gone("h2", "").await;
    browser.run("user = arguments[0]; placed.open();", vec![bob]).await;
    browser.wait_for(".banner", EXPLANATION).await;
    browser.press("Close").await;
    browser.wait_until_gone("h2", "").await;
    evaluate(&browser, "placed.open()").await;
    browser.wait_for(".files label", "").await;
    assert_eq!(evaluate(&browser, MESSAGE).await, json!(""));
    assert_eq!(console(&browser).await, [""; 0]);
    browser.quit().await;
}

#[tokio::test]
async fn open_dialog_remains_modal_after_a_move() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let html = "<body><main></main><share-dialog id=dialog module=jobs item={item}></share-dialog></body>";
    let browser = site::open(&item, DESKTOP, html).await;
    evaluate(&browser, "load()").await;
    evaluate(&browser, "dialog.open()").await;
    browser.wait_for(".files label", "").await;
    for (i, change) in [
        "document.querySelector('main').append(dialog);",
        "window.kept = dialog; kept.remove();",
        "document.body.append(kept);",
    ]
    .into_iter()
    .enumerate()
    {
        if i != 2 {
            browser.enter("Message", "x").await;
        }
        browser.run(change, vec![]).await;
    }
    browser.send_keys("y").await;
    assert_eq!(evaluate(&browser, MESSAGE).await, json!("xxy"));
    assert_eq!(
        evaluate(&browser, "kept.shadowRoot.querySelector('dialog').matches(':modal')").await,
        json!(true)
    );
    browser.press("Cancel").await;
    browser.wait_until_gone("dialog", "").await;
    browser.quit().await;
}

#[tokio::test]
async fn open_dialog_shows_a_new_name_of_its_item() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let browser = site::open(&item, DESKTOP, USER).await;
    evaluate(&browser, "load()").await;
    open_dialog(&browser, "button").await;
    browser.wait_for("h2", "Share Spring").await;
    evaluate(&browser, "button.name = 'Autumn'").await;
    browser.wait_for("h2", "Share Autumn").await;
    // The name of another item, set before or after that item, is not shown.
    let dialog = "document.querySelector('share-dialog')";
    for change in [
        "Object.assign(button, { name: 'Other', item: '7' })".to_owned(),
        format!("Object.assign({dialog}, {{ name: 'Other', item: '7' }})"),
        format!("{dialog}.name = 'Another'"),
    ] {
        evaluate(&browser, &change).await;
        browser.wait_for("h2", "Share Autumn").await;
    }
    browser.enter("Recipients", &address("ann")).await;
    browser.press("Share").await;
    browser.wait_for("h2", "Shared with 1 recipient Autumn").await;
    assert_eq!(item.get("").await.json()["shares"].as_array().unwrap().len(), 1);
    browser.quit().await;
}

// --- Nothing from an open dialog is heard outside ---

/// Listens to events in the page.
const LISTEN: &str = r"<script>
  const heard = [];
  for (const type of [
    'keydown', 'keyup', 'keypress', 'input', 'beforeinput', 'change', 'paste', 'copy', 'cut', 'click',
    'dblclick', 'auxclick', 'contextmenu', 'mousedown', 'mouseup', 'pointerdown', 'pointerup', 'wheel',
    'touchstart', 'touchend', 'dragover', 'drop', 'compositionstart', 'focusout', 'select', 'submit', 'toggle',
    'sharelink-closed',
  ])
    for (const target of [document.body, document, window])
      target.addEventListener(type, (event) => event.eventPhase !== 1 && heard.push(event.type));
</script>";

#[tokio::test]
async fn events_in_an_open_dialog_stay_inside() {
    let stack = Stack::get().await;
    let item = TestItem::with_files(&stack, &["a.pdf", "b.pdf"]).await;
    let html =
        format!("<body>{LISTEN}<share-button id=button module=jobs item={{item}}></share-button></body>");
    let browser = site::open(&item, DESKTOP, &html).await;
    evaluate(&browser, "load()").await;
    open_dialog(&browser, "button").await;
    evaluate(&browser, "heard.splice(0)").await;
    browser.enter("Recipients", "s/?n,p").await;
    browser.enter("Message", "jk").await;
    for key in ["a", "x", "v"] {
        browser.send_chord(Key::Control, key).await;
    }
    browser.click(".files label", "a.pdf").await;
    browser.press("1 month").await;
    browser
        .cdp(
            "Input.dispatchMouseEvent",
            json!({
                "type": "mouseWheel", "x": 640, "y": 400, "deltaX": 0, "deltaY": 100,
            }),
        )
        .await;
    // After a click on text or on the backdrop, and after focus is lost, keys reach the page's body.
    browser.click("legend", "Files").await;
    browser.send_keys("s").await;
    browser
        .cdp(
            "Input.dispatchMouseEvent",
            json!({
                "type": "mousePressed", "x": 5, "y": 5, "button": "left", "clickCount": 1,
            }),
        )
        .await;
    browser.send_keys("s").await;
    let blur = "document.querySelector('share-dialog').shadowRoot.activeElement?.blur();";
    browser.run(blur, vec![]).await;
    assert_eq!(evaluate(&browser, "document.activeElement.localName").await, json!("body"));
    browser.send_keys("s").await;
    assert_eq!(evaluate(&browser, "heard").await, json!([]));

    browser.press("Cancel").await;
    browser.wait_until_gone("dialog", "").await;
    evaluate(&browser, "heard.splice(0)").await;
    browser.send_keys("s").await;
    let keys = evaluate(&browser, "heard").await;
    assert!(
        keys.as_array().unwrap().contains(&json!("keydown")),
        "after closing, keys are the page's: {keys}"
    );
    browser.quit().await;
}

#[tokio::test]
async fn escape_closes_only_the_dialog() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let html = format!(
        "<body>{LISTEN}<dialog id=own><share-button id=button module=jobs item={{item}}></share-button></dialog>
        <script>
          own.showModal();
          addEventListener('keydown', ({{ key }}) => key === 'Escape' && own.remove());
          addEventListener('keyup', ({{ key }}) => key === 'Escape' && own.remove());
        </script></body>"
    );
    let browser = site::open(&item, DESKTOP, &html).await;
    evaluate(&browser, "load()").await;
    open_dialog(&browser, "button").await;
    browser.enter("Message", "typed").await;
    evaluate(&browser, "heard.splice(0)").await;
    browser.send_keys(Key::Escape + "").await;
    wait_until(&browser, "document.querySelector('share-dialog').isOpen", json!(false)).await;
    assert_eq!(evaluate(&browser, "own.isConnected && own.open").await, json!(true));
    wait_until(
        &browser,
        "heard.filter((type) => !type.startsWith('focus'))",
        json!(vec!["sharelink-closed"; 3]),
    )
    .await;
    assert_eq!(evaluate(&browser, "document.activeElement.id").await, json!("button"));

    // The page removes or hides its dialog, but the Share dialog stays.
    open_dialog(&browser, "button").await;
    evaluate(&browser, "own.style.display = 'none'").await;
    wait_until(&browser, "document.querySelector('share-dialog').parentNode.localName", json!("body")).await;
    assert_eq!(evaluate(&browser, MESSAGE).await, json!("typed"));
    browser.press("Cancel").await;
    browser.wait_until_gone("h2", "Share").await;
    evaluate(&browser, "own.style.display = ''").await;
    open_dialog(&browser, "button").await;
    browser.wait_for("textarea", "Message").await.click().await.unwrap();
    evaluate(&browser, "own.remove()").await;
    browser.wait_for("h2", "Share").await;
    wait_until(&browser, "document.querySelector('share-dialog').parentNode?.localName", json!("body")).await;
    browser.send_keys("!").await;
    assert_eq!(evaluate(&browser, MESSAGE).await, json!("typed!"));
    browser.quit().await;
}

#[tokio::test]
async fn dialog_works_inside_a_focus_trap() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let html = format!(
        "<body><main><button>Elsewhere</button></main><div id=trap role=dialog aria-label=Platform>
        <button>Cancel</button><share-button id=button module=jobs item={{item}}></share-button></div>{}</body>",
        frameworks::script("focus-trap.js")
    );
    let browser = site::open(&item, DESKTOP, &html).await;
    evaluate(&browser, "load()").await;
    browser.wait_for("share-button#button", "Share").await;
    let activate = "window.isTrapped = true; document.querySelector('main').inert = true; \
                    createFocusTrap(trap, { onDeactivate: () => (isTrapped = false) }).activate();";
    browser.run(activate, vec![]).await;
    open_dialog(&browser, "button").await;
    let ann = address("ann");
    browser.enter("Recipients", &ann).await;
    browser.press("1 day").await;
    browser.tab_to("1 week").await;
    browser.tab_to("Message").await;
    browser.send_keys("from a trap").await;
    // A page may also disable everything that it does not know.
    let script = "for (const element of document.querySelectorAll('share-dialog')) \
                  { element.inert = true; element.setAttribute('aria-hidden', 'true'); }";
    browser.run(script, vec![]).await;
    browser.press("Share").await;
    browser.wait_for("h2", "Shared with 1 recipient").await;
    browser.send_keys(Key::Escape + "").await;
    browser.wait_until_gone("h2", "Shared").await;
    assert_eq!(evaluate(&browser, "isTrapped").await, json!(true));
    assert!(item.wait_for_email(&ann).await.text.contains("from a trap"));
    browser.quit().await;
}

#[tokio::test]
async fn open_dialog_does_not_delay_scrolling() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let browser = site::open(&item, DESKTOP, USER).await;
    evaluate(&browser, "load()").await;
    open_dialog(&browser, "button").await;
    let root = json!({"expression": "document.querySelector('share-dialog').shadowRoot"});
    let root = browser.cdp("Runtime.evaluate", root).await;
    let id = json!({"objectId": root["result"]["objectId"]});
    let listeners = browser.cdp("DOMDebugger.getEventListeners", id).await;
    let listeners = listeners["listeners"].as_array().unwrap();
    let of = |name: &str| listeners.iter().filter(|listener| listener["type"] == name).collect::<Vec<_>>();
    for name in ["wheel", "mousewheel", "touchstart", "touchmove"] {
        assert_eq!(of(name).len(), 1, "{name}");
        assert_eq!(of(name)[0]["passive"], json!(true), "{name}");
    }
    // With a listener, the browser dispatches this event more often than it renders.
    assert!(of("pointerrawupdate").is_empty());
    browser.quit().await;
}

// --- Styles and languages ---

#[tokio::test]
async fn page_styles_do_not_break_the_dialogs() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let html = r"<style>
        html { font-size: 62.5%; }
        * { box-sizing: content-box; font-size: 10px; letter-spacing: .3em; text-transform: uppercase; }
        dialog { display: none; }
        button { all: unset; }
        [hidden] { display: block !important; }
        body > * { display: none; }
        main { display: block !important; text-align: center; cursor: wait; }
        body { word-break: break-all; hyphens: auto; line-break: anywhere; tab-size: 1; quotes: none; }
        * { caret-color: transparent; -webkit-text-fill-color: red; -webkit-text-stroke: 1px; user-select: none; }
        html { writing-mode: vertical-rl; font-variant: small-caps; scrollbar-color: red red; }
        .wrapper { --sharelink-accent: rgb(1, 2, 3); --sharelink-radius: 0px; color-scheme: dark; }
        </style><body><main class='wrapper'><share-button id='button' module='jobs' item='{item}'></share-button>
        <share-button id='missing' module='jobs' item='' hidden></share-button></main></body>";
    for device in [DESKTOP, PHONE] {
        let browser = site::open(&item, device, html).await;
        evaluate(&browser, "load()").await;
        open_dialog(&browser, "button").await;
        let style = |selector: &str, property: &str| {
            format!(
                "getComputedStyle(document.querySelector('share-dialog').shadowRoot\
                 .querySelector('{selector}')).{property}"
            )
        };
        for (selector, property, expected) in [
            ("dialog", "fontSize", "16px"),
            ("dialog", "letterSpacing", "normal"),
            ("dialog", "textTransform", "none"),
            ("dialog", "textAlign", "start"),
            ("dialog", "cursor", "auto"),
            ("dialog", "colorScheme", "dark"),
            ("dialog", "wordBreak", "normal"),
            ("dialog", "hyphens", "manual"),
            ("dialog", "lineBreak", "auto"),
            ("dialog", "writingMode", "horizontal-tb"),
            ("dialog", "fontVariant", "normal"),
            ("dialog", "webkitTextStrokeWidth", "0px"),
            ("dialog", "userSelect", "auto"),
            ("dialog", "scrollbarColor", "auto"),
            ("textarea", "caretColor", "rgb(232, 236, 242)"),
            ("textarea", "webkitTextFillColor", "rgb(232, 236, 242)"),
            ("button.primary", "backgroundColor", "rgb(1, 2, 3)"),
            ("button.primary", "borderRadius", "0px"),
        ] {
            let actual = evaluate(&browser, &style(selector, property)).await;
            assert_eq!(actual, json!(expected), "{selector} {property}");
        }
        let width = evaluate(&browser, &style("dialog", "width")).await;
        assert_eq!(width, if device.width > 600 { json!("704px") } else { json!("360px") });
        assert_eq!(evaluate(&browser, "getComputedStyle(missing).display").await, json!("none"));
        browser.assert_fits("a page with resets").await;

        // The page's own rules for the dialog take precedence over what its button has.
        let rule = "const style = document.createElement('style'); \
                    style.textContent = 'share-dialog { --sharelink-accent: rgb(4, 5, 6) }'; \
                    document.head.append(style);";
        browser.run(rule, vec![]).await;
        let accent = evaluate(&browser, &style("button.primary", "backgroundColor")).await;
        assert_eq!(accent, json!("rgb(4, 5, 6)"));
        browser.quit().await;
    }
}

#[tokio::test]
async fn zoomed_page_shows_the_whole_dialog() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    for (device, zoom) in [(PHONE, "1.5"), (DESKTOP, "1.5"), (DESKTOP, "0.5")] {
        let browser = site::open(&item, device, USER).await;
        evaluate(&browser, &format!("document.documentElement.style.zoom = '{zoom}'")).await;
        evaluate(&browser, "load()").await;
        open_dialog(&browser, "button").await;
        let edges = "(({ left, top, right, bottom }) => [left, top, innerWidth - right, innerHeight - bottom])(\
                     document.querySelector('share-dialog').shadowRoot.querySelector('dialog')\
                     .getBoundingClientRect())";
        let edges = evaluate(&browser, edges).await;
        let is_visible = |edge: &Value| edge.as_f64().unwrap() >= -1.0;
        assert!(edges.as_array().unwrap().iter().all(is_visible), "{} {zoom}: {edges}", device.width);
        browser.assert_fits("a zoomed page").await;
        browser.quit().await;
    }
}

#[tokio::test]
async fn only_an_on_screen_keyboard_moves_the_dialog() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let browser = Browser::start(PHONE).await;
    // Without a doctype, the root element is as high as the document.
    let (api, token) = (&stack.info.api_url, &item.token);
    let page = format!(
        "<meta name=viewport content='width=device-width'>
        <body style='height: 4000px'><share-button id=button module=jobs item={}></share-button>
        <script type=module>const {{ configure }} = await import('{api}/ui/sharelink.js');
        configure({{ api: '{api}', token: async () => '{token}' }});</script>",
        item.name
    );
    browser.open(&format!("{ORIGIN}{}", site::publish("text/html", page))).await;
    assert_eq!(evaluate(&browser, "document.compatMode").await, json!("BackCompat"));
    open_dialog(&browser, "button").await;
    let dialog = "document.querySelector('share-dialog').shadowRoot.querySelector('dialog')";
    let is_covered = format!("{dialog}.classList.contains('covered')");
    assert_eq!(evaluate(&browser, &is_covered).await, json!(false));
    // Scaled screens round the height. A horizontal scroll bar is not a keyboard either. In iOS, the keyboard
    // can make `innerHeight` smaller, too.
    for (height, expected) in [("innerHeight - .2", false), ("innerHeight - 17", false), ("300", true)] {
        let script = format!(
            "Object.defineProperty(visualViewport, 'height', {{ value: {height}, configurable: true }}); \
             Object.defineProperty(window, 'innerHeight', {{ value: Math.ceil(visualViewport.height), configurable: true }}); \
             visualViewport.dispatchEvent(new Event('resize'));"
        );
        browser.run(&script, vec![]).await;
        assert_eq!(evaluate(&browser, &is_covered).await, json!(expected), "{height}");
    }
    let height = format!("Math.round({dialog}.getBoundingClientRect().height)");
    assert_eq!(evaluate(&browser, &height).await, json!(300));
    browser.quit().await;
}

#[tokio::test]
async fn dialog_in_a_right_to_left_page_is_accessible() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let html =
        "<body><main><h1>منصة</h1><share-button id=button module=jobs item={item}></share-button></main>
        <script>document.documentElement.lang = 'ar'; document.documentElement.dir = 'rtl';</script></body>";
    let browser = site::open(&item, DESKTOP, html).await;
    evaluate(&browser, "load()").await;
    open_dialog(&browser, "button").await;
    let direction = "getComputedStyle(document.querySelector('share-dialog').shadowRoot.querySelector('p'))\
                     .direction";
    assert_eq!(evaluate(&browser, direction).await, json!("ltr"));
    browser.assert_accessible("a right-to-left page").await;
    browser.assert_fits("a right-to-left page").await;
    browser.quit().await;
}

#[tokio::test]
async fn odd_language_tags_select_the_best_match() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let device = Device { languages: "de-AT,de,en", ..DESKTOP };
    let html = "<body><div id=host></div><script>
        host.attachShadow({ mode: 'open' }).innerHTML =
          '<share-button id=nested module=jobs item={item}></share-button>';
        const nested = host.shadowRoot.querySelector('share-button');
        function use(lang, ...languages) {
          if (languages.length) {
            Object.defineProperty(navigator, 'languages', { value: languages[0] });
            Object.defineProperty(navigator, 'language', { value: undefined });
          }
          host.lang = lang;
          nested.parentNode.append(nested);
          nested.open();
        }
        </script></body>";
    let browser = Browser::start(device).await;
    for (lang, languages, heading, tag) in [
        ("en-US@posix", None, "Share", "en-US"),
        ("en_GB.UTF-8", None, "Share", "en-GB"),
        ("de_DE", None, "Teilen", "de-DE"),
        ("de-DE_formal", None, "Teilen", "de-DE-formal"),
        ("de-CH-", None, "Teilen", "de-CH"),
        ("DEU", None, "Teilen", "de-AT"),
        ("C", None, "Teilen", "de-AT"),
        ("C.UTF-8", None, "Teilen", "de-AT"),
        ("", None, "Teilen", "de-AT"),
        ("it-IT", None, "Teilen", "de-AT"),
        ("constructor", None, "Teilen", "de-AT"),
        ("it", Some("[]"), "Share", "en"),
        ("it", Some("undefined"), "Share", "en"),
        ("it", Some("null"), "Share", "en"),
        ("it", Some("['C', '', null, 'en-US@posix']"), "Share", "en-US"),
        ("en", Some("['*', 'x', 'en_IE']"), "Share", "en-IE"),
    ] {
        site::show(&browser, ORIGIN, &item, html).await;
        evaluate(&browser, "load()").await;
        browser.wait_for("share-button", "").await;
        let languages = languages.map(|languages| format!(", {languages}")).unwrap_or_default();
        evaluate(&browser, &format!("use({lang:?}{languages})")).await;
        browser.wait_for("h2", heading).await;
        browser.wait_for(".files label", "").await;
        let actual = evaluate(
            &browser,
            "document.querySelector('share-dialog').shadowRoot.querySelector('dialog').lang",
        )
        .await;
        assert_eq!(actual, json!(tag), "{lang:?}");
        assert_eq!(console(&browser).await, [""; 0], "{lang:?}");
    }
    browser.quit().await;
}

// --- Loading ---

#[tokio::test]
async fn second_copy_configures_the_elements_of_the_first() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let html = "<body><share-button id=button module=jobs item={item}></share-button></body>";
    let browser = site::open(&item, DESKTOP, html).await;
    let script = "import(`${api}/ui/another/sharelink.js`)\
                  .then(() => import(`${api}/ui/third/sharelink.js`))\
                  .then(({ configure, ShareButton }) => {
                      configure({ api, token: tokenOf });
                      return ShareButton === customElements.get('share-button') && button instanceof ShareButton;
                  })";
    assert_eq!(evaluate(&browser, script).await, json!(true));
    open_dialog(&browser, "button").await;
    let base = format!("{}/ui", stack.info.api_url);
    let warning = format!(
        "warn: Sharelink: {base}/third/sharelink.js does nothing, because {base}/another/sharelink.js has \
         defined the elements already."
    );
    assert_eq!(console(&browser).await, [warning]);
    browser.quit().await;
}

#[tokio::test]
async fn page_in_an_insecure_context_can_share() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let browser = Browser::start(DESKTOP).await;
    let html = "<body><share-button id=button module=jobs item={item}></share-button>
        <share-button id=manage action=manage module=jobs item={item}></share-button></body>";
    site::show(&browser, INSECURE_ORIGIN, &item, html).await;
    assert_eq!(
        evaluate(&browser, "[isSecureContext, typeof crypto.randomUUID]").await,
        json!([false, "undefined"])
    );
    evaluate(&browser, "load()").await;
    open_dialog(&browser, "button").await;
    let ann = address("ann");
    browser.enter("Recipients", &ann).await;
    browser.press("Share").await;
    browser.wait_for("h2", "Shared with 1 recipient").await;
    browser.send_keys(Key::Escape + "").await;
    item.wait_for_email(&ann).await;
    browser.click("share-button#manage", "").await;
    browser.wait_for("li[data-share]", &ann).await;
    // Without access to the clipboard, the user copies the link.
    browser.press("Copy link").await;
    browser.wait_for("input[readonly]", "").await;
    assert_eq!(console(&browser).await, [""; 0]);
    browser.quit().await;
}

#[tokio::test]
async fn components_load_with_two_requests() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let browser = site::open(&item, DESKTOP, "<body></body>").await;
    evaluate(&browser, "load()").await;
    // The browser loads the entry module and then, from its versioned URL, all components.
    assert_eq!(browser.count_requests("/ui/", 2).await, 2);
    browser.quit().await;
}

// --- Reasons why a button stays hidden ---

#[tokio::test]
async fn hidden_buttons_are_explained_once() {
    let stack = Stack::get().await;
    let item = TestItem::new(&stack).await;
    let viewer = stack.token(&["viewer"]).await;
    let unreachable = Proxy::start("http://127.0.0.1:9").await.url;
    let button = "<share-button module=jobs item={item}></share-button>";
    let config = |api: &str, token: &str| format!("load({{ api: {api}, token: {token} }})");
    let browser = Browser::start(DESKTOP).await;
    for (buttons, load, expected) in [
        (button, "load(null)".to_owned(), "warn: Sharelink: a share-button is hidden: configure"),
        (button, config("undefined", "tokenOf"), "warn: Sharelink: a share-button is hidden: configure"),
        (
            "<share-button module=jobs></share-button>",
            config("api", "tokenOf"),
            "warn: Sharelink: a share-button is hidden: its module or item is missing.",
        ),
        (
            "<share-button module=jobs item=a/b></share-button>",
            config("api", "tokenOf"),
            "warn: Sharelink: a share-button is hidden: the API rejects its module or item: ",
        ),
        (
            button,
            config("api", "async () => Promise.reject(new Error('no session'))"),
            "warn: Sharelink: a share-button is hidden: the user is signed out",
        ),
        (
            button,
            config("api", "() => new Promise(() => {})"),
            "warn: Sharelink: a share-button is hidden: the promise that `token` returned is still pending.",
        ),
        (
            button,
            config("api", "() => 'e30.e30.e30'"),
            "warn: Sharelink: a share-button is hidden: the user is signed out",
        ),
        (
            button,
            config("api", "'not a function'"),
            "warn: Sharelink: a share-button is hidden: the user is signed out",
        ),
        (
            button,
            config("api", &format!("async () => {viewer:?}")),
            "debug: Sharelink: a share-button is hidden: the user may not share its item.",
        ),
        (
            button,
            config(&format!("{unreachable:?}"), "tokenOf"),
            "warn: Sharelink: a share-button is hidden: the API does not respond.",
        ),
    ] {
        let html = format!("<body>{buttons}{buttons}</body>");
        site::show(&browser, ORIGIN, &item, &html).await;
        evaluate(&browser, &load).await;
        wait_until(&browser, "shown.length", json!(1)).await;
        let shown = console(&browser).await;
        assert!(shown[0].starts_with(expected), "{shown:?}");
        for secret in [&item.name, &item.token, &viewer, &stack.info.api_url, &unreachable, ORIGIN] {
            assert!(!shown[0].contains(secret), "{shown:?}");
        }
    }
    browser.quit().await;
}
