/** What a text is made of: words, links, code, and the reader's own name. log/line.js draws it. */

/**
 * A part of a text, as it was written; `href` is where a link leads. A block is code that has lines of its own.
 * @typedef {{ kind: "words" | "code" | "block" | "name", text: string }
 *   | { kind: "link", text: string, href: string }} Span
 */

/** Lines of code between two lines that begin, and end, with three backticks. */
export const BLOCK = /(^```(?:[^`]|``?(?!`))*\n```$)/gm;
/** Code between one, two or three backticks; or an address. All is found in linear time. */
const MARKED = /(`{1,3})([^`\n]+)\1|(?<![\p{L}\p{N}_])https?:\/\/[^\s<>"`]+/giu;
/** What ends a sentence rather than an address. Brackets are looked at in pairs. */
const PUNCTUATION = /[\p{P}\p{Sk}]/u;
const IN_ADDRESSES = "/-_#&%@*()[]{}";
const BRACKETS = Object.freeze({ ")": "(", "]": "[", "}": "{" });
/** Letters of a name that is a word in some language: it is meant only with `@`, or at the beginning. */
const SHORT = 2;

/** @type {{ nickname: string, pattern: RegExp } | null} */
let known = null;

/**
 * Take a text apart. Put together again, the parts are the text, but for the backticks around code, and what
 * stands with those that begin a block.
 * @param {string} text
 * @param {string} nickname the reader's own
 * @returns {Span[]}
 */
export function spansOf(text, nickname) {
  return text.split(BLOCK).flatMap((part, index) => {
    if (index % 2 === 0) return spansBeside(part.slice(index && 1), nickname);
    const lines = part.slice(part.indexOf("\n") + 1, -3);
    return lines === "" ? { kind: "words", text: part } : { kind: "block", text: lines };
  });
}

/**
 * @param {string} text
 * @param {string} nickname
 */
function spansBeside(text, nickname) {
  /** @type {Span[]} */
  const spans = [];
  let done = 0;
  for (const match of text.matchAll(MARKED)) {
    const [whole, , code] = match;
    const span =
      code === undefined ? link(whole) : /** @type {Span} */ ({ kind: "code", text: code });
    if (span === null) continue;
    addWords(spans, text, done, match.index, nickname);
    spans.push(span);
    done = match.index + (code === undefined ? span.text.length : whole.length);
  }
  addWords(spans, text, done, text.length, nickname);
  return spans;
}

/**
 * Say whether a text names somebody.
 * @param {string} text
 * @param {string} nickname
 */
export function isNamed(text, nickname) {
  return spansOf(text, nickname).some(({ kind }) => kind === "name");
}

/**
 * Add what is between links and code. The pattern looks at the whole text, so that a name is a whole word.
 * @param {Span[]} spans
 * @param {string} text
 * @param {number} from
 * @param {number} to
 * @param {string} nickname
 */
function addWords(spans, text, from, to, nickname) {
  let done = from;
  if (nickname !== "") {
    const pattern = patternOf(nickname);
    pattern.lastIndex = from;
    for (let match = pattern.exec(text); match !== null; match = pattern.exec(text)) {
      const [name] = match;
      if (match.index + name.length > to) break;
      if (match.index > done) spans.push({ kind: "words", text: text.slice(done, match.index) });
      spans.push({ kind: "name", text: name });
      done = match.index + name.length;
    }
  }
  if (done < to) spans.push({ kind: "words", text: text.slice(done, to) });
}

/** @param {string} nickname */
function patternOf(nickname) {
  if (known?.nickname !== nickname) {
    const name = nickname.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
    const before = "(?<![\\p{L}\\p{N}_+@-]|[\\p{L}\\p{N}]\\.)";
    const after = "(?![\\p{L}\\p{N}_+-]|[.@][\\p{L}\\p{N}])";
    const meant = nickname.length > SHORT ? `@?${name}` : `(?:@${name}|(?<=^\\s*)${name}(?=[:,]))`;
    known = { nickname, pattern: new RegExp(`${before}${meant}${after}`, "giu") };
  }
  return known.pattern;
}

/**
 * Return the link at the beginning of what looks like an address, or null where it is none.
 * @param {string} found
 * @returns {Span | null}
 */
function link(found) {
  const text = withoutPunctuation(found);
  if (!URL.canParse(text)) return null;
  const { href, username, password } = new URL(text);
  // `https://bank.example@elsewhere.example` leads elsewhere: it stays words.
  return username === "" && password === "" ? { kind: "link", text, href } : null;
}

/** @param {string} address */
function withoutPunctuation(address) {
  /** @type {Record<string, number>} */
  const counts = {};
  for (const sign of address) counts[sign] = (counts[sign] ?? 0) + 1;
  const signs = [...address];
  for (let last = signs.at(-1); last !== undefined; last = signs.at(-1)) {
    const opening = BRACKETS[/** @type {keyof typeof BRACKETS} */ (last)];
    const isLoose = opening !== undefined && (counts[last] ?? 0) > (counts[opening] ?? 0);
    if (!isLoose && (!PUNCTUATION.test(last) || IN_ADDRESSES.includes(last))) break;
    counts[last] = (counts[last] ?? 0) - 1;
    signs.pop();
  }
  return signs.join("");
}
