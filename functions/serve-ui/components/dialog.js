// The base class of both dialogs.

/** @import { Child, EventDetails, Item } from "../types.d.ts" */

import { Api, ApiError } from "./api.js";
import { bdi, fill, h } from "./dom.js";
import { ItemElement } from "./element.js";
import { DEFAULT_RULES } from "./rules.js";
import styles, { copyTheme } from "./styles.js";
import { Language, withLanguage } from "./texts.js";

/** Events from user input, which would otherwise leave the shadow tree. */
const INPUT_EVENTS = `keydown keyup keypress beforeinput input textInput compositionstart compositionupdate
  compositionend copy cut paste click dblclick auxclick contextmenu mousedown mouseup mousemove mouseover
  mouseout pointerdown pointerup pointermove pointerover pointerout pointercancel gotpointercapture
  lostpointercapture touchstart touchmove touchend touchcancel wheel mousewheel drag dragstart dragend
  dragenter dragleave dragover drop focusin focusout`.split(/\s+/);

/** Events that have the page's body as their target if nothing in the dialog has focus. */
const UNFOCUSED_EVENTS = ["keydown", "keyup", "keypress", "copy", "cut", "paste"];

/** The smallest height of an on-screen keyboard, in pixels. Rounding and scroll bars are smaller. */
const KEYBOARD_HEIGHT = 100;

/** The longest time to wait for the rules, in milliseconds. Revoking must not depend on them. */
const RULES_WAIT = 1_000;

/**
 * A modal dialog for one item. Attributes: `module`, `item`, `name` (the item's name) and `api` (the API's
 * base URL). Property: `token` (a TokenProvider). `configure` sets the defaults for `api` and `token`.
 */
export class ItemDialog extends ItemElement {
  static observedAttributes = ["name"];

  // The dialog can have focus, so that a click on its text does not move focus to the page.
  #dialog = h("dialog", {
    part: "dialog", "aria-labelledby": "title", tabindex: -1, onclose: () => this.#onClose(),
  });
  #content = h("div", { class: "content" });
  #itemName = bdi();
  #openItem;
  #openName = "";
  /** @type {ItemElement | undefined} The element that opened the dialog. */
  #opener;
  /** @type {ItemDialog | undefined} The dialog that was opened from this one most recently. */
  #next;
  /** @type {{ language: Language, heading: string } | undefined} The last rendered content. */
  #rendered;
  /** Identifies the call of `open` that waits for texts, if any. */
  #opening;
  /** Whether the dialog shows only that a different user has signed in. */
  #isEnded = false;
  /** @type {AbortController} Ends the listeners of the open dialog. */
  #closed;
  /** @type {WeakRef<EventTarget>} The element in the dialog that last had focus. */
  #focused;
  // Always present, because screen readers announce changes only in a live region that already exists.
  #live = h("p", { class: "unseen", role: "status" });

  /** The deployment's rules, or the default ones until they are loaded. */
  rules = { ...DEFAULT_RULES };

  constructor() {
    super();
    this.#dialog.append(this.#content, this.#live);
    this.attachShadow({ mode: "open" }).append(this.#dialog);
    this.shadowRoot.adoptedStyleSheets = [styles];
    this.shadowRoot.addEventListener("focusin", ({ target }) => (this.#focused = new WeakRef(target)));
    // Outside, the target of an event is this element instead of, say, a text field. The page's keyboard
    // shortcuts, menus and focus traps would misinterpret it. Listeners that are not passive delay scrolling.
    for (const type of INPUT_EVENTS)
      this.shadowRoot.addEventListener(type, (event) => event.stopPropagation(), { passive: true });
    this.#dialog.addEventListener("keydown", (event) => this.#onKeyEvent(event));
  }

  // The browser closes a modal dialog that is moved, but its `open` attribute remains.
  connectedCallback() {
    if (!this.isOpen || this.#dialog.matches(":modal")) return;
    const focused = /** @type {HTMLElement} */ (this.#focused?.deref());
    // Unlike `close`, this does not dispatch an event.
    this.#dialog.removeAttribute("open");
    this.#show();
    focused?.focus();
  }

  attributeChangedCallback() {
    // The name may be that of another item, which a framework sets in the same task.
    queueMicrotask(() => {
      const { module, item } = super.itemRef;
      if (!this.isOpen || module !== this.#openItem.module || item !== this.#openItem.item) return;
      this.#openName = super.name;
      if (this.name) this.showItemName(this.name);
    });
  }

  get isOpen() {
    return this.#dialog.open;
  }

  /** Whether the dialog, or one that was opened from it, is open. */
  get isInUse() {
    return this.isOpen || Boolean(this.#opening || this.#next?.isOpen);
  }

  /** The item. It stays the same while the dialog is open, even if the page changes the attributes. */
  get itemRef() {
    return this.isOpen ? this.#openItem : super.itemRef;
  }

  /** The item's name. While the dialog is open, it is always that of the dialog's item. */
  get name() {
    return this.isOpen ? this.#openName : super.name;
  }

  set name(value) {
    super.name = value;
  }

  /** An API client for the dialog's user. It refuses to send one user's input as another. */
  get client() {
    let expected = this.user;
    return new Api(this, (user) => {
      expected ??= this.user ??= user;
      if (!user || user === expected) return;
      if (this.user === expected) this.#end();
      throw new ApiError("otherUser");
    });
  }

  /**
   * Loads the rules. Without them, the dialog offers more than the API accepts.
   * @param {() => void} [apply] called once the rules are loaded
   */
  async loadRules(apply = () => {}) {
    const load = async () => {
      Object.assign(this.rules, DEFAULT_RULES, await this.client.getRules());
      apply();
    };
    const loaded = load().catch(ApiError.from);
    await Promise.race([loaded, new Promise((done) => setTimeout(done, RULES_WAIT))]);
  }

  close() {
    this.#opening = undefined;
    this.#dialog.close();
  }

  /** Closes the dialog, and any dialog that was opened from it, and takes it out of the document. */
  discard() {
    this.#next?.discard();
    // If it shows why it has ended, the user closes it.
    if (this.#isEnded && this.isOpen) return;
    this.close();
    this.remove();
  }

  /** Discards the content. The next `open` creates it again. */
  reset() {}

  /** Replaces the content with an explanation that a different user has signed in. */
  #end() {
    const { user } = this;
    const { language, heading } = this.#rendered;
    this.#isEnded = true;
    const text = language.describeError({ kind: "otherUser" });
    const close = h("button", { type: "button", onclick: () => this.close() }, language.texts.close);
    this.render(language, { heading, body: banner(text), buttons: close });
    close.focus();
    this.reset();
    this.userChanged(user);
    this.user = undefined;
  }

  userChanged(user) {
    this.#opener?.userChanged(user);
  }

  /**
   * Opens the dialog: immediately or, if the texts in its language are not loaded yet, after that.
   * @param {object} [options] what to show
   */
  open(options) {
    const opening = (this.#opening = {});
    withLanguage(this, (language) => {
      if (opening === this.#opening) this.show(language, options);
    });
  }

  /**
   * Shows the dialog.
   * @param {Language} language
   * @param {object} [options]
   */
  show(language, options) {}

  /** Opens the dialog with its current content. */
  showModal() {
    this.#opening = undefined;
    if (this.isOpen || !this.isConnected) return;
    this.#openItem = this.itemRef;
    this.#openName = this.name;
    this.#isEnded = false;
    this.#show();
  }

  #show() {
    this.#dialog.showModal();
    this.#closed?.abort();
    const closed = (this.#closed = new AbortController());
    for (const type of UNFOCUSED_EVENTS)
      addEventListener(type, this.#stopUnfocused, { capture: true, signal: closed.signal });
    globalThis.visualViewport?.addEventListener("resize", this.#fitViewport, { signal: closed.signal });
    this.#fitViewport();
  }

  #onClose() {
    this.#closed.abort();
    this.emit("sharelink-closed");
  }

  /** Keeps the dialog and the focused field above an on-screen keyboard. */
  #fitViewport = () => {
    const { height, offsetTop, scale } = globalThis.visualViewport ?? { scale: 0 };
    // In iOS, the keyboard can change `innerHeight`, too.
    const full = document.scrollingElement?.clientHeight ?? innerHeight;
    // A viewport that is smaller because the user has zoomed in must not shrink the dialog.
    const isCovered = scale === 1 && full - height >= KEYBOARD_HEIGHT;
    this.#dialog.classList.toggle("covered", isCovered);
    // Percentages remain right if the page has the CSS property `zoom`.
    this.#dialog.style.setProperty("--top", `${(offsetTop / full) * 100}%`);
    this.#dialog.style.setProperty("--height", `${(height / full) * 100}%`);
    if (isCovered) this.shadowRoot.activeElement?.scrollIntoView({ block: "nearest" });
  };

  /** Keeps an event from the page if nothing has focus, such as after a focused button is removed. */
  #stopUnfocused = (event) => {
    // A dialog that the page removes while it is open does not dispatch `close`.
    if (!this.isConnected) this.#closed.abort();
    const isUnfocused = event.target === document.body || event.target === document.documentElement;
    if (!isUnfocused || !this.isConnected) return;
    event.stopImmediatePropagation();
    this.#onKeyEvent(event);
  };

  /** @param {KeyboardEvent} event */
  #onKeyEvent({ type, key }) {
    if (type !== "keydown") return;
    // If the key closes the dialog, the page must not receive the rest of the key press.
    addEventListener("keyup", (event) => {
      if (!this.isOpen && event.key === key) event.stopImmediatePropagation();
    }, { capture: true, once: true });
  }

  /**
   * Prepares a dialog for another element's item, in that element's language and with its theme.
   * @param {ItemElement} opener
   * @param {Item & { name?: string }} [of] the item, if it is not the opener's
   */
  openFor(opener, { module, item, name } = opener) {
    const { token } = opener;
    Object.assign(this, { module, item, name, token, api: opener.api || null });
    this.user ??= opener.user;
    this.#opener = opener;
    if (opener instanceof ItemDialog) opener.#next = this;
    this.lang = new Language(opener).pageTag;
    copyTheme(opener, this.shadowRoot);
    const container = findContainer(opener);
    if (!this.isOpen && this.parentNode !== container) container.append(this);
    this.#resizes.observe(this.#dialog);
    this.#attributes.observe(this, { attributeFilter: ["inert", "aria-hidden"] });
    this.#expose();
  }

  // If the page removes or hides the element that contains the open dialog, move the dialog to the body.
  #resizes = new ResizeObserver(() => {
    if (this.isOpen && !this.#dialog.checkVisibility()) document.body.append(this);
  });

  // A page that shows its own dialog may disable everything else.
  #attributes = new MutationObserver(() => this.#expose());

  #expose() {
    for (const name of ["inert", "aria-hidden"]) this.removeAttribute(name);
  }

  /**
   * Replaces the dialog's content.
   * @param {Language} language
   * @param {{
   *   heading: string, itemName?: string, top?: Child, body: Child, status?: Child, buttons: Child
   * }} content only the body scrolls; the dialog's accessible name is the heading and the item's name
   */
  render(language, { heading, itemName, top, body, status, buttons }) {
    const { texts } = language;
    this.#rendered = { language, heading };
    this.#dialog.lang = language.tag;
    // All texts are in languages that are written from left to right, even if the page's language is not.
    this.#dialog.dir = "ltr";
    this.showItemName(itemName);
    const close = h("button", {
      type: "button", class: "plain", "aria-label": texts.close, onclick: () => this.close(),
    }, "✕");
    fill(this.#content,
      h("div", { class: "head" }, h("h2", { id: "title" }, heading, " ", this.#itemName), close),
      top,
      h("div", { class: "body" }, body),
      status,
      h("div", { class: "foot" }, buttons),
    );
  }

  /**
   * Shows the item's name below the heading.
   * @param {string} [name]
   */
  showItemName(name) {
    fill(this.#itemName, name);
  }

  /**
   * Announces text to screen reader users.
   * @param {string} text
   */
  announce(text) {
    // Screen readers announce only changes, so repeated text needs a difference.
    fill(this.#live, this.#live.textContent === text ? `${text}\u00a0` : text);
  }

  /**
   * Dispatches an event to the page. Returns false if a listener called `preventDefault()`.
   * @template {keyof EventDetails} T
   * @param {T} name
   * @param {EventDetails[T] | {}} detail
   */
  emit(name, detail = {}) {
    const event = new CustomEvent(name, { detail, bubbles: true, composed: true, cancelable: true });
    return this.dispatchEvent(event);
  }

  /**
   * Runs a button's action. Until the action finishes, the button shows `busyText` and ignores clicks.
   * Returns whether the action succeeded.
   * @param {HTMLButtonElement} button
   * @param {string} busyText
   * @param {() => Promise<void>} action
   * @param {(error: ApiError) => void} onError
   */
  async runAction(button, busyText, action, onError) {
    if (button.getAttribute("aria-disabled") === "true") return false;
    const label = button.textContent;
    // Do not use `disabled`, because a disabled button loses focus.
    button.setAttribute("aria-disabled", "true");
    fill(button, busyText);
    this.announce(busyText);
    try {
      await action();
      return true;
    } catch (error) {
      onError(ApiError.from(error));
      return false;
    } finally {
      button.removeAttribute("aria-disabled");
      fill(button, label);
    }
  }
}

/**
 * Returns the element that a dialog must be in: the modal dialog of the page that contains the opener,
 * because a page's focus trap blocks everything outside of it, or the body. It is not simply the opener's
 * parent, because a menu that closes must not hide the dialog.
 * @param {Element} opener
 */
function findContainer(opener) {
  for (let element = opener; element; element = /** @type {ShadowRoot} */ (element.getRootNode()).host) {
    const modal = element.closest("dialog[open], [aria-modal=true], [role=dialog], [role=alertdialog]");
    if (modal) return modal;
  }
  return document.body;
}

/**
 * Creates an error message, followed by buttons such as "Try again".
 * @param {string} text
 * @param {...HTMLButtonElement} buttons
 */
export function banner(text, ...buttons) {
  const row = buttons.length > 0 && h("div", { class: "row" }, buttons);
  return h("div", { class: "banner", role: "alert" }, h("p", {}, text), row);
}
