import type { Session } from '../model/session.js';
import type { Management } from './management/management.js';

/**
 * Asks OpenVPN to disconnect a client, which then connects again. It keeps its cached password (`[P]`, see
 * `server_pushed_signal` in OpenVPN's push.c), so nobody has to type it again.
 * @param management that of the session's server; undefined: it has none.
 * @returns why that is not possible; undefined: OpenVPN has done it.
 */
export function disconnectClient(
  management: Management | undefined,
  { cid }: Pick<Session, 'cid'>,
): Promise<string | undefined> {
  if (management === undefined)
    return Promise.resolve(
      'its server has no management interface; set `management` in its [openvpn] section',
    );
  if (cid === undefined)
    return Promise.resolve('the management interface of its server has not reported it; try later');
  return new Promise((resolve) => {
    management.ask({ text: `client-kill ${cid} RESTART,[P]`, endings: ['line'] }, (reply) => {
      if ('lost' in reply) {
        resolve(reply.lost);
        return;
      }
      const answer = reply.parts.flat().at(-1) ?? '';
      resolve(answer.startsWith('SUCCESS:') ? undefined : `OpenVPN answers ${JSON.stringify(answer)}`);
    });
  });
}
