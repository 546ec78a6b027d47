// An item's share log, as a list that loads more entries as the user scrolls.

/** @import { LogEntry } from "../types.d.ts" */
/** @import { ItemDialog } from "./dialog.js" */
/** @import { Language } from "./texts.js" */

import { ApiError } from "./api.js";
import { banner } from "./dialog.js";
import { bdi, fill, h } from "./dom.js";
import { isolate } from "./texts.js";

export class ShareLog {
  #dialog;
  #language;
  #observer;
  #end = h("div");

  /**
   * @param {ItemDialog} dialog
   * @param {Language} language
   * @param {IntersectionObserver} observer clicks "Show more" when it comes into view
   */
  constructor(dialog, language, observer) {
    this.#dialog = dialog;
    this.#language = language;
    this.#observer = observer;
    this.list = h("ol", { class: "log", tabindex: 0, "aria-label": language.texts.log });
    this.elements = [h("p", { class: "hint" }, language.texts.useHint), this.list, this.#end];
  }

  /**
   * Loads the page of entries after a cursor. Without a cursor, loads the newest entries.
   * @param {string} [cursor]
   */
  async load(cursor) {
    const { texts } = this.#language;
    const hadFocus = this.#end.contains(this.#dialog.shadowRoot.activeElement);
    fill(this.#end, h("p", { class: "empty" }, texts.loading));
    if (hadFocus) this.list.focus();
    try {
      const { entries, nextCursor } = await this.#dialog.client.listLog(this.#dialog.itemRef, cursor);
      this.list.append(...entries.map((entry) => this.#entry(entry)));
      const onclick = () => this.load(nextCursor);
      const more = nextCursor && h("button", { type: "button", class: "more", onclick }, texts.more);
      const isEmpty = !more && !this.list.children.length;
      fill(this.#end, more, isEmpty && h("p", { class: "empty" }, texts.noLog));
      if (more) this.#observer.observe(more);
    } catch (thrown) {
      const retry = h("button", { type: "button", onclick: () => this.load(cursor) }, texts.tryAgain);
      fill(this.#end, banner(this.#language.describeError(ApiError.from(thrown)), retry));
    }
  }

  /** @param {LogEntry} entry */
  #entry({ at, event, recipient, by, from, to, detail, reason, number, source }) {
    const { texts } = this.#language;
    const format = (time) => this.#language.formatTime(time);
    const who = by && texts.by(isolate(by.name ?? by.email ?? by.sub));
    const change = to && texts.fromTo(format(from), format(to));
    // Up to here, the log has an entry for every use.
    const times = number > 100 && texts.times(number);
    const client =
      source && (texts.client[source.client] ?? source.client.replace(/^./, (c) => c.toUpperCase()));
    const why = texts.failure[reason] ?? texts.mailReason[reason] ?? detail;
    const rest = [texts.event[event], times, client, source?.network, change, why, who]
      .filter(Boolean)
      .join(", ");
    return h("li", {}, h("time", { datetime: at }, format(at)), bdi(recipient), texts.colon + rest);
  }
}
