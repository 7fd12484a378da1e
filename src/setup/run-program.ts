import { execFile } from 'node:child_process';

/** How a program ended. */
export interface ProgramResult {
  /** Its exit status; 127 if it cannot be started. */
  readonly status: number;
  readonly output: string;
}

/** Runs a program. Tests have another. */
export type RunProgram = (program: string, args: readonly string[]) => Promise<ProgramResult>;

const MAX_OUTPUT_BYTES = 16 * 1024 * 1024;
/** A restart of OpenVPN can take as long as systemd waits for its end. */
const TIMEOUT_MS = 120_000;

/** Runs a program and collects what it writes. */
export const runProgram: RunProgram = (program, args) =>
  new Promise((resolve) => {
    const options = { maxBuffer: MAX_OUTPUT_BYTES, timeout: TIMEOUT_MS, encoding: 'latin1' } as const;
    execFile(program, args, options, (error, out, err) => {
      const output = `${out}${err}`;
      if (error === null) resolve({ status: 0, output });
      else if (typeof error.code === 'number') resolve({ status: error.code, output });
      else resolve({ status: 127, output: output === '' ? error.message : output });
    });
  });
