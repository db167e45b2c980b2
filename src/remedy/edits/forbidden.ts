import type { ObjectChange } from '../../model/remedy.ts';
import { isRecord } from '../../text/kube-object.ts';
import { listOf, recordOf, textMapOf, textOf, textsOf, valueAt } from '../../text/untyped.ts';

type Json = Readonly<Record<string, unknown>>;

/** A form of advice that is wrong wherever it is given, as far as one change shows it. */
interface Form {
  /** A word for it, which the problem printed in its place names. */
  readonly id: string;
  readonly kinds: readonly string[];
  /** True if the change brings it in: what `before` had already is no fault of the change. */
  readonly has: (after: Json, before: Json) => boolean;
}

/** The forms, by what an object must not become. Which others are wrong depends on more than the change. */
const FORMS: readonly Form[] = [
  { id: 'principal-not-exact', kinds: ['AuthorizationPolicy'], has: hasBadPrincipal },
  { id: 'plaintext-for-all', kinds: ['PeerAuthentication'], has: newly(isOpenForAll) },
  { id: 'port-mode-without-selector', kinds: ['PeerAuthentication'], has: newly(hasPortsWithoutSelector) },
  { id: 'network-rule-without-peers', kinds: ['NetworkPolicy'], has: hasRuleWithoutPeers },
  { id: 'leaves-mesh', kinds: [], has: newly(leavesMesh) },
  { id: 'allows-everybody', kinds: ['AuthorizationPolicy'], has: allowsAll },
  { id: 'operation-for-everybody', kinds: ['AuthorizationPolicy'], has: allowsPathsToAll },
  { id: 'trusts-header', kinds: ['AuthorizationPolicy'], has: trustsHeaders },
  { id: 'protection-removed', kinds: ['AuthorizationPolicy'], has: exemptsPaths },
  { id: 'mutual-tls-for-all-hosts', kinds: ['DestinationRule'], has: newly(coversAllLocalHosts) },
  { id: 'mixed-protocols', kinds: ['Gateway'], has: mixesProtocols },
  { id: 'egress-to-all', kinds: ['Sidecar'], has: newly(opensEgress) },
  { id: 'captures-all-hosts', kinds: ['VirtualService'], has: newly(capturesAllHosts) },
  {
    id: 'ignores-webhook-failure',
    kinds: ['MutatingWebhookConfiguration', 'ValidatingWebhookConfiguration'],
    has: newly(ignoresFailure),
  },
];

/** What no change may delete, and the form that would be. */
const KEPT: Readonly<Record<string, string>> = {
  AuthorizationPolicy: 'protection-removed',
  PeerAuthentication: 'plaintext-for-all',
  RequestAuthentication: 'token-check-removed',
  NetworkPolicy: 'network-rule-without-peers',
};

/**
 * The form of wrong advice that a change would be (`principal-not-exact`, …), judged on the change alone; null: none that can be seen so.
 * Only what the change brings in counts. The object may be anything. Never throws.
 */
export function forbiddenForm(change: ObjectChange): string | null {
  const { kind } = change.object;
  if (change.op === 'delete') return (Object.hasOwn(KEPT, kind) ? KEPT[kind] : null) ?? null;
  const after = recordOf(change.after);
  const before = recordOf(change.before);
  const found = FORMS.find(({ kinds, has }) => (kinds.length === 0 || kinds.includes(kind)) && has(after, before));
  return found?.id ?? null;
}

/** For a form that an object has or has not. */
function newly(has: (object: Json) => boolean): Form['has'] {
  return (after, before) => has(after) && !has(before);
}

function rulesOf(object: Json): readonly Json[] {
  return listOf(valueAt(object, 'spec', 'rules')).map(recordOf);
}

function actionOf(object: Json): string {
  return textOf(valueAt(object, 'spec', 'action')) ?? 'ALLOW';
}

function sourcesOf(rule: Json): readonly Json[] {
  return listOf(rule['from']).map((entry) => recordOf(valueAt(entry, 'source')));
}

function principalsOf(object: Json): readonly string[] {
  return rulesOf(object).flatMap((rule) => [
    ...sourcesOf(rule).flatMap((source) => [...textsOf(source['principals']), ...textsOf(source['notPrincipals'])]),
    ...listOf(rule['when'])
      .map(recordOf)
      .filter(({ key }) => key === 'source.principal')
      .flatMap(({ values, notValues }) => [...textsOf(values), ...textsOf(notValues)]),
  ]);
}

/** A star admits others too, a scheme never matches, and neither does what has no service account. */
function hasBadPrincipal(after: Json, before: Json): boolean {
  const known = new Set(principalsOf(before));
  return principalsOf(after).some(
    (principal) => !known.has(principal) && !/^[^*:/]+\/ns\/[^*/]+\/sa\/[^*/]+$/.test(principal),
  );
}

function hasSelector(object: Json): boolean {
  return Object.keys(textMapOf(valueAt(object, 'spec', 'selector', 'matchLabels'))).length > 0;
}

function isOpenForAll(after: Json): boolean {
  const mode = valueAt(after, 'spec', 'mtls', 'mode');
  return !hasSelector(after) && (mode === 'PERMISSIVE' || mode === 'DISABLE');
}

function hasPortsWithoutSelector(after: Json): boolean {
  return !hasSelector(after) && Object.keys(recordOf(valueAt(after, 'spec', 'portLevelMtls'))).length > 0;
}

/** A rule without peers is open to everybody; one that was so already may get further ports. */
function hasRuleWithoutPeers(after: Json, before: Json): boolean {
  const open = (object: Json, direction: string, peers: string): number =>
    listOf(valueAt(object, 'spec', direction)).filter((rule) => listOf(recordOf(rule)[peers]).length === 0).length;
  return (
    open(after, 'ingress', 'from') > open(before, 'ingress', 'from') ||
    open(after, 'egress', 'to') > open(before, 'egress', 'to')
  );
}

function leavesMesh(after: Json): boolean {
  return [valueAt(after, 'metadata'), valueAt(after, 'spec', 'template', 'metadata')].some((metadata) => {
    const marks = { ...textMapOf(valueAt(metadata, 'annotations')), ...textMapOf(valueAt(metadata, 'labels')) };
    return (
      marks['sidecar.istio.io/inject'] === 'false' ||
      marks['istio.io/dataplane-mode'] === 'none' ||
      marks['istio-injection'] === 'disabled'
    );
  });
}

/** Every field of a rule is empty, or its sources are: `- {}`, `from: [{source: {}}]`. */
function allowsAll(after: Json, before: Json): boolean {
  if (actionOf(after) !== 'ALLOW') return false;
  const open = (object: Json): number => rulesOf(object).filter((rule) => matchesAll(rule)).length;
  return open(after) > (actionOf(before) === 'ALLOW' ? open(before) : 0);
}

function matchesAll(rule: Json): boolean {
  const { to, when } = rule;
  if (listOf(to).length > 0 || listOf(when).length > 0) return false;
  return isFromAnybody(rule);
}

const EVERYTHING = ['*', '0.0.0.0/0', '::/0'];

/** No condition, or one that everybody (with a certificate) meets. */
function isAnybody(source: Json): boolean {
  const conditions = Object.values(source).filter((value) => textsOf(value).length > 0);
  return conditions.every((value) => textsOf(value).some((text) => EVERYTHING.includes(text)));
}

/** No source is asked for, or one that is everybody. */
function isFromAnybody(rule: Json): boolean {
  return listOf(rule['from']).length === 0 || sourcesOf(rule).some((source) => isAnybody(source));
}

function allowsPathsToAll(after: Json, before: Json): boolean {
  if (actionOf(after) !== 'ALLOW') return false;
  const open = (object: Json): number =>
    rulesOf(object).filter((rule) => isFromAnybody(rule) && listOf(rule['to']).length > 0).length;
  return open(after) > open(before);
}

function trustsHeaders(after: Json, before: Json): boolean {
  if (actionOf(after) !== 'ALLOW') return false;
  const trusting = (object: Json): number =>
    rulesOf(object).filter((rule) => {
      const keys = listOf(rule['when']).map((condition) => textOf(valueAt(condition, 'key')) ?? '');
      return isFromAnybody(rule) && keys.some((key) => key.startsWith('request.headers['));
    }).length;
  return trusting(after) > trusting(before);
}

/** A policy that denies or asks an authoriser loses paths, or rules. */
function exemptsPaths(after: Json, before: Json): boolean {
  const action = actionOf(before);
  if (action !== 'DENY' && action !== 'CUSTOM') return false;
  if (rulesOf(after).length < rulesOf(before).length || actionOf(after) !== action) return true;
  const exempt = (object: Json): number =>
    rulesOf(object)
      .flatMap((rule) => listOf(rule['to']))
      .reduce<number>((sum, entry) => sum + textsOf(valueAt(entry, 'operation', 'notPaths')).length, 0);
  return exempt(after) > exempt(before);
}

function coversAllLocalHosts(after: Json): boolean {
  const host = valueAt(after, 'spec', 'host');
  const mode = valueAt(after, 'spec', 'trafficPolicy', 'tls', 'mode');
  return mode === 'ISTIO_MUTUAL' && (host === '*' || host === '*.local' || host === '*.cluster.local');
}

/** Two servers of one port must agree on the protocol, and none may turn from mutual TLS to plain HTTP. */
function mixesProtocols(after: Json, before: Json): boolean {
  const protocols = (object: Json): ReadonlyMap<unknown, ReadonlySet<unknown>> => {
    const byPort = new Map<unknown, Set<unknown>>();
    for (const server of listOf(valueAt(object, 'spec', 'servers'))) {
      const number = valueAt(server, 'port', 'number');
      const mode = valueAt(server, 'tls', 'mode') === 'ISTIO_MUTUAL' ? 'mutual' : valueAt(server, 'port', 'protocol');
      byPort.set(number, (byPort.get(number) ?? new Set()).add(mode));
    }
    return byPort;
  };
  const old = protocols(before);
  return [...protocols(after)].some(
    ([port, modes]) => modes.has('HTTP') && (modes.size > 1 || old.get(port)?.has('mutual') === true),
  );
}

function opensEgress(after: Json): boolean {
  const everything = listOf(valueAt(after, 'spec', 'egress')).some((entry) =>
    textsOf(valueAt(entry, 'hosts')).includes('*/*'),
  );
  return everything && !isRecord(valueAt(after, 'spec', 'workloadSelector'));
}

function capturesAllHosts(after: Json): boolean {
  return textsOf(valueAt(after, 'spec', 'hosts')).includes('*');
}

function ignoresFailure(after: Json): boolean {
  return listOf(after['webhooks']).some((webhook) => valueAt(webhook, 'failurePolicy') === 'Ignore');
}
