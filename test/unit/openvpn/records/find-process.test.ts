import { describe, expect, it } from 'vitest';
import { findProcess, KnownProcesses } from '../../../../src/openvpn/records/find-process.js';
import { callsItself, NestedProcesses, pidsOf } from '../../../../src/openvpn/records/pid-namespaces.js';
import type { ProcessFacts } from '../../../../src/openvpn/records/process.js';

const OPENVPN: ProcessFacts = { is: 'openvpn', euid: 0 };
const SHELL: ProcessFacts = { is: 'other', exe: '/bin/sh' };

/** @returns a probe that knows these processes. */
function probeOf(processes: Record<number, ProcessFacts>) {
  return (pid: number): ProcessFacts => processes[pid] ?? { is: 'gone' };
}

describe('findProcess', () => {
  const find = (reported: number, processes: Record<number, ProcessFacts>, nested: readonly number[]) =>
    findProcess(reported, () => nested, probeOf(processes));

  it('takes an OpenVPN of this PID namespace, without a search', () => {
    const search = () => {
      throw new Error('searched');
    };
    expect(findProcess(7, search, probeOf({ 7: OPENVPN }))).toEqual(OPENVPN);
  });

  it.each([
    ['no process has', {}],
    ['another program has', { 7: SHELL }],
  ])('takes the one OpenVPN that reports a PID that %s here', (_, processes) => {
    expect(find(7, { ...processes, 4711: OPENVPN }, [4711])).toEqual({ ...OPENVPN, pid: 4711 });
  });

  it('takes none of several that report the same PID', () => {
    expect(find(1, { 4711: OPENVPN, 4712: OPENVPN }, [4711, 4712])).toEqual({
      is: 'ambiguous',
      pids: [4711, 4712],
    });
  });

  it('takes it also if the process that has this PID here may not be read', () => {
    const denied = new Error('EACCES');
    const probe = (pid: number) => {
      if (pid === 1) throw denied;
      return OPENVPN;
    };
    expect(findProcess(1, () => [4711], probe)).toEqual({ ...OPENVPN, pid: 4711 });
    expect(() => findProcess(1, () => [], probe)).toThrow(denied);
  });

  it('reports what has the PID if no OpenVPN reports it', () => {
    expect(find(7, { 7: SHELL }, [])).toEqual(SHELL);
    expect(find(7, {}, [4711])).toEqual({ is: 'gone' });
  });
});

describe('the processes that management showed', () => {
  it('come before others that report the same PID, until they end', () => {
    const processes: Record<number, ProcessFacts> = { 1: SHELL, 7: OPENVPN, 4711: OPENVPN };
    const known = new KnownProcesses(probeOf(processes));
    expect(known.find(7)).toEqual(OPENVPN);
    expect(known.add(7, 4711)).toBe(true);
    expect(known.add(7, 4711)).toBe(false);
    expect(known.find(7)).toEqual({ ...OPENVPN, pid: 4711 });
    delete processes[4711];
    expect(known.find(7)).toEqual(OPENVPN);
    expect(known.find(1)).toEqual(SHELL);
  });

  it('are ambiguous if two report the same PID', () => {
    const known = new KnownProcesses(probeOf({ 4711: OPENVPN, 4712: OPENVPN }));
    known.add(1, 4711);
    known.add(1, 4712);
    expect(known.find(1)).toEqual({ is: 'ambiguous', pids: [4711, 4712] });
  });
});

describe('PID namespaces', () => {
  it('show the PIDs of a process, and none of one that is gone', () => {
    expect(pidsOf(process.pid).at(-1)).toBe(process.pid);
    expect(callsItself(process.pid, process.pid)).toBe(true);
    expect(callsItself(process.pid, process.pid + 1)).toBe(false);
    expect(pidsOf(2 ** 22)).toEqual([]);
  });

  it('are searched for OpenVPN alone', () => {
    expect(new NestedProcesses().find(process.pid)).toEqual([]);
  });
});
