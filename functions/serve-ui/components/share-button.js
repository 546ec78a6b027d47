// `<share-button module="jobs" item="1042">`: opens an item's dialog. It is hidden unless the user
// may share the item.

import { ApiError, baseUrl, shared, subjectOf } from "./api.js";
import { fill, h } from "./dom.js";
import { ItemElement } from "./element.js";
import { ITEMS_LIMIT } from "./limits.js";
import styles from "./styles.js";
import { withLanguage } from "./texts.js";

/** Delay before a failed permission request is retried, in milliseconds. */
const RETRY_DELAY = 30_000;

/** Delay before something that is missing is reported, in milliseconds: pages may still be loading it. */
const REPORT_DELAY = 3_000;

/** The number of dialogs whose unsent input is kept. */
const DIALOGS_LIMIT = 20;

/** @typedef {"share-dialog" | "link-access-dialog"} DialogTag */

/**
 * A dialog that a button opened, with its unsent input. It belongs to an item, a user and an API rather than
 * to the button, because frameworks replace buttons.
 * @typedef {object} OpenedDialog
 * @property {import("./share-dialog.js").ShareDialog | import("./link-access-dialog.js").LinkAccessDialog
 *   } dialog
 * @property {DialogTag} tag
 * @property {string} base the API's base URL
 * @property {ShareButton} opener the button that opened the dialog most recently
 */

/**
 * The most recently opened dialog is last.
 * @type {OpenedDialog[]}
 */
let openedDialogs = [];

/**
 * The buttons in the document.
 * @type {Set<ShareButton>}
 */
const buttons = new Set();

// --- Reasons why a button stays hidden ---

/** Reasons that have been reported. */
const reported = new Set();

/** @type {Record<string, string>} */
const REASONS = {
  notConfigured: "configure({ api, token }) has not been called",
  noItem: "its module or item is missing",
  noToken: "the promise that `token` returned is still pending",
  signedOut: "the user is signed out, or `token` is not a function that returns a valid token",
  unavailable: "the API does not respond. Check its address, and that its parameter CorsOrigins contains this"
    + " page's origin",
};

/**
 * Reports why a button is hidden, once for each reason.
 * @param {string} reason
 * @param {"warn" | "debug"} [level]
 */
function reportHidden(reason, level = "warn") {
  if (reported.has(reason)) return;
  reported.add(reason);
  console[level](`Sharelink: a share-button is hidden: ${REASONS[reason] ?? reason}.`);
}

// --- Permissions ---

/**
 * The token requests in progress, by provider. Buttons that are added together share one.
 * @type {Map<import("../types.d.ts").TokenProvider, Promise<string>>}
 */
const tokens = new Map();

/**
 * The buttons whose permissions will be requested in the next task, by API and token: frameworks may give
 * each button its own provider.
 * @type {Map<string, { token: string, buttons: ShareButton[] }>}
 */
let pending = new Map();

/** @param {ShareButton} button */
async function requestPermission(button) {
  if (!button.isConfigured) {
    setTimeout(() => button.isConfigured || reportHidden("notConfigured"), REPORT_DELAY);
    await shared.configured.promise;
  }
  try {
    if (!button.isConfigured) throw new ApiError("notConfigured");
    const { client } = button;
    const { provider } = client;
    if (!tokens.has(provider))
      tokens.set(provider, client.getToken().finally(() => tokens.delete(provider)));
    const report = () => button.isConnected && button.hidden && reportHidden("noToken");
    const timer = setTimeout(report, REPORT_DELAY);
    const token = await tokens.get(provider).finally(() => clearTimeout(timer));
    if (!button.isConnected) return;
    if (!button.hasItem) {
      setTimeout(() => !button.isConnected || button.hasItem || reportHidden("noItem"), REPORT_DELAY);
      return;
    }
    const { base } = client;
    const request = JSON.stringify([base, token, button.module, button.item]);
    // A new provider may return the same token.
    if (button.request === request) return;
    button.request = request;
    if (!pending.size) setTimeout(flushPending);
    const group = JSON.stringify([base, token]);
    if (!pending.has(group)) pending.set(group, { token, buttons: [] });
    pending.get(group).buttons.push(button);
  } catch (thrown) {
    retryLater([button], ApiError.from(thrown));
  }
}

/** Requests the pending permissions: one request for each API and token, for at most ITEMS_LIMIT buttons. */
function flushPending() {
  const groups = pending.values();
  pending = new Map();
  for (const { token, buttons } of groups)
    for (let i = 0; i < buttons.length; i += ITEMS_LIMIT)
      loadPermissions(buttons.slice(i, i + ITEMS_LIMIT), subjectOf(token));
}

/**
 * @param {ShareButton[]} buttons
 * @param {string} [user]
 */
async function loadPermissions(buttons, user) {
  // If a button starts a newer request in the meantime, it ignores this one's result.
  const requests = buttons.map(({ request }) => request);
  const isCurrent = (button) => button.request && button.request === requests[buttons.indexOf(button)];
  try {
    const allowed = await buttons[0].client.getPermissions(buttons.map(({ itemRef }) => itemRef));
    for (const [i, button] of buttons.entries())
      if (isCurrent(button)) button.setPermission(allowed[i], user);
  } catch (thrown) {
    const error = ApiError.from(thrown);
    const invalid = new Set(error.pointers.map((pointer) => buttons[Number(pointer.split("/")[2])]));
    const others = buttons.filter((button) => !invalid.has(button) && isCurrent(button));
    if (!invalid.size) return retryLater(others, error);
    // Keep only the buttons with an invalid item hidden: repeat the request for the remaining buttons.
    const { detail } = error.problem.errors.find(({ pointer }) => pointer);
    reportHidden(`the API rejects its module or item: ${detail}`);
    if (others.length) loadPermissions(others, user);
  }
}

/**
 * @param {ShareButton[]} buttons
 * @param {ApiError} error
 */
function retryLater(buttons, { kind, problem }) {
  if (kind !== "offline")
    reportHidden(REASONS[kind] ? kind : (problem?.title ?? `the request failed (${kind})`));
  for (const button of buttons) button.request = undefined;
  setTimeout(() => {
    for (const button of buttons) if (button.isConnected && !button.request) requestPermission(button);
  }, RETRY_DELAY);
}

/**
 * Attributes: `module`, `item`, `name` (the item's name), `action` (`share`, the default, or `manage`) and
 * `api` (the API's base URL). Property: `token` (a TokenProvider). `configure` sets the defaults for `api`
 * and `token`. The label is the slot's content or, if the slot is empty, the action's name.
 */
export class ShareButton extends ItemElement {
  static observedAttributes = ["module", "item", "name", "action", "api"];

  /** @type {string | undefined} Identifies the latest permission request. */
  request;
  /** Whether the button is in the document, or was until the current task. */
  #isPlaced = false;
  /** Whether the user may share the item. */
  #isAllowed = false;
  #button = h("button", { part: "button", type: "button", onclick: () => this.open() });

  constructor() {
    super();
    this.attachShadow({ mode: "open", delegatesFocus: true }).append(this.#button);
    this.shadowRoot.adoptedStyleSheets = [styles];
  }

  /** @returns {"share" | "manage"} */
  get action() {
    return this.getAttribute("action")?.toLowerCase() === "manage" ? "manage" : "share";
  }

  set action(value) {
    this.reflect("action", value);
  }

  /** Whether the button works without `configure`. */
  get isConfigured() {
    return Boolean(baseUrl(this.api) && (this.token ?? shared.config.token));
  }

  get hasItem() {
    return Boolean(this.module && this.item);
  }

  connectedCallback() {
    buttons.add(this);
    // The button is moved within a task, as when a list is sorted.
    if (this.#isPlaced) return;
    this.#isPlaced = true;
    this.#render();
    this.#checkPermission();
  }

  disconnectedCallback() {
    queueMicrotask(() => {
      if (this.isConnected) return;
      this.#isPlaced = false;
      buttons.delete(this);
      openedDialogs.forEach(detachIfUnused);
    });
  }

  attributeChangedCallback(name, before, after) {
    if (!this.#isPlaced || before === after) return;
    if (name === "action") this.#render();
    else if (name !== "name") this.#checkPermission();
    this.#updateDialog();
  }

  tokenChanged() {
    this.#updateDialog();
    // The button stays visible in the meantime: the token is probably the same user's.
    if (this.#isPlaced) requestPermission(this);
  }

  /**
   * Closes the button's dialogs, discards unsent input and checks the permission again. Call this after a
   * different user signs in.
   */
  refresh() {
    discardDialogs((opened) => opened.opener === this || !findButton(opened));
    this.#checkPermission();
  }

  userChanged(user) {
    discardDialogs(({ dialog }) => dialog.user === user);
    for (const button of buttons) if (button.user === user) button.refresh();
  }

  #checkPermission() {
    this.#isAllowed = false;
    this.hidden = true;
    this.request = undefined;
    requestPermission(this);
  }

  /**
   * @param {boolean} canShare
   * @param {string} [user]
   */
  setPermission(canShare, user) {
    const base = baseUrl(this.api);
    for (const { dialog, opener } of openedDialogs) if (opener === this) dialog.user ??= user;
    // Never show one user's input to another.
    discardDialogs(({ dialog, base: other }) =>
      other === base && dialog.user && dialog.user !== user && !dialog.isInUse);
    this.user = user;
    this.#isAllowed = canShare;
    // Do not show a label in another language before its texts are loaded.
    withLanguage(this, () => (this.hidden = !this.#isAllowed));
    if (!canShare) reportHidden("the user may not share its item", "debug");
    this.#updateDialog();
  }

  /** Opens the dialog. Any unsent input is still there. */
  open() {
    const opened = this.#findDialog() ?? this.#createDialog();
    // Move it to the end.
    openedDialogs = [...openedDialogs.filter((other) => other !== opened), opened];
    const unused = openedDialogs.filter((other) => other !== opened && !other.dialog.isInUse);
    const excess = unused.slice(0, Math.max(openedDialogs.length - DIALOGS_LIMIT, 0));
    discardDialogs((other) => excess.includes(other));
    opened.opener = this;
    opened.dialog.openFor(this);
    opened.dialog.open();
  }

  /** @returns {OpenedDialog} */
  #createDialog() {
    const tag = this.#dialogTag;
    const dialog = /** @type {OpenedDialog["dialog"]} */ (/** @type {unknown} */ (h(tag)));
    const opened = { dialog, tag, base: baseUrl(this.api), opener: this };
    for (const type of ["sharelink-shared", "sharelink-changed", "sharelink-manage", "sharelink-closed"])
      dialog.addEventListener(type, (event) => forward(/** @type {CustomEvent} */ (event), opened));
    return opened;
  }

  /** @returns {DialogTag} */
  get #dialogTag() {
    return this.action === "manage" ? "link-access-dialog" : "share-dialog";
  }

  /** Whether the dialog is for this button's action, item, user and API. */
  owns({ dialog, tag, base, opener }) {
    const { user } = dialog;
    return tag === this.#dialogTag && dialog.module === this.module && dialog.item === this.item
      && base === baseUrl(this.api) && user === this.user && (user !== undefined || opener === this);
  }

  #findDialog() {
    return openedDialogs.find((opened) => this.owns(opened));
  }

  #updateDialog() {
    // A framework may set the name of another item before the item.
    queueMicrotask(() => {
      const dialog = this.#findDialog()?.dialog;
      if (!dialog) return;
      dialog.name = this.name;
      dialog.token = this.token;
    });
  }

  #render() {
    withLanguage(this, ({ texts }) => fill(this.#button, h("slot", {}, texts[this.action])));
  }
}

/**
 * Returns the button in the document that a dialog belongs to, if any.
 * @param {OpenedDialog} opened
 */
function findButton(opened) {
  return [opened.opener, ...buttons].find((button) => button.isConnected && button.owns(opened));
}

/** @param {(opened: OpenedDialog) => unknown} isUnwanted */
function discardDialogs(isUnwanted) {
  const unwanted = new Set(openedDialogs.filter(isUnwanted));
  openedDialogs = openedDialogs.filter((opened) => !unwanted.has(opened));
  for (const { dialog } of unwanted) dialog.discard();
}

/**
 * Takes a closed dialog that is discarded or without a button out of the document.
 * @param {OpenedDialog} opened
 */
function detachIfUnused(opened) {
  const isUsed = openedDialogs.includes(opened) && findButton(opened);
  if (!opened.dialog.isOpen && !isUsed) opened.dialog.remove();
}

/**
 * Dispatches a dialog's event again, from its button. If the page has removed the button, listeners on it get
 * a copy, and the event itself reaches the document.
 * @param {CustomEvent} event
 * @param {OpenedDialog} opened
 */
function forward(event, opened) {
  const { type, detail } = event;
  const copy = () => new CustomEvent(type, { detail, bubbles: true, composed: true, cancelable: true });
  const button = findButton(opened) ?? opened.opener;
  const { isConnected } = button;
  if (isConnected || !opened.dialog.isConnected) event.stopPropagation();
  if (!button.dispatchEvent(copy())) event.preventDefault();
  if (!isConnected && !opened.dialog.isConnected && !document.body.dispatchEvent(copy()))
    event.preventDefault();
  if (type !== "sharelink-closed") return;
  // The element that had focus when the dialog opened may have been replaced.
  if (isConnected && [document.body, opened.dialog].some((element) => element === document.activeElement))
    button.focus();
  detachIfUnused(opened);
}
