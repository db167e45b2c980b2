import type { Wrapping } from '../../src/model/line.ts';
import { ansi } from './ansi.ts';
import { collectorJson } from './collector-json.ts';
import { cri } from './cri.ts';
import { dockerCompose } from './docker-compose.ts';
import { dockerJson } from './docker-json.ts';
import { grep } from './grep.ts';
import { htmlEntities } from './html-entities.ts';
import { kubectlPrefix } from './kubectl-prefix.ts';
import { kubectlTimestamps } from './kubectl-timestamps.ts';
import { kubetail } from './kubetail.ts';
import { logcli } from './logcli.ts';
import { markdownQuote } from './markdown-quote.ts';
import { stern } from './stern.ts';

/** Every wrapping, by id. */
export const wrappings: readonly Wrapping[] = [
  ansi,
  collectorJson,
  cri,
  dockerCompose,
  dockerJson,
  grep,
  htmlEntities,
  kubectlPrefix,
  kubectlTimestamps,
  kubetail,
  logcli,
  markdownQuote,
  stern,
];
