// `<my-shares>`: lists the user's shares of all items, and changes many at once. With `recipient`, `sharer`
// or `everyone`, it lists the shares of others, for users who may manage all shares.

/** @import { BulkResult, Item, ListedShare, ListedSharePage, Share } from "../types.d.ts" */
/** @import { Language } from "./texts.js" */

import { Api, ApiError, baseUrl, queryOf, randomKey, shared } from "./api.js";
import { banner } from "./dialog.js";
import { bdi, fill, h } from "./dom.js";
import { ItemElement } from "./element.js";
import { ExpirationField, latestExpirationOf, replaceText, rfc3339 } from "./expiration.js";
import { failuresFirst, joinCsv, keyOf, keyRange, splitBulk, undoGroups } from "./share-list.js";
import { mySharesStyles } from "./my-shares-styles.js";
import { mySharesTexts } from "./my-shares-texts.js";
import { DEFAULT_RULES } from "./rules.js";
import { accessText, currentShare } from "./share-row.js";
import { SORTS, arrange } from "./sorting.js";
import styles from "./styles.js";
import { compileTexts, isolate, withLanguage } from "./texts.js";

/** The maximum number of shares that are loaded automatically. */
const SHARES_LIMIT = 2_000;

/** The maximum number of pages that are loaded automatically: a search may match few shares on each. */
const PAGES_LIMIT = 40;

/** The maximum number of shares in a CSV file. */
const CSV_LIMIT = 20_000;

/** How long the user must pause typing before a search starts, in milliseconds. */
const SEARCH_DELAY = 300;

/** How often the rows update the time until an expiration, in milliseconds. */
const UPDATE_INTERVAL = 60_000;

/** Errors that affect every request. */
const GENERAL_ERRORS = ["offline", "signedOut", "otherUser", "unavailable", "forbidden"];

/** The number of files whose names a row shows. */
const ROW_FILES = 3;

/** @type {any} */
const english = compileTexts(mySharesTexts, "en");

/**
 * A change of many shares. If part of it fails, retrying repeats the requests of that part.
 * @typedef {object} BulkChange
 * @property {"revoke" | "expiration"} route
 * @property {boolean} isUndo
 * @property {object} list the list that the shares were selected in
 * @property {BulkRequest[]} requests
 * @property {ShareResult[]} [earlier] what earlier attempts have changed
 */

/**
 * @typedef {object} BulkRequest
 * @property {ListedShare[]} shares
 * @property {string} [expiresAt]
 * @property {string} key the idempotency key
 */

/**
 * @typedef {object} ShareResult
 * @property {ListedShare} share the share before the change
 * @property {BulkResult["outcome"]} outcome
 * @property {ListedShare} [after]
 * @property {ApiError} [error]
 * @property {BulkRequest} [request]
 */

class MyShares extends ItemElement {
  static observedAttributes = ["api", "module", "recipient", "sharer", "everyone"];

  /** @type {Language} */
  #language;
  /** @type {any} The texts of this element. */
  #texts;
  /** Identifies the current list. Results for an earlier one are ignored. */
  #list = {};
  /** @type {Map<string, ListedShare>} */
  #shares = new Map();
  /** @type {Map<string, HTMLElement>} */
  #rows = new Map();
  /** Shares that left the list because the dialog changed them. @type {Map<string, ListedShare>} */
  #left = new Map();
  /** The shares' keys, in the order of the list. @type {string[]} */
  #order = [];
  /** @type {Map<string, ListedShare>} */
  #selected = new Map();
  /** The modules that have been seen. @type {Set<string>} */
  #modules = new Set();
  /** @type {string | undefined} */
  #cursor;
  #isComplete = false;
  #isLoading = false;
  #rules = { ...DEFAULT_RULES };
  #hasFailed = false;
  #loadedAt = Date.now();
  /** The key of the row that is a tab stop. @type {string | undefined} */
  #current;
  /** The key of the row where a range begins. @type {string | undefined} */
  #anchor;
  #isBusy = false;
  #isPlaced = false;
  #searchTimer = 0;
  #updateTimer = 0;
  /** @type {HTMLButtonElement | undefined} */
  #undo;
  /** @type {any} The dialog for one share. */
  #dialog;

  #search = searchField("search");
  #status = h("select", { id: "status-filter", part: "input" });
  #module = h("select", { id: "module-filter", part: "input" });
  #sort = h("select", { id: "sort", part: "input" });
  #whose = h("select", { id: "whose", part: "input" });
  #person = searchField("person");
  #filters = h("div", { class: "filters", role: "search" });
  #all = h("input", { id: "all", type: "checkbox" });
  #count = h("span", { role: "status" });
  #download = h("button", { type: "button" });
  #body = h("div", { class: "rows", role: "rowgroup" });
  #grid = h("div", {
    class: "grid", role: "grid", "aria-multiselectable": "true", "aria-describedby": "keys",
  });
  #end = h("div");
  #bar = h("div", { class: "bar" });
  #result = h("div", { class: "result" });
  #selection = h("div");
  #panel = h("div");
  #live = h("p", { class: "unseen", role: "status" });
  #page = h("div", { class: "page", part: "page", dir: "ltr" });

  constructor() {
    super();
    this.attachShadow({ mode: "open" }).append(this.#page);
    this.shadowRoot.adoptedStyleSheets = [styles, mySharesStyles];
    this.#search.addEventListener("input", () => this.#reloadSoon());
    this.#person.addEventListener("input", () => {
      // The selection of another person's links must not be changed with these.
      this.#clear();
      fill(this.#result);
      this.#reloadSoon();
    });
    this.#status.addEventListener("change", () => this.#reload());
    this.#module.addEventListener("change", () => this.#reload());
    this.#whose.addEventListener("change", () => this.#onWhose());
    this.#sort.addEventListener("change", () => this.#arrange());
    this.#all.addEventListener("change", () => this.#selectAll(this.#all.checked));
    this.#download.addEventListener("click", () => this.#downloadCsv());
    this.#body.addEventListener("keydown", (event) => this.#onKey(event));
    this.#body.addEventListener("click", (event) => this.#onClick(event));
    this.#body.addEventListener("focusin", (event) => this.#onFocus(event));
    this.#page.addEventListener("keydown", (event) => this.#onShortcut(event));
  }

  /** The address whose links are listed. */
  get recipient() {
    return this.getAttribute("recipient") ?? "";
  }

  set recipient(value) {
    this.reflect("recipient", value);
  }

  /** The `sub` of the user whose links are listed. */
  get sharer() {
    return this.getAttribute("sharer") ?? "";
  }

  set sharer(value) {
    this.reflect("sharer", value);
  }

  /** Whether the user can switch to the links of any recipient or sharer. */
  get everyone() {
    return this.hasAttribute("everyone");
  }

  set everyone(value) {
    this.toggleAttribute("everyone", Boolean(value));
  }

  connectedCallback() {
    // The element is moved within a task.
    if (this.#isPlaced) return;
    this.#isPlaced = true;
    this.#updateTimer = setInterval(() => this.#updateTimes(), UPDATE_INTERVAL);
    withLanguage(this, (language) => {
      if (!this.#isPlaced) return;
      this.#language = language;
      this.#texts = /** @type {any} */ (language.texts).myShares ?? english;
      this.#render();
      this.#reload();
    });
  }

  disconnectedCallback() {
    queueMicrotask(() => {
      if (this.isConnected) return;
      this.#isPlaced = false;
      this.#list = {};
      clearInterval(this.#updateTimer);
      clearTimeout(this.#searchTimer);
    });
  }

  attributeChangedCallback(name, before, after) {
    if (!this.#language || !this.#isPlaced || before === after) return;
    // A framework may set several attributes in one task.
    queueMicrotask(() => {
      this.#showFilters();
      this.refresh();
    });
  }

  tokenChanged() {
    if (this.#hasFailed) this.#load();
  }

  /**
   * Discards the list and the selection, and loads the list again. Call this after a different user signs in.
   */
  refresh() {
    this.user = undefined;
    this.#selected.clear();
    this.#modules.clear();
    fill(this.#result);
    fill(this.#panel);
    this.#dialog?.discard();
    this.#dialog = undefined;
    if (this.#language) this.#reload();
  }

  /** An API client for the list's user. It refuses to send one user's changes as another. */
  get client() {
    let expected = this.user;
    return new Api({ api: this.api, token: this.token }, (user) => {
      expected ??= this.user ??= user;
      if (!user || user === expected) return;
      if (this.user === expected) queueMicrotask(() => this.refresh());
      throw new ApiError("otherUser");
    });
  }

  userChanged() {
    this.refresh();
  }

  // --- The page ---

  #render() {
    const { texts } = this.#language;
    const own = this.#texts;
    this.#page.lang = this.#language.tag;
    const option = (value, text) => h("option", { value }, text);
    fill(this.#status,
      option("active", texts.active), option("inactive", texts.inactive), option("", own.anyStatus));
    fill(this.#sort, Object.keys(SORTS).map((name) => option(name, texts.sorts[name])));
    fill(this.#whose,
      option("", own.mine), option("recipient", own.ofRecipient), option("sharer", own.ofSharer));
    fill(this.#download, own.download);
    this.#showFilters();
    fill(this.#grid,
      h("div", { role: "rowgroup" }, h("div", { class: "heads", role: "row", "aria-rowindex": 1 },
        h("span", { role: "columnheader" }, h("span", { class: "unseen" }, own.selectAll)),
        [own.who, own.access, own.use].map((text) => h("span", { role: "columnheader" }, text)),
        h("span", { role: "columnheader" }, h("span", { class: "unseen" }, own.actions)))),
      this.#body);
    fill(this.#bar, this.#result, this.#panel, this.#selection);
    fill(this.#page,
      this.#filters,
      h("div", { class: "summary" },
        h("label", { class: "check" }, this.#all, own.selectAll),
        this.#count,
        this.#download,
        h("p", { id: "keys", class: "unseen" }, own.keys)),
      this.#grid,
      this.#end,
      this.#bar,
      this.#live,
    );
  }

  /** Shows the filters that apply. */
  #showFilters() {
    const { texts } = this.#language;
    const own = this.#texts;
    const canSwitch = this.everyone && !this.recipient && !this.sharer;
    if (!canSwitch) this.#whose.value = "";
    const isRecipient = this.#whose.value === "recipient";
    const personText = isRecipient ? own.recipientAddress : own.sharerId;
    const field = (text, input, kind) => h("label", { class: kind }, text, input);
    fill(this.#filters,
      canSwitch && field(own.whose, this.#whose),
      canSwitch && this.#whose.value && field(personText, this.#person, "wide"),
      field(own.search, this.#search, "wide"),
      field(own.status, this.#status),
      !this.module && field(own.module, this.#module),
      field(texts.sort, this.#sort),
    );
    this.#showModules();
    const { recipient, sharer } = this.#scope;
    const label = recipient ? own.linksTo(recipient) : sharer ? own.linksBy(sharer) : own.links;
    this.#grid.setAttribute("aria-label", label);
    this.#filters.setAttribute("aria-label", label);
  }

  #showModules() {
    const { value } = this.#module;
    const modules = [...new Set([...this.#modules, value].filter(Boolean))].sort();
    const known = [...this.#module.options].map((option) => option.value);
    if (known.length && known.slice(1).join("\n") === modules.join("\n")) return;
    fill(this.#module,
      h("option", { value: "" }, this.#texts.anyModule),
      modules.map((name) => h("option", { value: name }, name)));
    this.#module.value = value;
  }

  #onWhose() {
    this.#person.value = "";
    this.#showFilters();
    this.#whose.focus();
    this.refresh();
  }

  /** The filter for whose links are listed; empty for the user's own. Others' links need a permission. */
  get #scope() {
    if (this.recipient) return { recipient: this.recipient };
    if (this.sharer) return { sharer: this.sharer };
    const { value } = this.#whose;
    return value ? { [value]: this.#person.value.trim() } : {};
  }

  get #query() {
    const { value: status } = this.#status;
    const module = this.module || this.#module.value;
    return { ...this.#scope, status, module, q: this.#search.value.trim() };
  }

  // --- Loading ---

  #reloadSoon() {
    clearTimeout(this.#searchTimer);
    this.#searchTimer = setTimeout(() => this.#reload(), SEARCH_DELAY);
  }

  #reload() {
    clearTimeout(this.#searchTimer);
    this.#list = {};
    this.#shares.clear();
    this.#left.clear();
    this.#rows.clear();
    this.#cursor = undefined;
    this.#isComplete = false;
    this.#anchor = undefined;
    this.#loadedAt = Date.now();
    const [missing] = Object.entries(this.#scope).filter(([, value]) => !value);
    this.#arrange();
    fill(this.#end, missing && h("p", { class: "empty" },
      missing[0] === "recipient" ? this.#texts.enterRecipient : this.#texts.enterSharer));
    if (missing) {
      this.#isComplete = true;
      this.#showSummary();
    } else this.#load();
  }

  /** Loads pages until the list is complete, or long. */
  async #load() {
    const { texts } = this.#language;
    const list = this.#list;
    const before = this.#shares.size;
    this.#isLoading = true;
    this.#hasFailed = false;
    fill(this.#end, h("p", { class: "empty" }, texts.loading));
    this.#showSummary();
    try {
      if (!(baseUrl(this.api) && (this.token ?? shared.config.token))) await shared.configured.promise;
      this.#loadRules();
      for (let pages = 0; pages < PAGES_LIMIT && !this.#isComplete; pages += 1) {
        if (this.#shares.size - before >= SHARES_LIMIT) break;
        const route = `/shares${queryOf({ ...this.#query, limit: 100, cursor: this.#cursor })}`;
        /** @type {ListedSharePage} */
        const page = (await this.client.send("GET", route)).body;
        if (list !== this.#list) return;
        this.#cursor = page.nextCursor;
        this.#isComplete = !page.nextCursor;
        for (const share of page.shares) this.#addShare(share);
        this.#showModules();
        this.#arrange();
      }
      this.#isLoading = false;
      this.#showEnd();
    } catch (thrown) {
      if (list !== this.#list) return;
      this.#isLoading = false;
      this.#hasFailed = true;
      const error = ApiError.from(thrown);
      const retry = h("button", { type: "button", onclick: () => this.#load() }, texts.tryAgain);
      fill(this.#end, banner(this.#describe(error), retry));
    }
    this.#showSummary();
  }

  /** Loads the deployment's rules. Without them, the list offers more than the API accepts. */
  async #loadRules() {
    const rules = await this.client.getRules().catch(() => ({}));
    Object.assign(this.#rules, DEFAULT_RULES, rules);
  }

  /** @param {ApiError} error */
  #describe(error) {
    if (error.kind === "manage-all-permission-missing") return this.#texts.notAllowed;
    if (error.kind === "share-permission-missing") return this.#texts.noPermission;
    const [found] = error.problem?.errors ?? [];
    if (found?.pointer === "/expiresAt") return this.#language.texts.invalid.expiresAt;
    return this.#language.describeError(error);
  }

  #addShare(share) {
    const key = keyOf(share);
    this.#shares.set(key, share);
    this.#rows.delete(key);
    this.#modules.add(share.module);
    if (this.#selected.has(key)) this.#selected.set(key, share);
  }

  #showEnd() {
    const own = this.#texts;
    const { size } = this.#shares;
    const loadMore = () => this.#load();
    const more = !this.#isComplete
      && h("button", { type: "button", class: "more", onclick: loadMore }, own.loadMore);
    const note = size >= SHARES_LIMIT ? own.moreThan(size) : own.keepLooking;
    const { q, module } = this.#query;
    const none = q || module ? this.#language.texts.noMatch : own.none;
    fill(this.#end,
      more && h("p", { class: "hint" }, note),
      more,
      this.#isComplete && !size && h("p", { class: "empty" }, none));
  }

  /** Shows the rows in the chosen order. */
  #arrange() {
    const hadFocus = this.#body.contains(this.shadowRoot.activeElement);
    const before = this.#order.indexOf(this.#current);
    const compare = SORTS[this.#sort.value] ?? SORTS.newest;
    this.#order = [...this.#shares].sort(([, a], [, b]) => compare(a, b)).map(([key]) => key);
    for (const key of this.#order) if (!this.#rows.has(key)) this.#rows.set(key, this.#row(key));
    arrange(this.#body, this.#order.map((key) => this.#rows.get(key)));
    for (const [i, key] of this.#order.entries())
      this.#rows.get(key).setAttribute("aria-rowindex", String(i + 2));
    if (!this.#shares.has(this.#current)) {
      // The row that follows the removed one.
      const index = Math.min(Math.max(before, 0), this.#order.length - 1);
      this.#setCurrent(this.#order[index]);
      if (hadFocus) this.#rows.get(this.#current)?.focus();
    }
    this.#showSelection();
  }

  #showSummary() {
    const own = this.#texts;
    const { size } = this.#shares;
    const isPartial = this.#isLoading && !this.#isComplete;
    const count = own.count(this.#isComplete ? size : `${size}+`);
    replaceText(this.#count, isPartial ? own.countSoFar(size) : count);
    this.#grid.setAttribute("aria-rowcount", this.#isComplete ? String(size + 1) : "-1");
    this.#grid.hidden = !size;
    this.#download.hidden = !size;
    this.#all.closest("label").hidden = !size;
  }

  #updateTimes() {
    for (const [key, row] of this.#rows) {
      const access = row.querySelector(".cell-access bdi");
      replaceText(access, accessText(this.#now(this.#shares.get(key)), this.#language));
    }
  }

  #now(share) {
    return /** @type {ListedShare} */ (currentShare(share, this.#loadedAt));
  }

  /** @param {string} key */
  #row(key) {
    const share = this.#shares.get(key);
    const { texts } = this.#language;
    const own = this.#texts;
    const { recipient, recipientName, module, item, title, files, createdAt, createdBy } = share;
    const { opens, downloads, lastOpenedAt } = share;
    const format = (time) => this.#language.formatTime(time);
    const size = this.#language.formatSize(files.reduce((sum, file) => sum + file.size, 0));
    const names = files.slice(0, ROW_FILES).flatMap(({ name }, i) => [i > 0 && ", ", bdi(name)]);
    const more = files.length > ROW_FILES && texts.andMore(files.length - ROW_FILES);
    const sharer = createdBy.name ?? createdBy.email ?? createdBy.sub;
    const isOwn = !Object.keys(this.#scope).length;
    const use = opens || downloads
      ? `${texts.opens(opens)}, ${texts.downloads(downloads, "none")}` : texts.neverOpened;
    const cell = (kind, ...children) => h("div", { role: "gridcell", class: `cell-${kind}` }, children);
    const isSelected = this.#selected.has(key);
    const label = own.select(isolate(recipient));
    const check = h("input", { type: "checkbox", tabindex: -1, "aria-label": label });
    check.checked = isSelected;
    return h("div",
      {
        role: "row", "data-key": key, "data-share": share.shareId, "aria-selected": String(isSelected),
        tabindex: key === this.#current ? 0 : -1,
      },
      cell("check", check),
      cell("who",
        h("strong", {}, bdi(recipient)),
        recipientName && h("span", { class: "soft" }, bdi(recipientName)),
        h("span", {}, title ? bdi(title) : [bdi(module), " ", bdi(item)]),
        h("span", { class: "soft" }, texts.fileCount(files.length, size), ": ", names, more)),
      cell("access",
        h("bdi", {}, accessText(this.#now(share), this.#language)),
        h("span", { class: "soft" },
          isOwn ? texts.sharedAt(format(createdAt)) : texts.sharedBy(isolate(sharer), format(createdAt)))),
      cell("use", use, lastOpenedAt && h("span", { class: "soft" }, texts.lastUse(format(lastOpenedAt)))),
      cell("actions", h("button", {
        type: "button", "aria-label": own.manageFor(isolate(recipient)), onclick: () => this.#manage(key),
        tabindex: key === this.#current ? 0 : -1,
      }, own.manage)),
    );
  }

  // --- Selecting ---

  /** @param {string | undefined} key */
  #setCurrent(key) {
    const stop = (at, index) => {
      const row = this.#rows.get(at);
      for (const element of [row, row?.querySelector("button")]) if (element) element.tabIndex = index;
    };
    stop(this.#current, -1);
    this.#current = key;
    stop(key, 0);
  }

  #onFocus({ target }) {
    const key = target.closest("[data-key]")?.dataset.key;
    if (key && key !== this.#current) this.#setCurrent(key);
  }

  /** @param {MouseEvent} event */
  #onClick(event) {
    const { target, shiftKey } = event;
    const row = /** @type {HTMLElement} */ (/** @type {Element} */ (target).closest("[data-key]"));
    if (!row || /** @type {Element} */ (target).closest("button")) return;
    // The user selects text, such as an address, to copy it.
    if (!shiftKey && String(getSelection())) return;
    const { key } = row.dataset;
    const isSelected = !this.#selected.has(key);
    if (shiftKey && this.#anchor) {
      getSelection().empty();
      for (const each of keyRange(this.#order, this.#anchor, key)) this.#setSelected(each, true);
    } else {
      this.#setSelected(key, isSelected);
      this.#anchor = key;
    }
    this.#setCurrent(key);
    row.focus({ preventScroll: true });
    this.#showSelection();
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    const { key: pressed, shiftKey, ctrlKey, metaKey, altKey, target } = event;
    const row = /** @type {HTMLElement} */ (/** @type {Element} */ (target).closest("[data-key]"));
    const isControl = ctrlKey || metaKey;
    if (!row || altKey) return;
    const { key } = row.dataset;
    const index = this.#order.indexOf(key);
    const last = this.#order.length - 1;
    const targets = {
      ArrowDown: index + 1, ArrowUp: index - 1, PageDown: index + 10, PageUp: index - 10, Home: 0, End: last,
    };
    if (pressed in targets) {
      const to = this.#order[Math.min(Math.max(targets[pressed], 0), last)];
      if (shiftKey) {
        this.#anchor ??= key;
        // Deselect the rows that a shortened range no longer includes.
        for (const each of keyRange(this.#order, this.#anchor, key)) this.#setSelected(each, false);
        for (const each of keyRange(this.#order, this.#anchor, to)) this.#setSelected(each, true);
      } else this.#anchor = undefined;
      this.#setCurrent(to);
      this.#rows.get(to).focus();
    } else if (isControl && pressed.toLowerCase() === "a") {
      this.#selectAll(true);
    } else if (target !== row) {
      // Enter and Space press the button.
      return;
    } else if (pressed === " ") {
      if (shiftKey && this.#anchor)
        for (const each of keyRange(this.#order, this.#anchor, key)) this.#setSelected(each, true);
      else {
        this.#setSelected(key, !this.#selected.has(key));
        this.#anchor = key;
      }
    } else if (pressed === "Enter" && !isControl && !shiftKey) {
      this.#manage(key);
    } else if (pressed === "Escape" && this.#selected.size) {
      this.#clear();
    } else return;
    event.preventDefault();
    this.#showSelection();
  }

  /** @param {KeyboardEvent} event */
  #onShortcut(event) {
    const { key, ctrlKey, metaKey, altKey, shiftKey, target } = event;
    const isUndo = key.toLowerCase() === "z" && (ctrlKey || metaKey) && !altKey && !shiftKey;
    const isField = target instanceof HTMLInputElement && target.type !== "checkbox";
    if (!isUndo || isField || !this.#undo?.isConnected) return;
    event.preventDefault();
    this.#undo.click();
  }

  #setSelected(key, isSelected) {
    if (this.#isBusy) return;
    // The open form applies to the earlier selection.
    fill(this.#panel);
    if (isSelected) this.#selected.set(key, this.#shares.get(key));
    else this.#selected.delete(key);
  }

  #selectAll(isSelected) {
    for (const key of this.#order) this.#setSelected(key, isSelected);
    this.#showSelection();
  }

  #clear() {
    if (this.#isBusy) return;
    this.#selected.clear();
    fill(this.#panel);
    this.#showSelection();
  }

  /** Shows which rows are selected, and the actions for them. */
  #showSelection() {
    for (const [key, row] of this.#rows) {
      const isSelected = this.#selected.has(key);
      const check = row.querySelector("input");
      if (row.getAttribute("aria-selected") === String(isSelected) && check.checked === isSelected) continue;
      row.setAttribute("aria-selected", String(isSelected));
      check.checked = isSelected;
    }
    const shown = this.#order.filter((key) => this.#selected.has(key)).length;
    const { size } = this.#selected;
    this.#all.checked = shown > 0 && shown === this.#order.length;
    this.#all.indeterminate = shown > 0 && shown < this.#order.length;
    if (!size) {
      fill(this.#selection);
      fill(this.#panel);
      return;
    }
    const { texts } = this.#language;
    const own = this.#texts;
    const text = `${own.selected(size)}${own.notShown(size - shown)}`;
    const status = this.#selection.querySelector(".text");
    if (status) {
      replaceText(status, text);
      return;
    }
    const button = (label, onclick, attributes = {}) =>
      h("button", { type: "button", onclick, ...attributes }, label);
    fill(this.#selection, h("div", { class: "actions", role: "group", "aria-labelledby": "selected" },
      h("span", { id: "selected", class: "text", role: "status" }, text),
      button(texts.change, ({ currentTarget }) => this.#askExpiration(currentTarget)),
      button(texts.revoke, ({ currentTarget }) => this.#askRevoke(currentTarget), { class: "danger" }),
      button(own.clear, () => {
        this.#clear();
        (this.#rows.get(this.#current) ?? this.#search).focus();
      }),
    ));
  }

  /** The selected shares as they are now. */
  get #chosen() {
    return [...this.#selected.values()].map((share) => this.#now(share));
  }

  // --- Changing ---

  /** @param {HTMLElement} opener */
  #askRevoke(opener) {
    if (this.#isBusy) return;
    const { texts } = this.#language;
    const own = this.#texts;
    const chosen = this.#chosen;
    const active = chosen.filter(({ status }) => status === "active");
    const inactive = chosen.length - active.length;
    const text = active.length
      ? [own.revokeAsk(active.length), inactive > 0 && ` ${own.inactiveToo(inactive)}`] : own.noneActive;
    const cancel = h("button", { type: "button", onclick: () => this.#cancel(opener) }, texts.cancel);
    const confirm = active.length > 0 && h("button", {
      type: "button", class: "danger primary",
      onclick: () => this.#start({
        route: "revoke", isUndo: false, list: this.#list, requests: requestsFor(active),
      }),
    }, own.revokeLinks(active.length));
    this.#showPanel(h("p", { id: "ask" }, text), h("div", { class: "row" }, cancel, confirm));
    // Focus the safe choice.
    cancel.focus();
  }

  /** @param {HTMLElement} opener */
  #askExpiration(opener) {
    if (this.#isBusy) return;
    const { texts } = this.#language;
    const own = this.#texts;
    const chosen = this.#chosen;
    const inactive = chosen.filter(({ status }) => status !== "active").length;
    const note = (isPast) => {
      if (!isPast) return inactive > 0 && own.someReactivate(inactive);
      return inactive < chosen.length ? texts.endsAtOnce : texts.staysInactive;
    };
    const field = new ExpirationField(this.#language, { id: "bulk-expiration", note, rules: this.#rules });
    const cancel = h("button", { type: "button", onclick: () => this.#cancel(opener) }, texts.cancel);
    const onConfirm = () => {
      const invalid = field.validate();
      if (invalid) {
        field.input.focus();
        this.#announce(invalid);
        return;
      }
      const requests = requestsFor(chosen, rfc3339(field.date));
      this.#start({ route: "expiration", isUndo: false, list: this.#list, requests });
    };
    const confirm =
      h("button", { type: "button", class: "primary", onclick: onConfirm }, own.changeLinks(chosen.length));
    this.#showPanel(field.element, h("div", { class: "row" }, cancel, confirm));
    field.input.focus();
  }

  #showPanel(...children) {
    fill(this.#result);
    fill(this.#panel, h("div", { class: "panel", role: "group", "aria-labelledby": "selected" }, children));
  }

  /** @param {HTMLElement} opener */
  #cancel(opener) {
    if (this.#isBusy) return;
    fill(this.#panel);
    opener.focus();
  }

  /**
   * Sends a change, request by request, and shows its results.
   * @param {BulkChange} change
   */
  async #start(change) {
    if (this.#isBusy) return;
    this.#isBusy = true;
    const own = this.#texts;
    const { client, user } = this;
    const total = change.requests.reduce((sum, { shares }) => sum + shares.length, 0);
    const progress = h("p", { class: "text", tabindex: -1, role: "status" }, own.progress(0, total));
    fill(this.#panel);
    fill(this.#result, h("div", { class: "banner good" }, progress));
    progress.focus();
    /** @type {ShareResult[]} */
    const results = [];
    /** @type {ApiError | undefined} An error that ends the change. */
    let stopped;
    for (const request of change.requests) {
      if (stopped) results.push(...request.shares.map((share) => failure(share, request, stopped)));
      else {
        const sent = await this.#send(client, change, request);
        results.push(...sent);
        if (![undefined, user].includes(this.user)) break;
        stopped = sent.find(({ error }) => GENERAL_ERRORS.includes(error?.kind))?.error;
      }
      replaceText(progress, own.progress(results.length, total));
    }
    this.#isBusy = false;
    // The list now belongs to another user.
    if (![undefined, user].includes(this.user) || stopped?.kind === "otherUser") return;
    this.#apply(results, change.list);
    this.#showResults(change, results);
  }

  /**
   * @param {Api} client
   * @param {BulkChange} change
   * @param {BulkRequest} request
   * @returns {Promise<ShareResult[]>}
   */
  async #send(client, { route }, request) {
    const { shares, expiresAt, key } = request;
    const withVersion = route === "expiration";
    const body = {
      shares: shares.map(({ module, item, shareId, version }) =>
        ({ module, item, shareId, ...(withVersion && { version }) })),
      ...(withVersion && { expiresAt }),
    };
    try {
      const headers = { "Idempotency-Key": key };
      const response = await client.send("POST", `/shares/${route}`, { body, headers });
      /** @type {ShareResult[]} */
      const results = [];
      for (const [i, { outcome, share: changed, problem }] of response.body.results.entries()) {
        const share = shares[i];
        const result = { share, outcome, request, after: changed && { ...share, ...changed } };
        if (outcome === "failed") {
          result.error = new ApiError(problem?.type.split("/").pop() ?? "unavailable", { problem });
          // A retry changes the current share, which the row shows.
          if (result.error.kind === "stale-version") result.after ??= await reread(client, share);
        }
        results.push(result);
      }
      return results;
    } catch (thrown) {
      const error = ApiError.from(thrown);
      return shares.map((share) => failure(share, request, error));
    }
  }

  /**
   * Shows the shares after a change. Failed ones stay selected.
   * @param {ShareResult[]} results
   * @param {object} list the list that the shares were selected in
   */
  #apply(results, list) {
    const { status } = this.#query;
    for (const { share, outcome, after, error } of results) {
      const key = keyOf(share);
      const isGone = error?.kind === "share-not-found";
      const current = after || share;
      const fits = !isGone && (!status || current.status === status);
      if (!fits) {
        this.#shares.delete(key);
        this.#rows.delete(key);
      } else if (this.#shares.has(key) || (outcome === "changed" && list === this.#list))
        this.#addShare(current);
      if (outcome !== "failed" || isGone) this.#selected.delete(key);
      else if (this.#selected.has(key)) this.#selected.set(key, current);
      if (outcome === "changed") this.#emit("sharelink-changed", { share: current });
    }
    this.#arrange();
    this.#showSummary();
    this.#showEnd();
  }

  /**
   * @param {BulkChange} change
   * @param {ShareResult[]} results
   */
  #showResults(change, results) {
    const { texts } = this.#language;
    const own = this.#texts;
    const withOutcome = (outcome) => results.filter((result) => result.outcome === outcome);
    const changes = [...(change.earlier ?? []), ...withOutcome("changed")];
    const changed = changes.length;
    const [unchanged, failed] = ["unchanged", "failed"].map((outcome) => withOutcome(outcome).length);
    const ended = change.isUndo ? own.reverted : change.route === "revoke" ? own.revoked : own.changed;
    const groups = undoGroups(changes
      // A revocation keeps the expiration, which another user may have changed since the list was loaded.
      .map(({ share, after }) => ({
        before: change.route === "revoke" ? { ...share, expiresAt: after.expiresAt } : share, after,
      }))
      .filter(({ before, after }) =>
        Date.parse(before.expiresAt) <= latestExpirationOf(after, this.#rules).getTime()));
    const canUndo = !change.isUndo && groups.size > 0;
    const undoable = [...groups.values()].flat().length;
    const text = [
      changed > 0 && ended(changed), own.unchanged(unchanged),
      canUndo && undoable < changed && own.partialUndo(undoable),
    ].filter(Boolean).join(" ");
    this.#undo = canUndo ? h("button", {
      type: "button", "aria-keyshortcuts": "Control+Z Meta+Z",
      onclick: () => this.#revert(groups, change.list),
    }, texts.undo) : undefined;
    const dismiss = h("button", { type: "button", onclick: () => this.#dismiss() }, own.dismiss);
    const repeated = retryOf(change, results);
    const count = repeated.requests.reduce((sum, { shares }) => sum + shares.length, 0);
    const onRetry = () => this.#start({ ...repeated, earlier: changes });
    const retry = count > 0 && h("button", { type: "button", onclick: onRetry }, own.retry(count));
    // The lists scroll, so the keyboard must reach them.
    const list = (of) => h("ul", { class: "results", tabindex: 0, "aria-label": own.links },
      of.map((result) => this.#resultRow(result)));
    const sorted = failuresFirst(results);
    const failures = failed > 0 && h("div", { class: "banner", role: "alert" },
      h("p", {}, own.failed(failed)),
      list(sorted.slice(0, failed)),
      h("div", { class: "row" }, retry, !text && dismiss),
      results.length > failed && h("details", {},
        h("summary", {}, own.showDone(results.length - failed)), list(sorted.slice(failed))));
    const success = text && h("div", { class: "banner good" }, h("div", { class: "actions" },
      h("p", { class: "text" }, text), this.#undo, dismiss));
    // The user may be typing elsewhere by now.
    const hadFocus = this.#bar.contains(this.shadowRoot.activeElement);
    fill(this.#result, failures, success);
    const said = [text, failed > 0 && own.failed(failed), canUndo && texts.undoKeys];
    this.#announce(said.filter(Boolean).join(" "));
    if (hadFocus) (retry || this.#undo || dismiss).focus();
  }

  /** @param {ShareResult} result */
  #resultRow({ share, outcome, error, after }) {
    const own = this.#texts;
    const done = outcome === "changed" ? own.done : own.doneAlready;
    const now = after && ` ${accessText(this.#now(after), this.#language)}`;
    const { title, module, item } = share;
    return h("li", { class: outcome === "failed" && "failed" },
      h("span", { class: "who" }, bdi(share.recipient)),
      h("span", {}, bdi(title ?? `${module} ${item}`)),
      h("span", { class: "what" }, error ? [this.#describe(error), now] : done));
  }

  #dismiss() {
    fill(this.#result);
    (this.#rows.get(this.#current) ?? this.#search).focus();
  }

  /**
   * @param {Map<string, ListedShare[]>} groups the shares by their earlier expiration
   * @param {object} list the list that the shares were selected in
   */
  #revert(groups, list) {
    const requests = [...groups].flatMap(([expiresAt, shares]) =>
      requestsFor(shares, rfc3339(new Date(expiresAt))));
    this.#start({ route: "expiration", isUndo: true, list, requests });
  }

  // --- Other actions ---

  /**
   * Opens the item's dialog at a share.
   * @param {string} key
   */
  #manage(key) {
    const { title, status, shareId, ...share } = this.#now(this.#shares.get(key));
    if (!this.#dialog) {
      this.#dialog = h("link-access-dialog");
      for (const type of ["sharelink-changed", "sharelink-closed"])
        this.#dialog.addEventListener(type, (event) => this.#onDialogEvent(event));
    }
    this.#dialog.user = this.user;
    this.#dialog.openFor(this, { module: share.module, item: share.item, name: title ?? null });
    this.#dialog.open({ tab: status, shareId });
  }

  #onDialogEvent(event) {
    event.stopPropagation();
    const { type, detail, currentTarget: dialog } = event;
    if (dialog === this.#dialog && type === "sharelink-changed") this.#showChanged(dialog, detail.share);
    this.#emit(type, detail);
    if (type !== "sharelink-closed") return;
    dialog.remove();
    if (dialog !== this.#dialog) return;
    this.#dialog = undefined;
    (this.#rows.get(this.#current) ?? this.#search).focus();
  }

  /** Shows a share that the dialog has changed. It stays selected while the list shows it. */
  #showChanged(dialog, share) {
    const key = keyOf({ ...dialog.itemRef, shareId: share.shareId });
    const before = this.#shares.get(key) ?? this.#left.get(key);
    if (!before) return;
    const after = { ...before, ...share };
    const { status } = this.#query;
    if (!status || after.status === status) this.#addShare(after);
    else {
      this.#left.set(key, after);
      this.#shares.delete(key);
      this.#rows.delete(key);
      this.#selected.delete(key);
    }
    this.#arrange();
    this.#showSummary();
    this.#showEnd();
  }

  #emit(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true }));
  }

  async #downloadCsv() {
    if (this.#download.getAttribute("aria-disabled")) return;
    const own = this.#texts;
    const { client, user } = this;
    const query = this.#query;
    const pages = [];
    let lines = 0;
    let cursor;
    this.#download.setAttribute("aria-disabled", "true");
    try {
      do {
        fill(this.#download, own.downloading(pages.length ? lines : ""));
        const route = `/shares${queryOf({ ...query, limit: 100, cursor })}`;
        const { text, next } = await client.send("GET", route, { headers: { Accept: "text/csv" } });
        if (![undefined, user].includes(this.user)) return;
        pages.push(text);
        // Do not count the header or the text after the last line break.
        lines += text.split("\n").length - 2;
        cursor = next && new URL(next, this.ownerDocument.baseURI).searchParams.get("cursor");
      } while (cursor && lines < CSV_LIMIT);
      const url = URL.createObjectURL(new Blob([joinCsv(pages)], { type: "text/csv" }));
      h("a", { href: url, download: "links.csv" }).click();
      setTimeout(() => URL.revokeObjectURL(url), UPDATE_INTERVAL);
      const text = cursor ? own.downloadCut(CSV_LIMIT) : own.downloaded;
      if (cursor) this.#end.append(h("div", { class: "banner" }, h("p", {}, text)));
      this.#announce(text);
    } catch (thrown) {
      if ([undefined, user].includes(this.user))
        this.#end.append(banner(this.#describe(ApiError.from(thrown))));
    } finally {
      this.#download.removeAttribute("aria-disabled");
      fill(this.#download, own.download);
    }
  }

  /** @param {string} text */
  #announce(text) {
    fill(this.#live, this.#live.textContent === text ? `${text}\u00a0` : text);
  }
}

/**
 * Returns a share as the API has it now, or undefined.
 * @param {Api} client
 * @param {ListedShare} share
 */
async function reread(client, share) {
  try {
    return { ...share, ...(await client.getShare(share, share.shareId)) };
  } catch {
    return undefined;
  }
}

/** @param {string} id */
function searchField(id) {
  return h("input", { id, part: "input", type: "search", autocomplete: "off", spellcheck: "false" });
}

/**
 * Creates the requests for a change.
 * @param {ListedShare[]} shares
 * @param {string} [expiresAt]
 * @returns {BulkRequest[]}
 */
function requestsFor(shares, expiresAt) {
  return splitBulk(shares).map((part) => ({ shares: part, expiresAt, key: randomKey() }));
}

/**
 * Returns the change that retries the failures. A request without a response is repeated as it was, with its
 * idempotency key, because it may have been carried out. A share that another user has revoked or reactivated
 * is left out: the user selected it in its earlier state.
 * @param {BulkChange} change
 * @param {ShareResult[]} results
 * @returns {BulkChange}
 */
function retryOf(change, results) {
  const requests = change.requests.flatMap((request) => {
    const failed = results.filter((result) => result.request === request && result.outcome === "failed"
      && (!result.after || result.after.status === result.share.status));
    const isWhole = failed.length === request.shares.length && failed.every(({ after }) => !after);
    if (isWhole) return [request];
    return requestsFor(failed.map(({ share, after }) => after ?? share), request.expiresAt);
  });
  return { ...change, requests };
}

/**
 * @param {ListedShare} share
 * @param {BulkRequest} request
 * @param {ApiError} error
 * @returns {ShareResult}
 */
function failure(share, request, error) {
  return { share, outcome: "failed", error, request };
}

if (!customElements.get("my-shares")) customElements.define("my-shares", MyShares);
const DefinedMyShares = /** @type {typeof MyShares} */ (customElements.get("my-shares"));

export { DefinedMyShares as MyShares };
