// `<link-access-dialog module="jobs" item="1042">`: lists the active and inactive links to an item's files.

/** @import { Share, Status } from "../types.d.ts" */

import { ApiError } from "./api.js";
import { ItemDialog, banner } from "./dialog.js";
import { fill, h } from "./dom.js";
import { replaceText, rfc3339 } from "./expiration.js";
import { ShareLog } from "./share-log.js";
import { ShareRow, accessText, currentShare } from "./share-row.js";
import { Language, isolate } from "./texts.js";

/** @type {Status[]} */
const TABS = ["active", "inactive"];

/** The longest time between two checks for expired links, in milliseconds. */
const TICK = 60_000;

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
  // The result of the last action. It stays visible while the list scrolls.
  #status = h("div", { class: "status" });
  /** The button that undoes the last action, and the time until which it can be undone. */
  #undo = { button: h("button"), until: 0 };
  #openedAt = 0;
  #timer = 0;
  // Clicks "Show more" when the button comes into view, so that scrolling loads the next page.
  #observer = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries)
      if (isIntersecting) /** @type {HTMLElement} */ (target).click();
  }, { rootMargin: "200px" });

  constructor() {
    super();
    // Capture the event, because events from an open dialog do not reach the page.
    this.shadowRoot.addEventListener("keydown", (event) => this.#onKey(event), true);
  }

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
    this.#openedAt = Date.now();
    fill(this.#status);
    this.#showTabs();
    this.showModal();
    this.#tabs[this.#selected].button.focus();
    for (const status of TABS) this.#load(this.#tabs[status]);
    this.#tick();
  }

  /** The item's name: the `name` attribute or, if that is missing, the title of the newest share. */
  get #itemName() {
    const newest = TABS.map((status) => this.#tabs[status].shares[0]).filter(Boolean);
    const [first] = newest.sort((a, b) => (a.createdAt < b.createdAt ? 1 : -1));
    return this.name || first?.title;
  }

  #showTabs() {
    const { texts } = this.#language;
    const tabs = Object.values(this.#tabs);
    const buttons = tabs.map(({ button }) => button);
    this.render(this.#language, {
      heading: texts.manage,
      itemName: this.#itemName,
      top: h("div", { class: "tabs", role: "tablist", "aria-label": texts.manage }, buttons),
      body: tabs.map(({ panel }) => panel),
      status: this.#status,
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
      itemName: this.#itemName,
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
      const { shares, nextCursor } = await this.client.listShares(this.itemRef, tab.status, tab.cursor);
      if (!tab.cursor && nextCursor) await this.#addMarked(tab, shares);
      tab.cursor = nextCursor;
      tab.isComplete = !nextCursor;
      const known = new Set(tab.shares.map(({ shareId }) => shareId));
      const added = shares.filter(({ shareId }) => !known.has(shareId));
      const rows = added.map((share) => this.#row(share));
      tab.shares.push(...added);
      tab.list.append(...rows);
      this.showItemName(this.#itemName);
      this.#showEnd(tab);
      this.#tick();
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
      const share = await this.client.getShare(this.itemRef, this.#marked);
      if (share.status === tab.status) shares.unshift(share);
    } catch (thrown) {
      // If the share no longer exists, show the list without it.
      if (ApiError.from(thrown).kind !== "share-not-found") throw thrown;
    }
  }

  /** Shows the end of a tab: what the counts mean, a button for the next page, or a note that it is empty. */
  #showEnd(tab) {
    const { texts } = this.#language;
    tab.showCount();
    const none = tab.status === "active" ? texts.noActive : texts.noInactive;
    const showMore = () => this.#load(tab);
    const more = !tab.isComplete
      && h("button", { type: "button", class: "more", onclick: showMore }, texts.more);
    const isUsed = tab.shares.some(({ lastOpenedAt }) => lastOpenedAt);
    const hint = isUsed && h("p", { class: "hint" }, texts.useHint);
    fill(tab.end, hint, more, tab.isComplete && !tab.shares.length && h("p", { class: "empty" }, none));
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
      onChange: (...change) => this.#applyChange(...change),
      onUpdate: (...update) => this.#showShare(...update),
      onMissing: (...missing) => this.#removeMissing(...missing),
      onStatus: (text) => this.#showStatus(text),
    });
    return row.element;
  }

  /**
   * Shows a share whose access the user has changed.
   * @param {Share} share
   * @param {Share} [previous] the share before the change, if the change can be undone
   * @param {string} [more] what else has changed
   */
  #applyChange(share, previous, more = "") {
    this.#showShare(share);
    this.#showStatus(`${this.#describe(share)} ${more}`.trim(), share, previous);
    this.emit("sharelink-changed", { share });
  }

  /** @param {Share} share */
  #describe({ recipient, status, expiresAt }) {
    const { texts } = this.#language;
    const address = isolate(recipient);
    if (status !== "active") return texts.ended(address);
    return texts.changed(address, this.#language.formatTime(expiresAt));
  }

  /**
   * Shows a share in its tab. If its row had the focus and leaves the selected tab, the next row gets the
   * focus.
   * @param {Share} share
   * @param {boolean} [keepsPanel] whether to keep an open form
   * @param {boolean} [movesFocus]
   */
  #showShare(share, keepsPanel = false, movesFocus = true) {
    const { list } = this.#tabs[this.#selected];
    const { activeElement } = this.shadowRoot;
    const row = this.#findRow(share);
    const panel = keepsPanel ? row?.querySelector(".open") : undefined;
    const neighbor = row?.nextElementSibling ?? row?.previousElementSibling;
    const hadFocus =
      !activeElement || [row, this.#status].some((element) => element?.contains(activeElement));
    const to = this.#tabs[share.status];
    const before = to.shares.findIndex(({ shareId }) => shareId === share.shareId);
    this.#removeRow(share);
    const index = before >= 0 ? before : to.insertionIndex(share);
    if (index !== undefined) {
      to.shares.splice(index, 0, share);
      to.list.insertBefore(this.#row(share, panel ?? undefined), to.list.children[index] ?? null);
    }
    for (const tab of Object.values(this.#tabs)) this.#showEnd(tab);
    const shown = this.#findRow(share);
    if (hadFocus && movesFocus) this.#focusRow(list.contains(shown) ? shown : neighbor);
    this.#tick();
  }

  /**
   * Focuses a row's first button, unless the row is missing or in another tab.
   * @param {Element} [row]
   */
  #focusRow(row) {
    const { list, panel } = this.#tabs[this.#selected];
    /** @type {HTMLElement | null | false | undefined} */
    const button = list.contains(row ?? null) && row.querySelector("[data-action]");
    (button || panel).focus();
  }

  /**
   * Shows and announces the result of an action.
   * @param {string} text
   * @param {Share} [share] the changed share
   * @param {Share} [previous] the share before the change. The change can be undone as long as this share
   *   would still give access.
   */
  #showStatus(text, share, previous) {
    const { texts } = this.#language;
    const until = previous?.status === "active" ? Date.parse(previous.expiresAt) : 0;
    const canUndo = until > Date.now();
    const button = h("button", {
      type: "button", "aria-describedby": "status", "aria-keyshortcuts": "Control+Z Meta+Z",
      onclick: () => this.#revert(button, share, previous),
    }, texts.undo);
    // A result that changes nothing, such as a copied link, leaves the last change open to undo.
    const earlier = !share && this.#undo.button.closest(".status > *");
    if (!earlier) this.#undo = { button, until };
    const result = h("p", { id: !earlier && "status" }, text);
    fill(this.#status, h("div", { class: "banner good" }, result, canUndo && button), earlier);
    this.announce(canUndo ? `${text} ${texts.undoKeys}` : text);
  }

  /**
   * Changes the expiration back.
   * @param {HTMLButtonElement} button
   * @param {Share} share
   * @param {Share} previous the share before the change
   */
  async #revert(button, share, previous) {
    const { texts } = this.#language;
    let reverted;
    const action = async () => {
      const expiresAt = rfc3339(new Date(previous.expiresAt));
      reverted = await this.client.changeExpiration(this.itemRef, share, expiresAt);
    };
    let error;
    if (await this.runAction(button, texts.undoing, action, (thrown) => (error = thrown))) {
      this.#applyChange(reverted);
    } else if (error?.kind === "share-not-found") {
      this.#removeMissing(share, error);
    } else if (error) {
      const isStale = error.kind === "stale-version";
      if (isStale) await this.#reload(share);
      fill(this.#status, banner(this.#language.describeError(error), ...(isStale ? [] : [button])));
      if (!isStale) button.focus();
    }
  }

  /** Shows a share as another user has changed it. */
  async #reload(share) {
    try {
      this.#showShare(await this.client.getShare(this.itemRef, share.shareId));
    } catch (thrown) {
      // The user is about to see the first error.
      ApiError.from(thrown);
    }
  }

  /** Undoes the last action if the user presses Ctrl+Z outside a text field. */
  #onKey(event) {
    const { key, code, ctrlKey, metaKey, altKey, shiftKey, target } = event;
    const { button } = this.#undo;
    // A keyboard without Latin letters has the shortcut on the same key as an American one.
    const isZ = /^[a-z]$/i.test(key) ? key.toLowerCase() === "z" : code === "KeyZ";
    // On Windows, Ctrl and Alt are AltGr, which types characters.
    const isShortcut = isZ && (ctrlKey || metaKey) && !altKey && !shiftKey;
    if (!isShortcut || target instanceof HTMLInputElement || !button.isConnected) return;
    event.preventDefault();
    button.click();
  }

  /**
   * Updates what the rows say about time, and moves links that have expired since the dialog opened. Runs at
   * least once a minute, because timers stop while a computer sleeps.
   */
  #tick() {
    clearTimeout(this.#timer);
    if (!this.isOpen) return;
    const now = Date.now();
    if (this.#undo.until <= now && this.#undo.button.isConnected) {
      if (this.#undo.button.matches(":focus")) this.#focusRow();
      this.#undo.button.remove();
    }
    for (const panel of this.shadowRoot.querySelectorAll(".panel")) panel.dispatchEvent(new Event("tick"));
    let wait = TICK;
    for (const share of [...this.#tabs.active.shares]) {
      const end = Date.parse(share.expiresAt);
      const row = this.#findRow(share);
      const current = currentShare(share, this.#openedAt);
      const hasExpired = current !== share;
      // Do not move a row that is in use.
      const isBusy =
        row.contains(this.shadowRoot.activeElement) || row.querySelector(".open").hasChildNodes();
      if (hasExpired && !isBusy) {
        this.announce(this.#describe(current));
        this.#showShare(current, false, false);
        return;
      }
      replaceText(row.querySelector(".access bdi"), accessText(current, this.#language));
      if (end > now) wait = Math.min(wait, end - now);
    }
    this.#timer = setTimeout(() => this.#tick(), wait);
  }

  /**
   * Returns a share's row, even while the share log is shown.
   * @returns {Element | null}
   */
  #findRow({ shareId }) {
    const rows = TABS.map((status) => this.#tabs[status].list.querySelector(`[data-share="${shareId}"]`));
    return rows.find(Boolean) ?? null;
  }

  #removeRow({ shareId }) {
    for (const tab of Object.values(this.#tabs)) {
      tab.shares = tab.shares.filter((share) => share.shareId !== shareId);
      tab.list.querySelector(`[data-share="${shareId}"]`)?.remove();
    }
  }

  /** Removes a share that no longer exists. */
  #removeMissing(share, error) {
    const row = this.#findRow(share);
    const neighbor = row?.nextElementSibling ?? row?.previousElementSibling;
    this.#removeRow(share);
    for (const tab of Object.values(this.#tabs)) this.#showEnd(tab);
    fill(this.#status, banner(this.#language.describeError(error)));
    this.#focusRow(neighbor);
  }
}
