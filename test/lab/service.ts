import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { checkout } from './checkout.js';
import type { Namespace } from './namespace.js';

/** A namespace in which programs have the environment of the systemd service, which lowers memory and processor use. */
export async function asService(namespace: Pick<Namespace, 'start'>): Promise<Pick<Namespace, 'start'>> {
  const unit = await readFile(path.join(checkout, 'openvpn-conf/subflowd.service'), 'utf8');
  // `NAME=value`, a line each, in quotes where there are spaces
  const variables = [...unit.matchAll(/^Environment="?(\w+=.*?)"?$/gm)].map(([, variable = '']) => variable);
  return {
    start: (program, args, timeoutMs) => namespace.start('env', [...variables, program, ...args], timeoutMs),
  };
}
