import type { Linter } from 'eslint';

export const ROOMS: Readonly<Record<string, readonly string[]>>;
export const walls: readonly Linter.Config[];
