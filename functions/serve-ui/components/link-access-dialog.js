// `<link-access-dialog module="jobs" item="1042">`: lists the active and inactive links to an item's files.

/** @import { Share, Status } from "../types.d.ts" */

import { ApiError } from "./api.js";
import { ItemDialog, banner } from "./dialog.js";
import { fill, h } from "./dom.js";
import { ShareLog } from "./share-log.js";
import { ShareRow } from "./share-row.js";
import { Language } from "./texts.js";

/** @type {Status[]} */
const TABS = ["active", "inactive"];

/** A tab, with its shares, newest first, and the cursor for the next page. */
class Tab {
  /** @type {Share[]} */
  shares = [];
  /** @type {string | undefined} */
  cursor;
  /** Whether all pages have been loaded. */
  isComplete = false;

  /**
   * @param {Status} status
   * @param {Language["texts"]} texts
   * @param {{ onSelect: (status: Status) => void, onKey: (event: KeyboardEvent) => void }} listeners
   */
  constructor(status, texts, { onSelect, onKey }) {
    this.status = status;
    this.count = h("span", { class: "count", hidden: true });
    this.button = h("button", {
      id: `${status}-tab`, type: "button", role: "tab", "aria-controls": `${status}-panel`,
      onclick: () => onSelect(status), onkeydown: onKey,
    }, `${texts[status]} `, this.count);
    this.list = h("ul", { class: "shares" });
    this.end = h("div");
    this.panel = h("div",
      { id: `${status}-panel`, role: "tabpanel", "aria-labelledby": `${status}-tab`, tabindex: 0 },
      this.list, this.end);
  }

  /**
   * Returns the index where a share belongs, or undefined if that is on a page that has not been loaded.
   * @param {Share} share
   */
  insertionIndex({ createdAt }) {
    const index = this.shares.findIndex((share) => share.createdAt <= createdAt);
    if (index >= 0) return index;
    return this.isComplete ? this.shares.length : undefined;
  }

  showCount() {
    this.count.hidden = !this.isComplete && !this.shares.length;
    fill(this.count, this.isComplete ? `${this.shares.length}` : `${this.shares.length}+`);
  }
}

export class LinkAccessDialog extends ItemDialog {
  /** @type {Language} */
  #language;
  /** @type {Record<Status, Tab>} */
  #tabs;
  /** @type {Status} */
  #selected;
  /** The id of the share to highlight. */
  #marked;
  #notice = h("div");
  // Clicks "Show more" when the button comes into view, so that scrolling loads the next page.
  #observer = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries)
      if (isIntersecting) /** @type {HTMLElement} */ (target).click();
  }, { rootMargin: "200px" });

  /**
   * Loads the links and opens the dialog.
   * @param {{ tab?: Status, shareId?: string }} [options] the tab to select, and a share to highlight
   */
  open({ tab = "active", shareId } = {}) {
    this.#language = new Language(this);
    this.#marked = shareId;
    const { texts } = this.#language;
    const listeners = {
      onSelect: (status) => this.#select(status),
      onKey: (event) => this.#onTabKey(event),
    };
    this.#tabs = {
      active: new Tab("active", texts, listeners),
      inactive: new Tab("inactive", texts, listeners),
    };
    this.#selected = tab;
    fill(this.#notice);
    this.#showTabs();
    this.showModal();
    this.#tabs[this.#selected].button.focus();
    for (const status of TABS) this.#load(this.#tabs[status]);
  }

  #showTabs() {
    const { texts } = this.#language;
    const tabs = Object.values(this.#tabs);
    const buttons = tabs.map(({ button }) => button);
    this.render(this.#language, {
      heading: texts.manage,
      top: h("div", { class: "tabs", role: "tablist", "aria-label": texts.manage }, buttons),
      body: [this.#notice, ...tabs.map(({ panel }) => panel)],
      buttons: [
        h("button", { type: "button", class: "push", onclick: () => this.#showLog() }, texts.log),
        h("button", { type: "button", onclick: () => this.close() }, texts.close),
      ],
    });
    this.#select(this.#selected);
  }

  #showLog() {
    const { texts } = this.#language;
    const log = new ShareLog(this, this.#language, this.#observer);
    const back = () => {
      this.#showTabs();
      this.#tabs[this.#selected].button.focus();
    };
    this.render(this.#language, {
      heading: texts.log,
      body: log.elements,
      buttons: [
        h("button", { type: "button", class: "push", onclick: back }, texts.backToLinks),
        h("button", { type: "button", onclick: () => this.close() }, texts.close),
      ],
    });
    log.list.focus();
    log.load();
  }

  #select(status) {
    this.#selected = status;
    for (const tab of Object.values(this.#tabs)) {
      const isSelected = tab.status === status;
      tab.button.setAttribute("aria-selected", String(isSelected));
      tab.button.tabIndex = isSelected ? 0 : -1;
      tab.panel.hidden = !isSelected;
    }
  }

  #onTabKey(event) {
    const moves = { ArrowLeft: 1, ArrowRight: 1, Home: 0, End: 1 };
    if (!(event.key in moves)) return;
    event.preventDefault();
    const isArrow = event.key.startsWith("Arrow");
    const target = isArrow ? TABS.find((status) => status !== this.#selected) : TABS[moves[event.key]];
    this.#select(target);
    this.#tabs[target].button.focus();
  }

  /**
   * Loads the next page of a tab.
   * @param {Tab} tab
   */
  async #load(tab) {
    const { texts } = this.#language;
    const hadFocus = tab.end.contains(this.shadowRoot.activeElement);
    fill(tab.end, h("p", { class: "empty" }, texts.loading));
    try {
      const { shares, nextCursor } = await this.api.listShares(this.item, tab.status, tab.cursor);
      if (!tab.cursor && nextCursor) await this.#addMarked(tab, shares);
      tab.cursor = nextCursor;
      tab.isComplete = !nextCursor;
      const known = new Set(tab.shares.map(({ shareId }) => shareId));
      const added = shares.filter(({ shareId }) => !known.has(shareId));
      const rows = added.map((share) => this.#row(share));
      tab.shares.push(...added);
      tab.list.append(...rows);
      this.#showEnd(tab);
      if (hadFocus) (rows[0]?.querySelector("button") ?? tab.panel).focus();
    } catch (thrown) {
      const retry = h("button", { type: "button", onclick: () => this.#load(tab) }, texts.tryAgain);
      fill(tab.end, banner(this.#language.describeError(ApiError.from(thrown)), retry));
      if (hadFocus) retry.focus();
    }
  }

  /** Adds the highlighted share to the first page if it is on a later page. */
  async #addMarked(tab, shares) {
    if (!this.#marked || tab.status !== this.#selected) return;
    if (shares.some(({ shareId }) => shareId === this.#marked)) return;
    try {
      const share = await this.api.getShare(this.item, this.#marked);
      if (share.status === tab.status) shares.unshift(share);
    } catch (thrown) {
      // If the share no longer exists, show the list without it.
      if (ApiError.from(thrown).kind !== "share-not-found") throw thrown;
    }
  }

  /** Shows the end of a tab: a button for the next page, or a note that the tab is empty. */
  #showEnd(tab) {
    const { texts } = this.#language;
    tab.showCount();
    const none = tab.status === "active" ? texts.noActive : texts.noInactive;
    const showMore = () => this.#load(tab);
    const more = !tab.isComplete
      && h("button", { type: "button", class: "more", onclick: showMore }, texts.more);
    fill(tab.end, more, tab.isComplete && !tab.shares.length && h("p", { class: "empty" }, none));
    if (more) this.#observer.observe(more);
  }

  /**
   * @param {Share} share
   * @param {Element} [panel] an open form to show in the new row
   */
  #row(share, panel) {
    const row = new ShareRow(share, {
      dialog: this,
      language: this.#language,
      isMarked: share.shareId === this.#marked,
      panel,
      onUpdate: (...update) => this.#applyUpdate(...update),
      onMissing: (...missing) => this.#removeMissing(...missing),
    });
    return row.element;
  }

  /**
   * Shows a changed share in its tab.
   * @param {Share} share
   * @param {string} [text] the success message; without it, nothing is announced and no event is emitted
   * @param {boolean} [keepsPanel] whether to keep an open form
   */
  #applyUpdate(share, text, keepsPanel = false) {
    const from = this.#tabs[this.#selected];
    const { activeElement } = this.shadowRoot;
    const row = this.#findRow(share);
    const panel = keepsPanel ? row?.querySelector(".open") : undefined;
    const hadFocus = !activeElement || row?.contains(activeElement);
    const to = this.#tabs[share.status];
    const before = to.shares.findIndex(({ shareId }) => shareId === share.shareId);
    this.#removeRow(share);
    const index = before >= 0 ? before : to.insertionIndex(share);
    if (index !== undefined) {
      to.shares.splice(index, 0, share);
      to.list.insertBefore(this.#row(share, panel ?? undefined), to.list.children[index] ?? null);
    }
    for (const tab of Object.values(this.#tabs)) this.#showEnd(tab);
    fill(this.#notice, text && h("p", { class: "banner good" }, text));
    if (text) {
      this.announce(text);
      this.emit("sharelink-changed", { share });
    }
    if (!hadFocus) return;
    /** @type {HTMLElement | null} */
    const button = from.list.querySelector(`[data-share="${share.shareId}"] [data-action]`);
    (button ?? from.panel).focus();
  }

  #findRow({ shareId }) {
    return this.shadowRoot.querySelector(`[data-share="${shareId}"]`);
  }

  #removeRow({ shareId }) {
    for (const tab of Object.values(this.#tabs)) {
      tab.shares = tab.shares.filter((share) => share.shareId !== shareId);
      tab.list.querySelector(`[data-share="${shareId}"]`)?.remove();
    }
  }

  /** Removes a share that no longer exists. */
  #removeMissing(share, error) {
    this.#removeRow(share);
    for (const tab of Object.values(this.#tabs)) this.#showEnd(tab);
    fill(this.#notice, banner(this.#language.describeError(error)));
    this.#tabs[this.#selected].panel.focus();
  }
}
