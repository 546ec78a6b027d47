// A minimal frontend that signs a user in and shows the elements where a platform would place them.

const { api } = document.documentElement.dataset;
const { configure } = await import(`${api}/ui/sharelink.js`);

const USERS = {
  ann: { sub: "ann", name: "Ann Example", email: "ann@sharelink.example", accessRights: ["producer"] },
  max: { sub: "max", name: "Max Example", email: "max@sharelink.example", accessRights: ["admin", "auditor"] },
  carl: { sub: "carl", name: "Carl Example", email: "carl@sharelink.example", accessRights: ["viewer"] },
};

const ITEMS = [
  { module: "jobs", item: "1042", name: "Spring campaign" },
  { module: "jobs", item: "1043", name: "Packaging, second round" },
  { module: "assets", item: "7", name: "Logo" },
];

const user = document.querySelector("#user");
let session;

/** Returns the user's token. Fetches a new token if the user has changed or the API rejected the old one. */
async function token({ renew }) {
  if (renew || session?.user !== user.value) {
    const claims = base64Url(JSON.stringify(USERS[user.value]));
    const response = await fetch(`/token?${claims}`);
    session = { user: user.value, token: await response.text() };
  }
  return session.token;
}

function base64Url(text) {
  return btoa(text).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

configure({ api, token });

function element(tag, properties, ...children) {
  const created = Object.assign(document.createElement(tag), properties);
  created.append(...children);
  return created;
}

function shareButton({ module, item, name }, action) {
  const button = document.createElement("share-button");
  button.setAttribute("module", module);
  button.setAttribute("item", item);
  button.setAttribute("name", name);
  button.setAttribute("action", action);
  return button;
}

/** Creates an item's action menu and the button that opens it. */
function menu(item, place) {
  const id = `${place}-${item.module}-${item.item}`;
  const popover = element("div", { id, className: "menu" },
    element("button", { textContent: "Open" }),
    shareButton(item, "share"),
    shareButton(item, "manage"),
  );
  popover.popover = "auto";
  // Close the menu after any choice.
  popover.addEventListener("click", () => popover.hidePopover());
  const ariaLabel = `Actions for ${item.name}`;
  const opener = element("button", { className: "opener", textContent: "⋯", ariaLabel });
  // When the dialog closes, focus cannot return to the share button, because the menu is hidden.
  popover.addEventListener("sharelink-closed", () => opener.focus());
  opener.popoverTargetElement = popover;
  popover.addEventListener("toggle", ({ newState }) => {
    if (newState !== "open") return;
    const { bottom, right } = opener.getBoundingClientRect();
    popover.style.top = `${bottom + scrollY + 4}px`;
    popover.style.left = `${Math.max(right + scrollX - popover.offsetWidth, 8)}px`;
  });
  return [opener, popover];
}

function widgetEntry(item) {
  return element("li", {}, element("span", { textContent: item.name }), ...menu(item, "widget"));
}

function searchResult(item) {
  const cells = [[item.module], [item.item], [item.name], menu(item, "results")];
  return element("tr", {}, ...cells.map((content) => element("td", {}, ...content)));
}

document.querySelector("#widget").append(...ITEMS.map(widgetEntry));
document.querySelector("#results").append(...ITEMS.map(searchResult));

/** Shows the items or the links, depending on the page's fragment. */
async function showView() {
  const isLinks = location.hash === "#links";
  document.querySelector("#links-view").hidden = !isLinks;
  document.querySelector("#items-view").hidden = isLinks;
  for (const link of document.querySelectorAll("nav a"))
    link.ariaCurrent = link.hash === (isLinks ? "#links" : "#items") ? "page" : null;
  if (!isLinks || document.querySelector("my-shares")) return;
  const list = document.createElement("my-shares");
  list.everyone = user.value === "max";
  document.querySelector("#links-view").append(list);
  await import(`${api}/ui/my-shares.js`);
}

addEventListener("hashchange", showView);
showView();

user.addEventListener("change", () => {
  for (const button of document.querySelectorAll("share-button")) button.refresh();
  const list = document.querySelector("my-shares");
  if (!list) return;
  list.everyone = user.value === "max";
  list.refresh();
});

/** Adds new emails to the list. */
async function showMail() {
  const list = document.querySelector("#mail");
  const emails = await (await fetch(`/mail?skip=${list.children.length}`)).json();
  for (const email of emails) {
    const href = `/mail/${list.children.length}`;
    const link = element("a", { href, target: "_blank", textContent: email.subject });
    const to = element("span", { textContent: `To ${email.to.join(", ")}` });
    list.prepend(element("li", {}, link, to));
  }
  document.querySelector("#no-mail").hidden = list.children.length > 0;
}

for (;;) {
  await showMail().catch(() => {});
  await new Promise((done) => setTimeout(done, 1000));
}
