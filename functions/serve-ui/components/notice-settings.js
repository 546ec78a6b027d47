// The user's choice of notices: emails about what happens to the user's shares.

/** @import { NoticeKind, NoticeSettings as Settings } from "../types.d.ts" */
/** @import { ItemDialog } from "./dialog.js" */
/** @import { Language } from "./texts.js" */

import { ApiError } from "./api.js";
import { banner } from "./dialog.js";
import { fill, h } from "./dom.js";

export class NoticeSettings {
  #dialog;
  #language;
  /** @type {Settings} */
  #settings;
  #alert = h("div");
  #list = h("div");

  /**
   * @param {ItemDialog} dialog
   * @param {Language} language
   * @param {() => void} onSaved
   */
  constructor(dialog, language, onSaved) {
    const { texts } = language;
    this.#dialog = dialog;
    this.#language = language;
    const onclick = async () => {
      if (await this.#save()) onSaved();
    };
    this.save = h("button", { type: "button", class: "primary", hidden: true, onclick }, texts.save);
    this.element = h("div", { role: "group", "aria-label": texts.notices, tabindex: -1 },
      this.#alert, h("p", { class: "field hint" }, texts.noticesHint), this.#list);
  }

  async load() {
    const { texts } = this.#language;
    const { client, rules, shadowRoot } = this.#dialog;
    fill(this.#alert);
    fill(this.#list, h("p", { class: "empty" }, texts.loading));
    this.element.focus();
    try {
      this.#settings = await client.getNoticeSettings();
    } catch (thrown) {
      const retry = h("button", { type: "button", onclick: () => this.load() }, texts.tryAgain);
      fill(this.#list);
      fill(this.#alert, banner(this.#language.describeError(ApiError.from(thrown)), retry));
      return;
    }
    const hadFocus = shadowRoot.activeElement === this.element;
    fill(this.#list, rules.notices.map((kind) => this.#checkbox(kind)));
    this.save.hidden = false;
    if (hadFocus) this.#list.querySelector("input")?.focus();
  }

  /** @param {NoticeKind} kind */
  #checkbox(kind) {
    const onchange = ({ target }) => (this.#settings[kind] = target.checked);
    const input = h("input", { type: "checkbox", checked: this.#settings[kind], onchange });
    return h("label", { class: "check" }, input, this.#language.texts.notice[kind]);
  }

  #save() {
    const dialog = this.#dialog;
    fill(this.#alert);
    const action = () => dialog.client.changeNoticeSettings(this.#settings);
    const onError = (error) => fill(this.#alert, banner(this.#language.describeError(error)));
    return dialog.runAction(this.save, this.#language.texts.saving, action, onError);
  }
}
