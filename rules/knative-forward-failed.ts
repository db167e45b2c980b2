import { type ForwardFailure, forwardFailure } from '../src/causes/knative-failure.ts';
import type { Category, Level, Rule } from '../src/model/finding.ts';
import { wordOr } from '../src/remedy/commands/kubectl.ts';
import { step } from '../src/remedy/edits/index.ts';

/** Activator or queue-proxy could not pass a request on, and answered 502. */
export const rule: Rule = {
  meta: {
    id: 'knative-forward-failed',
    category: 'upstream',
    level: 'error',
    title: 'A proxy of Knative could not pass a request on',
    page: {
      meaning:
        "Knative's activator, or queue-proxy in the pod of a revision, took a request and could not pass it on; the client got 502. A connection that was cut between activator and revision is what a denial at layer 4 looks like from there: ztunnel and STRICT sidecars give no answer. Refused at 127.0.0.1 is the application itself, which does not listen.",
      printedBy:
        'The activator in knative-serving, or the container queue-proxy of the revision. Whoever cut the connection tells why: the ztunnel on the node of the revision, or its sidecar.',
      confirm: [
        'kubectl -n NAMESPACE get pods -o wide',
        'kubectl -n istio-system logs -l app=ztunnel --tail=-1 --prefix --max-log-requests=100 | grep -F REVISION',
        'kubectl -n NAMESPACE logs POD -c istio-proxy --since=10m',
      ],
      change:
        'Cut: read the line of the ztunnel or sidecar at the revision, and change what it names. Refused at 127.0.0.1: let the application listen on the port that its container declares. Timed out: see the NetworkPolicies of both namespaces.',
      never:
        'Do not change policies before a proxy says that one denied. A policy about tokens or paths has no effect at ztunnel and then admits nobody: check tokens at the gateway.',
    },
    cites: [
      'knative/pkg network/error_handler.go',
      'knative/serving pkg/activator/handler/handler.go',
      'istio/istio#56031',
    ],
  },
  on: ['knative/diagnostic'],
  match({ record }) {
    const failure = record.kind === 'diagnostic' ? forwardFailure(record) : null;
    if (record.kind !== 'diagnostic' || failure === null) return null;
    const { category, level, cause } = FAILURES[failure];
    const who = record.scope.startsWith('activator') ? 'the activator' : 'queue-proxy';
    return {
      certainty: failure === 'cut' ? 'possible' : 'likely',
      category,
      level,
      cause: `A request was not passed on: ${cause.replace('WHO', who)}.`,
      intended: 'unknown',
      unchecked: failure === 'cut' ? ['who cut it: the log of the ztunnel or sidecar at the revision says so'] : [],
      subject: [record.scope, record.fields['knative.dev/key'] ?? '', failure],
    };
  },
  propose({ flows }) {
    const [flow] = flows;
    const key = flow?.record.kind === 'diagnostic' ? (flow.record.fields['knative.dev/key'] ?? '') : '';
    const [namespace = '', revision = ''] = key.split('/');
    const place = `kubectl -n ${wordOr(namespace, 'NAMESPACE')}`;
    const selected = `-l serving.knative.dev/revision=${wordOr(revision, 'REVISION')}`;
    return [
      step('investigate', 'Read what the proxies at the revision say of the same moment.', {
        confirm: [
          `${place} get pods ${selected} -o wide`,
          `${place} logs ${selected} --all-containers --since=10m --prefix`,
          `kubectl -n istio-system logs -l app=ztunnel --tail=-1 --prefix --max-log-requests=100 | grep -F ${wordOr(revision, 'REVISION')}`,
        ],
      }),
    ];
  },
};

const FAILURES: Readonly<
  Record<ForwardFailure, { readonly category: Category; readonly level: Level; readonly cause: string }>
> = {
  cut: {
    category: 'upstream',
    level: 'error',
    cause: 'the connection of WHO was closed before an answer came, by the application, or by a proxy that denied it',
  },
  'not-listening': {
    category: 'upstream',
    level: 'error',
    cause: 'nothing listens at the port of the application in the pod',
  },
  refused: {
    category: 'upstream',
    level: 'error',
    cause: 'the pod that WHO called does not listen: it is starting or stopping',
  },
  'timed-out': { category: 'network', level: 'error', cause: 'no answer came to WHO in time' },
  'client-left': { category: 'client', level: 'note', cause: 'the client of WHO went away first' },
  other: { category: 'upstream', level: 'warning', cause: 'WHO got an answer that is no HTTP, or another fault' },
};
