/** What OpenVPN tells its hooks and plugins about a client that connects. */
export const CLIENT_VARIABLES = {
  daemon_pid: '4242',
  trusted_ip: '192.0.2.7',
  trusted_port: '50000',
  ifconfig_pool_remote_ip: '10.8.0.2',
  time_unix: '1700000000',
  proto_1: 'tcp-server',
  dev: 'tun0',
  config: 'server.conf',
  common_name: 'alice',
};

/** The name of the record of that client. */
export const RECORD_NAME = '4242-192.0.2.7-50000-1700000000-10.8.0.2';
