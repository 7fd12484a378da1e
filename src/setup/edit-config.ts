import { lastOf, type ConfigLine } from '../openvpn/config-file.js';

/** Stands before the lines that setup adds to a config. */
const ADDED = '# added by subflowd setup (to remove it: subflowd setup --undo)';

/**
 * Changes options of a config where they stand. An option of an included file is left there: what is added behind it counts,
 * because OpenVPN keeps the last of two lines.
 * @param text of the config itself.
 * @param replaced the new line of each option.
 * @param added lines for options that the config does not have.
 */
export function editConfig(
  text: string,
  { file, lines }: { readonly file: string; readonly lines: readonly ConfigLine[] },
  replaced: ReadonlyMap<string, string>,
  added: readonly string[],
): string {
  const content = text.split('\n');
  const appended = [...added];
  for (const [option, line] of replaced) {
    const last = lastOf(lines, option);
    if (last?.file === file) content[last.line - 1] = keepLineEnd(content[last.line - 1], line);
    else appended.push(line);
  }
  const edited = content.join('\n');
  if (appended.length === 0) return edited;
  return `${edited}${edited.endsWith('\n') || edited === '' ? '' : '\n'}${[ADDED, ...appended, ''].join('\n')}`;
}

function keepLineEnd(before: string | undefined, line: string): string {
  return before?.endsWith('\r') ? `${line}\r` : line;
}
