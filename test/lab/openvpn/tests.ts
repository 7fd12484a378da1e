import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { checkout } from '../checkout.js';

/**
 * The end-to-end tests that prove a version of OpenVPN, which is server and client in them, by name and in order: the demo
 * and all that make a `LoopbackVpn`.
 */
export function testsOfOpenvpn(): string[] {
  const directory = path.join(checkout, 'test/e2e');
  const isOne = (file: string) =>
    file === 'demo.test.ts' ||
    readFileSync(path.join(directory, file), 'utf8').includes("'../support/openvpn.js'");
  return readdirSync(directory)
    .filter((file) => file.endsWith('.test.ts') && isOne(file))
    .map((file) => file.slice(0, -'.test.ts'.length))
    .sort();
}
