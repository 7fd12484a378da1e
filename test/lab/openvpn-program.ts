/**
 * The OpenVPN that tests and demo run, as server and as client: `SUBFLOWD_TEST_OPENVPN`, the path of a binary whose
 * name begins with `openvpn`, else the one of the PATH.
 */
export const openvpnProgram =
  (process.env.SUBFLOWD_TEST_OPENVPN ?? '') === '' ? 'openvpn' : (process.env.SUBFLOWD_TEST_OPENVPN ?? '');

/** Data-channel offload off, in the words that every version takes: before 2.6 there is none, and no such option. */
export const withoutOffload = ['ignore-unknown-option disable-dco', 'disable-dco'] as const;
