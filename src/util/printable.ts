/**
 * What nobody sees, or what changes how the text around it is seen: control characters (Cc), format characters (Cf: among
 * them the bidirectional controls of UAX #9 and the zero-width ones), what Unicode lets a font leave out
 * (Default_Ignorable_Code_Point), every blank and line end but the plain blank (Z), halves of surrogate pairs (Cs),
 * characters of private use (Co) and those that do not exist (Cn), and the blank Braille pattern.
 */
const UNSEEN = /(?! )[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Z}\p{Default_Ignorable_Code_Point}\u{2800}]/gu;
/** All that is not plain ASCII: where there is none, as nearly always, there is nothing else to look for. */
const NOT_PLAIN = /[^ -~]/;

/**
 * Text as a terminal, a log and a reader may have it: names come from certificates and files. Characters that are not
 * seen, or that reorder or end what is seen, are shown as `\x1b`, `\u202e` or `\u{e0001}`, not obeyed.
 */
export function printable(text: string): string {
  return NOT_PLAIN.test(text) ? text.replace(UNSEEN, escaped) : text;
}

/** Whether all of a text is seen as it is. */
export function isPrintable(text: string): boolean {
  return printable(text) === text;
}

/** The JSON of a value, with the characters that {@link printable} shows escaped: who parses it has the value as it was. */
export function printableJson(value: unknown, indent?: number): string {
  return escapeJson(JSON.stringify(value, null, indent));
}

/** The same for text that is JSON already: these characters can only stand in its strings, but for line ends. */
export function escapeJson(json: string): string {
  return NOT_PLAIN.test(json)
    ? json.replace(UNSEEN, (character) => (character === '\n' ? character : inJson(character)))
    : json;
}

function escaped(character: string): string {
  const hex = (character.codePointAt(0) ?? 0).toString(16);
  if (hex.length <= 2) return `\\x${hex.padStart(2, '0')}`;
  return hex.length <= 4 ? `\\u${hex.padStart(4, '0')}` : `\\u{${hex}}`;
}

/** JSON knows no more than 16 bits in one escape. */
function inJson(character: string): string {
  return [...Array(character.length).keys()]
    .map((index) => `\\u${character.charCodeAt(index).toString(16).padStart(4, '0')}`)
    .join('');
}
