/** An `[openvpn NAME]` section. */
export interface ServerSection {
  readonly name: string;
  readonly entries: readonly (readonly [key: string, value: string])[];
}

/** The text of a section. */
function sectionText({ name, entries }: ServerSection): string {
  return [`[openvpn ${name}]`, ...entries.map(([key, value]) => `${key} = ${quoteIniValue(value)}`), ''].join(
    '\n',
  );
}

/**
 * Writes a new subflowd.ini, with the networks of the present clients as examples.
 * @param networks CIDR text, with the number of clients in each.
 */
export function newIni(
  sections: readonly ServerSection[],
  networks: readonly (readonly [network: string, clients: number])[],
): string {
  const seen =
    networks.length === 0
      ? ['; prefix = 192.0.2.0/24']
      : networks.map(
          ([network, clients]) =>
            `; prefix = ${network}   ; ${clients} client${clients === 1 ? '' : 's'} now`,
        );
  return [
    '; /etc/subflowd/subflowd.ini, made by subflowd setup. The keys are in: man subflowd.ini',
    '; A saved change takes effect at once. Check it before that with: subflowd check',
    '',
    ...sections.map(sectionText),
    '; The networks that clients connect from. A subflow is on the path that contains the address of the client.',
    '; [path wifi]',
    ...seen,
    '; [path lte]',
    '; prefix = 198.51.100.0/24',
    '',
    '; The paths in the order of preference. Without this, subflowd steers nobody.',
    '; [default]',
    '; primary = wifi, lte',
    '',
  ].join('\n');
}

/** Adds sections to an existing subflowd.ini. */
export function addSections(text: string, sections: readonly ServerSection[]): string {
  if (sections.length === 0) return text;
  return `${endLine(text)}\n${['; added by subflowd setup', ...sections.map(sectionText)].join('\n')}`;
}

const DRY_RUN = /^[ \t]*dry-run[ \t]*=.*$/m;

/** Sets `dry-run = yes`, or removes it. */
export function setDryRun(text: string, isDryRun: boolean): string {
  if (!isDryRun) {
    // the section that an earlier setup added for it goes, too
    const without = text.replace(/\n?; added by subflowd setup --observe\n\[steering\]\ndry-run = yes\n/, '');
    return without.replace(/^[ \t]*dry-run[ \t]*=.*(?:\n|$)/m, '');
  }
  if (DRY_RUN.test(text)) return text.replace(DRY_RUN, 'dry-run = yes');
  const header = /^[ \t]*\[steering\].*\n/m.exec(text);
  if (header) {
    const end = header.index + header[0].length;
    return `${text.slice(0, end)}dry-run = yes\n${text.slice(end)}`;
  }
  return `${endLine(text)}\n; added by subflowd setup --observe\n[steering]\ndry-run = yes\n`;
}

/** Lets the members of the group subflowd use the consoles. A group that the file names stays. */
export function addConsoleGroup(text: string): string {
  const header = /^[ \t]*\[console\].*\n/m.exec(text);
  if (!header) return `${endLine(text)}\n[console]\ngroup = subflowd\n`;
  const end = header.index + header[0].length;
  const rest = text.slice(end);
  const section = rest.slice(0, /^[ \t]*\[/m.exec(rest)?.index);
  if (/^[ \t]*group[ \t]*=/m.test(section)) return text;
  return `${text.slice(0, end)}group = subflowd\n${rest}`;
}

function endLine(text: string): string {
  return text === '' || text.endsWith('\n') ? text : `${text}\n`;
}

/** Outside of quotes, `;` and `#` begin a comment. */
function quoteIniValue(value: string): string {
  return value.replace(/[;#\\]/g, '\\$&');
}
