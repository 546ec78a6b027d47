// `<share-button module="jobs" item="1042">`: opens an item's dialog. It is hidden unless the user
// may share the item.

/** @import { TokenProvider } from "../types.d.ts" */

import { Api, ApiError, configured } from "./api.js";
import { fill, h } from "./dom.js";
import { ITEMS_LIMIT } from "./limits.js";
import styles from "./styles.js";
import { Language } from "./texts.js";

/** Delay before a failed permission request is retried, in milliseconds. */
const RETRY_DELAY = 30_000;

/**
 * Buttons whose permissions will be requested together, in the next task.
 * @type {Set<ShareButton>}
 */
let pending = new Set();

async function requestPermission(button) {
  if (!button.isConfigured) await configured;
  if (!pending.size) setTimeout(flushPending);
  pending.add(button);
}

/** Requests the pending permissions: one request for each API and user, for at most ITEMS_LIMIT buttons. */
function flushPending() {
  /** @type {ShareButton[][]} */
  const groups = [];
  for (const button of pending) {
    const isSame = ({ token, endpoint }) => token === button.token && endpoint === button.endpoint;
    const group = groups.find((group) => isSame(group[0]) && group.length < ITEMS_LIMIT);
    if (!button.isConnected) continue;
    if (group) group.push(button);
    else groups.push([button]);
  }
  pending = new Set();
  groups.forEach(loadPermissions);
}

/** @param {ShareButton[]} buttons */
async function loadPermissions(buttons) {
  // If a button starts a newer request in the meantime, it ignores this one's result.
  const requests = buttons.map((button) => button.permissionRequest);
  try {
    const allowed = await buttons[0].api.getPermissions(buttons.map(({ item }) => item));
    for (const [i, button] of buttons.entries())
      if (button.permissionRequest === requests[i]) button.setPermission(allowed[i]);
  } catch (thrown) {
    const error = ApiError.from(thrown);
    const invalid = new Set(error.pointers.map((pointer) => buttons[Number(pointer.split("/")[2])]));
    const others = buttons.filter((button) => !invalid.has(button));
    // Keep only the buttons with an invalid item hidden: repeat the request for the remaining buttons.
    if (invalid.size && others.length) loadPermissions(others);
    else if (!invalid.size) setTimeout(() => others.forEach(requestPermission), RETRY_DELAY);
  }
}

/**
 * Attributes: `module`, `item`, `action` (`share`, the default, or `manage`) and `api` (the API's base URL).
 * Property: `token` (a TokenProvider). `configure` sets the defaults for `api` and `token`. The label is the
 * slot's content or, if the slot is empty, the action's name.
 */
export class ShareButton extends HTMLElement {
  static observedAttributes = ["module", "item", "action", "api"];

  /** Identifies the latest permission request. */
  permissionRequest;
  #token;
  #dialog;
  #button = h("button", { part: "button", type: "button", onclick: () => this.open() });

  constructor() {
    super();
    this.attachShadow({ mode: "open", delegatesFocus: true }).append(this.#button);
    this.shadowRoot.adoptedStyleSheets = [styles];
  }

  get item() {
    return { module: this.getAttribute("module"), item: this.getAttribute("item") };
  }

  /** @returns {TokenProvider | undefined} */
  get token() {
    return this.#token;
  }

  set token(token) {
    this.#token = token;
    if (this.isConnected) this.refresh();
  }

  /** The API's base URL, if the attribute is set. */
  get endpoint() {
    return this.getAttribute("api") ?? undefined;
  }

  /** Whether the button works without `configure`. */
  get isConfigured() {
    return Boolean(this.endpoint && this.token);
  }

  get api() {
    return new Api({ api: this.endpoint, token: this.token });
  }

  connectedCallback() {
    this.#render();
    this.#checkPermission();
  }

  disconnectedCallback() {
    // Keep the dialog if the button is inserted again in the same task, as when a list is sorted.
    queueMicrotask(() => this.isConnected || this.#removeDialog());
  }

  attributeChangedCallback(name, before, after) {
    if (!this.isConnected || before === after) return;
    this.#removeDialog();
    if (name === "action") this.#render();
    else this.#checkPermission();
  }

  /** Discards unsent input and checks the permission again. Call this after a different user signs in. */
  refresh() {
    this.#removeDialog();
    this.#checkPermission();
  }

  #checkPermission() {
    this.hidden = true;
    this.permissionRequest = {};
    requestPermission(this);
  }

  /** @param {boolean} canShare */
  setPermission(canShare) {
    this.hidden = !canShare;
  }

  /** Opens the dialog. Any unsent input is still there. */
  open() {
    if (!this.#dialog) {
      this.#dialog = h(this.#isManage ? "link-access-dialog" : "share-dialog", this.item);
      if (this.endpoint) this.#dialog.setAttribute("api", this.endpoint);
      this.#dialog.token = this.token;
      this.#dialog.lang = new Language(this).pageTag;
      for (const name of ["sharelink-shared", "sharelink-changed", "sharelink-manage", "sharelink-closed"])
        this.#dialog.addEventListener(name, (event) => this.#forward(event));
      // Append the dialog outside this element: if the button is in a menu, closing the menu must not hide
      // the dialog.
      document.body.append(this.#dialog);
    }
    this.#dialog.open();
  }

  get #isManage() {
    return this.getAttribute("action") === "manage";
  }

  #removeDialog() {
    this.#dialog?.remove();
    this.#dialog = undefined;
  }

  /** Dispatches the dialog's event again, from this button. */
  #forward(event) {
    event.stopPropagation();
    const { type, detail } = event;
    const copy = new CustomEvent(type, { detail, bubbles: true, composed: true, cancelable: true });
    if (!this.dispatchEvent(copy)) event.preventDefault();
  }

  #render() {
    const { texts } = new Language(this);
    fill(this.#button, h("slot", {}, this.#isManage ? texts.manage : texts.share));
  }
}
