// What the two dialogs have in common.

import { Api, ApiError } from "./api.js";
import { fill, h } from "./dom.js";
import styles from "./styles.js";

/**
 * A modal dialog about an item. Attributes: `module`, `item`, and `api`, where the API's routes begin. Property:
 * `token`, a function that returns the user's token. `configure` sets both for all elements.
 */
export class ItemDialog extends HTMLElement {
  #dialog = h("dialog", { part: "dialog", "aria-labelledby": "title", onclose: () => this.tell("sharelink-closed") });
  #content = h("div", { class: "content" });
  // Always there: what comes into a region together with it is not announced.
  #live = h("p", { class: "unseen", role: "status" });

  constructor() {
    super();
    this.#dialog.append(this.#content, this.#live);
    this.attachShadow({ mode: "open" }).append(this.#dialog);
    this.shadowRoot.adoptedStyleSheets = [styles];
  }

  get item() {
    return { module: this.getAttribute("module"), item: this.getAttribute("item") };
  }

  get isOpen() {
    return this.#dialog.open;
  }

  /** The API, in this dialog's user's name. */
  get api() {
    return new Api({ api: this.getAttribute("api") ?? undefined, token: this.token });
  }

  close() {
    this.#dialog.close();
  }

  /** Opens what was shown last. */
  reveal() {
    if (!this.isOpen && this.isConnected) this.#dialog.showModal();
  }

  /** Shows these parts: a heading, what is below it, what scrolls, and buttons. */
  show(language, { heading, top, body, buttons }) {
    const { texts } = language;
    this.#dialog.lang = language.tag;
    fill(this.#content,
      h("div", { class: "head" },
        h("h2", { id: "title" }, heading),
        h("button", { type: "button", class: "plain", "aria-label": texts.close, onclick: () => this.close() }, "✕"),
      ),
      top,
      h("div", { class: "body" }, body),
      h("div", { class: "foot" }, buttons),
    );
  }

  /** Tells people who cannot see it what has happened. */
  say(text) {
    // The same text twice is news twice.
    fill(this.#live, this.#live.textContent === text ? `${text}\u00a0` : text);
  }

  /** Tells the page around; whether it has nothing against what comes next. */
  tell(name, detail = {}) {
    return this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true, cancelable: true }));
  }

  /**
   * Does what a button is for, once at a time: until it is done, the button says so and does nothing. Whether it went
   * well; if not, `failed` was told why.
   */
  async during(button, text, work, failed) {
    if (button.getAttribute("aria-disabled") === "true") return false;
    const label = button.textContent;
    // Not `disabled`, which would lose the focus.
    button.setAttribute("aria-disabled", "true");
    fill(button, text);
    this.say(text);
    try {
      await work();
      return true;
    } catch (error) {
      failed(ApiError.of(error));
      return false;
    } finally {
      button.removeAttribute("aria-disabled");
      fill(button, label);
    }
  }
}

/** A message that something went wrong, with a way on. */
export function banner(text, ...actions) {
  return h("div", { class: "banner", role: "alert" }, h("p", {}, text), actions.length > 0 && h("div", { class: "row" }, actions));
}
