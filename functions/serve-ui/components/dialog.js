// The base class of both dialogs.

/** @import { Child, EventDetails, Item, TokenProvider } from "../types.d.ts" */
/** @import { Language } from "./texts.js" */

import { Api, ApiError } from "./api.js";
import { bdi, fill, h } from "./dom.js";
import styles from "./styles.js";

/**
 * A modal dialog for one item. Attributes: `module`, `item` and `api` (the API's base URL). Property:
 * `token` (a TokenProvider). `configure` sets the defaults for `api` and `token`.
 */
export class ItemDialog extends HTMLElement {
  #token;
  #dialog = h("dialog", {
    part: "dialog", "aria-labelledby": "title", onclose: () => this.emit("sharelink-closed"),
  });
  #content = h("div", { class: "content" });
  #itemName = bdi();
  // Always present, because screen readers announce changes only in a live region that already exists.
  #live = h("p", { class: "unseen", role: "status" });

  constructor() {
    super();
    this.#dialog.append(this.#content, this.#live);
    this.attachShadow({ mode: "open" }).append(this.#dialog);
    this.shadowRoot.adoptedStyleSheets = [styles];
  }

  /** @returns {TokenProvider | undefined} */
  get token() {
    return this.#token;
  }

  set token(token) {
    this.#token = token;
  }

  /** @returns {Item} */
  get item() {
    return { module: this.getAttribute("module"), item: this.getAttribute("item") };
  }

  get isOpen() {
    return this.#dialog.open;
  }

  /** An API client for this dialog's user. */
  get api() {
    return new Api({ api: this.getAttribute("api") ?? undefined, token: this.token });
  }

  close() {
    this.#dialog.close();
  }

  /** Opens the dialog with its current content. */
  showModal() {
    if (this.isOpen || !this.isConnected) return;
    this.#dialog.showModal();
    const closed = new AbortController();
    this.#dialog.addEventListener("close", () => closed.abort(), { once: true });
    const onResize = () => (this.isConnected ? this.#fitViewport() : closed.abort());
    globalThis.visualViewport?.addEventListener("resize", onResize, { signal: closed.signal });
    this.#fitViewport();
  }

  /** Keeps the dialog and the focused field above an on-screen keyboard. */
  #fitViewport() {
    const { height, offsetTop, scale } = globalThis.visualViewport ?? { scale: 0 };
    // A viewport that is smaller because the user has zoomed in must not shrink the dialog.
    const isCovered = scale === 1 && height < document.documentElement.clientHeight;
    this.#dialog.classList.toggle("covered", isCovered);
    this.#dialog.style.setProperty("--top", `${offsetTop}px`);
    this.#dialog.style.setProperty("--height", `${height}px`);
    if (isCovered) this.shadowRoot.activeElement?.scrollIntoView({ block: "nearest" });
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
    this.#dialog.lang = language.tag;
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
 * Creates an error message, followed by buttons such as "Try again".
 * @param {string} text
 * @param {...HTMLButtonElement} buttons
 */
export function banner(text, ...buttons) {
  const row = buttons.length > 0 && h("div", { class: "row" }, buttons);
  return h("div", { class: "banner", role: "alert" }, h("p", {}, text), row);
}
