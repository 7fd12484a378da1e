import { createRequire } from 'node:module';

const { version } = createRequire(import.meta.url)('subflowd/package.json') as { readonly version: string };

/** subflowd's own version. */
export const VERSION = version;
