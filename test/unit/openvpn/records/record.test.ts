import { describe, expect, it } from 'vitest';
import { MAX_RECORD_BYTES, parseRecord, parseRecordName } from '../../../../src/openvpn/records/record.js';

const FIELDS = {
  daemon_pid: '4242',
  trusted_ip: '192.0.2.7',
  trusted_port: '50000',
  ifconfig_pool_remote_ip: '10.8.0.2',
  common_name: 'alice',
};

function bytes(fields: Readonly<Record<string, string>>, first = 'subflowd-event=1', last = 'end\0'): Buffer {
  const middle = Object.entries(fields).map(([name, value]) => `${name}=${value}\0`);
  return Buffer.from(`${first}\0${middle.join('')}${last}`);
}

describe('parseRecord', () => {
  it('reads the fields as canonical text, and ignores unknown ones', () => {
    const fields = {
      ...FIELDS,
      trusted_ip: '2001:DB8:0::1%eth0',
      ifconfig_pool_remote_ip6: 'FD00::2',
      future: 'x',
    };
    expect(parseRecord(bytes(fields))).toEqual({
      record: {
        pid: 4242,
        real: { address: '2001:db8::1', port: 50000 },
        commonName: 'alice',
        virtual: ['10.8.0.2', 'fd00::2'],
      },
    });
  });

  it.each(['a.b c', `'"\\`, 'Zoë 日本語', 'line\nline\tend', 'a=b', '=', 'end'])(
    'keeps the name %j',
    (name) => {
      expect(parseRecord(bytes({ ...FIELDS, common_name: name }))).toMatchObject({
        record: { commonName: name },
      });
    },
  );

  it('reads an IPv4-mapped address as the IPv4 address', () => {
    const parsed = parseRecord(bytes({ ...FIELDS, trusted_ip: '::ffff:192.0.2.7' }));
    expect(parsed).toMatchObject({ record: { real: { address: '192.0.2.7' } } });
  });

  it('reports every part of a record as unfinished', () => {
    const whole = bytes(FIELDS);
    for (let length = 0; length < whole.length; length++) {
      expect(parseRecord(whole.subarray(0, length))).toEqual({ unfinished: true });
    }
    expect(parseRecord(whole)).toHaveProperty('record');
  });

  it.each([
    ['noise', Buffer.from([0xff, 0xfe, 0, 1, 2]), 'it does not begin with subflowd-event=1'],
    ['another format', bytes(FIELDS, 'subflowd-event=2'), 'it does not begin with subflowd-event=1'],
    ['too much', Buffer.alloc(MAX_RECORD_BYTES + 1), `it is longer than ${MAX_RECORD_BYTES} bytes`],
    ['no PID', bytes({ ...FIELDS, daemon_pid: '' }), 'daemon_pid is not a process ID'],
    ['PID 0', bytes({ ...FIELDS, daemon_pid: '0' }), 'daemon_pid is not a process ID'],
    ['a PID with a sign', bytes({ ...FIELDS, daemon_pid: '-1' }), 'daemon_pid is not a process ID'],
    [
      'port 0',
      bytes({ ...FIELDS, trusted_port: '0' }),
      'trusted_ip and trusted_port are not an address and a port',
    ],
    [
      'port 65536',
      bytes({ ...FIELDS, trusted_port: '65536' }),
      'trusted_ip and trusted_port are not an address and a port',
    ],
    [
      'half an address',
      bytes({ ...FIELDS, trusted_ip: '12' }),
      'trusted_ip and trusted_port are not an address and a port',
    ],
    [
      'a strange pool',
      bytes({ ...FIELDS, ifconfig_pool_remote_ip: 'x' }),
      'ifconfig_pool_remote_ip is not an address',
    ],
    ['nothing', bytes({}), 'daemon_pid is not a process ID'],
  ])('reports why %s is not a record', (_what, data, garbage) => {
    expect(parseRecord(data)).toEqual({ garbage });
  });
});

describe('parseRecordName', () => {
  it('reads the names that hooks give', () => {
    expect(parseRecordName('12-2001:db8::1-443')).toEqual({
      pid: 12,
      real: { address: '2001:db8::1', port: 443 },
    });
    expect(parseRecordName('12-fe80::1%eth0-443')?.real.address).toBe('fe80::1');
  });

  it.each([
    '',
    '.',
    'x',
    '12',
    '0-192.0.2.1-1',
    '12-192.0.2.1-0',
    '12-192.0.2.1-99999',
    '12-300.0.0.1-1',
    ' 12-::1-1',
  ])('refuses %j', (name) => {
    expect(parseRecordName(name)).toBeUndefined();
  });
});
