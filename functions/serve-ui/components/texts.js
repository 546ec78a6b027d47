// All text that users see, in English, and the formats for times and sizes. The texts of every other language
// are in a file beside this one, such as `de.json`, that is loaded only when it is needed.
//
// Texts are in a subset of ICU MessageFormat, with numbered arguments: `{0}`, `{0, plural, =0 {…} one {…}
// other {# files}}` and `{0, select, a {…} other {…}}`. They contain no other braces, and no quoting.

/** @import { Child, Problem, Texts } from "../types.d.ts" */

export const en = {
  share: "Share",
  manage: "Manage Link Access",
  close: "Close",
  cancel: "Cancel",
  tryAgain: "Try again",
  loading: "Loading…",
  more: "Show more",
  waiting: "Trying again in {0} s…",

  // The form.
  recipients: "Recipients",
  recipientsHint: "Type or paste email addresses. Press Enter to add one.",
  suggestions: "Suggested recipients",
  suggested: "{0, plural, one {1 suggestion} other {# suggestions}}",
  recipientAdded: "{0, plural, one {1 recipient added} other {# recipients added}}",
  notRead: "{0} could not be read",
  recipientRemoved: "{0} removed",
  recipientsRemoved: "{0, plural, one {1 recipient removed} other {# recipients removed}}",
  recipientKeys: "Press Delete to remove it, Enter to edit it.",
  remove: "Remove {0}",
  notAnAddress: "not an email address",
  misleading: "misleading domain: {0}",
  notAllowed: "domain not allowed",
  duplicate: "already in the list",
  noRecipients: "Add at least one recipient.",
  wrongRecipients: "Correct or remove the {0, plural, one {marked recipient} other {# marked recipients}}.",
  removeWrong: "Remove {0, plural, one {it} other {them}}",
  tooManyRecipients: "At most {0, plural, one {1 recipient} other {# recipients}} at a time. Remove {1}.",
  files: "Files",
  allFiles: "All files",
  noFiles: "This item has no files to share.",
  noneChosen: "Choose at least one file.",
  filesLoading: "The files are still loading.",
  matchingFiles: "{0, plural, one {1 matching file} other {# matching files}}",
  filterFiles: "Filter files",
  filesKeys: "Arrow keys move between files, and typing finds one.",
  allSelected: "{0} selected",
  selected: "{0, plural, =0 {None of {1} files selected} other {# of {1} files, {2} selected}}",
  filesMissing: "No longer available: {0}.",
  filesForbidden: "The service may not read these files, so they cannot be shared: {0}.",
  namesTooLong: "Together, the names of these files are too long for one link. Choose fewer files.",
  tooManyFiles: "One link can hold at most {0, plural, one {1 file} other {# files}}.",
  leftOut: "Files whose names cannot be shared are not shown.",
  archived: "archived",
  archivedHint: "Archived files cannot be downloaded until they are restored.",
  expiration: "Access expires",
  presets: "Choose a period",
  day: "1 day",
  week: "1 week",
  month: "1 month",
  timeZone: "In your time zone, {0}",
  clock: "{0}",
  // The weekday, the day and the time of day.
  dateInWords: "{0}, {1}, {2}",
  skippedTime: "{0} does not exist on this day, because clocks are set forward. It becomes {1}.",
  repeatedTime:
    "{0} occurs twice on this day, because clocks are set back. This is the {1, select, true {first} other "
    + "{second}} time (UTC{2}).",
  noExpiration: "Choose a date and a time.",
  dayBeforeToday: "The date must not be before today.",
  tooLate: "No later than {0}.",
  alreadyPast: "This time has passed: the links will not work.",
  message: "Message",
  optional: "optional",
  charactersLeft: "{0, plural, one {1 character} other {# characters}} left",
  charactersOver: "{0, plural, one {1 character} other {# characters}} too many",
  messageTooLong: "At most {0} characters.",
  sendEmail: "Send email",
  noEmail: "Recipients get no email. Copy each link and send it yourself.",
  messageOnPage: "They see the message on the page with the files.",
  messageUnseen: "They may not see the message: a link to a single file usually downloads it at once.",
  moreOptions: "More options",
  language: "Language of the email",
  reminder: "Reminder if nothing has been downloaded",
  noReminder: "No reminder",
  remindBefore: "{0, plural, one {1 day} other {# days}} before access ends",
  firstDownload: "Tell me when a recipient downloads for the first time",
  sharing: "Sharing…",

  // The results.
  shared: "Shared with {0, plural, one {1 recipient} other {# recipients}}",
  sharedNone: "No new recipients",
  outcome: {
    created: "A link is on its way by email",
    invalidRecipient: "Not an email address",
    misleading: "Misleading domain",
    duplicate: "Listed twice",
    failed: "Could not be added",
  },
  createdQuietly: "Link created, no email",
  createdExpired: "Shared, but access has already expired",
  alreadyGives: {
    active: "Already has a link to {0} until {1}.",
    inactive: "Already has a link to {0}, which is inactive.",
  },
  canReactivate: " Change its expiration to make it work again.",
  notGiven:
    "Not shared: {0}. The files of a link cannot be changed. To share them, use another email address of "
    + "this recipient.",
  andMore: " and {0} more",
  manageOne: "Manage",
  sharedArchived: "Some of these files are archived. They cannot be downloaded until they are restored.",
  openActive: "Show in Active",
  openInactive: "Show in Inactive",
  back: "Share with others",
  retryFailed: "Retry {0, plural, one {1 recipient} other {# recipients}}",
  done: "Done",

  // Manage Link Access.
  active: "Active",
  inactive: "Inactive",
  noActive: "No active links.",
  noInactive: "No inactive links.",
  noMatch: "No matching links.",
  matchingLinks: "{0, plural, one {1 matching link} other {# matching links}}",
  loadedLinks: "Of the newest {0} links. There are more.",
  searchRecipients: "Search recipients",
  sort: "Sort by",
  sorts: { newest: "Newest", expiry: "Expiration", lastUse: "Last use" },
  until: "Active until {0}",
  expired: "Expired {0}",
  revoked: "Revoked {0}",
  opens: "{0, plural, one {Opened once} other {Opened # times}}",
  downloads:
    "{0, plural, one {1 download} other {# downloads}}{1, select, none {} all { (of all files)} other { "
    + "({2} of all files)}}",
  neverOpened: "Not opened yet",
  useHint: "Mail scanners also open links, and a resumed download counts again.",
  lastUse: "last {0}",
  mail: {
    none: "No email",
    queued: "Email on its way",
    sent: "Email sent",
    delivered: "Email delivered",
    failed: "Email failed",
    bounced: "Email bounced",
    complained: "Marked as spam",
  },
  sharedBy: "Shared by {0}, {1}",
  sharedAt: "Shared {0}",
  change: "Change Expiration",
  changeFor: "Change Expiration for {0}",
  save: "Save",
  saving: "Saving…",
  reactivates: "A time in the future makes the same link work again. No email is sent.",
  endsAtOnce: "This time has passed: access ends immediately.",
  staysInactive: "This time has passed: the link stays inactive.",
  changed: "{0} has access until {1}.",
  unchanged: "The expiration for {0} is unchanged.",
  ended: "{0} no longer has access.",
  undo: "Undo",
  undoing: "Undoing…",
  undoKeys: "Press Ctrl+Z to undo.",
  fileCount: "{0, plural, one {1 file} other {# files}}, {1}",
  revoke: "Revoke Access",
  revokeAsk: "Revoke access for {0}? The link stops working immediately.",
  revokeConfirm: "Yes, revoke",
  revoking: "Revoking…",
  replace: "Replace link",
  replaceAsk: "Replace the link for {0}? The current link stops working immediately and for good.",
  replaceConfirm: "Yes, replace",
  replacing: "Replacing…",
  replaceToo: "Replace the link. Otherwise, anyone who has the old one gets access again.",
  sendNewLink: "Send the new link by email",
  replaced:
    "The link was replaced. {0, select, queued {The new one will be emailed.} other {Copy the new one and "
    + "send it yourself.}}",
  linkReplaced: "Link replaced {0}",
  reminderPlanned: "Reminder planned for {0}",
  reminderSent: "Reminder sent {0}",
  emailsStopped: "The recipient stopped emails about this link",
  moreTime: "Asked for more time",
  resend: "Resend email",
  resent: "Another email is on its way to {0}.",
  sendAgain: "Send the link again",
  copy: "Copy link",
  copied: "Link for {0} copied.",
  copyByHand: "Copy the link for {0}.",
  anyone: "Anyone with this link can download the files.",
  linkIsInactive: "It does not work now: {0}. To make it work again, change its expiration.",
  actionsFor: "Actions for {0}",
  stale: "Someone else has changed this link: {0}. Continue anyway?",
  staleUntil: "it now expires {0}",
  staleRevoked: "access was revoked",
  staleActive: "it is active again",
  staleReplaced: "it was replaced",
  log: "Share log",
  notices: "Notices",
  noticesHint: "Choose what you get emails about. This applies to everything that you share.",
  notice: {
    emailProblem: "An email does not reach a recipient",
    firstDownload: "First download, if you asked for it when you shared",
    moreTime: "A recipient asks for more time",
  },
  noticesSaved: "Your notices were saved.",
  backToLinks: "Back to the links",
  noLog: "No activity yet.",
  by: "by {0}",
  event: {
    created: "shared",
    emailed: "email sent",
    mailFailed: "email failed",
    delivered: "email delivered",
    bounced: "email bounced",
    complained: "marked as spam",
    opened: "link opened",
    downloaded: "file downloaded",
    downloadedAll: "all files downloaded",
    downloadFailed: "download failed",
    expirationChanged: "expiration changed",
    revoked: "access revoked",
    reactivated: "access reactivated",
    linkCopied: "link copied",
    linkRenewed: "link replaced",
    resent: "email resend requested",
    reminded: "reminder sent",
    reminderFailed: "reminder failed",
    moreTimeRequested: "asked for more time",
    emailsStopped: "stopped emails about this link",
    emailsAllowed: "allowed emails about this link again",
    expired: "expired",
    purged: "deleted",
    restored: "restored from a backup",
  },
  times: "{0} in all",
  // Browsers have the same names in every language.
  client: {
    browser: "other browser",
    bot: "automatic program",
    tool: "download program",
    unknown: "unknown program",
  },
  // Between a label and its value.
  colon: ": ",
  fromTo: "from {0} to {1}",
  failure: {
    missing: "the file was moved or removed",
    archived: "the file is archived",
    forbidden: "the service may not read the file",
  },
  // In English, the API describes the reasons that an email failed or bounced.
  mailReason: /** @type {Record<string, string>} */ ({}),

  // Errors.
  invalid: {
    recipients: "These recipients cannot be used.",
    files: "These files cannot be shared.",
    expiresAt: "This time cannot be used.",
    message: "This message cannot be sent.",
  },
  busyFor: "The service is busy. Try again in {0} s.",
  errors: {
    offline: "You are offline. Nothing is lost: try again once you are online.",
    signedOut: "You are signed out. Sign in, then try again.",
    otherUser:
      "You are now signed in as a different user, so unsent input was discarded. To continue, close this "
      + "dialog and open it again.",
    forbidden: "You do not have permission to share this item.",
    busy: "The service is busy. Try again in a moment.",
    unavailable: "That did not work. Try again in a moment.",
    "temporarily-unavailable": "That did not work. Try again in a moment.",
    "idempotency-key-reused": "That did not work. Try again.",
    "share-permission-missing": "You do not have permission to share this item.",
    "item-access-denied": "The platform does not allow you to share this item.",
    "share-not-found": "This link no longer exists.",
    "recipient-not-allowed": "Sharing with this domain is not allowed.",
    "too-many-files": "Links with so many files are not allowed.",
    "sharing-off": "Sharing is off.",
    "email-required": "Links are sent only by email.",
    "share-inactive": "This link is inactive: change its expiration first.",
    "recipient-complained": "Reported as spam: no more emails are sent.",
    "emails-stopped": "The recipient stopped emails about this link. Send the link yourself.",
    "sharer-limit-reached": "Too many emails for today. Try again tomorrow, or send the link yourself.",
    "mailbox-limit-reached":
      "Too many emails to this mailbox. Try again tomorrow, or send the link yourself.",
    "stale-version": "Someone else has changed this link.",
    "invalid-request": "Correct the marked fields.",
    "malformed-body": "The request could not be read.",
    "body-too-large": "The request is too large.",
    internal: "Something went wrong on our side. Please contact support.",
  },
  tooSoon:
    "An email was sent recently. Another can be sent in {0, plural, one {a minute} other {# minutes}}.",
};

/**
 * The other languages, with the hash (Subresource Integrity) of each one's file. The build inserts the
 * hashes, so the hash of the module that browsers load covers all texts.
 * @type {Record<string, string>}
 */
const INTEGRITY = {
  de: "",
  fr: "",
  es: "",
  da: "",
  nl: "",
  sv: "",
};

/** Every language, as a tag. */
export const LANGUAGES = ["en", ...Object.keys(INTEGRITY)];

/** The longest time to wait for a language's file before English is shown, in milliseconds. */
const LOAD_TIMEOUT = 5_000;

/**
 * A part of a parsed text: text, or an argument with its choices.
 * @typedef {string | { index: number, isPlural?: boolean, choices?: Record<string, Part[]> }} Part
 */

/**
 * Parses tokens until a closing brace.
 * @param {string[]} tokens what is left of the text; parsed tokens are removed
 * @param {number} [number] the index of the argument that `#` stands for
 */
function parseParts(tokens, number) {
  /** @type {Part[]} */
  const parts = [];
  for (let token = tokens.shift(); token !== undefined && token !== "}"; token = tokens.shift()) {
    if (token === "{") parts.push(parseArgument(tokens, number));
    else parts.push(token === "#" && number !== undefined ? { index: number } : token);
  }
  return parts;
}

/**
 * @param {string[]} tokens
 * @param {number} [number]
 * @returns {Part}
 */
function parseArgument(tokens, number) {
  let [argument, kind, name] = tokens.shift().split(",");
  const index = Number(argument);
  const isPlural = kind?.trim() === "plural";
  const choices = {};
  while (tokens.shift() === "{") {
    choices[name.trim()] = parseParts(tokens, isPlural ? index : number);
    // White space, or the end of the argument.
    name = tokens[0] === "}" ? "" : tokens.shift();
  }
  return kind ? { index, isPlural, choices } : { index };
}

/**
 * @param {Part[]} parts
 * @param {unknown[]} values
 * @param {Intl.PluralRules} rules
 */
function formatParts(parts, values, rules) {
  return parts.flatMap((part) => {
    if (typeof part === "string") return part;
    const { index, isPlural, choices } = part;
    const value = values[index];
    if (!choices) return value;
    const choice = isPlural
      ? (choices[`=${value}`] ?? choices[rules.select(Number(value))]) : choices[String(value)];
    return formatParts(choice ?? choices.other, values, rules);
  });
}

/**
 * Makes a function of each text that has arguments. It returns a string or, if an argument is an element, an
 * array.
 * @template {object} T
 * @param {T} texts
 * @param {string} language
 * @returns {Texts<T>}
 */
export function compileTexts(texts, language) {
  const rules = new Intl.PluralRules(language);
  const compile = (text) => {
    if (typeof text === "object") return compileTexts(text, language);
    if (!text.includes("{")) return text;
    const parts = parseParts(text.split(/([{}#])/).filter(Boolean));
    return (...values) => {
      const formatted = formatParts(parts, values, rules);
      return formatted.some((part) => part instanceof Object) ? formatted : formatted.join("");
    };
  };
  const entries = Object.entries(texts).map(([name, text]) => [name, compile(text)]);
  return /** @type {Texts<T>} */ (Object.fromEntries(entries));
}

/**
 * The texts that have been loaded, by language.
 * @type {Record<string, Texts<typeof en>>}
 */
const catalogs = { en: compileTexts(en, "en") };

/**
 * The requests for a language's texts. A request that failed is repeated, but not waited for again.
 * @type {Record<string, { done: Promise<void>, hasFailed?: boolean } | undefined>}
 */
const requests = {};

/** @param {string} language */
async function loadTexts(language) {
  const url = new URL(`${language}.json`, import.meta.url);
  const signal = AbortSignal.timeout(LOAD_TIMEOUT);
  const response = await fetch(url, { integrity: INTEGRITY[language], credentials: "omit", signal });
  if (!response.ok) throw new Error(`status ${response.status}`);
  catalogs[language] = compileTexts(await response.json(), language);
}

/**
 * Calls back with an element's language as soon as its texts are there: immediately, if they are.
 * @param {Element} element
 * @param {(language: Language) => void} use
 */
export function withLanguage(element, use) {
  const language = languageOf(new Language(element).pageTag);
  const earlier = requests[language];
  if (catalogs[language]) return use(new Language(element));
  if (!earlier || earlier.hasFailed) {
    /** @type {{ done: Promise<void>, hasFailed?: boolean }} */
    const request = (requests[language] = { done: undefined });
    request.done = loadTexts(language).catch((error) => {
      request.hasFailed = true;
      console.warn(`Sharelink: the texts for "${language}" are missing, so they are in English: ${error}`);
    });
  }
  if (earlier?.hasFailed) use(new Language(element));
  else requests[language].done.then(() => use(new Language(element)));
  return undefined;
}

/**
 * Returns an element's `lang` attribute, or that of the nearest ancestor with one, across shadow trees.
 * @param {Element} element
 * @returns {string | undefined}
 */
function pageLanguage(element) {
  const closest = element.closest("[lang]");
  if (closest) return closest.getAttribute("lang");
  const { host } = /** @type {ShadowRoot} */ (element.getRootNode());
  return host ? pageLanguage(host) : document.documentElement.lang;
}

/**
 * Returns the valid part of a language tag, or an empty string. Accepts POSIX locales such as
 * `de_DE.UTF-8@euro`, which some browsers and content management systems use as language tags.
 * @param {unknown} tag
 * @returns {string}
 */
function parseTag(tag) {
  let valid = String(tag ?? "").trim().replace(/[.@].*/, "").replaceAll("_", "-");
  for (; valid; valid = valid.replace(/-?[^-]*$/, "")) {
    try {
      return Intl.getCanonicalLocales(valid)[0];
    } catch {
      // Try again without the last part.
    }
  }
  return "";
}

/**
 * Returns the language of a tag, such as `de` for `de-AT`.
 * @param {string} tag
 */
export function languageOf(tag) {
  return tag.split("-")[0];
}

/** Text and formats in the language of an element's page or, if that is not available, of the browser. */
export class Language {
  /** @type {Map<string, any>} */
  #formats = new Map();

  /** @param {Element} element */
  constructor(element) {
    const user = [navigator.languages, navigator.language].flat().map(parseTag);
    const tags = [parseTag(pageLanguage(element)), ...user];
    const isKnown = (tag) => LANGUAGES.includes(languageOf(tag));
    /** The language to use, even if its texts are not loaded. */
    this.pageTag = tags.find(isKnown) ?? "en";
    const tag = catalogs[languageOf(this.pageTag)] ? this.pageTag : "en";
    const language = languageOf(tag);
    this.texts = catalogs[language];
    // If the page's language has no region, format times for the user's region.
    const own = user.find((tag) => languageOf(tag) === language && tag !== language);
    this.tag = tag === language ? (own ?? language) : tag;
  }

  /**
   * Returns a format. Formats are kept, because creating one is slow, and a list needs hundreds.
   * @template {Intl.DateTimeFormat | Intl.RelativeTimeFormat | Intl.NumberFormat} T
   * @param {new (tag: string, options: object) => T} Format
   * @param {object} options
   * @returns {T}
   */
  #format(Format, options) {
    const key = Format.name + JSON.stringify(options);
    if (!this.#formats.has(key)) this.#formats.set(key, new Format(this.tag, options));
    return this.#formats.get(key);
  }

  /** @param {string} time in RFC 3339 */
  formatTime(time) {
    const format = this.#format(Intl.DateTimeFormat, { dateStyle: "medium", timeStyle: "short" });
    return format.format(new Date(time));
  }

  /**
   * Formats a time in words, such as "Thursday, 3 December, 23:59". Includes the year unless it is the
   * current one.
   * @param {Date} date
   */
  formatDateInWords(date) {
    const format = (options) => this.#format(Intl.DateTimeFormat, options).format(date);
    const year = date.getFullYear() === new Date().getFullYear() ? undefined : "numeric";
    const day = format({ day: "numeric", month: "long", year });
    return this.texts.dateInWords(format({ weekday: "long" }), day, this.formatClock(date));
  }

  /**
   * Formats a time of day, such as "23:59".
   * @param {Date} date
   * @param {string} [timeZone] the user's, if omitted
   */
  formatClock(date, timeZone) {
    const format = this.#format(Intl.DateTimeFormat, { timeStyle: "short", timeZone });
    return this.texts.clock(format.format(date));
  }

  /**
   * Formats how far away a time is, such as "in 7 days", "tomorrow" or "5 minutes ago". Days are calendar
   * days in the user's time zone.
   * @param {Date} date
   */
  formatDistance(date) {
    const now = new Date();
    const day = (time) => Date.UTC(time.getFullYear(), time.getMonth(), time.getDate()) / 86_400_000;
    const days = day(date) - day(now);
    const minutes = (date.getTime() - now.getTime()) / 60_000;
    const rounded = (n) => Math.sign(n) * Math.round(Math.abs(n));
    const format = (n, unit) => this.#format(Intl.RelativeTimeFormat, { numeric: "auto" }).format(n, unit);
    if (Math.abs(days) >= 730) return format(rounded(days / 365.25), "year");
    if (Math.abs(days) >= 60) return format(rounded(days / 30.44), "month");
    if (days) return format(days, "day");
    if (Math.abs(minutes) >= 60) return format(rounded(minutes / 60), "hour");
    return format(rounded(minutes), "minute");
  }

  /** @param {number} bytes */
  formatSize(bytes) {
    const units = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"];
    const unit = Math.min(Math.floor(Math.log10(Math.max(bytes, 1)) / 3), units.length - 1);
    const format = this.#format(Intl.NumberFormat, {
      style: "unit", unit: units[unit], unitDisplay: unit ? "short" : "long", maximumFractionDigits: 1,
    });
    return format.format(bytes / 1000 ** unit);
  }

  /**
   * Returns the message for an ApiError, or for a problem and its kind.
   * @param {{ kind: string, problem?: Problem, wait?: number }} error
   */
  describeError({ kind, problem, wait }) {
    const { errors, tooSoon, busyFor } = this.texts;
    if (kind === "resend-too-soon") return tooSoon(Math.ceil((wait ?? 60) / 60));
    if (kind === "busy" && wait) return busyFor(wait);
    return errors[kind] ?? problem?.title ?? errors.unavailable;
  }
}

/**
 * Isolates a name's text direction within a sentence, as `bdi` does in HTML.
 * @param {string} name
 */
export function isolate(name) {
  return `\u2068${name}\u2069`;
}
