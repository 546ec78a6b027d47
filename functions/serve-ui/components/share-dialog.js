// `<share-dialog module="jobs" item="1042">`: shares an item's files with several recipients.

import { ApiError } from "./api.js";
import { ItemDialog, banner } from "./dialog.js";
import { bdi, fill, h } from "./dom.js";
import { ExpirationField, rfc3339 } from "./expiration.js";
import { RecipientsField } from "./recipients.js";
import { Language } from "./texts.js";

const FILES_LIMIT = 100;
const MESSAGE_LIMIT = 2000;

export class ShareDialog extends ItemDialog {
  /** The item that the form is for. */
  #item;
  #language;
  #recipients;
  #expiration;
  #message;
  #counter;
  #messageError;
  #files;
  #filesError;
  #listed = [];
  /** Which files are to be shared, by their names. */
  #choice = new Map();
  /** What the list of files cannot be used for yet, in words. */
  #unlisted;
  #listing;
  #trouble;
  #form;
  #button;
  /** The last request, and its key: the same request again is no other. */
  #asked = {};
  /** An answer has come that nobody has seen. */
  #hasNews = false;

  /** Opens the dialog; what was typed before is still there. */
  open() {
    const { module, item } = this.item;
    if (this.#item !== `${module}/${item}`) {
      this.#item = `${module}/${item}`;
      this.#build();
    }
    if (!this.#hasNews) {
      this.#showForm();
      this.#listFiles();
    }
    this.#hasNews = false;
    this.reveal();
    if (!this.#form.inert) this.#recipients.input.focus();
  }

  #build() {
    this.#language = new Language(this);
    const { texts } = this.#language;
    this.#listed = [];
    this.#choice = new Map();
    this.#hasNews = false;
    this.#recipients = new RecipientsField(this.#language, (text) => this.say(text));
    this.#expiration = new ExpirationField(this.#language, { note: (isPast) => isPast && texts.alreadyPast });
    this.#counter = h("p", { class: "counter", id: "counter" });
    this.#messageError = h("p", { id: "message-error", class: "error" });
    this.#message = h("textarea", {
      id: "message", part: "input", dir: "auto", "aria-describedby": "counter message-error", oninput: () => this.#count(),
    });
    this.#files = h("div", { class: "files" });
    this.#filesError = h("p", { id: "files-error", class: "error" });
    this.#trouble = h("div");
    this.#button = h("button", { type: "button", class: "primary", onclick: () => this.#share() }, texts.share);
    this.#form = h("div", {},
      this.#recipients.element,
      h("fieldset", { class: "field", "aria-describedby": "files-error" },
        h("legend", {}, texts.files), this.#files, this.#filesError),
      this.#expiration.element,
      h("div", { class: "field" },
        h("label", { for: "message" }, `${texts.message} `, h("span", { class: "hint" }, `(${texts.optional})`)),
        this.#message, this.#counter, this.#messageError),
    );
    this.#count();
  }

  #showForm() {
    const { texts } = this.#language;
    this.show(this.#language, {
      heading: texts.share,
      body: [this.#trouble, this.#form],
      buttons: [h("button", { type: "button", onclick: () => this.close() }, texts.cancel), this.#button],
    });
  }

  #count() {
    const { texts } = this.#language;
    const left = MESSAGE_LIMIT - [...this.#message.value].length;
    this.#counter.className = left < 0 ? "counter over" : "counter";
    fill(this.#counter, texts.counter(left));
    // Said near the end only, and not at every letter.
    if (left === 50 || left === 0 || left === -1) this.say(texts.counter(left));
    this.#showMessageError();
  }

  #showMessageError(error) {
    fill(this.#messageError, error);
    this.#message.setAttribute("aria-invalid", Boolean(error));
    return error;
  }

  // --- The item's files ---

  /** Lists the item's files anew, as many pages as were there; or another page after them. */
  async #listFiles(cursor) {
    const { texts } = this.#language;
    const listing = (this.#listing = {});
    const isFirst = !this.#choice.size;
    const listed = cursor ? [...this.#listed] : [];
    this.#unlisted = texts.filesLoading;
    if (!this.#listed.length) fill(this.#files, h("p", { class: "empty" }, texts.loading));
    try {
      let page = { nextCursor: cursor };
      do {
        page = await this.api.files(this.item, page.nextCursor);
        if (listing !== this.#listing) return;
        // All that there is at first; what comes later is only shared if it is chosen.
        listed.push(...page.files.map((file) => this.#fileBox(file, this.#choice.get(file.name) ?? (isFirst && !cursor))));
      } while (page.nextCursor && listed.length < this.#listed.length);
      const firstNew = cursor && listed[this.#listed.length];
      this.#unlisted = listed.length ? undefined : texts.noFiles;
      this.#listed = listed;
      this.#showFiles(page);
      firstNew?.box.focus();
    } catch (thrown) {
      if (listing !== this.#listing) return;
      this.#unlisted = this.#language.error(ApiError.of(thrown));
      const again = h("button", { type: "button", onclick: () => this.#listFiles(cursor) }, texts.tryAgain);
      fill(this.#files, cursor && listed.map(({ element }) => element), banner(this.#unlisted, again));
    }
  }

  #showFiles({ leftOut, nextCursor }) {
    const { texts } = this.#language;
    const all = this.#listed.length > 1 && this.#allBox();
    const more = nextCursor && h("button", { type: "button", class: "more", onclick: () => this.#listFiles(nextCursor) }, texts.more);
    fill(this.#files, all, this.#listed.map(({ element }) => element), more,
      !this.#listed.length && h("p", { class: "empty" }, texts.noFiles),
      leftOut && h("p", { class: "hint empty" }, texts.leftOut));
    this.#chosen();
  }

  #fileBox({ name, size }, checked) {
    this.#choice.set(name, checked);
    const box = h("input", { type: "checkbox", checked, onchange: () => this.#choose() });
    const label = h("label", {}, box, h("span", { class: "name" }, bdi(name)), h("span", { class: "size" }, this.#language.size(size)));
    return { name, box, element: label };
  }

  #allBox() {
    const box = h("input", { id: "all", type: "checkbox", onchange: () => {
      for (const listed of this.#listed) listed.box.checked = box.checked;
      this.#choose();
    } });
    return h("label", {}, box, h("span", { class: "name" }, this.#language.texts.allFiles));
  }

  /** Somebody has chosen. */
  #choose() {
    for (const { name, box } of this.#listed) this.#choice.set(name, box.checked);
    fill(this.#filesError);
    this.#chosen();
  }

  #chosen() {
    const all = this.#files.querySelector("#all");
    if (!all) return;
    const chosen = this.#chosenFiles().length;
    all.checked = chosen === this.#listed.length;
    all.indeterminate = chosen > 0 && !all.checked;
  }

  #chosenFiles() {
    return this.#listed.filter(({ box }) => box.checked).map(({ name }) => name);
  }

  #checkFiles() {
    const { texts } = this.#language;
    const chosen = this.#chosenFiles().length;
    if (this.#unlisted) return this.#unlisted;
    if (!chosen) return texts.noneChosen;
    return chosen > FILES_LIMIT ? texts.tooManyFiles(FILES_LIMIT) : undefined;
  }

  // --- Sharing ---

  /** The first field with something wrong gets the focus; all of them say what it is. */
  #isComplete() {
    const { texts } = this.#language;
    const isLong = [...this.#message.value].length > MESSAGE_LIMIT;
    return this.#point({
      recipients: this.#recipients.check(),
      files: this.#checkFiles(),
      expiresAt: this.#expiration.check(),
      message: isLong ? texts.messageTooLong(MESSAGE_LIMIT) : undefined,
    });
  }

  /** Shows what is wrong at each field, and goes to the first; whether there is nothing. */
  #point({ recipients, files, expiresAt, message }) {
    fill(this.#filesError, files);
    const fields = [
      [this.#recipients.show(recipients), this.#recipients.input],
      [files, this.#files.querySelector("input, button") ?? this.#button],
      [this.#expiration.show(expiresAt), this.#expiration.input],
      [this.#showMessageError(message), this.#message],
    ];
    const wrong = fields.find(([error]) => error);
    if (!wrong) return true;
    wrong[1].focus();
    this.say(wrong[0]);
    return false;
  }

  async #share() {
    const form = this.#form;
    // It is on its way.
    if (form.inert) return;
    fill(this.#trouble);
    if (!this.#isComplete()) return;
    const { texts } = this.#language;
    const order = {
      recipients: this.#recipients.value,
      expiresAt: rfc3339(this.#expiration.date),
      message: this.#message.value || undefined,
      files: this.#chosenFiles(),
    };
    const body = JSON.stringify(order);
    if (this.#asked.body !== body) this.#asked = { body, key: crypto.randomUUID() };
    const wait = (seconds) => {
      fill(this.#trouble, seconds > 0 && h("p", { class: "banner" }, texts.waiting(seconds)));
      if (seconds > 0) this.say(texts.waiting(seconds));
    };
    let answer;
    // What is on its way cannot be changed any more.
    form.inert = true;
    let failure;
    await this.during(this.#button, texts.sharing, async () => {
      answer = await this.api.share(this.item, order, this.#asked.key, wait);
    }, (error) => (failure = error));
    form.inert = false;
    const isCreated = answer?.results.some(({ outcome }) => outcome === "created");
    if (isCreated) this.tell("sharelink-shared", { results: answer.results });
    // The dialog may be about another item by now.
    if (form !== this.#form) return;
    if (failure) await this.#failed(failure, order);
    else this.#showResults(answer);
  }

  /** Nothing was shared: says why, at the field if there is one. */
  async #failed(error, order) {
    // The key was used for another request: a page was reloaded, or a clock moved.
    if (error.kind === "idempotency-key-reused") this.#asked = {};
    const { texts } = this.#language;
    fill(this.#trouble, banner(this.#language.error(error)));
    const wrong = Object.fromEntries(error.pointers.map((pointer) => pointer.split("/")[1]).map((field) => [field, texts.wrong[field]]));
    const gone = error.pointers.map((pointer) => order.files[pointer.match(/^\/files\/(\d+)$/)?.[1]]).filter(Boolean);
    if (gone.length) {
      wrong.files = texts.filesGone(gone.join(", "));
      await this.#listFiles();
    }
    this.#point(wrong);
    this.#trouble.scrollIntoView({ block: "nearest" });
  }

  #showResults({ results, warnings }) {
    const { texts } = this.#language;
    const isExpired = warnings.some(({ code }) => code === "alreadyExpired");
    const created = results.filter(({ outcome }) => outcome === "created");
    const failed = results.filter(({ outcome }) => outcome === "failed").map(({ recipient }) => recipient);
    const refused = results.filter(({ outcome }) => outcome === "invalidRecipient").map(({ recipient }) => recipient);
    this.#asked = {};
    // What was shared need not be deleted by hand; what was not is kept.
    this.#recipients.value = [...failed, ...refused];
    if (created.length && !this.#recipients.value.length) {
      this.#message.value = "";
      this.#count();
    }
    const heading = created.length ? texts.shared(created.length) : texts.sharedNone;
    const back = (recipients) => {
      this.#recipients.value = recipients;
      this.#showForm();
      this.#recipients.input.focus();
    };
    const done = h("button", { type: "button", class: "primary", onclick: () => this.close() }, texts.done);
    this.show(this.#language, {
      heading,
      body: h("ul", { class: "results", tabindex: 0, "aria-label": heading }, results.map((result) => this.#result(result, isExpired))),
      buttons: [
        h("button", { type: "button", class: "push", onclick: () => back(this.#recipients.value) }, texts.back),
        failed.length > 0 && h("button", { type: "button", onclick: () => back(failed) }, texts.retryFailed(failed.length)),
        done,
      ],
    });
    this.#hasNews = !this.isOpen;
    done.focus();
    this.say(heading);
  }

  #result({ recipient, outcome, shareId, problem }, isExpired) {
    const { texts } = this.#language;
    const what = outcome === "created" && isExpired ? texts.createdExpired : texts.outcome[outcome];
    const detail = outcome === "failed" && this.#language.error({ kind: problem.type.split("/").pop(), problem });
    const tab = { alreadyActive: "active", alreadyInactive: "inactive" }[outcome];
    const show = tab === "active" ? texts.openActive : texts.openInactive;
    return h("li", { class: outcome },
      h("span", { class: "who" }, bdi(recipient)),
      h("span", { class: "what" }, what, detail && `: ${detail}`),
      tab && h("button", { type: "button", class: "plain", onclick: () => this.#manage(tab, shareId) }, show),
    );
  }

  /** Goes on in Manage Link Access, unless the page around has its own. */
  #manage(tab, shareId) {
    this.close();
    if (!this.tell("sharelink-manage", { tab, shareId })) return;
    const dialog = h("link-access-dialog", this.item);
    if (this.hasAttribute("api")) dialog.setAttribute("api", this.getAttribute("api"));
    dialog.token = this.token;
    dialog.lang = this.#language.pageTag;
    // Its events are this one's, or whoever opened this one would not hear of them.
    for (const name of ["sharelink-changed", "sharelink-closed"])
      dialog.addEventListener(name, (event) => {
        event.stopPropagation();
        this.tell(name, event.detail);
      });
    dialog.addEventListener("sharelink-closed", () => dialog.remove());
    this.after(dialog);
    dialog.open({ tab, shareId });
  }
}
