import { UNKNOWN_ORIGIN, type Wrapping } from '../../src/model/line.ts';

const PREFIX = /^([A-Za-z0-9][A-Za-z0-9_.@-]{0,127}) {0,128}[|│](?: |$)/;

/**
 * `service-1  | L`: the name is padded to the longest one (docker compose pkg/compose, log formatter); `web │ L` (Tilt), `web.1.ID@NODE | L`
 * (docker service logs).
 */
export const dockerCompose: Wrapping = {
  id: 'docker-compose',
  title: 'docker compose logs',
  unwrap(text) {
    const match = PREFIX.exec(text);
    if (match === null) return null;
    const [prefix, container = null] = match;
    return {
      payload: text.slice(prefix.length),
      time: null,
      origin: { ...UNKNOWN_ORIGIN, container },
      more: false,
      stream: null,
    };
  },
};
