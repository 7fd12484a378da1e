/** Where the helper listens: the socket of openvpn-conf/subflowd-helper.socket. */
export const HELPER_SOCKET = '/run/subflowd/helper.sock';
