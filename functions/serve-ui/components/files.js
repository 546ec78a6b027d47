// The files field: a list of the item's files with checkboxes and, if it is long, a filter.

/** @import { FilePage, ItemFile, ShareRules } from "../types.d.ts" */
/** @import { Language } from "./texts.js" */

import { ApiError } from "./api.js";
import { banner } from "./dialog.js";
import { bdi, fill, h } from "./dom.js";
import { FILE_NAMES_LIMIT } from "./limits.js";

/** The number of files that need no filter. */
const UNFILTERED_LIMIT = 10;

/** The number of files that are loaded until the user asks for more. */
const LOAD_LIMIT = 1_000;

/** Keys pressed within this time, in milliseconds, are the beginning of a file name. */
const TYPING_PAUSE = 1_000;

/**
 * Returns what a search compares: neither letter case nor accents matter.
 * @param {string} text
 */
function searchKey(text) {
  return text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
}

/** A checkbox for each file. The Tab key stops at only one; arrow keys move between them. */
export class FilesField {
  #language;
  #rules;
  #load;
  #announce;
  #onSelect;
  /** @type {{ file: ItemFile, box: HTMLInputElement, element: HTMLElement }[]} */
  #listed = [];
  /** Whether each file is selected, by name. */
  #selection = new Map();
  /** The cursor of the next page, if there is one. */
  #cursor;
  /** The error that prevents sharing, if any; for example, that the files are still loading. */
  #loadError;
  /** Identifies the latest call that loads files. */
  #loading;
  /** The keys that were typed to find a file, and when. */
  #typed = { text: "", at: 0 };
  #allText = h("span", { class: "name" });

  /**
   * @param {Language} language
   * @param {object} options
   * @param {ShareRules} options.rules
   * @param {(cursor?: string) => Promise<FilePage>} options.load loads one page
   * @param {(text: string) => void} options.announce
   * @param {() => void} options.onSelect called when the selection has changed
   */
  constructor(language, { rules, load, announce, onSelect }) {
    this.#language = language;
    this.#rules = rules;
    this.#load = load;
    this.#announce = announce;
    this.#onSelect = onSelect;
    const { texts } = language;
    this.filter = h("input", {
      type: "search", part: "input", "aria-label": texts.filterFiles, placeholder: texts.filterFiles,
      autocomplete: "off", hidden: true,
      oninput: () => this.#applyFilter(true), onkeydown: (event) => this.#onFilterKey(event),
    });
    this.all = h("input", { type: "checkbox", value: "", onchange: () => this.#selectAll() });
    this.list = h("div", {
      class: "files",
      onkeydown: (event) => this.#onKey(event), onfocusin: ({ target }) => this.#setTabStop(target),
    });
    this.summary = h("p", { id: "files-summary", class: "hint" });
    this.archivedHint = h("p", { id: "archived-hint", class: "note" });
    this.error = h("p", { id: "files-error", class: "error" });
    this.element = h("fieldset",
      { class: "field", "aria-describedby": "files-summary archived-hint files-keys files-error" },
      h("legend", {}, texts.files),
      this.filter, this.list, this.summary, this.archivedHint, this.error,
      h("p", { id: "files-keys", hidden: true }, texts.filesKeys));
  }

  /** The names of the selected files. */
  get selected() {
    return this.#selectedFiles.map(({ name }) => name);
  }

  get #selectedFiles() {
    return this.#listed.filter(({ box }) => box.checked).map(({ file }) => file);
  }

  /** The control that gets the focus if there is an error. */
  get input() {
    /** @type {HTMLElement | null} */
    const control = this.list.querySelector("input[tabindex='0']") ?? this.list.querySelector("button");
    return control;
  }

  /** Returns the error, if any. */
  validate() {
    if (this.#loadError) return this.#loadError;
    const files = this.#selectedFiles;
    return files.length ? this.#exceededLimit(files) : this.#language.texts.noneChosen;
  }

  /**
   * Returns why one link cannot hold the files, if it cannot.
   * @param {ItemFile[]} files
   */
  #exceededLimit(files) {
    const { tooManyFiles, namesTooLong } = this.#language.texts;
    const { maxFiles } = this.#rules;
    if (files.length > maxFiles) return tooManyFiles(maxFiles);
    const names = files.map(({ name }) => name).join("");
    return new TextEncoder().encode(names).length > FILE_NAMES_LIMIT ? namesTooLong : undefined;
  }

  /** @param {string} [error] if omitted, the error is cleared */
  showError(error) {
    fill(this.error, error);
    return error;
  }

  /**
   * Loads the pages after a cursor. Without a cursor, loads all pages again that are listed.
   * @param {string} [cursor]
   */
  async load(cursor) {
    const { texts } = this.#language;
    const loading = (this.#loading = {});
    const isFirst = !this.#selection.size;
    const listed = cursor ? [...this.#listed] : [];
    const goal = cursor ? listed.length + LOAD_LIMIT : Math.max(this.#listed.length, LOAD_LIMIT);
    const isMore = Boolean(cursor);
    let isShown = isMore;
    let leftOut = false;
    // While a list is being refreshed, its files can be shared: the API names those that no longer exist.
    const canShare = this.#listed.length > 0 && !this.#loadError;
    this.#loadError = isMore || canShare ? undefined : texts.filesLoading;
    if (!this.#listed.length) fill(this.list, h("p", { class: "empty" }, texts.loading));
    try {
      do {
        const page = await this.#load(cursor);
        if (loading !== this.#loading) return;
        cursor = page.nextCursor;
        leftOut ||= page.leftOut;
        // Initially, all files are selected if one link can hold them. Files that appear later are shared
        // only if the user selects them.
        const isInitial = isFirst && !listed.length && !cursor && !this.#exceededLimit(page.files);
        listed.push(...page.files.map((file) => this.#row(file, isInitial)));
        // A refreshed list replaces the previous one only once it is as long.
        isShown ||= !cursor || listed.length >= this.#listed.length;
        if (isShown) this.#show(listed, cursor, leftOut);
      } while (cursor && listed.length < goal);
    } catch (thrown) {
      if (loading !== this.#loading) return;
      const text = this.#language.describeError(ApiError.from(thrown));
      if (!isShown) this.#loadError = text;
      // The pages of a refreshed list that is not shown are lost.
      const next = isShown ? cursor : undefined;
      const retry = h("button", { type: "button", onclick: () => this.load(next) }, texts.tryAgain);
      if (this.#loadError) fill(this.list, banner(text, retry));
      else this.list.append(banner(text, retry));
    }
  }

  /** Shows the files that have been loaded so far. */
  #show(listed, cursor, leftOut) {
    const { texts } = this.#language;
    const root = /** @type {ShadowRoot} */ (this.list.getRootNode());
    const { scrollTop } = this.list;
    const focused = this.list.contains(root.activeElement) && root.activeElement;
    const focusedName = this.#listed.find(({ box }) => box === focused)?.file.name;
    this.#listed = [...listed];
    // The user may have changed the selection while the list was being refreshed.
    for (const { file, box } of listed) box.checked = this.#selection.get(file.name);
    this.#cursor = cursor;
    this.#loadError = listed.length ? undefined : texts.noFiles;
    if (this.error.textContent === texts.filesLoading) this.showError();
    const showMore = () => this.load(cursor);
    fill(this.list,
      listed.length > 1 && h("label", {}, this.all, this.#allText),
      listed.map(({ element }) => element),
      !listed.length && h("p", { class: "empty" }, texts.noFiles),
      cursor && h("button", { type: "button", class: "more", onclick: showMore }, texts.more),
      leftOut && h("p", { class: "hint empty" }, texts.leftOut));
    fill(this.archivedHint, listed.some(({ file }) => file.archived) && texts.archivedHint);
    this.filter.hidden = listed.length <= UNFILTERED_LIMIT;
    this.#applyFilter(false);
    this.#updateSelection();
    this.list.scrollTop = scrollTop;
    if (!focused) return;
    const again = focused === this.all ? this.all : listed.find(({ file }) => file.name === focusedName)?.box;
    (again ?? this.input)?.focus();
  }

  /**
   * @param {ItemFile} file
   * @param {boolean} isInitial whether the file is selected unless the user has decided
   */
  #row(file, isInitial) {
    const { name, size, archived } = file;
    const { texts } = this.#language;
    const checked = this.#selection.get(name) ?? isInitial;
    this.#selection.set(name, checked);
    const onchange = () => this.#change();
    const box = h("input", { type: "checkbox", value: name, checked, tabindex: -1, onchange });
    const note = archived && h("span", { class: "hint" }, ` (${texts.archived})`);
    const element = h("label", {},
      box,
      h("span", { class: "name" }, bdi(name), note),
      h("span", { class: "size" }, this.#language.formatSize(size)),
    );
    return { file, box, element };
  }

  // --- The selection ---

  /** Selects all files, or none. With a filter, changes only the files that match. */
  #selectAll() {
    for (const { box, element } of this.#listed) if (!element.hidden) box.checked = this.all.checked;
    this.#change();
  }

  #change() {
    for (const { file, box } of this.#listed) this.#selection.set(file.name, box.checked);
    this.showError();
    this.#updateSelection();
    this.#announce(this.summary.textContent);
  }

  #updateSelection() {
    const { texts } = this.#language;
    const files = this.#selectedFiles;
    const size = this.#language.formatSize(files.reduce((sum, file) => sum + file.size, 0));
    const listed = this.#listed.length;
    const total = this.#cursor ? `${listed}+` : `${listed}`;
    const exceeded = this.#exceededLimit(files);
    const { maxFiles } = this.#rules;
    const isLong = this.#cursor || listed > maxFiles;
    const whyNone = !files.length && this.#exceededLimit(this.#listed.map(({ file }) => file));
    const limit = exceeded ?? (isLong ? texts.tooManyFiles(maxFiles) : whyNone);
    const isAll = files.length === listed && !this.#cursor;
    const count = texts.fileCount(listed, size);
    const text = isAll ? texts.allSelected(count) : texts.selected(files.length, total, size);
    fill(this.summary, listed > 0 && [text, limit].filter(Boolean).join(". "));
    this.summary.classList.toggle("error", Boolean(exceeded));
    const matching = this.#listed.filter(({ element }) => !element.hidden);
    const chosen = matching.filter(({ box }) => box.checked).length;
    this.all.checked = chosen > 0 && chosen === matching.length;
    this.all.indeterminate = chosen > 0 && chosen < matching.length;
    this.#onSelect();
  }

  // --- Moving and finding ---

  /** @param {boolean} isAnnounced */
  #applyFilter(isAnnounced) {
    const { texts } = this.#language;
    const words = this.filter.hidden ? [] : searchKey(this.filter.value).split(/\s+/).filter(Boolean);
    for (const { file, element } of this.#listed) {
      const key = words.length ? searchKey(file.name) : "";
      element.hidden = !words.every((word) => key.includes(word));
    }
    const matches = this.#listed.filter(({ element }) => !element.hidden).length;
    fill(this.#allText, words.length ? texts.matchingFiles(matches) : texts.allFiles);
    this.all.disabled = !matches;
    this.#setTabStop(this.#boxes().find((box) => box.tabIndex === 0) ?? this.#boxes()[0]);
    this.#updateSelection();
    if (isAnnounced) this.#announce(texts.matchingFiles(matches));
  }

  /** The checkboxes that are visible. */
  #boxes() {
    const rows = this.#listed.filter(({ element }) => !element.hidden).map(({ box }) => box);
    return this.all.isConnected && !this.all.disabled ? [this.all, ...rows] : rows;
  }

  #setTabStop(target) {
    const boxes = [this.all, ...this.#listed.map(({ box }) => box)];
    if (!boxes.includes(target)) return;
    for (const box of boxes) box.tabIndex = box === target ? 0 : -1;
  }

  #onKey(event) {
    const boxes = this.#boxes();
    const at = boxes.indexOf(event.target);
    if (at < 0 || event.ctrlKey || event.metaKey || event.altKey) return;
    const moves = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: boxes.length - 1 };
    const isTyped = event.key !== " " && [...event.key].length === 1;
    if (!isTyped && !(event.key in moves)) return;
    event.preventDefault();
    (isTyped ? this.#findTyped(event, boxes, at) : boxes[moves[event.key]])?.focus();
  }

  /** Finds the next file whose name begins with the typed keys. Repeating a key finds the next such file. */
  #findTyped({ key, timeStamp }, boxes, at) {
    const isContinued = timeStamp - this.#typed.at < TYPING_PAUSE;
    const text = searchKey(isContinued ? this.#typed.text + key : key);
    this.#typed = { text, at: timeStamp };
    // A combining character, such as an accent.
    if (!searchKey(key)) return undefined;
    const isRepeated = text === text[0].repeat(text.length);
    const from = isRepeated ? at + 1 : at;
    const start = isRepeated ? text[0] : text;
    const inOrder = [...boxes.slice(from), ...boxes.slice(0, from)];
    return inOrder.find((box) => searchKey(box.value).startsWith(start));
  }

  #onFilterKey(event) {
    if (event.isComposing) return;
    if (event.key === "ArrowDown") {
      event.preventDefault();
      this.input?.focus();
    } else if (event.key === "Escape" && this.filter.value) {
      // Clear the filter instead of closing the dialog.
      event.preventDefault();
      this.filter.value = "";
      this.#applyFilter(true);
    }
  }
}
