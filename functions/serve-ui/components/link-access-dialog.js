// `<link-access-dialog module="jobs" item="1042">`: lists the active and inactive links to an item's files.

/** @import { Child, Share, Status } from "../types.d.ts" */

import { ApiError, randomKey } from "./api.js";
import { ItemDialog, banner } from "./dialog.js";
import { fill, h } from "./dom.js";
import { latestExpirationOf, replaceText, rfc3339 } from "./expiration.js";
import { NoticeSettings } from "./notice-settings.js";
import { ShareLog } from "./share-log.js";
import { ShareRow, accessText, currentShare, mayResend } from "./share-row.js";
import { SORTS, arrange, compareRequests, matchesSearch } from "./sorting.js";
import { Language, isolate } from "./texts.js";

/** @type {Status[]} */
const TABS = ["active", "inactive"];

/** The longest time between two checks for expired links, in milliseconds. */
const TICK = 60_000;

/** The number of links from which on the search field is shown. */
const SEARCH_MINIMUM = 10;

/** The number of a tab's links that a search or a sort order loads automatically. */
const FIND_LIMIT = 2_000;

/** The number of links on the first page, and on those that the user scrolls to. */
const PAGE_SIZE = 25;

/** The number of links on the pages that a search or a sort order loads. */
const LARGE_PAGE_SIZE = 100;

/** A tab, with its shares in the dialog's sort order, and the cursor for the next page. */
class Tab {
  /** @type {Share[]} */
  shares = [];
  /**
   * The shares' rows, by share id.
   * @type {Map<string, Element>}
   */
  rows = new Map();
  /** @type {Promise<boolean> | undefined} The page that is loading. */
  loading;
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
   * @param {(a: Share, b: Share) => number} compare
   */
  insertionIndex(share, compare) {
    const index = this.shares.findIndex((other) => compare(share, other) <= 0);
    if (index >= 0) return index;
    return this.isComplete ? this.shares.length : undefined;
  }

  /** Puts the rows in the order of the shares, and hides those that do not match a search. */
  arrange(search) {
    const isMatch = (share) => matchesSearch(share, search);
    for (const share of this.shares)
      /** @type {HTMLElement} */ (this.rows.get(share.shareId)).hidden = !isMatch(share);
    arrange(this.list, this.shares.map(({ shareId }) => this.rows.get(shareId)));
    this.list.classList.toggle("long", this.shares.length > LARGE_PAGE_SIZE);
    return this.shares.filter(isMatch).length;
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
  /** @type {HTMLInputElement} */
  #search;
  /** @type {HTMLSelectElement} */
  #sort;
  /** @type {HTMLElement} */
  #finder;
  /** @type {HTMLButtonElement} */
  #noticesButton;
  #announcing = 0;
  // The result of the last action. It stays visible while the list scrolls.
  #status = h("div", { class: "status" });
  /** The button that undoes the last action, and the time until which it can be undone. */
  #undo = { button: h("button"), until: 0 };
  #openedAt = 0;
  /** Resolves once the rules are loaded and the tab is selected. */
  #prepared = Promise.resolve([]);
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
   * @param {Language} language
   * @param {{ tab?: Status, shareId?: string }} [options] the tab to select (the share's tab or the
   *   active links, if omitted), and a share to highlight
   */
  show(language, { tab, shareId } = {}) {
    this.#language = language;
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
    this.#createFinder();
    this.#noticesButton = h("button",
      { type: "button", hidden: true, onclick: () => this.#showNotices() }, texts.notices);
    this.#selected = tab ?? "active";
    this.#openedAt = Date.now();
    fill(this.#status);
    this.#showTabs();
    this.showModal();
    this.#tabs[this.#selected].button.focus();
    const button = this.#noticesButton;
    const rulesLoaded = this.loadRules(() => (button.hidden = !this.rules.notices.length));
    this.#prepared = Promise.all([rulesLoaded, shareId && !tab && this.#selectTabOfMarked()]);
    for (const status of TABS) this.#load(this.#tabs[status]);
    this.#tick();
  }

  /** Creates the search field and the choice of a sort order. */
  #createFinder() {
    const { texts } = this.#language;
    this.#search = h("input", {
      id: "search", part: "input", type: "search", "aria-label": texts.searchRecipients,
      placeholder: texts.searchRecipients, autocomplete: "off", spellcheck: "false",
      oninput: () => this.#find(),
    });
    const onchange = () => this.#find();
    this.#sort = h("select", { id: "sort", part: "input", "aria-label": texts.sort, onchange },
      Object.keys(SORTS).map((name) => h("option", { value: name }, texts.sorts[name])));
    const attributes = { role: "search", "aria-label": texts.searchRecipients, hidden: true };
    this.#finder = h("div", { class: "finder", ...attributes }, this.#search, this.#sort);
  }

  /** The order of the rows: links whose recipients ask for more time, then the chosen order. */
  get #compare() {
    return (a, b) => compareRequests(a, b) || SORTS[this.#sort.value](a, b);
  }

  /** Whether the list needs links that the user has not scrolled to. */
  get #isFinding() {
    return Boolean(this.#search.value.trim()) || this.#sort.value !== "newest";
  }

  /** Shows what the user searches for, in the chosen order. Loads the remaining links first, if necessary. */
  async #find() {
    for (const tab of Object.values(this.#tabs)) {
      tab.shares.sort(this.#compare);
      this.#showEnd(tab);
    }
    const tab = this.#tabs[this.#selected];
    while (this.#isFinding && !tab.isComplete && tab.shares.length < FIND_LIMIT)
      if (!(await this.#load(tab)) || tab !== this.#tabs[this.#selected]) return;
    // Screen readers would read every result while the user types.
    clearTimeout(this.#announcing);
    const announce = () => this.announce(this.#language.texts.matchingLinks(tab.arrange(this.#search.value)));
    this.#announcing = setTimeout(announce, 500);
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
      body: [this.#finder, tabs.map(({ panel }) => panel)],
      status: this.#status,
      buttons: [
        h("button", { type: "button", onclick: () => this.#showLog() }, texts.log),
        this.#noticesButton,
        h("button", { type: "button", class: "end", onclick: () => this.close() }, texts.close),
      ],
    });
    this.#select(this.#selected);
  }

  /** Shows the tabs again. */
  #backToTabs() {
    this.#showTabs();
    this.#tabs[this.#selected].button.focus();
  }

  #showNotices() {
    const { texts } = this.#language;
    const settings = new NoticeSettings(this, this.#language, () => {
      this.#backToTabs();
      this.#showStatus(texts.noticesSaved);
    });
    this.#showView(texts.notices, settings.element, settings.save);
    settings.load();
  }

  #showLog() {
    const log = new ShareLog(this, this.#language, this.#observer);
    this.#showView(this.#language.texts.log, log.elements);
    log.list.focus();
    log.load();
  }

  /**
   * Shows something else than the links, and a button that leads back to them.
   * @param {string} heading
   * @param {Child} body
   * @param {Child} [button]
   */
  #showView(heading, body, button) {
    const { texts } = this.#language;
    this.render(this.#language, {
      heading,
      itemName: this.#itemName,
      body,
      buttons: [
        h("button", { type: "button", class: "push", onclick: () => this.#backToTabs() }, texts.backToLinks),
        h("button", { type: "button", onclick: () => this.close() }, texts.close),
        button,
      ],
    });
  }

  #select(status) {
    this.#selected = status;
    for (const tab of Object.values(this.#tabs)) {
      const isSelected = tab.status === status;
      tab.button.setAttribute("aria-selected", String(isSelected));
      tab.button.tabIndex = isSelected ? 0 : -1;
      tab.panel.hidden = !isSelected;
    }
    if (this.#isFinding) this.#find();
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
   * Loads the next page of a tab. Returns whether it was loaded.
   * @param {Tab} tab
   */
  #load(tab) {
    tab.loading ??= this.#loadPage(tab).finally(() => (tab.loading = undefined));
    return tab.loading;
  }

  /** @param {Tab} tab */
  async #loadPage(tab) {
    const { texts } = this.#language;
    const hadFocus = tab.end.contains(this.shadowRoot.activeElement);
    fill(tab.end, h("p", { class: "empty" }, texts.loading));
    try {
      const limit = this.#isFinding ? LARGE_PAGE_SIZE : PAGE_SIZE;
      const [{ shares, nextCursor }] = await Promise.all([
        this.client.listShares(this.itemRef, { status: tab.status, limit, cursor: tab.cursor }),
        this.#prepared,
      ]);
      if (!tab.cursor && nextCursor) await this.#addMarked(tab, shares);
      tab.cursor = nextCursor;
      tab.isComplete = !nextCursor;
      const known = new Set(tab.shares.map(({ shareId }) => shareId));
      const added = shares.filter(({ shareId }) => !known.has(shareId));
      const rows = added.map((share) => this.#row(share));
      for (const [i, { shareId }] of added.entries()) tab.rows.set(shareId, rows[i]);
      tab.shares.push(...added);
      tab.shares.sort(this.#isFinding ? this.#compare : compareRequests);
      this.showItemName(this.#itemName);
      this.#showEnd(tab);
      this.#tick();
      if (hadFocus) (rows[0]?.querySelector("button") ?? tab.panel).focus();
      return true;
    } catch (thrown) {
      const retry = h("button", { type: "button", onclick: () => this.#load(tab) }, texts.tryAgain);
      fill(tab.end, banner(this.#language.describeError(ApiError.from(thrown)), retry));
      if (hadFocus) retry.focus();
      return false;
    }
  }

  async #selectTabOfMarked() {
    const { button } = this.#tabs[this.#selected];
    try {
      this.#select((await this.client.getShare(this.itemRef, this.#marked)).status);
      if (this.shadowRoot.activeElement === button) this.#tabs[this.#selected].button.focus();
    } catch (thrown) {
      // Without the share, the dialog shows the active links.
      ApiError.from(thrown);
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

  /**
   * Shows a tab's rows and its end: what the counts mean, a button for the next page, or a note that it is
   * empty.
   */
  #showEnd(tab) {
    const { texts } = this.#language;
    tab.showCount();
    const matches = tab.arrange(this.#search.value);
    if (Object.values(this.#tabs).some(({ shares, cursor }) => cursor || shares.length > SEARCH_MINIMUM))
      this.#finder.hidden = false;
    const none = tab.status === "active" ? texts.noActive : texts.noInactive;
    const showMore = () => this.#load(tab);
    const more = !tab.isComplete
      && h("button", { type: "button", class: "more", onclick: showMore }, texts.more);
    const isUsed = tab.shares.some(({ lastOpenedAt }) => lastOpenedAt);
    const hint = isUsed && h("p", { class: "hint" }, texts.useHint);
    const isLimited = more && this.#isFinding && tab.shares.length >= FIND_LIMIT;
    const isEmpty = !matches && (tab.isComplete || isLimited);
    fill(tab.end,
      hint,
      isEmpty && h("p", { class: "empty" }, tab.shares.length ? texts.noMatch : none),
      isLimited && h("p", { class: "hint" }, texts.loadedLinks(tab.shares.length)),
      more);
    // During a search, hidden rows would bring the button into view, which would load page after page.
    if (more && !this.#isFinding) this.#observer.observe(more);
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
    const neighbor = findNeighbor(row);
    const hadFocus =
      !activeElement || [row, this.#status].some((element) => element?.contains(activeElement));
    const to = this.#tabs[share.status];
    const before = to.shares.findIndex(({ shareId }) => shareId === share.shareId);
    this.#removeRow(share);
    const kept = before < 0 ? undefined : before;
    const index = (this.#isFinding ? undefined : kept) ?? to.insertionIndex(share, this.#compare) ?? kept;
    if (index !== undefined) {
      to.shares.splice(index, 0, share);
      to.rows.set(share.shareId, this.#row(share, panel ?? undefined));
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
   *   would still give access, and the rules allow it.
   */
  #showStatus(text, share, previous) {
    const { texts } = this.#language;
    const until = previous?.status === "active" ? Date.parse(previous.expiresAt) : 0;
    const canUndo = until > Date.now() && until <= latestExpirationOf(share, this.rules).getTime();
    const button = h("button", {
      type: "button", "aria-describedby": "status", "aria-keyshortcuts": "Control+Z Meta+Z",
      onclick: () => this.#revert(button, share, previous),
    }, texts.undo);
    // A result that changes nothing, such as a copied link, leaves the last change open to undo.
    const earlier = !share && this.#undo.button.closest(".status > *");
    if (!earlier) this.#undo = { button, until };
    const result = h("p", { id: !earlier && "status" }, text);
    const again = isGranted(previous, share) && this.#sendAgainButton(share);
    fill(this.#status, h("div", { class: "banner good" }, result, again, canUndo && button), earlier);
    this.announce(canUndo ? `${text} ${texts.undoKeys}` : text);
  }

  /**
   * Creates a button that emails the link again. Changing the expiration sends no email.
   * @param {Share} share
   */
  #sendAgainButton(share) {
    const { texts } = this.#language;
    // Pressing the button again after a lost response must not send a second email.
    const key = randomKey();
    const onclick = async () => {
      let resent;
      let error;
      const action = async () => {
        resent = await this.client.resend(this.itemRef, share, key);
      };
      if (await this.runAction(button, texts.loading, action, (thrown) => (error = thrown))) {
        this.#showShare(resent, true);
        button.remove();
        this.#showStatus(texts.resent(isolate(share.recipient)));
        this.emit("sharelink-changed", { share: resent });
      } else if (error) {
        fill(this.#status, banner(this.#language.describeError(error), button));
        button.focus();
      }
    };
    const button = h("button", { type: "button", onclick }, texts.sendAgain);
    return button;
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
    return this.#tabs.active.rows.get(shareId) ?? this.#tabs.inactive.rows.get(shareId) ?? null;
  }

  #removeRow({ shareId }) {
    for (const tab of Object.values(this.#tabs)) {
      tab.shares = tab.shares.filter((share) => share.shareId !== shareId);
      tab.rows.get(shareId)?.remove();
      tab.rows.delete(shareId);
    }
  }

  /** Removes a share that no longer exists. */
  #removeMissing(share, error) {
    const row = this.#findRow(share);
    const neighbor = findNeighbor(row);
    this.#removeRow(share);
    for (const tab of Object.values(this.#tabs)) this.#showEnd(tab);
    fill(this.#status, banner(this.#language.describeError(error)));
    this.#focusRow(neighbor);
  }
}

/**
 * Returns whether a change gave the recipient the time that the recipient had asked for.
 * @param {Share} [previous] the share before the change
 * @param {Share} [share]
 */
function isGranted(previous, share) {
  return previous?.moreTime?.isOpen && share.status === "active" && mayResend(share);
}

/**
 * Returns the visible row after a row or, if there is none, before it.
 * @param {Element | null} row
 */
function findNeighbor(row) {
  const isVisible = (element) => !(/** @type {HTMLElement} */ (element).hidden);
  const rows = [...(row?.parentElement?.children ?? [])];
  const index = rows.indexOf(row);
  return rows.slice(index + 1).find(isVisible) ?? rows.slice(0, Math.max(index, 0)).findLast(isVisible);
}
