// Finds email addresses in text that people type or paste: address lists of mail programs, columns of a
// spreadsheet, vCards, forwarded headers, prose.
//
// This is not a parser of message headers (RFC 5322). Of 16 typical pastes, nodemailer's parser reads 4
// right, postal-mime's 2, and email-addresses 1; from others, they lose people without notice.

import { ADDRESS_LIMIT, LOCAL_PART_LIMIT } from "./limits.js";

/** The maximum length of an address as typed, in characters. */
const RUN_LIMIT = 1_000;

/** Characters and what they stand for. */
const FOLDED = {
  ",": "、､،", ".": "。｡", ";": "؛\u037e", '"': "“”„‟«»‹›「」『』【】《》〈〉″", "'": "‘’‚‛′´",
};

/**
 * Removes invisible characters, and replaces full-width forms, ligatures, quotation marks and apostrophes by
 * the ASCII characters that they stand for. `clean` in shared/domain/src/recipient_address.rs does the same.
 * @param {string} text
 */
function clean(text) {
  return text
    .replace(/\r\n?|[\v\f\x85\u2028\u2029]/g, "\n")
    .replace(/(?![\u200c\u200d])[\p{Default_Ignorable_Code_Point}\ufff9-\ufffb]/gu, "")
    .replace(/[\ufb00-\ufb06\ufe50-\ufe6b\uff01-\uff5e]/g, (c) => c.normalize("NFKC"))
    .replace(/[^\0-\x7f]/g, (c) => Object.keys(FOLDED).find((ascii) => FOLDED[ascii].includes(c)) ?? c)
    // Persian and Indic domains need joiners between letters.
    .replace(/[\u200c\u200d]+/g, (run, i, all) => (
      /^[^\0-\x7f]{2}$/.test((all[i - 1] ?? "") + (all[i + run.length] ?? "")) ? run : ""
    ))
    .replace(/[^\S\n\t]+|(?![\n\t])[\p{Cc}\p{Co}\u2800\ufffc]/gu, " ");
}

/** A symbol or punctuation outside ASCII. U+FFFD and letters in circles may stand for part of an address. */
const DECORATION =
  "(?![\\0-\\x7f\ufffd\\p{Alphabetic}])[\\p{P}\\p{So}\\p{Sm}\\p{Sc}\\p{No}\u200c\u200d\\p{Emoji_Modifier}]";
const OPENING = new RegExp(`[\\s'"\`<([{|]|${DECORATION}`, "u");
/** A `=` or `%` at the end may be part of an encoding. */
const CLOSING = new RegExp(`(?![A-Za-z0-9@=%])[\\0-\\x7f]|\\s|${DECORATION}`, "u");

/**
 * Extracts a single address from what surrounds it: quotes, brackets, `mailto:`, punctuation, symbols.
 * `extract` in shared/domain/src/recipient_address.rs does the same.
 * @param {string} text
 */
export function extractAddress(text) {
  const chars = [...clean(text)];
  let start = 0;
  let end = chars.length;
  for (let isLink = false; start < end;) {
    const first = chars[start];
    const last = chars[end - 1];
    if (OPENING.test(first)) {
      start++;
    } else if (first === last && /[*_~]/.test(first)) {
      start++;
      end--;
    } else if (CLOSING.test(last)) {
      end--;
    } else if (last === "s" && chars[end - 2] === "'") {
      end -= 2;
    } else if (!isLink && /^mailto:/i.test(chars.slice(start, start + 7).join(""))) {
      const query = chars.slice(0, end).indexOf("?", start);
      const stop = query < 0 ? end : query;
      // Percent-encoded characters stay, which makes the address invalid.
      if (chars.slice(start, stop).includes("%")) break;
      [start, end, isLink] = [start + 7, stop, true];
      while (chars[start] === "/") start++;
    } else {
      break;
    }
  }
  return chars.slice(start, end).join("");
}

/**
 * An address that has been read.
 * @typedef {object} Reading
 * @property {string} identity equal for two addresses of the same recipient
 * @property {string} [asciiDomain] the domain that email goes to, if the address shows another one
 * @property {boolean} isLookalike whether the domain looks like another one
 */

/** Keys whose value is an address, as in `email=ann@example.com`. */
const KEY = "(?:mail|address|recipients?|name|user|login|contact|account|"
  + "(?<![a-z0-9])(?:e|to|b?cc|from|cn|href|u?id))=";
/** A local part that was probably cut from other text: code, a path, a masked address. */
const CUT = new RegExp(`'$|='|\\*\\*|//|\\.\\w+/|%[\\da-f]{2}|${KEY}`, "i");

/**
 * Reads a single address, as the API does. Returns undefined if it is invalid.
 * @param {string} text
 * @returns {Reading | undefined}
 */
export function readAddress(text) {
  const address = extractAddress(text);
  const at = address.lastIndexOf("@");
  const [local, domain] = [address.slice(0, at), address.slice(at + 1)];
  if (at < 1 || at > LOCAL_PART_LIMIT || domain.length > RUN_LIMIT) return undefined;
  const ascii = asciiDomain(domain);
  const isLocal = /^(?=[\w$])[\w!#$%&'*+\-/=?^|~]+(\.[\w!#$%&'*+\-/=?^|~]+)*$/.test(local);
  const isDomain = /^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?$/.test(ascii);
  if (!isLocal || CUT.test(local) || !isDomain || at + 1 + ascii.length > ADDRESS_LIMIT) return undefined;
  const isAscii = ascii === domain.toLowerCase();
  return {
    identity: `${local}@${ascii}`.toLowerCase(),
    asciiDomain: isAscii ? undefined : ascii,
    isLookalike: !isAscii && domain.normalize("NFKC").toLowerCase().split(".").some(isLookalike),
  };
}

/** Returns a domain in ASCII, or an empty string if it is not just a valid domain. */
function asciiDomain(domain) {
  // A symbol such as ™ or ¹ stands for letters or digits that a reader does not see.
  const isSymbol = (c) => c > "\x7f" && /[\0-\x7f]/.test(c.normalize("NFKC"));
  if (/[/?#\\:@%\s]/.test(domain) || [...domain].some(isSymbol)) return "";
  try {
    return new URL(`http://${domain}`).hostname;
  } catch {
    return "";
  }
}

const CJK = /[\p{scx=Hani}\p{scx=Hira}\p{scx=Kana}\p{scx=Hang}\p{scx=Bopo}]/u;
/** A hyphen or dot that is not the ASCII one, and letters that look like one in Latin text. */
const LINES = "[ー一ノ丶丿ᅳᅵ・ヽゝ丨]";
const ODD_HYPHEN = new RegExp(
  `(?!-)[\\p{Pd}\u02d7\u2043\u2212\u2796]|(?<!l)·|·(?!l)|[\\0-\u10ff]${LINES}|${LINES}[\\0-\u10ff]`, "u",
);

/**
 * Whether a label of a domain mixes scripts, or has a hyphen or an i that is not the ASCII one. The API also
 * knows which letters of other scripts look like ASCII letters (UTS 39).
 * @param {string} label
 */
function isLookalike(label) {
  const isLatin = (c) => /\p{scx=Latn}/u.test(c);
  const isOther = (c) => /\p{L}/u.test(c) && !isLatin(c) && !CJK.test(c);
  // Turkish domains need the dotless i, next to other Turkish letters.
  const plain = label.replace(/ı|(?<=[ij])\u0307/g, "");
  return ODD_HYPHEN.test(label) || (plain !== label && /^[\0-\x7f]*$/.test(plain))
    || ([...label].some(isLatin) && [...label].some(isOther))
    || (/\p{sc=Cyrl}/u.test(label) && /\p{sc=Grek}/u.test(label));
}

// --- Lists ---

/** Quoted text without an @, text in parentheses or angle brackets, and the rest. */
const TOKENS = new RegExp([
  /"(?:[^"\\@]|\\[^@]){0,200}"/, /(?<![^\s,;(])'[^'@]{0,200}'(?![^\s,;)<])/, /\([^()]{0,200}\)/,
  /<[^<>@]{0,400}(?:@[^<>@]{0,400})?>/, /[^"'(<,;\t]+/, /./,
].map(({ source }) => source).join("|"), "gsu");

/** The heading of a column of addresses. */
const HEADING = new RegExp(
  "^\\W*((work|home|business|private|personal) )?((e-?)?mails?|courriels?|correo|recipients?|empfänger|"
    + "(e-?mail)?[ -]?(address(es)?|adressen?))( \\d)?( - value)?\\W*$", "i",
);
/** A line of a forwarded header that names no people. */
const HEADER = new RegExp(
  "^[\\s>*]*(sent|date|subject|importance|attachments?|gesendet|datum|betreff|anlagen?|envoyé|objet)"
    + "\\*? ?:", "i",
);
/** A line of a header whose identifiers look like addresses. */
const IDENTIFIERS = /^[\s>*]*(message-id|references|in-reply-to)\*? ?:/i;
/** Keys in front of addresses. */
const KEYS = new RegExp(`=(?=["'])|(?<![^\\s"'<>(),;?&/])[\\w-]{0,40}${KEY}(?=[^\\s<>]{0,400}@)`, "gi");
const ENTITIES = {
  lt: "<", gt: ">", amp: "&", nbsp: " ", quot: '"', ldquo: '"', rdquo: '"', apos: "'", lsquo: "'", rsquo: "'",
  commat: "@", zwnj: "",
};

/**
 * Splits text into its addresses and, between them, the text that could not be read. Leaves out what belongs
 * to an address, such as its name, and headings.
 * @param {string} text
 * @returns {string[]}
 */
export function parseAddresses(text) {
  /** @type {{ text: string, reading?: Reading, isNoise?: boolean }[]} */
  const found = [];
  const take = (taken) => {
    found.push({ text: taken });
    return " ";
  };
  const list = removeBullets(unwrap(text)
    // The name and the password in a URL, and addresses that are part of its path.
    .replace(/\b[a-z]{2,10}:\/\/[^\s<>"',;@]{1,400}@[^\s<>"',;]*/gi, take)
    // A quoted local part may contain an address that is not the recipient's.
    .replace(/"(?:[^"\\\n<>]|\\[^\n]){0,200}"(@[^\s,;<>"]+)?/g, (all, domain) => (domain ? take(all) : all))
    .replace(KEYS, " "));
  const lines = list.split("\n").filter((line) => /[\p{L}\p{N}@]/u.test(line));
  const segments = lines.flatMap((line) => split(line, ";")).filter((segment) => segment.includes("@"));
  const isSurnameFirst = areSurnamesFirst(segments);
  const entries = found.concat(readTable(lines) ?? lines.flatMap((line) => readLine(line, isSurnameFirst)));
  const hasAddress = entries.some(({ reading }) => reading);
  const unread = new Set();
  return entries.flatMap(({ text, reading, isNoise }) => {
    const trimmed = text.trim();
    if (reading) return [trimmed];
    if (!trimmed || (hasAddress && isNoise) || unread.has(trimmed)) return [];
    unread.add(trimmed);
    return [trimmed];
  });
}

/** Replaces HTML entities and tags, vCards and `mailto:` links by the addresses in them. */
function unwrap(text) {
  const decode = (encoded) => {
    try {
      return decodeURIComponent(encoded);
    } catch {
      return encoded;
    }
  };
  const decoded = text.replace(/&(?:#(\d{1,6}|x[\da-f]{1,5})|([a-z]{2,6}));/gi, (all, code, name) => (
    code ? String.fromCodePoint(Number(`0${code}`)) : ENTITIES[name.toLowerCase()] ?? all
  ));
  return clean(decoded)
    .split(/^BEGIN:VCARD/im).map((part, i) => {
      const end = part.search(/^END:VCARD/im);
      return i && end >= 0 ? readCard(part.slice(0, end)) + part.slice(end + 9) : part;
    }).join("")
    .replace(/mailto:([^\s<>"()[\]|]*)/gi, (all, link) => {
      const [path, query = ""] = link.split("?");
      const more = query.split("&").map((field) => field.match(/^(?:to|cc|bcc)=(.*)/i)?.[1]);
      const addresses = [path.replace(/^\/+/, ""), ...more].filter(Boolean).map(decode).join(",");
      return addresses.includes("@") ? addresses : all;
    })
    .replace(/<\/?(?:a|b|br|i|u|p|li|[ou]l|t[dhr]|table|div|span|strong|em|font)\b[^<>@]{0,400}>/gi, " ")
    // A long line may be wrapped within an address.
    .replace(/<[^<>@]{0,400}@[^<>@]{0,400}>/g, (angled) => {
      const parts = angled.split("\n").filter((part) => /[^\s<>]/.test(part));
      const isWhole = (part) => readRuns(part).some(({ reading }) => reading);
      return parts.length > 1 && parts.some(isWhole) ? angled : angled.replace(/ ?\n\s?/g, "");
    });
}

/** Returns the addresses of a vCard or, if it has none, its name, each on a line. */
function readCard(card) {
  const lines = card.replace(/\n[ \t]/g, "").split("\n");
  const valuesOf = (name) => lines
    .filter((line) => new RegExp(`^([\\w-]+\\.)?${name}[;:]`, "i").test(line))
    .map((line) => line.replace(/^[^:]*:/, "").replaceAll(";", " ")).filter((value) => value.trim());
  const addresses = [...valuesOf("EMAIL"), ...lines.filter((line) => /<[^<>]*@/.test(line))];
  const values = [addresses, valuesOf("FN"), valuesOf("N"), lines].find(({ length }) => length);
  return ["", ...values, ""].join("\n");
}

/** A number or bullet that no blank separates from what follows. */
const BULLET = /(?<![^\s,;])(?:(\d{1,3})[.:-]|([*#=~+!&?^%/-]))(?=[\p{L}\p{N}])/u;

/** Removes numbers that ascend from 1, or equal bullets, if every address has one. */
function removeBullets(list) {
  const bullets = (list.match(/(?<![^\s,;])[^\s,;]*@/g) ?? []).map((start) => start.match(BULLET) ?? []);
  const isList = bullets.length > 1 && bullets.every(([, number, bullet], i) => {
    const [, previous, other] = bullets[i && i - 1];
    return number ? number > (i ? Number(previous) : 0) && (i || number < 2) : bullet && bullet === other;
  });
  return isList ? list.replace(new RegExp(BULLET, "gu"), "") : list;
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

/**
 * Reads rows with equal numbers of cells, and at most one address each. Other text is not a table. Without a
 * heading or tabs, only names in front of the addresses surely belong to them.
 */
function readTable(lines) {
  const rows = lines.map((line) => split(line, ",;\t"));
  const hasHeading = rows[0]?.some((cell) => HEADING.test(cell));
  const columns = rows.map((row) => row.findIndex((cell) => cell.includes("@")));
  const column = columns.find((i) => i >= 0);
  const isRow = (row, i) => row.length === rows[0].length && row.every((cell) => !cell.includes("<"))
    && row.filter((cell) => cell.includes("@")).length < 2
    && (hasHeading || lines[i].includes("\t") || (column === row.length - 1 && !split(lines[i], ";")[1]))
    && [-1, column].includes(columns[i]);
  if (rows.length < 2 || rows[0].length < 2 || column === undefined || !rows.every(isRow)) return undefined;
  return rows.flatMap((row, i) => {
    const cell = row[columns[i]];
    return cell ? readPiece(cell) : [{ text: lines[i], isNoise: row.some((text) => HEADING.test(text)) }];
  });
}

/** Whether the segments of a list are all like `Doe, Ann <ann@example.com>`. */
function areSurnamesFirst(segments) {
  const pairs = segments.map((segment) => split(segment, ","));
  return pairs.length > 1 && pairs.every(({ length }) => length === 2)
    && pairs.some(([before, after]) => isNamePart(before, after));
}

function readLine(line, isSurnameFirst) {
  if (IDENTIFIERS.test(line)) return [{ text: line, isNoise: true }];
  const segments = split(line, ";");
  return segments.flatMap((segment) => {
    if (segment.includes("@")) return readSegment(segment, isSurnameFirst);
    const text = split(segment, ",\t").map((piece) => piece.trim()).filter(Boolean).join(", ");
    return [{ text, isNoise: isNoise(text) }];
  });
}

/** Reads text between semicolons or line breaks that contains an @. */
function readSegment(segment, isSurnameFirst) {
  const pieces = split(segment.replace(/^[\s>*]*[\p{L}-]{1,20}\*? ?:(?!\/\/)/u, ""), ",\t");
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
    } else if (name && (isSurnameFirst || isNamePart(piece, name))) {
      if (piece.trim()) name = TITLE.test(name) || DATE.test(name) ? piece : "";
    } else if (!isRow && !(isAddressNext && /^\s*"/.test(piece))) {
      found.push({ text: piece, isNoise: isNoise(piece) });
    }
    isAddressNext = piece.includes("@");
  }
  return found.reverse();
}

/** The text that may follow a comma in the name of one person or company. */
const TITLE = /^\P{L}*(?:[A-Z]{2}|II+|PhD|MBA|MSc|CPA|Esq|Jr|Sr|Inc|Ltd|LL[CPM]|GmbH)\P{L}*$/u;

/** A date or time, as in `On Thu, Nov 26, 2026 at 10:00 AM Ann Doe <ann@example.com> wrote:`. */
const DATE = /\b\d{1,2}\b|\d{4}/;

/** Whether a comma separates the parts of a name or date, rather than two people. */
function isNamePart(before, after) {
  const count = (text) => text.match(/\p{Lu}[\p{L}.'-]*/gu)?.length ?? 0;
  return TITLE.test(after) || DATE.test(after) || !/\p{L}/u.test(before)
    || (count(before) === 1 && count(after) > 0);
}

/** Whether text names no person: punctuation, a heading, a label. */
function isNoise(text) {
  return !/\p{L}/u.test(text) || HEADING.test(text) || HEADER.test(text) || text.trim().endsWith(":")
    || /^\W*(and|und|or|oder|et|y)\W*$|---/i.test(text);
}

/** Reads text without separators that contains an @. */
function readPiece(piece) {
  const parts = piece.includes("<") ? piece.split(/(?<=>)/) : [piece];
  const entries = parts.flatMap((part) => {
    const read = readRuns(part);
    // A person whose angle brackets hold no address.
    const isPerson = part.endsWith(">") && /\p{L}.*</su.test(part) && !read.some(({ reading }) => reading);
    return isPerson && parts.length > 1 ? [{ text: part }] : read;
  });
  const identities = new Set();
  const distinct = entries.filter(({ reading }) => {
    // A link repeats the address, as in `ann@example.com<mailto:ann@example.com>`.
    if (!reading) return true;
    const isRepeated = identities.has(reading.identity);
    identities.add(reading.identity);
    return !isRepeated;
  });
  const attempts = distinct.filter(({ text, isFragment }) => isFragment || /[^@]@[^@]|>/.test(text));
  if (!identities.size && attempts.length < 2) return [{ text: piece }];
  // An @ in the name of an address, such as `Ann @ Example <ann@example.com>`, is not an address.
  if (piece.includes("<")) return attempts;
  // A word that looks like an address without its @.
  const words = piece.match(/(?<=^|\s)[\w+-]+(\.[\w+-]+)*\.[a-z]{2,}(?=[\s,;]|$)/g) ?? [];
  return [...distinct.filter(({ text }) => text !== "@"), ...words.map((text) => ({ text }))];
}

/** Reads each run of characters with an @. A backslash before a letter may stand for a line break. */
function readRuns(text) {
  const runs = text.match(/(?:[^\s"<>()[\]:,;\\]|\\(?=[\p{L}\p{N}]))+/gu) ?? [];
  return runs.filter((run) => run.includes("@")).flatMap(splitRun).map((entry) => {
    const reading = readAddress(entry.text);
    return reading ? { text: extractAddress(entry.text), reading } : entry;
  });
}

/**
 * Splits addresses that no blank separates. A domain ends at the first character that it cannot contain. If
 * there is none, or a separator is also part of a local part, the text is cut so that no part is an address.
 */
function splitRun(run) {
  const [start, ...rest] = run.replace(CHINESE_SEPARATOR, "$1/").split("@");
  const end = rest.pop();
  if (!rest.length) return [{ text: run }];
  const links = rest.map((text) => text.match(LINK) ?? []);
  const locals = [start, ...links.map(([, , , local]) => local)];
  const separators = [...new Set(links.flatMap(([, , separator = ""]) => [...separator]))];
  if (locals.every((local) => local !== undefined && !separators.some((c) => local.includes(c))))
    return locals.map((local, i) => ({ text: `${local}@${links[i]?.[1] ?? end}` }));
  if (!rest.some((text) => text.includes("."))) return [{ text: run }];
  return run.split(/(?<=@)/).map((text) => ({ text, isFragment: true }));
}

/** A domain, a separator and a local part. */
const LINK =
  /^([\p{L}\p{M}\p{N}.-]+)([^\p{L}\p{M}\p{N}._$\\-][^\p{L}\p{M}\p{N}._$\\]*)([\p{L}\p{N}_$].*)$/su;
/** Letters between two addresses in Chinese, Japanese or Korean text. */
const CHINESE_SEPARATOR = new RegExp(`(@[a-z\\d.-]+\\.[a-z]{2,})${CJK.source}+(?=[a-z\\d])`, "giu");
