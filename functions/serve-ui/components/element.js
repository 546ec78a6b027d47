// The base class of all elements: properties that reflect attributes, and the user's token.

/** @import { Item, TokenProvider } from "../types.d.ts" */

import { Api } from "./api.js";

export class ItemElement extends HTMLElement {
  /** @type {string | undefined} The user whom the element belongs to, if the tokens are JWTs. */
  user;
  #token;

  constructor() {
    super();
    // Frameworks may set properties before this module is loaded. Such a property would hide the accessor of
    // the same name, so replace it with a call to the setter.
    const names =
      ["module", "item", "name", "api", "action", "recipient", "sharer", "everyone", "token"];
    for (const name of names) {
      if (!Object.hasOwn(this, name)) continue;
      const value = this[name];
      delete this[name];
      if (name === "token") this.#token = value;
      else this[name] = value;
    }
  }

  get module() {
    return this.getAttribute("module") ?? "";
  }

  set module(value) {
    this.reflect("module", value);
  }

  get item() {
    return this.getAttribute("item") ?? "";
  }

  set item(value) {
    this.reflect("item", value);
  }

  /** The item's name, for the titles of the dialogs. */
  get name() {
    return this.getAttribute("name") ?? "";
  }

  set name(value) {
    this.reflect("name", value);
  }

  /** The API's base URL. If it is empty, the elements use the one passed to `configure`. */
  get api() {
    return this.getAttribute("api") ?? "";
  }

  set api(value) {
    this.reflect("api", value);
  }

  /** @returns {TokenProvider | undefined} */
  get token() {
    return this.#token;
  }

  set token(token) {
    this.#token = token ?? undefined;
    this.tokenChanged();
  }

  /** Called after a new token provider is set. */
  tokenChanged() {}

  /**
   * Called after a dialog that this element opened refuses the token of a different user.
   * @param {string} user the previous user
   */
  userChanged(user) {}

  /** @returns {Item} */
  get itemRef() {
    return { module: this.module, item: this.item };
  }

  /** An API client for this element's user. */
  get client() {
    return new Api({ api: this.api, token: this.token });
  }

  /**
   * Sets an attribute, or removes it if the value is null or undefined.
   * @param {string} name
   * @param {unknown} value
   */
  reflect(name, value) {
    if (value === null || value === undefined) this.removeAttribute(name);
    else this.setAttribute(name, String(value));
  }
}
