import type { Wrapping } from '../../src/model/line.ts';
import { ansi } from './ansi.ts';
import { ciJob } from './ci-job.ts';
import { cloudwatchTail } from './cloudwatch-tail.ts';
import { collectorJson } from './collector-json.ts';
import { cri } from './cri.ts';
import { csv } from './csv.ts';
import { dockerCompose } from './docker-compose.ts';
import { dockerJson } from './docker-json.ts';
import { fluent } from './fluent.ts';
import { grafanaText } from './grafana-text.ts';
import { grep } from './grep.ts';
import { htmlEntities } from './html-entities.ts';
import { htmlTags } from './html-tags.ts';
import { klog } from './klog.ts';
import { kubectlPrefix } from './kubectl-prefix.ts';
import { kubectlTimestamps } from './kubectl-timestamps.ts';
import { kubetail } from './kubetail.ts';
import { logcli } from './logcli.ts';
import { logfmt } from './logfmt.ts';
import { markdownEscapes } from './markdown-escapes.ts';
import { markdownQuote } from './markdown-quote.ts';
import { memberLine } from './member-line.ts';
import { namePrefix } from './name-prefix.ts';
import { numbered } from './numbered.ts';
import { pythonBytes } from './python-bytes.ts';
import { stern } from './stern.ts';
import { syslog } from './syslog.ts';
import { typography } from './typography.ts';
import { wrappedLine } from './wrapped-line.ts';

/**
 * Every wrapping in the order of trying: what tools print, then what people do to a line; what changes a line instead of adding to
 * it comes last, so that it changes no line that can be had as it was.
 */
export const wrappings: readonly Wrapping[] = [
  kubectlPrefix,
  cri,
  kubectlTimestamps,
  dockerJson,
  collectorJson,
  stern,
  kubetail,
  dockerCompose,
  logcli,
  fluent,
  csv,
  syslog,
  klog,
  cloudwatchTail,
  grafanaText,
  ciJob,
  memberLine,
  logfmt,
  pythonBytes,
  markdownQuote,
  htmlTags,
  numbered,
  grep,
  namePrefix,
  ansi,
  typography,
  markdownEscapes,
  htmlEntities,
  wrappedLine,
];
