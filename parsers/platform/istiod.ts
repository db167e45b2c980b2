import type { Envelope } from '../../src/model/line.ts';
import type { DiagnosticRecord, Parsed, Parser } from '../../src/model/record.ts';
import { redactSecrets } from '../../src/text/redact.ts';

const ID = 'platform-istiod';

/**
 * Lines of istiod that lost their time, and mostly their tabs, on the way into a ticket: read by their first words, which no
 * other program prints.
 */
export const platformIstiod: Parser = {
  id: ID,
  title: 'istiod, lines pasted without their time',
  takesParts: true,
  parse(envelope: Envelope): Parsed {
    const match = LINE.exec(envelope.payload);
    if (match === null) return null;
    const [, level, scope, message = ''] = match;
    return {
      kind: 'diagnostic',
      at: envelope.at,
      parser: ID,
      proxy: 'istiod',
      reporter: null,
      origin: envelope.origin,
      time: envelope.time,
      raw: redactSecrets(envelope.payload),
      severity: level === 'error' ? 'error' : 'warning',
      scope: scope ?? 'default',
      message: redactSecrets(message.trim()),
      fields: {},
    } satisfies DiagnosticRecord;
  },
};

/** Certificates of gateways (istio 86c9f01f pilot/pkg/xds/sds.go) and keys of token issuers (pilot/pkg/model/jwks_resolver.go). */
const LINE =
  /^\s{0,16}(?:(warn|warning|error)\s{1,16})?(?:(ads|model)\s{1,16})?((?:failed to fetch (?:key and certificate|ca certificate) for kubernetes(?:-gateway)?:\/\/|proxy \S{1,300} attempted to access unauthorized certificates |Failed to (?:fetch|refresh) (?:jwt )?public key from |The JWKS key is not yet fetched)[\s\S]*)$/i;
