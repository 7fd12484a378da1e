import type { KernelConfig } from '../config/config.js';
import type { Backend } from './backend.js';
import { DevmemBackend } from './devmem.js';

/** Every backend there is, by its name in the config. */
const OPENERS: Readonly<Record<KernelConfig['backend'], (config: KernelConfig) => Promise<Backend>>> = {
  devmem: ({ layout }) => DevmemBackend.open(layout),
};

/** Opens the backend that the config names. @throws {KernelError} if it cannot work on this host. */
export function openBackend(config: KernelConfig): Promise<Backend> {
  return OPENERS[config.backend](config);
}
