import type { KernelConfig } from '../config/config.js';
import type { BackendName } from '../model/backend-name.js';
import { KernelError } from '../model/kernel-error.js';
import type { Backend } from './backend.js';
import { BACKENDS, type OpenOptions } from './backends.js';
import { chooseBackend, type Candidate } from './choose.js';

/** A backend that works on this host. */
export interface OpenBackend {
  readonly backend: Backend;
  /** Why it was chosen, for an admin: the end of the sentence "chosen because ...". */
  readonly because: string;
}

/**
 * Opens the backend that the config asks for.
 * @throws {KernelError} if it does not work on this host, or with `auto` if none does.
 */
export async function openBackend(
  { backend: wanted, layout }: KernelConfig,
  options: OpenOptions = {},
): Promise<OpenBackend> {
  if (wanted !== 'auto') {
    return {
      backend: await BACKENDS[wanted].open(layout, options),
      because: `the config says backend = ${wanted}`,
    };
  }
  const { chosen, tried } = await chooseBackend((name) => attempt(name, layout, options));
  for (const candidate of tried) {
    if (candidate !== chosen && candidate.result.isUsable) await candidate.result.backend.close();
  }
  if (!chosen?.result.isUsable) throw noneWorks(tried);
  const because = reasonFor(
    chosen,
    tried.filter((candidate) => candidate !== chosen),
  );
  return { backend: chosen.result.backend, because };
}

type Attempt =
  | { readonly isUsable: true; readonly backend: Backend }
  | { readonly isUsable: false; readonly error: KernelError };

async function attempt(name: BackendName, layout: string, options: OpenOptions): Promise<Attempt> {
  try {
    return { isUsable: true, backend: await BACKENDS[name].open(layout, options) };
  } catch (error) {
    if (error instanceof KernelError) return { isUsable: false, error };
    throw error;
  }
}

function reasonFor({ name, drawback }: Candidate<Attempt>, others: readonly Candidate<Attempt>[]): string {
  if (drawback === undefined) return [BACKENDS[name].advantage, ...others.map(reasonAgainst)].join(', and ');
  return `no other backend works here (${others.map(reasonAgainst).join('; ')}), although ${drawback}`;
}

function reasonAgainst({ result, drawback }: Candidate<Attempt>): string {
  return result.isUsable ? (drawback ?? '') : result.error.message;
}

function noneWorks(tried: readonly Candidate<Attempt>[]): KernelError {
  const errors = tried.flatMap(({ result }) => (result.isUsable ? [] : [result.error]));
  // Without the addon nothing works; its remedy is the only one that helps.
  const [first] = errors;
  if (first?.step === 'addon') return first;
  const messages = errors.map(({ message }) => message).join('; ');
  return new KernelError('netlink', `no backend works here: ${messages}`, first?.remedy, { cause: first });
}
