// Every word that people see, by language.

const en = {
  share: "Share",
  manage: "Manage Link Access",
  close: "Close",
  cancel: "Cancel",
  tryAgain: "Try again",
  loading: "Loading…",
  more: "Show more",
  waiting: (seconds) => `Trying again in ${seconds} s…`,

  // Sharing.
  recipients: "Recipients",
  recipientsHint: "Type or paste email addresses. Enter adds one.",
  recipientAdded: (n) => (n === 1 ? "1 recipient added" : `${n} recipients added`),
  recipientRemoved: (address) => `${address} removed`,
  recipientKeys: "Delete removes it, Enter lets you correct it.",
  remove: (address) => `Remove ${address}`,
  notAnAddress: "not an email address",
  duplicate: "already in the list",
  noRecipients: "Add at least one recipient.",
  wrongRecipients: (n) => (n === 1 ? "Correct or remove the marked recipient." : `Correct or remove the ${n} marked recipients.`),
  tooManyRecipients: (limit) => `At most ${limit} recipients at a time.`,
  files: "Files",
  allFiles: "All files",
  noFiles: "This item has no files to share.",
  noneChosen: "Choose at least one file.",
  filesLoading: "The files are still being listed.",
  filesGone: (names) => `Not there any more: ${names}`,
  tooManyFiles: (limit) => `At most ${limit} files in one link.`,
  leftOut: "Files whose names cannot be shared are not shown.",
  expiration: "Access expires",
  presets: "Choose a period",
  day: "1 day",
  week: "1 week",
  month: "1 month",
  timeZone: (zone) => `In your time zone, ${zone}`,
  noExpiration: "Choose a date and a time.",
  dayBeforeToday: "The date must not be before today.",
  tooLate: "At most ten years from now.",
  alreadyPast: "This time has passed: the links will not work.",
  message: "Message",
  optional: "optional",
  counter: (left) => (left >= 0 ? `${left} characters left` : `${-left} characters too many`),
  messageTooLong: (limit) => `At most ${limit} characters.`,
  sharing: "Sharing…",

  // What became of it.
  shared: (n) => (n === 1 ? "Shared with 1 recipient" : `Shared with ${n} recipients`),
  sharedNone: "Nobody was given access",
  outcome: {
    created: "A link is on its way by email",
    alreadyActive: "Has access already",
    alreadyInactive: "Had access before, which has ended",
    invalidRecipient: "Not an email address",
    duplicate: "Was in the list twice",
    failed: "Could not be shared",
  },
  createdExpired: "Shared, but the expiration has passed",
  openActive: "Show in Active",
  openInactive: "Show in Inactive",
  back: "Share with others",
  retryFailed: (n) => (n === 1 ? "Try that one again" : `Try those ${n} again`),
  done: "Done",

  // Managing.
  active: "Active",
  inactive: "Inactive",
  noActive: "Nobody has access through a link.",
  noInactive: "No link has ended.",
  until: (time) => `Until ${time}`,
  expired: (time) => `Expired ${time}`,
  revoked: (time) => `Revoked ${time}`,
  opens: (n) => (n === 1 ? "Opened once" : `Opened ${n} times`),
  downloads: (n) => (n === 1 ? "1 download" : `${n} downloads`),
  neverOpened: "Not opened yet",
  lastUse: (time) => `last ${time}`,
  mail: {
    none: "No email",
    queued: "Email on its way",
    sent: "Email sent",
    delivered: "Email delivered",
    failed: "Email failed",
    bounced: "Email bounced",
    complained: "Marked as spam",
  },
  sharedBy: (name, time) => `Shared by ${name}, ${time}`,
  sharedAt: (time) => `Shared ${time}`,
  change: "Change Expiration",
  changeOf: (address) => `Change Expiration for ${address}`,
  save: "Save",
  saving: "Saving…",
  reactivates: "A time in the future makes the same link work again. No email is sent.",
  endsAtOnce: "This time has passed: access ends at once.",
  staysInactive: "This time has passed: the link stays inactive.",
  changed: (address, time) => `${address} has access until ${time}.`,
  ended: (address) => `${address} has no access any more.`,
  revoke: "Revoke Access",
  revokeAsk: (address) => `Revoke access for ${address}? The link stops working at once.`,
  revokeConfirm: "Yes, revoke",
  revoking: "Revoking…",
  resend: "Send the email again",
  resent: (address) => `Another email is on its way to ${address}.`,
  copy: "Copy link",
  copied: (address) => `The link of ${address} is in the clipboard. Whoever has it gets the files.`,
  copyByHand: (address) => `The link of ${address}, to copy. Whoever has it gets the files.`,
  actionsFor: (address) => `Actions for ${address}`,
  stale: (changes) => `Somebody else has changed this link meanwhile: ${changes}. Save your expiration all the same?`,
  staleUntil: (time) => `it now expires ${time}`,
  staleRevoked: "access was revoked",
  staleActive: "it is active again",
  log: "Share log",
  backToLinks: "Back to the links",
  noLog: "Nothing has happened yet.",
  by: (name) => `by ${name}`,
  event: {
    created: "shared",
    emailed: "email sent",
    mailFailed: "email failed",
    delivered: "email delivered",
    bounced: "email bounced",
    complained: "marked as spam",
    opened: "link opened",
    downloaded: "file downloaded",
    expirationChanged: "expiration changed",
    revoked: "access revoked",
    reactivated: "active again",
    linkCopied: "link copied",
    resent: "email asked for again",
    expired: "expired",
    purged: "deleted",
  },
  fromTo: (from, to) => `from ${from} to ${to}`,

  // Why something was not done.
  wrong: {
    recipients: "These recipients cannot be used.",
    files: "These files cannot be shared.",
    expiresAt: "This time cannot be used.",
    message: "This message cannot be sent.",
  },
  busyFor: (seconds) => `There is too much going on right now. Try again in ${seconds} s.`,
  errors: {
    offline: "There is no connection. Nothing is lost: try again when you are online.",
    signedOut: "You are signed out. Sign in, then try again.",
    forbidden: "You may not share this item.",
    busy: "There is too much going on right now. Try again in a moment.",
    unavailable: "That did not work just now. Try again in a moment.",
    "temporarily-unavailable": "That did not work just now. Try again in a moment.",
    "idempotency-key-reused": "That did not work just now. Try again.",
    "share-permission-missing": "You may not share this item.",
    "share-not-found": "This link does not exist any more.",
    "share-inactive": "This link is inactive: change its expiration first.",
    "invalid-request": "Something is not right: see the marked fields.",
    "malformed-body": "That was not understood.",
    "body-too-large": "That is too much at once.",
    internal: "Something went wrong on our side. Please tell whoever runs this service.",
  },
  tooSoon: (minutes) =>
    minutes > 1 ? `An email was sent not long ago. Another can be sent in ${minutes} minutes.` : "An email was sent not long ago. Another can be sent in a minute.",
};

const de = {
  share: "Teilen",
  manage: "Linkzugriff verwalten",
  close: "Schließen",
  cancel: "Abbrechen",
  tryAgain: "Noch einmal versuchen",
  loading: "Wird geladen …",
  more: "Mehr anzeigen",
  waiting: (seconds) => `Nächster Versuch in ${seconds} s …`,

  recipients: "Empfänger",
  recipientsHint: "E-Mail-Adressen eingeben oder einfügen. Die Eingabetaste fügt eine hinzu.",
  recipientAdded: (n) => `${n} Empfänger hinzugefügt`,
  recipientRemoved: (address) => `${address} entfernt`,
  recipientKeys: "Entf entfernt die Adresse, mit der Eingabetaste lässt sie sich ändern.",
  remove: (address) => `${address} entfernen`,
  notAnAddress: "keine E-Mail-Adresse",
  duplicate: "schon in der Liste",
  noRecipients: "Mindestens einen Empfänger hinzufügen.",
  wrongRecipients: (n) => (n === 1 ? "Den markierten Empfänger ändern oder entfernen." : `Die ${n} markierten Empfänger ändern oder entfernen.`),
  tooManyRecipients: (limit) => `Höchstens ${limit} Empfänger auf einmal.`,
  files: "Dateien",
  allFiles: "Alle Dateien",
  noFiles: "Dieses Objekt hat keine Dateien zum Teilen.",
  noneChosen: "Mindestens eine Datei auswählen.",
  filesLoading: "Die Dateien werden noch aufgelistet.",
  filesGone: (names) => `Nicht mehr da: ${names}`,
  tooManyFiles: (limit) => `Höchstens ${limit} Dateien in einem Link.`,
  leftOut: "Dateien, deren Namen nicht geteilt werden können, fehlen hier.",
  expiration: "Zugriff endet",
  presets: "Zeitraum wählen",
  day: "1 Tag",
  week: "1 Woche",
  month: "1 Monat",
  timeZone: (zone) => `In Ihrer Zeitzone, ${zone}`,
  noExpiration: "Datum und Uhrzeit wählen.",
  dayBeforeToday: "Das Datum darf nicht vor heute liegen.",
  tooLate: "Höchstens zehn Jahre ab jetzt.",
  alreadyPast: "Dieser Zeitpunkt ist vorbei: Die Links werden nicht funktionieren.",
  message: "Nachricht",
  optional: "freiwillig",
  counter: (left) => (left >= 0 ? `noch ${left} Zeichen` : `${-left} Zeichen zu viel`),
  messageTooLong: (limit) => `Höchstens ${limit} Zeichen.`,
  sharing: "Wird geteilt …",

  shared: (n) => `Mit ${n === 1 ? "einem" : n} Empfänger${n === 1 ? "" : "n"} geteilt`,
  sharedNone: "Niemand hat Zugriff erhalten",
  outcome: {
    created: "Ein Link ist per E-Mail unterwegs",
    alreadyActive: "Hat schon Zugriff",
    alreadyInactive: "Hatte schon Zugriff, der beendet ist",
    invalidRecipient: "Keine E-Mail-Adresse",
    duplicate: "War zweimal in der Liste",
    failed: "Konnte nicht geteilt werden",
  },
  createdExpired: "Geteilt, aber der Zugriff ist schon beendet",
  openActive: "Unter „Aktiv“ zeigen",
  openInactive: "Unter „Inaktiv“ zeigen",
  back: "Mit anderen teilen",
  retryFailed: (n) => (n === 1 ? "Mit dieser Adresse noch einmal" : `Mit diesen ${n} noch einmal`),
  done: "Fertig",

  active: "Aktiv",
  inactive: "Inaktiv",
  noActive: "Niemand hat Zugriff über einen Link.",
  noInactive: "Kein Link ist beendet.",
  until: (time) => `Bis ${time}`,
  expired: (time) => `Abgelaufen ${time}`,
  revoked: (time) => `Entzogen ${time}`,
  opens: (n) => (n === 1 ? "Einmal geöffnet" : `${n}-mal geöffnet`),
  downloads: (n) => (n === 1 ? "1 Download" : `${n} Downloads`),
  neverOpened: "Noch nicht geöffnet",
  lastUse: (time) => `zuletzt ${time}`,
  mail: {
    none: "Keine E-Mail",
    queued: "E-Mail unterwegs",
    sent: "E-Mail gesendet",
    delivered: "E-Mail zugestellt",
    failed: "E-Mail fehlgeschlagen",
    bounced: "E-Mail kam zurück",
    complained: "Als Spam gemeldet",
  },
  sharedBy: (name, time) => `Geteilt von ${name}, ${time}`,
  sharedAt: (time) => `Geteilt ${time}`,
  change: "Ablauf ändern",
  changeOf: (address) => `Ablauf ändern für ${address}`,
  save: "Speichern",
  saving: "Wird gespeichert …",
  reactivates: "Mit einem Zeitpunkt in der Zukunft funktioniert derselbe Link wieder. Es geht keine E-Mail hinaus.",
  endsAtOnce: "Dieser Zeitpunkt ist vorbei: Der Zugriff endet sofort.",
  staysInactive: "Dieser Zeitpunkt ist vorbei: Der Link bleibt inaktiv.",
  changed: (address, time) => `${address} hat Zugriff bis ${time}.`,
  ended: (address) => `${address} hat keinen Zugriff mehr.`,
  revoke: "Zugriff entziehen",
  revokeAsk: (address) => `${address} den Zugriff entziehen? Der Link funktioniert sofort nicht mehr.`,
  revokeConfirm: "Ja, entziehen",
  revoking: "Wird entzogen …",
  resend: "E-Mail noch einmal senden",
  resent: (address) => `Eine weitere E-Mail an ${address} ist unterwegs.`,
  copy: "Link kopieren",
  copied: (address) => `Der Link von ${address} ist in der Zwischenablage. Wer ihn hat, erhält die Dateien.`,
  copyByHand: (address) => `Der Link von ${address} zum Kopieren. Wer ihn hat, erhält die Dateien.`,
  actionsFor: (address) => `Aktionen für ${address}`,
  stale: (changes) => `Inzwischen hat jemand anderes diesen Link geändert: ${changes}. Den eigenen Ablauf trotzdem speichern?`,
  staleUntil: (time) => `er läuft jetzt ${time} ab`,
  staleRevoked: "der Zugriff wurde entzogen",
  staleActive: "er ist wieder aktiv",
  log: "Verlauf",
  backToLinks: "Zurück zu den Links",
  noLog: "Bisher ist nichts geschehen.",
  by: (name) => `von ${name}`,
  event: {
    created: "geteilt",
    emailed: "E-Mail gesendet",
    mailFailed: "E-Mail fehlgeschlagen",
    delivered: "E-Mail zugestellt",
    bounced: "E-Mail kam zurück",
    complained: "als Spam gemeldet",
    opened: "Link geöffnet",
    downloaded: "Datei heruntergeladen",
    expirationChanged: "Ablauf geändert",
    revoked: "Zugriff entzogen",
    reactivated: "wieder aktiv",
    linkCopied: "Link kopiert",
    resent: "E-Mail noch einmal verlangt",
    expired: "abgelaufen",
    purged: "gelöscht",
  },
  fromTo: (from, to) => `von ${from} auf ${to}`,

  wrong: {
    recipients: "Diese Empfänger sind nicht möglich.",
    files: "Diese Dateien können nicht geteilt werden.",
    expiresAt: "Dieser Zeitpunkt ist nicht möglich.",
    message: "Diese Nachricht kann nicht gesendet werden.",
  },
  busyFor: (seconds) => `Gerade ist zu viel los. Versuchen Sie es in ${seconds} s noch einmal.`,
  errors: {
    offline: "Keine Verbindung. Nichts ist verloren: Versuchen Sie es noch einmal, wenn Sie online sind.",
    signedOut: "Sie sind abgemeldet. Melden Sie sich an und versuchen Sie es noch einmal.",
    forbidden: "Sie dürfen dieses Objekt nicht teilen.",
    busy: "Gerade ist zu viel los. Versuchen Sie es gleich noch einmal.",
    unavailable: "Das ging gerade nicht. Versuchen Sie es gleich noch einmal.",
    "temporarily-unavailable": "Das ging gerade nicht. Versuchen Sie es gleich noch einmal.",
    "idempotency-key-reused": "Das ging gerade nicht. Versuchen Sie es noch einmal.",
    "share-permission-missing": "Sie dürfen dieses Objekt nicht teilen.",
    "share-not-found": "Diesen Link gibt es nicht mehr.",
    "share-inactive": "Dieser Link ist inaktiv: Ändern Sie zuerst seinen Ablauf.",
    "invalid-request": "Etwas stimmt nicht: siehe die markierten Felder.",
    "malformed-body": "Das wurde nicht verstanden.",
    "body-too-large": "Das ist zu viel auf einmal.",
    internal: "Bei uns ist etwas schiefgegangen. Bitte sagen Sie es den Betreibern dieses Dienstes.",
  },
  tooSoon: (minutes) =>
    minutes > 1 ? `Vor Kurzem ging eine E-Mail hinaus. Die nächste ist in ${minutes} Minuten möglich.` : "Vor Kurzem ging eine E-Mail hinaus. Die nächste ist in einer Minute möglich.",
};

const languages = { en, de };

/** The words, dates and sizes in the language of an element: that of its page, or else the browser's. */
export class Language {
  constructor(element) {
    const page = element.closest("[lang]")?.lang || document.documentElement.lang;
    const known = [page, ...navigator.languages].filter((tag) => languages[tag.split("-")[0]]);
    this.pageTag = known[0] ?? "en";
    const [language, region] = this.pageTag.split("-");
    this.texts = languages[language];
    // Where the page says no more than a language, dates are in the user's own way of it.
    const own = navigator.languages.find((tag) => tag.startsWith(`${language}-`));
    this.tag = region ? this.pageTag : (own ?? language);
  }

  time(time) {
    return new Intl.DateTimeFormat(this.tag, { dateStyle: "medium", timeStyle: "short" }).format(new Date(time));
  }

  size(bytes) {
    const units = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"];
    const unit = Math.min(Math.floor(Math.log10(Math.max(bytes, 1)) / 3), units.length - 1);
    const unitDisplay = unit ? "short" : "long";
    const format = { style: "unit", unit: units[unit], unitDisplay, maximumFractionDigits: 1 };
    return new Intl.NumberFormat(this.tag, format).format(bytes / 1000 ** unit);
  }

  /** An error in words. */
  error({ kind, problem, wait }) {
    const { errors, tooSoon, busyFor } = this.texts;
    if (kind === "resend-too-soon") return tooSoon(Math.ceil((wait ?? 60) / 60));
    if (kind === "busy" && wait) return busyFor(wait);
    return errors[kind] ?? problem?.title ?? errors.unavailable;
  }
}

/** A name within a sentence, in a direction of its own. */
export function isolated(name) {
  return `\u2068${name}\u2069`;
}
