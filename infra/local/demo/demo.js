// A platform's frontend, as small as can be: it signs somebody in, and puts the elements where its users look for them.

const { api } = document.documentElement.dataset;
const { configure } = await import(`${api}/ui/sharelink.js`);

const USERS = {
  ann: { sub: "ann", name: "Ann Example", email: "ann@sharelink.example", accessRights: ["producer"] },
  max: { sub: "max", name: "Max Example", email: "max@sharelink.example", accessRights: ["admin"] },
  carl: { sub: "carl", name: "Carl Example", email: "carl@sharelink.example", accessRights: ["viewer"] },
};

const ITEMS = [
  { module: "jobs", item: "1042", name: "Spring campaign" },
  { module: "jobs", item: "1043", name: "Packaging, second round" },
  { module: "assets", item: "7", name: "Logo" },
];

const user = document.querySelector("#user");
let signedIn;

/** A token of the user who is signed in; a new one when the old one does not do any more. */
async function token({ renew }) {
  if (renew || signedIn?.user !== user.value) {
    const claims = btoa(JSON.stringify(USERS[user.value])).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
    const answer = await fetch(`/token?${claims}`);
    signedIn = { user: user.value, token: await answer.text() };
  }
  return signedIn.token;
}

configure({ api, token });

function element(tag, attributes, ...children) {
  const made = Object.assign(document.createElement(tag), attributes);
  made.append(...children);
  return made;
}

function shareButton({ module, item }, action) {
  const button = document.createElement("share-button");
  button.setAttribute("module", module);
  button.setAttribute("item", item);
  button.setAttribute("action", action);
  return button;
}

/** The actions of an item, behind a button. */
function menu(item, place) {
  const id = `${place}-${item.module}-${item.item}`;
  const popover = element("div", { id, className: "menu" }, element("button", { textContent: "Open" }),
    shareButton(item, "share"), shareButton(item, "manage"));
  popover.popover = "auto";
  // Whatever was chosen, the menu has done its work.
  popover.addEventListener("click", () => popover.hidePopover());
  const opener = element("button", { className: "opener", textContent: "⋯", ariaLabel: `Actions for ${item.name}` });
  // The button that the dialog would give the focus back to is not to be seen any more.
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

document.querySelector("#widget").append(...ITEMS.map((item) => element("li", {}, element("span", { textContent: item.name }), ...menu(item, "widget"))));
document.querySelector("#results").append(...ITEMS.map((item) => {
  const cell = (...children) => element("td", {}, ...children);
  return element("tr", {}, cell(item.module), cell(item.item), cell(item.name), cell(...menu(item, "results")));
}));

user.addEventListener("change", () => {
  for (const button of document.querySelectorAll("share-button")) button.refresh();
});

/** Shows new mail as it comes. */
async function showMail() {
  const list = document.querySelector("#mail");
  const mails = await (await fetch("/mail")).json();
  for (const [i, mail] of mails.entries()) {
    if (i < list.children.length) continue;
    const to = element("span", { textContent: `To ${mail.to.join(", ")}` });
    list.prepend(element("li", {}, element("a", { href: `/mail/${i}`, target: "_blank", textContent: mail.subject }), to));
  }
  document.querySelector("#no-mail").hidden = mails.length > 0;
}

for (;;) {
  await showMail().catch(() => {});
  await new Promise((done) => setTimeout(done, 1000));
}
