// Finds email addresses in text that people type or paste: address lists of mail programs, columns of a
// spreadsheet, vCards, forwarded headers, prose.
//
// This is not a parser of message headers (RFC 5322). Of 16 typical pastes, nodemailer's parser reads 4
// right, postal-mime's 2, and email-addresses 1; from others, they lose people without notice.

import { ADDRESS_LIMIT, LOCAL_PART_LIMIT } from "./limits.js";

/** Longer text is no address. The limit also keeps every regular expression below linear. */
const RUN_LIMIT = 1_000;

/** Characters and what they stand for. */
const FOLDED = {
  ",": "、､﹐﹑،", ".": "。｡﹒", ";": "﹔؛\u037e", "@": "﹫", '"': "“”„‟«»‹›「」『』【】《》〈〉″", "'": "‘’‚‛′´",
};

/**
 * Removes invisible characters, and replaces full-width forms, quotation marks and apostrophes by the ASCII
 * characters that they stand for. `clean` in shared/domain/src/recipient_address.rs does the same.
 * @param {string} text
 */
function clean(text) {
  return text
    .replace(/\r\n?|[\v\f\x85\u2028\u2029]/g, "\n")
    .replace(/(?![\u200c\u200d])[\p{Default_Ignorable_Code_Point}\ufff9-\ufffb]/gu, "")
    .replace(/[\uff01-\uff5e]/g, (c) => String.fromCharCode(c.charCodeAt(0) - 0xfee0))
    .replace(/[^\0-\x7f]/g, (c) => Object.keys(FOLDED).find((ascii) => FOLDED[ascii].includes(c)) ?? c)
    // Persian and Indic domains need joiners between letters.
    .replace(/[\u200c\u200d]+/g, (run, i, all) => (
      /^[^\0-\x7f]{2}$/.test((all[i - 1] ?? "") + (all[i + run.length] ?? "")) ? run : ""
    ))
    .replace(/[^\S\n\t]+|(?![\n\t])\p{Cc}/gu, " ");
}

/**
 * Removes what surrounds a single address: quotes, brackets, `mailto:`, punctuation. `mend` in
 * shared/domain/src/recipient_address.rs does the same.
 * @param {string} text
 */
export function mendAddress(text) {
  let mended = clean(text).trim();
  if (mended.length > RUN_LIMIT) return mended;
  for (let before; before !== mended;) {
    before = mended;
    mended = mended
      .replace(/^[\s'"`<([{|•·◦▪‣–—¡¿]+/, "").replace(/[\s'"`>)\]}|.,;:!?…/\\]+$/, "")
      // Percent-encoded characters stay, which makes the address invalid.
      .replace(/^mailto:([^?%]*)(\?.*)?$/is, "$1")
      .replace(/^([*_~])(.*)\1$/s, "$2");
  }
  return mended;
}

/**
 * An address that has been read.
 * @typedef {object} Reading
 * @property {string} identity equal for two addresses of the same recipient
 * @property {string} [asciiDomain] the domain that email goes to, if the address shows another one
 * @property {boolean} isLookalike whether the domain looks like another one
 */

/**
 * Reads a single address, as the API does. Returns undefined if it is invalid.
 * @param {string} text
 * @returns {Reading | undefined}
 */
export function readAddress(text) {
  const address = mendAddress(text);
  const at = address.lastIndexOf("@");
  const [local, domain] = [address.slice(0, at), address.slice(at + 1)];
  const ascii = asciiDomain(domain);
  const isLocal = /^[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~]+(\.[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~]+)*$/.test(local);
  const isDomain = /^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?$/.test(ascii);
  const fits = local.length <= LOCAL_PART_LIMIT && at + 1 + ascii.length <= ADDRESS_LIMIT;
  if (at < 1 || !isLocal || !isDomain || !fits) return undefined;
  const isAscii = ascii === domain.toLowerCase();
  return {
    identity: `${local}@${ascii}`.toLowerCase(),
    asciiDomain: isAscii ? undefined : ascii,
    isLookalike: !isAscii && isLookalike(domain.normalize("NFKC").toLowerCase()),
  };
}

/** Returns a domain in ASCII, or an empty string if it is not just a valid domain. */
function asciiDomain(domain) {
  if (domain.length > RUN_LIMIT || /[/?#\\:@%\s]/.test(domain)) return "";
  try {
    return new URL(`http://${domain}`).hostname;
  } catch {
    return "";
  }
}

const CJK = /[\p{scx=Hani}\p{scx=Hira}\p{scx=Kana}\p{scx=Hang}\p{scx=Bopo}]/u;

/**
 * Whether a domain mixes scripts, or has a hyphen or an i that is not the ASCII one. The API also knows which
 * letters of other scripts look like ASCII letters (UTS 39).
 * @param {string} domain
 */
function isLookalike(domain) {
  const isLatin = (c) => /\p{scx=Latn}/u.test(c);
  const isOther = (c) => /\p{L}/u.test(c) && !isLatin(c) && !CJK.test(c);
  const isMixed = (label) => ([...label].some(isLatin) && [...label].some(isOther))
    || (/\p{sc=Cyrl}/u.test(label) && /\p{sc=Grek}/u.test(label));
  const hasOddCharacter = /(?!-)[\p{Pd}\u02d7\u2043\u2212\u2796]|ı|[ij]\u0307/u.test(domain);
  return hasOddCharacter || domain.split(".").some(isMixed);
}

// --- Lists ---

/** Quoted text without an @, text in parentheses or angle brackets, and what is between. */
const TOKENS = new RegExp([
  /"(?:[^"\\@]|\\[^@]){0,200}"/, /(?<![^\s,;(])'[^'@]{0,200}'(?![^\s,;)<])/, /\([^()]{0,200}\)/,
  /<[^<>@]{0,400}(?:@[^<>@]{0,400})?>/, /[^"'(<,;\t]+/, /./,
].map(({ source }) => source).join("|"), "gsu");
/** Addresses in text without blanks. */
const GLUED = /[\w.!#$%&'*+/=?^`{|}~-]{1,64}@[a-z0-9-]+(?:\.[a-z0-9-]+)+/gi;

/** The heading of a column of addresses. */
const HEADING = /^\W*((e-?)?mails?|(e-?mail)?[ -]?(address(es)?|adressen?)|recipients?|empfänger)\W*$/i;
/** A line of a forwarded header that names no people. */
const HEADER = /^[\s>*]*(sent|date|subject|importance|attachments?|gesendet|datum|betreff|anlagen?)\*? ?:/i;

/**
 * Splits text into its addresses and, between them, the text that could not be read. Leaves out what belongs
 * to an address, such as its name, and headings.
 * @param {string} text
 * @returns {string[]}
 */
export function parseAddresses(text) {
  /** @type {{ text: string, reading?: Reading, isNoise?: boolean }[]} */
  const found = [];
  let list = unwrap(clean(text));
  // A quoted local part may contain an address that is not the recipient's.
  list = list.replace(/"(?:[^"\\\n]|\\[^\n]){0,200}"@[^\s,;<>]*/g, (quoted) => {
    found.push({ text: quoted });
    return "";
  });
  const lines = list.split("\n").filter((line) => /[\p{L}\p{N}@]/u.test(line));
  const table = readTable(lines);
  if (table) found.push(...table);
  else for (const line of lines) found.push(...readLine(line, lines.length > 1));
  const hasAddress = found.some(({ reading }) => reading);
  const unread = new Set();
  return found.flatMap(({ text, reading, isNoise }) => {
    const trimmed = text.trim();
    if (reading) return [trimmed];
    if (!trimmed || (hasAddress && isNoise) || unread.has(trimmed)) return [];
    unread.add(trimmed);
    return [trimmed];
  });
}

/** Replaces vCards, HTML entities and `mailto:` links by the addresses in them. */
function unwrap(list) {
  const decode = (encoded) => {
    try {
      return decodeURIComponent(encoded);
    } catch {
      return encoded;
    }
  };
  return list
    .replace(/&(lt|gt|quot|nbsp|amp|#39);/gi, (all, name) => (
      { lt: "<", gt: ">", quot: '"', nbsp: " ", amp: "&", "#39": "'" }[name.toLowerCase()]
    ))
    .split(/^BEGIN:VCARD/im).map((part, i) => {
      if (!i) return part;
      const [card, rest = ""] = part.split(/^END:VCARD/im);
      const lines = card.split("\n");
      const emails = lines.filter((line) => line.includes("@"));
      const values = emails.length ? emails : lines.filter((line) => /^FN\b/i.test(line));
      return [...values.map((line) => line.replace(/^[^:@]*:/, "")), rest].join("\n");
    }).join("")
    .replace(/mailto:([^\s<>"()[\]|]*)/gi, (all, link) => {
      const [path, query = ""] = link.split("?");
      const more = query.split("&").map((field) => field.match(/^(?:to|cc|bcc)=(.*)/i)?.[1]);
      const addresses = [path, ...more].filter(Boolean).map(decode).join(",");
      return addresses.includes("@") ? addresses : all;
    })
    // A long line may be wrapped within an address.
    .replace(/<[^<>@]{0,400}@[^<>@]{0,400}>/g, (angled) => {
      const parts = angled.split("\n").filter((part) => /[^\s<>]/.test(part));
      return parts.length > 1 && parts.some(readAddress) ? angled : angled.replace(/ ?\n\s?/g, "");
    });
}

/** Splits text at separators, except within quotes, parentheses and angle brackets. */
function split(text, separators) {
  const pieces = [""];
  for (const token of text.match(TOKENS) ?? []) {
    if (separators.includes(token)) pieces.push("");
    else pieces[pieces.length - 1] += token;
  }
  return pieces;
}

/** Reads rows with equal numbers of cells, and at most one address each. Other text is not a table. */
function readTable(lines) {
  const rows = lines.map((line) => split(line, ",;\t"));
  const isRow = (row) => row.length === rows[0].length && row.filter((cell) => cell.includes("@")).length < 2
    && row.every((cell) => !cell.includes("<"));
  const hasAddress = rows.some((row) => row.some((cell) => cell.includes("@")));
  if (rows.length < 2 || rows[0].length < 2 || !hasAddress || !rows.every(isRow)) return undefined;
  return rows.flatMap((row, i) => {
    const cell = row.find((text) => text.includes("@"));
    return cell ? readPiece(cell) : [{ text: lines[i], isNoise: row.some((text) => HEADING.test(text)) }];
  });
}

/** @param {boolean} isOneOfMany whether there are other lines */
function readLine(line, isOneOfMany) {
  const segments = split(line, ";");
  return segments.flatMap((segment) => {
    if (segment.includes("@")) return readSegment(segment, segments.length > 1);
    const pieces = isOneOfMany || segments.length > 1 ? [segment] : split(segment, ",\t");
    return pieces.map((text) => ({ text, isNoise: isNoise(text) }));
  });
}

/**
 * Reads text between semicolons or line breaks that contains an @.
 * @param {boolean} isSemicolonList whether commas do not separate people
 */
function readSegment(segment, isSemicolonList) {
  const pieces = split(segment, ",\t");
  const addresses = pieces.filter((piece) => piece.includes("@")).length;
  const isRow = segment.includes("\t") && addresses === 1;
  const found = [];
  // The name that follows, if a comma may be part of it, as in `Doe, Ann <ann@example.com>`.
  let name = "";
  let isAddressNext = false;
  for (const piece of pieces.reverse()) {
    if (piece.includes("@")) {
      found.push(...readPiece(piece).reverse());
      name = piece.slice(0, Math.max(piece.indexOf("<"), 0));
      if (!/\p{L}/u.test(name)) name = "";
    } else if (name && (isSemicolonList || !areTwoPeople(piece, name))) {
      name = piece.trim() ? piece : name;
    } else if (!isRow && !(isAddressNext && /^\s*"/.test(piece))) {
      found.push({ text: piece, isNoise: isNoise(piece) });
    }
    isAddressNext = piece.includes("@");
  }
  return found.reverse();
}

/** Whether a comma separates two people, rather than the parts of a name. */
function areTwoPeople(before, after) {
  const count = (text) => text.match(/\p{Lu}[\p{L}.'-]*/gu)?.length ?? 0;
  return count(before) > 1 ? count(after) > 1 : !count(before) && /\p{Ll}/u.test(before) && count(after) > 0;
}

/** Whether text names no person: punctuation, a heading, a label, a line of a forwarded header. */
function isNoise(text) {
  return !/\p{L}/u.test(text) || HEADING.test(text) || HEADER.test(text) || text.trim().endsWith(":")
    || /^\W*(and|und|or|oder|et|y)\W*$|---/i.test(text);
}

/** Reads text without separators that contains an @. */
function readPiece(piece) {
  const runs = piece.match(/[^\s"<>()[\]:,;\\]+/g).filter((run) => run.includes("@"));
  const candidates = runs.flatMap((run) => {
    // Addresses that only a slash or the like separates.
    const glued = run.match(GLUED) ?? [];
    const isGlued = glued.length > 1 && glued.length === run.split("@").length - 1;
    return isGlued ? glued.map((part, i) => (i ? part.replace(/^[^\w]+/, "") : part)) : [run];
  });
  const identities = new Set();
  const entries = candidates.flatMap((candidate) => {
    const reading = readAddress(candidate);
    // The end of a URL.
    if (!reading || candidate.includes("//")) return [{ text: candidate }];
    // A link repeats the address, as in `ann@example.com<mailto:ann@example.com>`.
    if (identities.has(reading.identity)) return [];
    identities.add(reading.identity);
    return [{ text: mendAddress(candidate), reading }];
  });
  const attempts = entries.filter(({ text }) => /[^@]@[^@]/.test(text));
  if (!identities.size && attempts.length < 2) return [{ text: piece }];
  // An @ in the name of an address, such as `Ann @ Example <ann@example.com>`, is no address.
  if (piece.includes("<")) return attempts;
  // A word that looks like an address without its @.
  const words = piece.match(/(?<=^|\s)[\w+-]+(\.[\w+-]+)*\.[a-z]{2,}(?=[\s,;]|$)/g) ?? [];
  return [...entries.filter(({ text }) => text !== "@"), ...words.map((text) => ({ text }))];
}
