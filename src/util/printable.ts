/**
 * Characters that are invisible, or that change how the text around them looks: control characters (Cc); format characters
 * (Cf), such as the bidirectional controls of UAX #9 and the zero-width ones; characters that a font may leave out
 * (Default_Ignorable_Code_Point); every separator but the plain space (Z); unpaired surrogates (Cs); characters for private use
 * (Co); unassigned characters (Cn); and the blank Braille pattern.
 */
const INVISIBLE = /(?! )[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Z}\p{Default_Ignorable_Code_Point}\u{2800}]/gu;
/** Any character but printable ASCII. Most texts have none, and need no further search. */
const NOT_ASCII = /[^ -~]/;

/**
 * Makes a text safe for a terminal and a log: names come from certificates and files. Invisible characters, and characters that
 * reorder or end the visible text, are escaped as `\x1b`, `\u202e` or `\u{e0001}`.
 */
export function printable(text: string): string {
  return NOT_ASCII.test(text) ? text.replace(INVISIBLE, escaped) : text;
}

/** Whether {@link printable} leaves a text unchanged. */
export function isPrintable(text: string): boolean {
  return printable(text) === text;
}

/** The JSON of a value. Characters that {@link printable} escapes are escaped as JSON does it: parsed, it is the same value. */
export function printableJson(value: unknown, indent?: number): string {
  return escapeJson(JSON.stringify(value, null, indent));
}

/** The same for a text that is JSON already. Apart from line ends, these characters occur only in its strings. */
export function escapeJson(json: string): string {
  return NOT_ASCII.test(json)
    ? json.replace(INVISIBLE, (character) => (character === '\n' ? character : inJson(character)))
    : json;
}

function escaped(character: string): string {
  const hex = (character.codePointAt(0) ?? 0).toString(16);
  if (hex.length <= 2) return `\\x${hex.padStart(2, '0')}`;
  return hex.length <= 4 ? `\\u${hex.padStart(4, '0')}` : `\\u{${hex}}`;
}

/** One escape of JSON has 16 bits. */
function inJson(character: string): string {
  return [...Array(character.length).keys()]
    .map((index) => `\\u${character.charCodeAt(index).toString(16).padStart(4, '0')}`)
    .join('');
}
