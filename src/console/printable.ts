/**
 * Text as a terminal may have it: names come from certificates and files, and control characters in them are shown as
 * `\x1b`, not obeyed.
 */
export function printable(text: string): string {
  return text.replace(
    /\p{Cc}/gu,
    (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
}

/** The JSON of a value, control characters escaped: JSON itself leaves U+007F to U+009F as they are. */
export function printableJson(value: unknown, indent?: number): string {
  return JSON.stringify(value, null, indent).replace(
    /[\u007f-\u009f]/g,
    (character) => `\\u00${character.charCodeAt(0).toString(16)}`,
  );
}
