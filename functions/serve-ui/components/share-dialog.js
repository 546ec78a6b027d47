// `<share-dialog module="jobs" item="1042">`: shares an item's files with one or more recipients.

/**
 * @import {
 *   CreateResults, CreateShares, EventDetails, ItemFile, RecipientResult, Status
 * } from "../types.d.ts"
 */

import { ApiError } from "./api.js";
import { ItemDialog, banner } from "./dialog.js";
import { bdi, fill, h } from "./dom.js";
import { ExpirationField, rfc3339 } from "./expiration.js";
import { FILES_LIMIT, MESSAGE_LIMIT } from "./limits.js";
import { RecipientsField } from "./recipients.js";
import { Language } from "./texts.js";

export class ShareDialog extends ItemDialog {
  /** The item that the form is for. */
  #formItem;
  /** @type {Language} */
  #language;
  /** @type {RecipientsField} */
  #recipients;
  /** @type {ExpirationField} */
  #expiration;
  /** @type {HTMLTextAreaElement} */
  #message;
  #counter;
  #messageError;
  #files;
  #filesError;
  #archivedHint;
  /** @type {{ name: string, archived: boolean, box: HTMLInputElement, element: HTMLElement }[]} */
  #listed = [];
  /** Whether each file is selected, by name. */
  #selection = new Map();
  /** The error that prevents sharing, if any; for example, that the files are still loading. */
  #listingError;
  /** Identifies the latest call that lists files. */
  #listing;
  #alert;
  /** @type {HTMLElement} */
  #form;
  #submitButton;
  /** The last request's body and idempotency key. A request with the same body reuses the key. */
  #lastRequest = {};
  /** Whether results arrived while the dialog was closed. */
  #hasUnseenResults = false;

  /** Opens the dialog. Any unsent input is still there. */
  open() {
    const { module, item } = this.item;
    if (this.#formItem !== `${module}/${item}`) {
      this.#formItem = `${module}/${item}`;
      this.#build();
    }
    if (!this.#hasUnseenResults) {
      this.#showForm();
      this.#listFiles();
    }
    this.#hasUnseenResults = false;
    this.showModal();
    if (!this.#form.inert) this.#recipients.input.focus();
  }

  #build() {
    this.#language = new Language(this);
    const { texts } = this.#language;
    this.#listed = [];
    this.#selection = new Map();
    this.#hasUnseenResults = false;
    this.#recipients = new RecipientsField(this.#language, (text) => this.announce(text));
    const note = (isPast) => isPast && texts.alreadyPast;
    this.#expiration = new ExpirationField(this.#language, { note });
    this.#counter = h("p", { class: "counter", id: "counter" });
    this.#messageError = h("p", { id: "message-error", class: "error" });
    this.#message = h("textarea", {
      id: "message", part: "input", dir: "auto", "aria-describedby": "counter message-error",
      oninput: () => this.#updateCounter(),
    });
    this.#files = h("div", { class: "files" });
    this.#archivedHint = h("p", { id: "archived-hint", class: "note" });
    this.#filesError = h("p", { id: "files-error", class: "error" });
    this.#alert = h("div");
    const onSubmit = () => this.#share();
    this.#submitButton = h("button", { type: "button", class: "primary", onclick: onSubmit }, texts.share);
    const optional = h("span", { class: "hint" }, `(${texts.optional})`);
    this.#form = h("div", {},
      this.#recipients.element,
      h("fieldset", { class: "field", "aria-describedby": "archived-hint files-error" },
        h("legend", {}, texts.files), this.#files, this.#archivedHint, this.#filesError),
      this.#expiration.element,
      h("div", { class: "field" },
        h("label", { for: "message" }, `${texts.message} `, optional),
        this.#message, this.#counter, this.#messageError),
    );
    this.#updateCounter();
  }

  #showForm() {
    const { texts } = this.#language;
    const cancel = h("button", { type: "button", onclick: () => this.close() }, texts.cancel);
    this.render(this.#language, {
      heading: texts.share,
      body: [this.#alert, this.#form],
      buttons: [cancel, this.#submitButton],
    });
  }

  #updateCounter() {
    const { texts } = this.#language;
    const left = MESSAGE_LIMIT - [...this.#message.value].length;
    this.#counter.className = left < 0 ? "counter over" : "counter";
    fill(this.#counter, texts.counter(left));
    // Announce the count only near the limit, not after every character.
    if (left === 50 || left === 0 || left === -1) this.announce(texts.counter(left));
    this.#showMessageError();
  }

  /** @param {string} [error] */
  #showMessageError(error) {
    fill(this.#messageError, error);
    this.#message.setAttribute("aria-invalid", String(Boolean(error)));
    return error;
  }

  // --- The item's files ---

  /**
   * Lists the page of files after a cursor. Without a cursor, refreshes all pages listed so far.
   * @param {string} [cursor]
   */
  async #listFiles(cursor) {
    const { texts } = this.#language;
    const listing = (this.#listing = {});
    const isFirst = !this.#selection.size;
    const listed = cursor ? [...this.#listed] : [];
    this.#listingError = texts.filesLoading;
    if (!this.#listed.length) fill(this.#files, h("p", { class: "empty" }, texts.loading));
    try {
      let page;
      do {
        page = await this.api.listFiles(this.item, page ? page.nextCursor : cursor);
        if (listing !== this.#listing) return;
        // Files on the first page are selected initially. Files that appear later are shared only if the user
        // selects them.
        const isSelected = ({ name }) => this.#selection.get(name) ?? (isFirst && !cursor);
        listed.push(...page.files.map((file) => this.#fileBox(file, isSelected(file))));
      } while (page.nextCursor && listed.length < this.#listed.length);
      const firstNew = cursor && listed[this.#listed.length];
      this.#listingError = listed.length ? undefined : texts.noFiles;
      this.#listed = listed;
      this.#showFiles(page);
      if (firstNew) firstNew.box.focus();
    } catch (thrown) {
      if (listing !== this.#listing) return;
      this.#listingError = this.#language.describeError(ApiError.from(thrown));
      const retry = h("button", { type: "button", onclick: () => this.#listFiles(cursor) }, texts.tryAgain);
      fill(this.#files, cursor && listed.map(({ element }) => element), banner(this.#listingError, retry));
    }
  }

  #showFiles({ leftOut, nextCursor }) {
    const { texts } = this.#language;
    const all = this.#listed.length > 1 && this.#allFilesBox();
    const showMore = () => this.#listFiles(nextCursor);
    const more = nextCursor && h("button", { type: "button", class: "more", onclick: showMore }, texts.more);
    fill(this.#files, all, this.#listed.map(({ element }) => element), more,
      !this.#listed.length && h("p", { class: "empty" }, texts.noFiles),
      leftOut && h("p", { class: "hint empty" }, texts.leftOut));
    fill(this.#archivedHint, this.#listed.some(({ archived }) => archived) && texts.archivedHint);
    this.#updateAllFilesBox();
  }

  /**
   * @param {ItemFile} file
   * @param {boolean} checked
   */
  #fileBox({ name, size, archived }, checked) {
    const { texts } = this.#language;
    this.#selection.set(name, checked);
    const box = h("input", { type: "checkbox", checked, onchange: () => this.#onSelect() });
    const note = archived && h("span", { class: "hint" }, ` (${texts.archived})`);
    const element = h("label", {},
      box,
      h("span", { class: "name" }, bdi(name), note),
      h("span", { class: "size" }, this.#language.formatSize(size)),
    );
    return { name, archived, box, element };
  }

  #allFilesBox() {
    const box = h("input", { id: "all", type: "checkbox", onchange: () => {
      for (const listed of this.#listed) listed.box.checked = box.checked;
      this.#onSelect();
    } });
    return h("label", {}, box, h("span", { class: "name" }, this.#language.texts.allFiles));
  }

  #onSelect() {
    for (const { name, box } of this.#listed) this.#selection.set(name, box.checked);
    fill(this.#filesError);
    this.#updateAllFilesBox();
  }

  #updateAllFilesBox() {
    const all = /** @type {HTMLInputElement | null} */ (this.#files.querySelector("#all"));
    if (!all) return;
    const selected = this.#selectedFiles().length;
    all.checked = selected === this.#listed.length;
    all.indeterminate = selected > 0 && !all.checked;
  }

  #selectedFiles() {
    return this.#listed.filter(({ box }) => box.checked).map(({ name }) => name);
  }

  #validateFiles() {
    const { texts } = this.#language;
    const selected = this.#selectedFiles().length;
    if (this.#listingError) return this.#listingError;
    if (!selected) return texts.noneChosen;
    return selected > FILES_LIMIT ? texts.tooManyFiles(FILES_LIMIT) : undefined;
  }

  // --- Sharing ---

  /** Validates all fields and shows their errors. Returns whether all are valid. */
  #validate() {
    const { texts } = this.#language;
    const isTooLong = [...this.#message.value].length > MESSAGE_LIMIT;
    return this.#showFieldErrors({
      recipients: this.#recipients.validate(),
      files: this.#validateFiles(),
      expiresAt: this.#expiration.validate(),
      message: isTooLong ? texts.messageTooLong(MESSAGE_LIMIT) : undefined,
    });
  }

  /**
   * Shows each error at its field and focuses the first invalid field. Returns whether there are no errors.
   * @param {{ recipients?: string, files?: string, expiresAt?: string, message?: string }} errors
   */
  #showFieldErrors({ recipients, files, expiresAt, message }) {
    fill(this.#filesError, files);
    const fields = [
      [this.#recipients.showError(recipients), this.#recipients.input],
      [files, this.#files.querySelector("input, button") ?? this.#submitButton],
      [this.#expiration.showError(expiresAt), this.#expiration.input],
      [this.#showMessageError(message), this.#message],
    ];
    const invalid = fields.find(([error]) => error);
    if (!invalid) return true;
    const [error, field] = invalid;
    field.focus();
    this.announce(error);
    return false;
  }

  async #share() {
    const form = this.#form;
    // A request is already in progress.
    if (form.inert) return;
    fill(this.#alert);
    if (!this.#validate()) return;
    const { texts } = this.#language;
    const body = {
      recipients: this.#recipients.value,
      expiresAt: rfc3339(this.#expiration.date),
      message: this.#message.value || undefined,
      files: this.#selectedFiles(),
    };
    const json = JSON.stringify(body);
    if (this.#lastRequest.json !== json) this.#lastRequest = { json, key: crypto.randomUUID() };
    const onWait = (seconds) => {
      fill(this.#alert, seconds > 0 && h("p", { class: "banner" }, texts.waiting(seconds)));
      if (seconds > 0) this.announce(texts.waiting(seconds));
    };
    let created;
    let failure;
    // The form must not change while its request is in progress.
    form.inert = true;
    await this.runAction(this.#submitButton, texts.sharing, async () => {
      created = await this.api.createShares(this.item, body, this.#lastRequest.key, onWait);
    }, (error) => (failure = error));
    form.inert = false;
    const isAnyCreated = created?.results.some(({ outcome }) => outcome === "created");
    if (isAnyCreated) this.emit("sharelink-shared", { results: created.results });
    // The dialog may have been opened for another item in the meantime.
    if (form !== this.#form) return;
    if (failure) await this.#showFailure(failure, body);
    else this.#showResults(created);
  }

  /**
   * Shows why the request failed, and marks any invalid fields.
   * @param {ApiError} error
   * @param {CreateShares} body
   */
  async #showFailure(error, body) {
    // The key was already used for a different request, for example because the page was reloaded or a clock
    // changed. Discard the key.
    if (error.kind === "idempotency-key-reused") this.#lastRequest = {};
    const { texts } = this.#language;
    fill(this.#alert, banner(this.#language.describeError(error)));
    const fields = error.pointers.map((pointer) => pointer.split("/")[1]);
    const errors = Object.fromEntries(fields.map((field) => [field, texts.invalid[field]]));
    const missing = error.pointers
      .map((pointer) => body.files[pointer.match(/^\/files\/(\d+)$/)?.[1]])
      .filter(Boolean);
    if (missing.length) {
      errors.files = texts.filesMissing(missing.join(", "));
      await this.#listFiles();
    }
    this.#showFieldErrors(errors);
    this.#alert.scrollIntoView({ block: "nearest" });
  }

  /** @param {CreateResults} response */
  #showResults({ results, warnings }) {
    const { texts } = this.#language;
    const hasWarning = (expected) => warnings.some(({ code }) => code === expected);
    const isExpired = hasWarning("alreadyExpired");
    const recipientsOf = (outcome) =>
      results.filter((result) => result.outcome === outcome).map(({ recipient }) => recipient);
    const created = recipientsOf("created");
    const failed = recipientsOf("failed");
    this.#lastRequest = {};
    // The form keeps the recipients that still need attention.
    this.#recipients.value = [...failed, ...recipientsOf("invalidRecipient")];
    if (created.length && !this.#recipients.value.length) {
      this.#message.value = "";
      this.#updateCounter();
    }
    const warning = created.length > 0 && hasWarning("filesArchived")
      && h("p", { class: "banner" }, texts.sharedArchived);
    const heading = created.length ? texts.shared(created.length) : texts.sharedNone;
    const back = (recipients) => {
      this.#recipients.value = recipients;
      this.#showForm();
      this.#recipients.input.focus();
    };
    const onMore = () => back(this.#recipients.value);
    const more = h("button", { type: "button", class: "push", onclick: onMore }, texts.back);
    const done = h("button", { type: "button", class: "primary", onclick: () => this.close() }, texts.done);
    const retry = failed.length > 0
      && h("button", { type: "button", onclick: () => back(failed) }, texts.retryFailed(failed.length));
    this.render(this.#language, {
      heading,
      body: [warning, h("ul", { class: "results", tabindex: 0, "aria-label": heading },
        results.map((result) => this.#result(result, isExpired)))],
      buttons: [more, retry, done],
    });
    this.#hasUnseenResults = !this.isOpen;
    done.focus();
    this.announce(warning ? `${heading}. ${texts.sharedArchived}` : heading);
  }

  /**
   * @param {RecipientResult} result
   * @param {boolean} isExpired
   */
  #result({ recipient, outcome, shareId, problem }, isExpired) {
    const { texts } = this.#language;
    const text = outcome === "created" && isExpired ? texts.createdExpired : texts.outcome[outcome];
    const detail = outcome === "failed"
      && this.#language.describeError({ kind: problem.type.split("/").pop(), problem });
    /** @type {Status | undefined} */
    const tab = { alreadyActive: "active", alreadyInactive: "inactive" }[outcome];
    const showText = tab === "active" ? texts.openActive : texts.openInactive;
    const onShow = () => this.#openManage(tab, shareId);
    return h("li", { class: outcome },
      h("span", { class: "who" }, bdi(recipient)),
      h("span", { class: "what" }, text, detail && `: ${detail}`),
      tab && h("button", { type: "button", class: "plain", onclick: onShow }, showText),
    );
  }

  /** Opens Manage Link Access, unless the page cancels the event to show a different view. */
  #openManage(tab, shareId) {
    this.close();
    if (!this.emit("sharelink-manage", { tab, shareId })) return;
    const dialog = h("link-access-dialog", this.item);
    if (this.hasAttribute("api")) dialog.setAttribute("api", this.getAttribute("api"));
    dialog.token = this.token;
    dialog.lang = this.#language.pageTag;
    // The page listens only to this dialog, so forward the new dialog's events.
    /** @param {CustomEvent} event */
    const forward = (event) => {
      event.stopPropagation();
      this.emit(/** @type {keyof EventDetails} */ (event.type), event.detail);
    };
    dialog.addEventListener("sharelink-changed", forward);
    dialog.addEventListener("sharelink-closed", forward);
    dialog.addEventListener("sharelink-closed", () => dialog.remove());
    this.after(dialog);
    dialog.open({ tab, shareId });
  }
}
