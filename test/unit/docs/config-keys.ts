import type { z } from 'zod';
import { sections, type SectionKind } from '../../../src/config/sections.js';

/** A key of `subflowd.ini` as its parser knows it. */
export interface ConfigKey {
  readonly kind: SectionKind;
  readonly key: string;
  /** All values, of a key that has a choice. */
  readonly choices: readonly string[] | undefined;
  /** As the config has it, e.g. 1000 for `1s`; undefined: the key has none. */
  readonly default: unknown;
  /** @throws {Error} if the text is not a value of this key. */
  readonly parse: (text: string) => unknown;
}

/** The parser lists its choices when it refuses a value. */
function choicesOf(schema: z.ZodType): string[] | undefined {
  const { error } = schema.safeParse('no-such-value');
  return /known: (.+)$/.exec(error?.issues[0]?.message ?? '')?.[1]?.split(', ');
}

export const CONFIG_KEYS: readonly ConfigKey[] = (Object.keys(sections) as SectionKind[]).flatMap((kind) =>
  Object.entries(sections[kind].shape as Readonly<Record<string, z.ZodType>>).map(([key, schema]) => ({
    kind,
    key,
    choices: choicesOf(schema),
    default: schema.safeParse(undefined).data,
    parse: (text: string) => schema.parse(text),
  })),
);
