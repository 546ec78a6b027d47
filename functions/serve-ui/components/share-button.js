// `<share-button module="jobs" item="1042">`: opens a dialog about an item, and is only there for who may share it.

import { Api, ApiError, configured } from "./api.js";
import { fill, h } from "./dom.js";
import styles from "./styles.js";
import { Language } from "./texts.js";

/** How many items the API takes at once. */
const BATCH = 100;

/** After how long a question is repeated that got no answer. */
const LATER = 30_000;

/** Buttons that were put on the page together, and that ask together. */
let waiting = new Set();

async function ask(button) {
  if (!button.isConfigured) await configured;
  if (!waiting.size) setTimeout(askAll);
  waiting.add(button);
}

function askAll() {
  const groups = [];
  for (const button of waiting) {
    const isSame = ([{ token, endpoint }]) => token === button.token && endpoint === button.endpoint;
    const group = groups.find((group) => isSame(group) && group.length < BATCH);
    if (!button.isConnected) continue;
    if (group) group.push(button);
    else groups.push([button]);
  }
  waiting = new Set();
  groups.forEach(answer);
}

async function answer(buttons) {
  // What has been asked anew meanwhile is not to be answered by this.
  const questions = buttons.map((button) => button.question);
  try {
    const allowed = await buttons[0].api.permissions(buttons.map(({ item }) => item));
    buttons.forEach((button, i) => button.question === questions[i] && button.allow(allowed[i]));
  } catch (thrown) {
    const error = ApiError.of(thrown);
    const wrong = new Set(error.pointers.map((pointer) => buttons[Number(pointer.split("/")[2])]));
    const others = buttons.filter((button) => !wrong.has(button));
    // An item that cannot be has no button, and keeps no other from its own.
    if (wrong.size && others.length) answer(others);
    else if (!wrong.size) setTimeout(() => others.forEach(ask), LATER);
  }
}

/**
 * Attributes: `module`, `item`, and `api`, where the API's routes begin; `action`, which is `share` (unless it is
 * given) or `manage`. Property: `token`, a function that returns the user's token. `configure` sets both for all
 * elements. The text is the slot's, or else the action's name.
 */
export class ShareButton extends HTMLElement {
  static observedAttributes = ["module", "item", "action", "api"];

  /** What was asked last, to know its answer from others. */
  question;
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

  get token() {
    return this.#token;
  }

  set token(token) {
    this.#token = token;
    if (this.isConnected) this.refresh();
  }

  /** Where the API's routes begin, if this button has an API of its own. */
  get endpoint() {
    return this.getAttribute("api") ?? undefined;
  }

  get isConfigured() {
    return Boolean(this.endpoint && this.token);
  }

  get api() {
    return new Api({ api: this.endpoint, token: this.token });
  }

  connectedCallback() {
    this.#render();
    this.#ask();
  }

  disconnectedCallback() {
    // A list that is put in another order takes it away and puts it back.
    queueMicrotask(() => this.isConnected || this.#forget());
  }

  attributeChangedCallback(name, before, after) {
    if (!this.isConnected || before === after) return;
    this.#forget();
    if (name === "action") this.#render();
    else this.#ask();
  }

  /** Somebody else has signed in: what was typed is forgotten, and whether they may share is asked. */
  refresh() {
    this.#forget();
    this.#ask();
  }

  #ask() {
    this.hidden = true;
    this.question = {};
    ask(this);
  }

  /** The API's answer. */
  allow(canShare) {
    this.hidden = !canShare;
  }

  /** Opens the dialog; what was typed into it before is still there. */
  open() {
    if (!this.#dialog) {
      this.#dialog = h(this.#isManage ? "link-access-dialog" : "share-dialog", this.item);
      if (this.endpoint) this.#dialog.setAttribute("api", this.endpoint);
      this.#dialog.token = this.token;
      this.#dialog.lang = new Language(this).pageTag;
      // Its events are this button's.
      for (const name of ["sharelink-shared", "sharelink-changed", "sharelink-manage", "sharelink-closed"])
        this.#dialog.addEventListener(name, (event) => this.#pass(event));
      // Not in here: a menu that closes would take it along.
      document.body.append(this.#dialog);
    }
    this.#dialog.open();
  }

  get #isManage() {
    return this.getAttribute("action") === "manage";
  }

  #forget() {
    this.#dialog?.remove();
    this.#dialog = undefined;
  }

  #pass(event) {
    event.stopPropagation();
    const passed = new CustomEvent(event.type, { detail: event.detail, bubbles: true, composed: true, cancelable: true });
    if (!this.dispatchEvent(passed)) event.preventDefault();
  }

  #render() {
    const { texts } = new Language(this);
    fill(this.#button, h("slot", {}, this.#isManage ? texts.manage : texts.share));
  }
}
