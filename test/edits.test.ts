import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { parsers } from '../parsers/index.ts';
import { decodeManifests } from '../src/mesh/manifests.ts';
import { createMesh, unknownMesh } from '../src/mesh/view.ts';
import type { EnforcedBy, Finding } from '../src/model/finding.ts';
import { UNKNOWN_ORIGIN } from '../src/model/line.ts';
import type { MeshView } from '../src/model/mesh.ts';
import type { Draft, JsonPatchOperation, ObjectChange } from '../src/model/remedy.ts';
import type { Flow } from '../src/model/traffic.ts';
import { compileZtunnel, type ZtunnelDecision } from '../src/policy/ambient/decide.ts';
import { decodeAuthorizationPolicy, decodePeerAuthentication } from '../src/policy/decode.ts';
import { validateObject } from '../src/policy/validate.ts';
import {
  allowCaller,
  exceptCaller,
  exemptPort,
  forbiddenForm,
  openHbonePort,
  showPolicy,
  step,
  throughWaypoint,
} from '../src/remedy/edits/index.ts';
import { decodeKubeObject } from '../src/text/kube-object.ts';
import { parseSpiffeId } from '../src/text/spiffe.ts';
import { listOf, recordOf, textOf, textsOf, valueAt } from '../src/text/untyped.ts';
import { emptyTraffic, fold } from '../src/traffic/traffic.ts';
import { loadScenario, meshFromScenario } from './scenario.ts';
import { hasShared, needsShared, shared } from './shared.ts';
import { BLANK_FINDING } from './small-mesh.ts';

const BUILDERS = { allowCaller, exceptCaller, exemptPort, openHbonePort, throughWaypoint };

interface Ends {
  readonly principal?: string | null;
  readonly source?: Partial<Finding['source']>;
  readonly destination?: Partial<Finding['destination']>;
  readonly enforcedBy?: EnforcedBy;
  readonly policies?: Finding['policies'];
}

function finding({ principal = null, source, destination, enforcedBy = 'ztunnel', policies = [] }: Ends): Finding {
  const identity = principal === null ? null : parseSpiffeId(`spiffe://${principal}`);
  return {
    ...BLANK_FINDING,
    source: { ...BLANK_FINDING.source, identity, principal, ...source },
    destination: { ...BLANK_FINDING.destination, ...destination },
    enforcedBy,
    policies,
  };
}

/** The finding of a scenario's symptom, as its attempts tell it. */
function symptomOf(scenario: unknown, mesh: MeshView): Finding {
  const attempt = listOf(valueAt(scenario, 'attempts')).find((entry) => valueAt(entry, 'role') === 'symptom');
  const [toNamespace = '', toName = ''] = halves(valueAt(attempt, 'to', 'service'));
  const service = mesh.serviceByHost(`${toName}.${toNamespace}`);
  const pod = mesh.pods.find((entry) => entry.namespace === toNamespace && isBehind(entry.labels, service?.selector));
  const port = valueAt(attempt, 'transport', 'workloadPort');
  const enforced = textOf(valueAt(attempt, 'expect', 'enforcedBy')) ?? '';
  return finding({
    ...callerOf(attempt, mesh),
    destination: {
      namespace: toNamespace,
      workload: pod?.name ?? null,
      address: pod?.ips[0] ?? null,
      port: typeof port === 'number' ? port : null,
      service: service?.hostname ?? null,
    },
    enforcedBy: /ztunnel|CNI/.test(enforced) ? 'ztunnel' : 'sidecar',
    policies: textsOf(valueAt(attempt, 'expect', 'decidingPolicies'))
      .filter((text) => !text.includes(' '))
      .map(halves)
      .map(([namespace = '', name = '']) => ({ kind: 'AuthorizationPolicy', namespace, name })),
  });
}

function callerOf(attempt: unknown, mesh: MeshView): Pick<Ends, 'principal' | 'source'> {
  const principal = textOf(valueAt(attempt, 'transport', 'sourcePrincipal'));
  const [namespace = '', podName = ''] = halves(valueAt(attempt, 'from', 'pod'));
  const pod = mesh.podByName(namespace, podName);
  const ip = textOf(valueAt(attempt, 'from', 'ip')) ?? pod?.ips[0];
  const workload = principal === null || pod === null ? null : pod.name;
  return {
    principal,
    source: { namespace: pod?.namespace ?? null, workload, addresses: ip === undefined ? [] : [ip] },
  };
}

function halves(text: unknown): readonly string[] {
  return (textOf(text) ?? '').split('/');
}

function isBehind(
  labels: Readonly<Record<string, string>>,
  selector: Readonly<Record<string, string>> | null = null,
): boolean {
  return Object.entries(selector ?? {}).every(([key, value]) => labels[key] === value);
}

/** RFC 6902 on plain data, as little of it as the patches here use; fails where a `test` does. */
function applyPatch(document: unknown, operations: readonly JsonPatchOperation[]): unknown {
  const root: Record<string, unknown> = { value: structuredClone(document) };
  for (const operation of operations) {
    const keys = ['value', ...operation.path.split('/').slice(1)].map((key) =>
      key.replaceAll('~1', '/').replaceAll('~0', '~'),
    );
    const last = keys.pop() ?? '';
    const container = keys.reduce<unknown>((here, key) => (isIndexed(here) ? here[key] : undefined), root);
    if (Array.isArray(container)) applyToList(container, last, operation);
    else if (isIndexed(container)) applyToObject(container, last, operation);
    else throw new Error(`no container for ${operation.path}`);
  }
  return root['value'];
}

function applyToList(list: unknown[], key: string, operation: JsonPatchOperation): void {
  if (operation.op === 'test') expect(list[Number(key)]).toEqual(operation.value);
  else if (operation.op === 'add') list.splice(key === '-' ? list.length : Number(key), 0, operation.value);
  else if (operation.op === 'remove') list.splice(Number(key), 1);
  else list[Number(key)] = operation.value;
}

function applyToObject(object: Record<string, unknown>, key: string, operation: JsonPatchOperation): void {
  if (operation.op !== 'add') expect(Object.keys(object)).toContain(key);
  if (operation.op === 'test') expect(object[key]).toEqual(operation.value);
  else if (operation.op === 'remove') Reflect.deleteProperty(object, key);
  else object[key] = operation.value;
}

function isIndexed(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

/** The mesh after the changes of a draft. */
function meshAfter(mesh: MeshView, draft: Draft): MeshView {
  const changed = new Set(draft.changes.map(({ object }) => `${object.kind}/${object.namespace}/${object.name}`));
  const kept = mesh.objects.filter(
    ({ kind, metadata }) => !changed.has(`${kind}/${metadata.namespace}/${metadata.name}`),
  );
  return createMesh([...kept.map(({ raw }) => raw), ...draft.changes.map(({ after }) => after)]);
}

const INBOUND = 'inbound|8080|| - 10.0.0.1:8080 10.0.0.2:5000';

/** The flow of one line of Envoy's default format, by its quoted request and its last columns, that many times. */
function flowOf(request: string, tail = `${INBOUND} - -`, times = 1): Flow {
  const denied = 'rbac_access_denied_matched_policy[none]';
  const isTcp = request === '"- - -"';
  const outcome = isTcp ? `0 - - ${denied}` : `403 - ${denied} -`;
  const line = `[2026-11-21T12:05:48.841Z] ${request} ${outcome} "-" 0 19 3 - "-" "-" "-" "${isTcp ? '-' : 'web.shop'}" "-" ${tail}`;
  const at = { input: 'log', line: 1 };
  const envelope = { at, wrappings: [], time: null, origin: UNKNOWN_ORIGIN, payload: line };
  const record = parsers.find(({ id }) => id === 'envoy-text')?.parse(envelope) ?? null;
  if (record?.kind !== 'request' && record?.kind !== 'connection') throw new Error('no record');
  const traffic = emptyTraffic();
  for (let time = 1; time < times; time += 1) fold(traffic, record);
  return fold(traffic, record);
}

function specOf(change: ObjectChange | undefined): unknown {
  return recordOf(change?.after)['spec'];
}

function mesh(yaml: string): MeshView {
  const { objects, problems } = decodeManifests(yaml, 'mesh.yaml');
  expect(problems).toEqual([]);
  return createMesh(objects);
}

const SHOP = `
apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {istio.io/dataplane-mode: ambient}}
---
apiVersion: v1
kind: Namespace
metadata: {name: batch}
---
apiVersion: v1
kind: Pod
metadata: {name: web-6d4cf56db6-x7x2p, namespace: shop, labels: {app: web, pod-template-hash: 6d4cf56db6}}
spec: {serviceAccountName: web, containers: [{name: app, ports: [{name: http, containerPort: 8080}]}]}
status: {podIP: 10.0.0.1}
---
apiVersion: v1
kind: Pod
metadata: {name: cart-7c9d8f6b5-q8w2z, namespace: shop, labels: {app: cart, version: v1}}
spec: {serviceAccountName: cart, containers: [{name: app, ports: [{name: http, containerPort: 8080}]}]}
status: {podIP: 10.0.0.2}
---
apiVersion: v1
kind: Pod
metadata: {name: report-28391-abcde, namespace: batch, labels: {job: report}}
spec: {serviceAccountName: report, containers: [{name: app}]}
status: {podIP: 10.0.1.9}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {clusterIP: 10.96.0.1, selector: {app: web}, ports: [{name: http, port: 80, targetPort: http}]}
`;
const WEB = { namespace: 'shop', workload: 'web-6d4cf56db6-x7x2p', address: '10.0.0.1', port: 8080 };
const CART = { principal: 'cluster.local/ns/shop/sa/cart', source: { namespace: 'shop', workload: 'cart' } };

function allowPolicy(name: string, spec: string): string {
  return `---\napiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: ${name}, namespace: shop}\nspec: ${spec}\n`;
}

function peerAuthentication(name: string, spec: string, created: string): string {
  return `---\napiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: {name: ${name}, namespace: shop, creationTimestamp: '${created}'}\nspec: ${spec}\n`;
}

describe('allowCaller', () => {
  const call = finding({ ...CART, destination: WEB });

  it('appends the caller to the list of the rule that nearly matched, and to no other', () => {
    const view = mesh(
      SHOP +
        allowPolicy(
          'web',
          '{selector: {matchLabels: {app: web}}, rules: [{from: [{source: {principals: [a/ns/b/sa/c]}}], to: [{operation: {ports: ["9090"]}}]}, {from: [{source: {principals: [a/ns/b/sa/d]}}], to: [{operation: {ports: ["8080"]}}]}]}',
        ),
    );
    const [draft] = allowCaller(call, view);
    expect(draft?.changes[0]?.jsonPatch?.at(-1)).toEqual({
      op: 'add',
      path: '/spec/rules/1/from/0/source/principals/-',
      value: CART.principal,
    });
    expect(draft?.changes).toHaveLength(1);
  });

  it('adds a narrow rule to the policy of the workload where no list fits', () => {
    const view = mesh(
      SHOP +
        allowPolicy('web', '{selector: {matchLabels: {app: web}}, rules: [{from: [{source: {namespaces: [ops]}}]}]}'),
    );
    const [draft] = allowCaller(call, view);
    expect(valueAt(specOf(draft?.changes[0]), 'rules')).toEqual([
      { from: [{ source: { namespaces: ['ops'] } }] },
      { from: [{ source: { principals: [CART.principal] } }], to: [{ operation: { ports: ['8080'] } }] },
    ]);
  });

  it('makes a policy for the workload first where the list applies to the whole namespace', () => {
    const view = mesh(SHOP + allowPolicy('all', '{rules: [{from: [{source: {principals: [a/ns/b/sa/c]}}]}]}'));
    const [narrow, wide] = allowCaller(call, view);
    expect(narrow?.changes[0]?.op).toBe('create');
    expect(specOf(narrow?.changes[0])).toEqual({
      selector: { matchLabels: { app: 'web' } },
      action: 'ALLOW',
      rules: [{ from: [{ source: { principals: [CART.principal] } }], to: [{ operation: { ports: ['8080'] } }] }],
    });
    expect(wide?.changes[0]?.object.name).toBe('all');
    expect(wide?.risk).toContain('every workload of namespace shop');
  });

  it('names a policy after both ends', () => {
    const [draft] = allowCaller(call, unknownMesh);
    expect(draft?.changes[0]?.object).toEqual({
      apiVersion: 'security.istio.io/v1',
      kind: 'AuthorizationPolicy',
      namespace: 'shop',
      name: 'allow-cart-to-web-8080',
    });
    expect(draft?.risk).toContain('guess');
  });

  it('never makes the first ALLOW policy of a workload: that would refuse everybody else', () => {
    const drafts = allowCaller(call, mesh(SHOP));
    expect(drafts.flatMap(({ changes }) => changes)).toEqual([]);
  });

  it('never edits for a caller without identity, but enrols it', () => {
    const plain = finding({ source: { addresses: ['10.0.1.9'] }, destination: WEB });
    const [draft] = allowCaller(plain, mesh(SHOP + allowPolicy('all', '{}')));
    expect(draft?.kind).toBe('enrol');
    expect(
      draft?.changes.map(({ object, after }) => [object.kind, object.name, valueAt(after, 'metadata', 'labels')]),
    ).toEqual([['Pod', 'report-28391-abcde', { job: 'report', 'istio.io/dataplane-mode': 'ambient' }]]);
    expect(draft?.summary).toContain('in the template that makes it');
  });

  it('enrols the workload alone where its template is known', () => {
    const template = `---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: tool, namespace: batch}\nspec: {template: {metadata: {labels: {app: tool}}, spec: {containers: [{name: app}]}}}\n`;
    const pod = `---\napiVersion: v1\nkind: Pod\nmetadata: {name: tool-6d4cf56db6-x7x2p, namespace: batch}\nspec: {containers: [{name: app}]}\nstatus: {podIP: 10.0.1.10}\n`;
    const plain = finding({ source: { addresses: ['10.0.1.10'] }, destination: WEB });
    const [narrow, whole] = allowCaller(plain, mesh(SHOP + template + pod));
    const changed = [narrow, whole].map((draft) => draft?.changes.map(({ object }) => `${object.kind} ${object.name}`));
    expect(changed).toEqual([['Deployment tool'], ['Namespace batch']]);
    expect(valueAt(narrow?.changes[0]?.after, 'spec', 'template', 'metadata', 'labels')).toEqual({
      app: 'tool',
      'istio.io/dataplane-mode': 'ambient',
    });
  });

  describe('of whom the line prints no identity', () => {
    const unnamed = (
      tail: string,
      enforcedBy: EnforcedBy = 'sidecar',
      request = '"GET /a HTTP/1.1"',
    ): Draft | undefined => {
      const flows = [flowOf(request, tail)];
      const addresses = flows.flatMap(({ sourceAddresses }) => sourceAddresses);
      return allowCaller(
        { ...finding({ source: { addresses }, destination: WEB, enforcedBy }), flows },
        unknownMesh,
      )[0];
    };

    it.each([
      [
        'proved one to a sidecar',
        `${INBOUND} outbound_.80_._.web.shop.svc.cluster.local default`,
        'sidecar',
        'PEER_URI_SAN',
      ],
      [
        'is a client of a waypoint',
        'inbound-vip|80|http|web.shop.svc.cluster.local - 10.96.0.1:80 10.0.0.2:5000 - default',
        'waypoint',
        'peer_principal',
      ],
    ] as const)('asks for it where the caller %s', (_case, tail, enforcedBy, operator) => {
      const draft = unnamed(tail, enforcedBy);
      expect(draft?.kind).toBe('investigate');
      expect(draft?.summary).toContain('proved its identity, but it is not in this line');
      expect(draft?.summary).toContain('kubectl get pods -A -o json');
      expect(draft?.summary).toContain(operator);
      expect(draft?.summary).toContain('GET /a');
    });

    it.each([
      ['request', `${INBOUND} - default`, '"GET /a HTTP/1.1"'],
      ['connection', `${INBOUND} - -`, '"- - -"'],
    ])('takes a %s without SNI at a sidecar for plain text', (_case, tail, request) => {
      const draft = unnamed(tail, 'sidecar', request);
      expect(draft?.summary).toContain('came in plain text');
    });

    it('does not take an address of X-Forwarded-For for the caller', () => {
      const draft = unnamed(
        'inbound|8080|| - 10.0.0.1:8080 10.0.0.2:0 outbound_.80_._.web.shop.svc.cluster.local default',
      );
      expect(draft?.summary).toContain('10.0.0.2 (port 0) is from X-Forwarded-For');
      expect(draft?.commands.confirm.join()).not.toContain('10.0.0.2');
    });
  });

  it('binds to the Service at a waypoint, and leaves the port to it', () => {
    const service = finding({
      ...CART,
      enforcedBy: 'waypoint',
      destination: { ...WEB, service: 'web.shop.svc.cluster.local' },
    });
    const [draft] = allowCaller(service, unknownMesh);
    expect(specOf(draft?.changes[0])).toEqual({
      targetRefs: [{ group: '', kind: 'Service', name: 'web' }],
      action: 'ALLOW',
      rules: [{ from: [{ source: { principals: [CART.principal] } }] }],
    });
  });

  it('puts right an entry with a scheme, which never matched, instead of adding another', () => {
    const view = mesh(
      SHOP +
        allowPolicy(
          'web',
          `{selector: {matchLabels: {app: web}}, rules: [{from: [{source: {principals: [a/ns/b/sa/c, "spiffe://${CART.principal}"]}}]}]}`,
        ),
    );
    // Without an action the whole is tested: that there is none cannot be.
    expect(allowCaller(call, view)[0]?.changes[0]?.jsonPatch).toEqual([
      { op: 'test', path: '/spec', value: view.objectsOf('AuthorizationPolicy')[0]?.raw['spec'] },
      { op: 'replace', path: '/spec/rules/0/from/0/source/principals/1', value: CART.principal },
    ]);
  });

  it('never excuses a caller from a token that a policy asks for', () => {
    const view = mesh(
      SHOP +
        allowPolicy(
          'web',
          '{selector: {matchLabels: {app: web}}, rules: [{from: [{source: {requestPrincipals: ["*"]}}]}]}',
        ),
    );
    const [draft, ...others] = allowCaller({ ...call, enforcedBy: 'sidecar' }, view);
    expect(draft?.summary).toContain('token');
    expect([draft, ...others].flatMap((given) => given?.changes ?? [])).toEqual([]);
  });

  it('lists the methods and paths that were seen, where they are few and mean themselves', () => {
    const rules = (paths: readonly string[]): unknown => {
      const flows = paths.map((path) => flowOf(`"GET ${path} HTTP/1.1"`));
      const [draft] = allowCaller({ ...call, enforcedBy: 'sidecar', flows }, unknownMesh);
      return valueAt(specOf(draft?.changes[0]), 'rules');
    };
    expect(JSON.stringify(rules(['/a?b=c', '/d']))).toContain('"methods":["GET"],"paths":["/a","/d"]');
    expect(rules(['/a*'])).toBeUndefined();
  });

  describe('with requests', () => {
    const drafts = (flows: readonly Flow[]): readonly Draft[] =>
      allowCaller({ ...call, enforcedBy: 'sidecar', flows }, unknownMesh);
    const operations = (draft: Draft | undefined): unknown =>
      valueAt(listOf(valueAt(specOf(draft?.changes[0]), 'rules'))[0], 'to');

    it('does not combine methods and paths anew', () => {
      const [draft] = drafts([flowOf('"POST /api/items HTTP/1.1"'), flowOf('"GET /metrics HTTP/1.1"')]);
      expect(operations(draft)).toEqual([
        { operation: { ports: ['8080'], methods: ['GET'], paths: ['/metrics'] } },
        { operation: { ports: ['8080'], methods: ['POST'], paths: ['/api/items'] } },
      ]);
    });

    it('admits exactly what was seen, whatever that was', () => {
      const pair = fc.tuple(fc.constantFrom('GET', 'POST', 'PUT'), fc.constantFrom('/a', '/b', '/c', '/d'));
      fc.assert(
        fc.property(fc.uniqueArray(pair, { minLength: 1, selector: (one) => one.join(' ') }), (pairs) => {
          const [draft] = drafts(pairs.map(([method, path]) => flowOf(`"${method} ${path} HTTP/1.1"`)));
          const admitted = listOf(operations(draft)).flatMap((entry) =>
            textsOf(valueAt(entry, 'operation', 'methods')).flatMap((method) =>
              textsOf(valueAt(entry, 'operation', 'paths')).map((path) => `${method} ${path}`),
            ),
          );
          expect(admitted.toSorted()).toEqual(pairs.map((one) => one.join(' ')).toSorted());
        }),
        { numRuns: 100 },
      );
    });

    it('asks for the pattern of many paths, and proposes no rule for all of them', () => {
      const many = Array.from({ length: 9 }, (_one, index) => flowOf(`"GET /p${'x'.repeat(index)} HTTP/1.1"`));
      expect(drafts(many).map(({ kind, changes }) => [kind, changes.length])).toEqual([['investigate', 0]]);
    });

    it('admits of paths with ids the one that was seen, and says so', () => {
      const flow = flowOf('"GET /orders/17 HTTP/1.1"', undefined, 3);
      const [sample] = flow.samples;
      if (sample === undefined) throw new Error('no line was kept');
      const other = { ...sample, raw: sample.raw.replace('/orders/17', '/orders/18') };
      const [draft] = drafts([{ ...flow, samples: [sample, other] }]);
      expect(operations(draft)).toEqual([{ operation: { ports: ['8080'], methods: ['GET'], paths: ['/orders/17'] } }]);
      expect(draft?.risk).toContain('only /orders/17 is admitted');
    });
  });

  const WAYPOINT_ONLY = '[{from: [{source: {principals: [cluster.local/ns/shop/sa/waypoint]}}]}]';

  it.each([
    ['with its pods', SHOP, '{app: web}'],
    ['without any pod', '', '{app: web}'],
    ['by labels that nobody knows', '', '{tier: front}'],
  ])('adds nobody beside a waypoint, %s', (_case, objects, labels) => {
    const view = mesh(objects + allowPolicy('web', `{selector: {matchLabels: ${labels}}, rules: ${WAYPOINT_ONLY}}`));
    const drafts = allowCaller(call, view);
    expect(drafts.flatMap(({ changes }) => changes)).toEqual([]);
    expect(drafts[0]?.summary).toContain('use the Service');
  });

  it('uses a policy without selector though no pod is known, rather than guess a label', () => {
    const view = mesh(allowPolicy('all', '{rules: [{from: [{source: {principals: [a/ns/b/sa/c]}}]}]}'));
    const [draft] = allowCaller(call, view);
    expect(draft?.changes[0]?.object.name).toBe('all');
    expect(draft?.risk).toContain('every workload of namespace shop');
  });

  it('says of a policy in the root namespace that it admits to the whole mesh', () => {
    const policy = allowPolicy('all', '{rules: [{from: [{source: {principals: [a/ns/b/sa/c]}}]}]}');
    const [draft] = allowCaller(call, mesh(policy.replace('namespace: shop', 'namespace: istio-system')));
    expect(draft?.risk).toContain('every workload of the mesh');
  });

  it('names policies apart that admit to other ports, or others', () => {
    const names = [
      call,
      { ...call, destination: { ...call.destination, port: 2525 } },
      finding({ principal: 'cluster.local/ns/batch/sa/cart', destination: WEB }),
    ].map((one) => allowCaller(one, unknownMesh)[0]?.changes[0]?.object.name);
    expect(names).toEqual(['allow-cart-to-web-8080', 'allow-cart-to-web-2525', 'allow-batch-cart-to-web-8080']);
  });

  it('does not drop a restriction to HTTP at ztunnel unsaid', () => {
    const rule = `[{from: [{source: {principals: ["${CART.principal}"]}}], to: [{operation: {methods: [GET]}}]}]`;
    const view = mesh(SHOP + allowPolicy('web', `{selector: {matchLabels: {app: web}}, rules: ${rule}}`));
    const [bind, layer4] = allowCaller(call, view);
    expect([bind?.changes, bind?.summary]).toEqual([[], expect.stringContaining('targetRefs to Service shop/web')]);
    expect(layer4?.risk).toContain('The restriction to methods GET (rule 0 of web) is lost');
  });

  it('keeps an entry that is replaced in the object before', () => {
    const wrong = `spiffe://${CART.principal}`;
    const rules = `[{from: [{source: {principals: ["${wrong}"]}}]}]`;
    const view = mesh(SHOP + allowPolicy('web', `{selector: {matchLabels: {app: web}}, rules: ${rules}}`));
    expect(JSON.stringify(allowCaller(call, view)[0]?.changes[0]?.before)).toContain(wrong);
  });

  it('never uses a policy with HTTP fields at ztunnel', () => {
    const view = mesh(
      SHOP +
        allowPolicy(
          'web',
          '{selector: {matchLabels: {app: web}}, rules: [{from: [{source: {principals: [a/ns/b/sa/c]}}], to: [{operation: {methods: [GET]}}]}]}',
        ),
    );
    const [draft] = allowCaller(call, view);
    expect(JSON.stringify(valueAt(specOf(draft?.changes[0]), 'rules'))).toContain('"ports":["8080"]');
  });
});

describe('exceptCaller', () => {
  const named = { kind: 'AuthorizationPolicy', namespace: 'shop', name: 'web' };
  const call = finding({ ...CART, destination: WEB, policies: [named] });
  const deny = (rules: string): MeshView =>
    mesh(SHOP + allowPolicy('web', `{action: DENY, selector: {matchLabels: {app: web}}, rules: ${rules}}`));

  it('sets an exception beside what matched, and says that it needs a decision', () => {
    const [draft] = exceptCaller(call, deny('[{from: [{source: {namespaces: [shop]}}]}]'));
    expect(valueAt(specOf(draft?.changes[0]), 'rules')).toEqual([
      { from: [{ source: { namespaces: ['shop'], notPrincipals: [CART.principal] } }] },
    ]);
    expect(draft?.decision).toContain('denies this caller by what it says');
  });

  it('lets a denial by name stand', () => {
    const [draft] = exceptCaller(call, deny(`[{from: [{source: {principals: ["${CART.principal}"]}}]}]`));
    expect(draft?.kind).toBe('none');
  });

  it('appends to every source that matched, and leaves the others', () => {
    const [draft] = exceptCaller(
      call,
      deny(
        '[{from: [{source: {notPrincipals: [a/ns/b/sa/c]}}, {source: {namespaces: [ops]}}, {source: {notNamespaces: [ops]}}]}]',
      ),
    );
    expect(valueAt(specOf(draft?.changes[0]), 'rules')).toEqual([
      {
        from: [
          { source: { notPrincipals: ['a/ns/b/sa/c', CART.principal] } },
          { source: { namespaces: ['ops'] } },
          { source: { notNamespaces: ['ops'], notPrincipals: [CART.principal] } },
        ],
      },
    ]);
  });

  it('touches no other policy where the one that was named is not among the objects', () => {
    const other = allowPolicy('other', '{action: DENY, rules: [{from: [{source: {namespaces: [shop]}}]}]}');
    const [draft, ...others] = exceptCaller(call, mesh(SHOP + other));
    expect([draft?.kind, draft?.changes, others]).toEqual(['investigate', [], []]);
    expect(draft?.commands.confirm).toEqual(['kubectl -n shop get authorizationpolicy web -o yaml']);
  });

  it('says that an exception in a policy without selector is one for the whole namespace', () => {
    const [draft] = exceptCaller(
      call,
      mesh(SHOP + allowPolicy('web', '{action: DENY, rules: [{from: [{source: {namespaces: [shop]}}]}]}')),
    );
    expect(draft?.risk).toContain('every workload of namespace shop');
  });

  it('asks for an identity that is only not printed', () => {
    const flows = [flowOf('"GET /a HTTP/1.1"', `${INBOUND} outbound_.80_._.web.shop.svc.cluster.local default`)];
    const [draft] = exceptCaller({ ...finding({ destination: WEB, policies: [named] }), flows }, unknownMesh);
    expect(draft?.summary).toContain('notPrincipals of the rule that matched in AuthorizationPolicy shop/web');
  });

  it('says what to do by hand where the policy is not known', () => {
    const [draft] = exceptCaller(call, unknownMesh);
    expect(draft?.kind).toBe('investigate');
    expect(draft?.commands.confirm).toEqual(['kubectl -n shop get authorizationpolicy web -o yaml']);
  });
});

describe('exemptPort', () => {
  const call = finding({ source: { addresses: ['10.0.1.9'] }, destination: WEB });
  const strict = peerAuthentication('default', '{mtls: {mode: STRICT}}', '2025-01-01T00:00:00Z');

  it('enrols first, and excepts the port of the pods only, with a selector', () => {
    const drafts = exemptPort(call, mesh(SHOP + strict));
    const exempt = drafts.at(-1);
    expect(drafts[0]?.kind).toBe('enrol');
    expect(exempt?.changes[0]?.object.name).toBe('web-plaintext-8080');
    expect(specOf(exempt?.changes[0])).toEqual({
      selector: { matchLabels: { app: 'web' } },
      mtls: { mode: 'STRICT' },
      portLevelMtls: { '8080': { mode: 'PERMISSIVE' } },
    });
  });

  it('extends the oldest object that selects the pod', () => {
    const selector = 'selector: {matchLabels: {app: web}}, mtls: {mode: STRICT}';
    const view = mesh(
      SHOP +
        strict +
        peerAuthentication('younger', `{${selector}}`, '2025-03-01T00:00:00Z') +
        peerAuthentication('older', `{${selector}}`, '2025-02-01T00:00:00Z'),
    );
    const change = exemptPort(call, view).at(-1)?.changes[0];
    expect(change?.object.name).toBe('older');
    expect(change?.jsonPatch?.at(-1)).toEqual({
      op: 'add',
      path: '/spec/portLevelMtls',
      value: { '8080': { mode: 'PERMISSIVE' } },
    });
  });

  it('excepts nothing for a caller that is in the mesh', () => {
    const cart = finding({ source: { addresses: ['10.0.0.2'] }, destination: WEB });
    const drafts = exemptPort(cart, mesh(SHOP + strict));
    expect(drafts.map(({ kind, changes }) => [kind, changes.length])).toEqual([['investigate', 0]]);
  });

  it('does not enrol what is no pod', () => {
    const outside = finding({ source: { addresses: ['192.0.2.1'] }, destination: WEB });
    expect(exemptPort(outside, mesh(SHOP + strict)).map(({ kind }) => kind)).toEqual(['policy-change', 'investigate']);
  });
});

describe('openHbonePort', () => {
  const call = finding({ ...CART, source: { ...CART.source, addresses: ['10.0.0.2'] }, destination: WEB });
  const policy = (name: string, spec: string): string =>
    `---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: ${name}, namespace: shop}\nspec: ${spec}\n`;

  it('opens egress at the caller too', () => {
    const view = mesh(
      SHOP +
        policy(
          'in',
          '{podSelector: {matchLabels: {app: web}}, ingress: [{from: [{podSelector: {}}], ports: [{port: http}]}]}',
        ) +
        policy(
          'out',
          '{podSelector: {matchLabels: {app: cart}}, policyTypes: [Egress], egress: [{to: [{podSelector: {matchLabels: {app: web}}}], ports: [{port: 8080}]}]}',
        ),
    );
    const [draft] = openHbonePort(call, view);
    expect(draft?.changes.map(({ object }) => object.name)).toEqual(['in', 'out']);
    expect(valueAt(specOf(draft?.changes[1]), 'egress')).toEqual([
      {
        to: [{ podSelector: { matchLabels: { app: 'web' } } }],
        ports: [
          { protocol: 'TCP', port: 8080 },
          { protocol: 'TCP', port: 15008 },
        ],
      },
    ]);
  });

  it.each([
    ['any NetworkPolicy', SHOP],
    ['the pod of the destination', policy('in', '{podSelector: {}}')],
    ['the pod of the caller', policy('in', '{podSelector: {}}')],
  ])('does not say that nothing stops the tunnel where the objects lack %s', (lacking, objects) => {
    const [draft] = openHbonePort(call, mesh(objects));
    expect(draft?.summary).toContain('was not checked');
    expect(draft?.summary).toContain(lacking);
  });

  it('does nothing where some rule lets the tunnel through already', () => {
    const view = mesh(
      SHOP +
        policy('in', '{podSelector: {}, ingress: [{from: [{podSelector: {}}], ports: [{port: 8080}]}]}') +
        policy('mesh', '{podSelector: {}, ingress: [{ports: [{port: 15000, endPort: 15010}]}]}'),
    );
    expect(openHbonePort(call, view).map(({ kind }) => kind)).toEqual(['investigate']);
  });

  const TO_CART = 'from: [{podSelector: {matchLabels: {app: cart}}}]';
  const TO_OTHERS = 'from: [{podSelector: {matchLabels: {app: x}}}]';

  /** What the AuthorizationPolicy asks for that one of the drafts gives the limit to ports back in. */
  function limitBeside(ingress: string, shop = SHOP): unknown {
    const view = mesh(shop + policy('in', `{podSelector: {matchLabels: {app: web}}, ingress: [${ingress}]}`));
    const changes = openHbonePort(call, view).flatMap((draft) => draft.changes);
    return specOf(changes.find(({ object }) => object.kind === 'AuthorizationPolicy'));
  }

  it('keeps the limit to the ports of all rules, which the tunnel would end', () => {
    const others = `{${TO_OTHERS}, ports: [{port: 9090}, {port: 15008}]}`;
    expect(limitBeside(`{${TO_CART}, ports: [{port: 8080}]}, ${others}`)).toEqual({
      selector: { matchLabels: { app: 'web' } },
      action: 'DENY',
      rules: [{ to: [{ operation: { notPorts: ['8080', '9090'] } }] }],
    });
    expect(limitBeside(`{${TO_CART}, ports: [{port: 8000, endPort: 8100}]}`)).toBeUndefined();
  });

  it.each([
    ['a range', `{${TO_OTHERS}, ports: [{port: 9000, endPort: 9010}]}`],
    ['a port by its name', `{${TO_OTHERS}, ports: [{port: http}]}`],
    ['all ports', `{${TO_OTHERS}}`],
    ['many ports', `{${TO_OTHERS}, ports: [${[1, 2, 3, 4, 5, 6, 7, 8].map((port) => `{port: ${port}}`).join(', ')}]}`],
  ])('has no limit to keep where a rule lets in %s', (_what, others) => {
    expect(limitBeside(`{${TO_CART}, ports: [{port: 8080}]}, ${others}`)).toBeUndefined();
  });

  it('has no limit to keep where no ztunnel would', () => {
    const outside = SHOP.replace('labels: {app: web,', 'labels: {istio.io/dataplane-mode: none, app: web,');
    expect(limitBeside(`{${TO_CART}, ports: [{port: 8080}]}`, outside)).toBeUndefined();
  });

  it('makes no rule for a caller that no rule lets in', () => {
    const view = mesh(
      SHOP + policy('in', '{podSelector: {}, ingress: [{from: [{podSelector: {matchLabels: {app: x}}}]}]}'),
    );
    const drafts = openHbonePort(call, view);
    expect(drafts.flatMap(({ changes }) => changes)).toEqual([]);
    expect(drafts[0]?.summary).toContain('shop/in');
  });
});

describe('showPolicy', () => {
  it('quotes names for a shell', () => {
    const ref = { kind: 'NetworkPolicy', namespace: 'a', name: "x'; rm -rf /" };
    expect(showPolicy(ref)).toBe("kubectl -n a get networkpolicy 'x'\\''; rm -rf /' -o yaml");
  });

  it('shows what a converted policy was made from', () => {
    const ref = { kind: 'AuthorizationPolicy', namespace: 'a', name: 'converted_peer_authentication_db' };
    expect(showPolicy(ref)).toBe('kubectl -n a get peerauthentication db -o yaml');
  });
});

describe.skipIf(!hasShared)(needsShared('scenarios'), () => {
  const fix = (
    id: string,
    builder: keyof typeof BUILDERS,
  ): { drafts: readonly Draft[]; wanted: readonly unknown[] } => {
    const path = shared(`scenarios/${id}.yaml`);
    const scenario = loadScenario(path);
    const view = meshFromScenario(path);
    const drafts = BUILDERS[builder](symptomOf(scenario, view), view);
    return { drafts, wanted: listOf(valueAt(scenario, 'fix', 'change', 'apply')) };
  };
  const specs = (draft: Draft | undefined): unknown[] => draft?.changes.map(specOf) ?? [];
  const wantedSpecs = (wanted: readonly unknown[]): unknown[] => wanted.map((object) => recordOf(object)['spec']);

  it('S01: appends to notPrincipals as the fix does, by the same patch', () => {
    const { drafts, wanted } = fix('S01-deny-notprincipals-missing-source', 'exceptCaller');
    expect(specs(drafts[0])).toEqual(wantedSpecs(wanted));
    expect(drafts[0]?.changes[0]?.jsonPatch?.at(-1)).toEqual({
      op: 'add',
      path: '/spec/rules/0/from/0/source/notPrincipals/-',
      value: 'cluster.local/ns/chatqa/sa/evaluator',
    });
  });

  it('S02: a caller without identity is enrolled, and the other denial is told of', () => {
    const { drafts } = fix('S02-plaintext-source-outside-mesh-two-denies', 'exemptPort');
    expect(drafts[0]?.kind).toBe('enrol');
    expect(drafts[0]?.summary).toContain('cluster.local/ns/batch/sa/reindex');
    expect(drafts.at(-1)?.risk).toContain('edp/edp-redis-master still denies');
  });

  it('S03: adds the tunnel port to the same rule', () => {
    const { drafts, wanted } = fix('S03-networkpolicy-blocks-hbone-15008', 'openHbonePort');
    expect(specs(drafts[0])).toEqual(wantedSpecs(wanted));
  });

  it('S06: moves the exception from the port of the Service to the port of the pod', () => {
    const { drafts, wanted } = fix('S06-port-exception-uses-service-port', 'exemptPort');
    expect(specs(drafts[0])).toEqual(wantedSpecs(wanted));
  });

  it('S13: a denial of everything can be replaced by the list it stands for', () => {
    const { drafts, wanted } = fix('S13-default-deny-probe-is-intended', 'exceptCaller');
    expect(specs(drafts[0])).toEqual(wantedSpecs(wanted));
  });

  it('S16: the clients move to the waypoint, and the pods admit the waypoint only', () => {
    const { drafts, wanted } = fix('S16-waypoint-replaces-source-identity', 'allowCaller');
    expect(specs(drafts[0])).toEqual(wantedSpecs(wanted));
  });

  it('S24: excepts the webhook port by the labels of its pods', () => {
    const { drafts } = fix('S24-knative-webhook-x509-under-mesh-strict', 'exemptPort');
    expect(specs(drafts[0])).toMatchObject([
      { selector: { matchLabels: { app: 'webhook' } }, portLevelMtls: { '8443': { mode: 'PERMISSIVE' } } },
    ]);
  });
});

const name = fc.constantFrom(
  'shop',
  'web',
  'cart',
  'batch',
  'a b',
  "x'y",
  '*',
  '',
  'Ünï',
  '\u001b[31m',
  'x'.repeat(80),
);
const principal = fc.oneof(
  fc.constantFrom(
    'cluster.local/ns/shop/sa/cart',
    'cluster.local/ns/shop/sa/waypoint',
    'cluster.local/ns/batch/sa/report',
  ),
  fc.constantFrom('*', 'cluster.local/ns/shop/*', 'spiffe://cluster.local/ns/a/sa/b', 'odd', ''),
);
const maybe = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | null> => fc.option(value, { freq: 4 });
const anyFinding = fc
  .record({
    principal: maybe(principal),
    sourceName: maybe(name),
    sourceNamespace: maybe(name),
    sourceIp: fc.constantFrom('10.0.0.2', '10.0.1.9', '192.0.2.1', 'nonsense'),
    namespace: maybe(name),
    workload: maybe(name),
    address: maybe(fc.constantFrom('10.0.0.1', '10.96.0.1', 'nonsense')),
    port: maybe(fc.constantFrom(80, 8080, 15008)),
    service: maybe(fc.constantFrom('web.shop.svc.cluster.local', 'x', '..', 'a.b')),
    enforcedBy: fc.constantFrom<EnforcedBy[]>('ztunnel', 'sidecar', 'waypoint', 'gateway', null),
    policy: fc.constantFrom('p0', 'p1', 'p2', 'nothing'),
  })
  .map((part) =>
    finding({
      principal: part.principal,
      source: { workload: part.sourceName, namespace: part.sourceNamespace, addresses: [part.sourceIp] },
      destination: {
        namespace: part.namespace,
        workload: part.workload,
        address: part.address,
        port: part.port,
        service: part.service,
      },
      enforcedBy: part.enforcedBy,
      policies: [{ kind: 'AuthorizationPolicy', namespace: 'shop', name: part.policy }],
    }),
  );

const values = (...texts: string[]): fc.Arbitrary<unknown> =>
  fc.oneof(
    { arbitrary: fc.subarray(texts, { minLength: 1 }), weight: 9 },
    { arbitrary: fc.constantFrom<unknown>(null, 7, []), weight: 1 },
  );
const sourceFields = fc.record(
  {
    principals: values('cluster.local/ns/a/sa/b', 'cluster.local/ns/shop/sa/cart', '*'),
    notPrincipals: values('cluster.local/ns/a/sa/b', 'cluster.local/ns/shop/sa/cart'),
    namespaces: values('shop', 'ops'),
    notNamespaces: values('shop', 'ops'),
    serviceAccounts: values('shop/cart', 'b'),
    ipBlocks: values('10.0.0.0/24', 'nonsense'),
    requestPrincipals: values('*'),
  },
  { requiredKeys: [] },
);
const operationFields = fc.record(
  { ports: values('80', '8080'), methods: values('GET'), paths: values('/a*'), notPorts: values('9090') },
  { requiredKeys: [] },
);
const authorizationSpec = fc.record(
  {
    action: fc.constantFrom('ALLOW', 'DENY', 'AUDIT', 'CUSTOM'),
    selector: fc.constantFrom<unknown>({ matchLabels: { app: 'web' } }, { matchLabels: {} }, {}),
    targetRefs: fc.constantFrom<unknown>(
      [{ kind: 'Service', name: 'web' }],
      [{ kind: 'Gateway', name: 'waypoint', group: 'gateway.networking.k8s.io' }],
    ),
    rules: fc.array(
      fc.record(
        {
          from: fc.array(fc.oneof(fc.record({ source: sourceFields }), fc.constant({})), { maxLength: 2 }),
          to: fc.array(fc.record({ operation: operationFields }), { maxLength: 2 }),
          when: fc.array(
            fc.record(
              {
                key: fc.constantFrom('source.principal', 'destination.port', 'request.headers[x]'),
                values: values('8080', 'a'),
                notValues: values('b'),
              },
              { requiredKeys: ['key'] },
            ),
            { maxLength: 1 },
          ),
        },
        { requiredKeys: [] },
      ),
      { maxLength: 3 },
    ),
  },
  { requiredKeys: ['action'] },
);
const otherObjects = fc.array(
  fc.oneof(
    fc
      .record(
        {
          selector: fc.constantFrom<unknown>({ matchLabels: { app: 'web' } }, {}),
          mtls: fc.constantFrom<unknown>({ mode: 'STRICT' }, { mode: 'PERMISSIVE' }, {}),
          portLevelMtls: fc.constantFrom<unknown>({ 8080: { mode: 'STRICT' } }, { 80: { mode: 'PERMISSIVE' } }, {}),
        },
        { requiredKeys: [] },
      )
      .map((spec) => ({ apiVersion: 'security.istio.io/v1', kind: 'PeerAuthentication', spec })),
    fc
      .record({
        podSelector: fc.constantFrom<unknown>({}, { matchLabels: { app: 'web' } }, null),
        ingress: fc.array(
          fc.record(
            {
              from: fc.constantFrom<unknown>([{ podSelector: {} }], [{ ipBlock: { cidr: '10.0.0.0/8' } }], []),
              ports: fc.constantFrom<unknown>([{ port: 8080 }], [{ port: 'http' }], null),
            },
            { requiredKeys: [] },
          ),
          { maxLength: 2 },
        ),
      })
      .map((spec) => ({ apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', spec })),
  ),
  { maxLength: 4 },
);
const BASE = decodeManifests(SHOP, 'shop.yaml').objects.map(({ raw }) => raw);
const anyMesh = fc
  .tuple(fc.array(authorizationSpec, { maxLength: 3 }), otherObjects, fc.boolean(), fc.boolean())
  .map(([policies, others, pods, known]) => {
    if (!known) return unknownMesh;
    const authorization = policies.map((spec, index) => ({
      apiVersion: 'security.istio.io/v1',
      kind: 'AuthorizationPolicy',
      metadata: { name: `p${index}`, namespace: 'shop', uid: 'u', annotations: { 'a/b': 'c' } },
      spec,
    }));
    const rest = others.map((object, index) => ({ ...object, metadata: { name: `o${index}`, namespace: 'shop' } }));
    return createMesh([...(pods ? BASE : []), ...authorization, ...rest]);
  });

describe('for any finding and any mesh', () => {
  const runs = { numRuns: 400 };
  const all = (call: Finding, view: MeshView): readonly Draft[] =>
    Object.values(BUILDERS).flatMap((build) => build(call, view));

  it('no builder throws or proposes a form that must never be advised', () => {
    fc.assert(
      fc.property(anyFinding, anyMesh, (call, view) => {
        for (const build of Object.values(BUILDERS)) {
          const drafts = build(call, view);
          expect(drafts.length).toBeGreaterThan(0);
          for (const change of drafts.flatMap(({ changes }) => changes)) expect(forbiddenForm(change)).toBeNull();
        }
      }),
      runs,
    );
  });

  it('a caller without identity never gets an edit of an AuthorizationPolicy', () => {
    fc.assert(
      fc.property(anyFinding, anyMesh, (call, view) => {
        const plain = { ...call, source: { ...call.source, identity: null, principal: null } };
        for (const { object } of all(plain, view).flatMap(({ changes }) => changes)) {
          expect(object.kind).not.toBe('AuthorizationPolicy');
        }
      }),
      runs,
    );
  });

  it('a patch applied to the object before gives the object after, and its first operations test', () => {
    fc.assert(
      fc.property(anyFinding, anyMesh, (call, view) => {
        for (const { op, before, after, jsonPatch } of all(call, view).flatMap(({ changes }) => changes)) {
          if (op !== 'patch') continue;
          expect(jsonPatch?.[0]?.op).toBe('test');
          expect(applyPatch(before, jsonPatch ?? [])).toEqual(after);
        }
      }),
      runs,
    );
  });

  it('the roll-back of a patch gives the object before', () => {
    fc.assert(
      fc.property(anyFinding, anyMesh, (call, view) => {
        for (const { changes, commands } of all(call, view)) {
          const [change] = changes;
          const [rollback] = commands.rollback;
          if (changes.length !== 1 || change?.op !== 'patch' || rollback === undefined) continue;
          const quoted = rollback.slice(rollback.indexOf("-p '") + 4, -1).replaceAll("'\\''", "'");
          expect(applyPatch(change.after, JSON.parse(quoted))).toEqual(change.before);
        }
      }),
      runs,
    );
  });

  it('every change can be looked at first, and is tried before it is made', () => {
    fc.assert(
      fc.property(anyFinding, anyMesh, (call, view) => {
        for (const { changes, commands } of all(call, view)) {
          if (changes.length === 0) continue;
          expect(commands.confirm.length).toBeGreaterThan(0);
          expect(commands.confirm.every((command) => / get /.test(command))).toBe(true);
          const [trials, real] = [0, 1].map((half) =>
            commands.apply.slice(half * changes.length, (half + 1) * changes.length),
          );
          expect(trials?.map((command) => command.replace(/ --dry-run=server(?: --warnings-as-errors)?/, ''))).toEqual(
            real,
          );
          expect(trials?.every((command) => command.includes('--dry-run=server'))).toBe(true);
        }
      }),
      runs,
    );
  });

  it('no object of the mesh is changed', () => {
    fc.assert(
      fc.property(anyFinding, anyMesh, (call, view) => {
        const before = JSON.stringify(view.objects.map(({ raw }) => raw));
        all(call, view);
        expect(JSON.stringify(view.objects.map(({ raw }) => raw))).toBe(before);
      }),
      runs,
    );
  });

  it('the printed YAML is the object, without what the server wrote', () => {
    fc.assert(
      fc.property(anyFinding, anyMesh, (call, view) => {
        for (const { yaml, after } of all(call, view).flatMap(({ changes }) => changes)) {
          const printed: unknown = parse(yaml);
          expect(recordOf(printed)['spec']).toEqual(recordOf(after)['spec']);
          expect(valueAt(printed, 'metadata', 'uid')).toBeUndefined();
        }
      }),
      runs,
    );
  });

  it('istiod accepts every object that it accepted before, and every new one', () => {
    fc.assert(
      fc.property(anyFinding, anyMesh, (call, view) => {
        for (const { before, after } of all(call, view).flatMap(({ changes }) => changes)) {
          if (before === null || isValid(before)) expect(isValid(after), JSON.stringify(after)).toBe(true);
        }
      }),
      runs,
    );
  });

  it('what was appended once is not appended again', () => {
    fc.assert(
      fc.property(anyFinding, anyMesh, (call, view) => {
        for (const build of [exceptCaller, openHbonePort, exemptPort]) {
          const patching = build(call, view).find(({ changes }) => changes.some(({ op }) => op === 'patch'));
          if (patching === undefined) continue;
          const names = (drafts: readonly Draft[]): string[] =>
            drafts.flatMap(({ changes }) =>
              changes.filter(({ op }) => op === 'patch').map(({ object }) => object.name),
            );
          const again = names(build(call, meshAfter(view, patching)));
          for (const { object } of patching.changes) expect(again).not.toContain(object.name);
        }
      }),
      runs,
    );
  });
});

/** What ztunnel answers to a call of cart to web, by the policies of a mesh that istiod accepts. */
function ztunnelAnswer(view: MeshView): ZtunnelDecision {
  const valid = view.objects.filter((object) => validateObject(object).valid);
  const policies = valid.flatMap((object) => [decodeAuthorizationPolicy(object), decodePeerAuthentication(object)]);
  const compiled = compileZtunnel(
    policies.flatMap((policy) => (policy.ok ? [policy.value] : [])),
    { rootNamespace: 'istio-system', revision: null, istioVersion: null },
  );
  return compiled.forWorkload({ namespace: 'shop', labels: { app: 'web', 'pod-template-hash': '6d4cf56db6' } }).decide({
    sourceIp: '10.0.0.2',
    identity: parseSpiffeId(`spiffe://${CART.principal}`),
    destinationIp: '10.0.0.1',
    destinationPort: 8080,
  });
}

describe('asked of the policy engine', () => {
  const call = (policies: Finding['policies']): Finding =>
    finding({ ...CART, source: { ...CART.source, addresses: ['10.0.0.2'] }, destination: WEB, policies });
  const source = fc
    .record(
      {
        principals: fc.constantFrom(['cluster.local/ns/a/sa/b'], ['cluster.local/ns/shop/*']),
        notPrincipals: fc.constantFrom(['cluster.local/ns/a/sa/b'], ['*/sa/cart']),
        namespaces: fc.constantFrom(['shop'], ['ops', 'b*']),
        notNamespaces: fc.constantFrom(['shop'], ['ops']),
        ipBlocks: fc.constantFrom(['10.0.0.0/24'], ['10.9.0.0/16']),
        notIpBlocks: fc.constantFrom(['10.0.0.2']),
      },
      { requiredKeys: [] },
    )
    .filter((fields) => Object.keys(fields).length > 0);
  const accounts = fc.constantFrom({ serviceAccounts: ['a/b'] }, { notServiceAccounts: ['a/b', 'c'] });
  const rule = fc.record(
    {
      from: fc.array(fc.record({ source: fc.oneof(source, accounts) }), { minLength: 1, maxLength: 2 }),
      to: fc.constantFrom(
        ...[{ ports: ['8080'] }, { ports: ['9090'] }, { notPorts: ['9090'] }, { methods: ['GET'] }].map((operation) => [
          { operation },
        ]),
      ),
      when: fc.constantFrom(
        [{ key: 'source.principal', values: ['cluster.local/ns/a/sa/b'] }],
        [{ key: 'source.principal', notValues: ['cluster.local/ns/a/sa/b'] }],
        [{ key: 'destination.port', values: ['8080'] }],
        [{ key: 'request.headers[x]', values: ['y'] }],
      ),
    },
    { requiredKeys: ['from'] },
  );
  const policy = fc.record({
    selector: fc.constantFrom({ matchLabels: { app: 'web' } }, undefined, { matchLabels: {} }),
    action: fc.constantFrom('ALLOW', 'DENY'),
    rules: fc.array(rule, { minLength: 1, maxLength: 2 }),
  });
  const decided = fc.array(policy, { minLength: 1, maxLength: 3 }).map((specs) =>
    createMesh([
      ...BASE,
      ...specs.map(({ selector, ...spec }, index) => ({
        apiVersion: 'security.istio.io/v1',
        kind: 'AuthorizationPolicy',
        metadata: { name: `p${index}`, namespace: 'shop' },
        spec: selector === undefined ? spec : { ...spec, selector },
      })),
    ]),
  );

  it('every change that allowCaller proposes at ztunnel admits the caller', () => {
    let judged = 0;
    fc.assert(
      fc.property(decided, (view) => {
        if (!ztunnelAnswer(view).error?.includes('none allowed')) return;
        const drafts = allowCaller(call([]), view);
        judged += 1;
        const changing = drafts.filter(({ changes }) => changes.length > 0);
        expect(changing.length, JSON.stringify(view.objectsOf('AuthorizationPolicy'))).toBeGreaterThan(0);
        for (const draft of changing) expect(ztunnelAnswer(meshAfter(view, draft)).outcome).toBe('allow');
      }),
      { numRuns: 600 },
    );
    expect(judged).toBeGreaterThan(20);
  });

  it('every change that exceptCaller proposes at ztunnel ends all denials', () => {
    let judged = 0;
    fc.assert(
      fc.property(decided, (view) => {
        const [first] = ztunnelAnswer(view).deniedBy;
        if (first?.source?.kind !== 'AuthorizationPolicy') return;
        for (const draft of exceptCaller(call([first.source]), view)) {
          judged += draft.changes.length;
          if (draft.kind !== 'none') expect(ztunnelAnswer(meshAfter(view, draft)).deniedBy).toEqual([]);
        }
      }),
      { numRuns: 600 },
    );
    expect(judged).toBeGreaterThan(20);
  });
});

function isValid(object: unknown): boolean {
  const decoded = decodeKubeObject(object, { file: '', document: 0 });
  return typeof decoded !== 'string' && validateObject(decoded).valid;
}

describe('forbiddenForm', () => {
  const change = (kind: string, after: object, before: object | null = null): ObjectChange => ({
    op: before === null ? 'create' : 'patch',
    object: { apiVersion: 'v1', kind, namespace: 'a', name: 'b' },
    before: before === null ? null : recordOf(before),
    after: recordOf(after),
    jsonPatch: null,
    yaml: '',
    file: null,
    diff: null,
  });
  const cases: readonly (readonly [string | null, ObjectChange])[] = [
    [
      'principal-not-exact',
      change('AuthorizationPolicy', {
        spec: { rules: [{ from: [{ source: { principals: ['spiffe://c/ns/a/sa/b'] } }] }] },
      }),
    ],
    [
      'principal-not-exact',
      change('AuthorizationPolicy', { spec: { rules: [{ from: [{ source: { notPrincipals: ['c/ns/a/*'] } }] }] } }),
    ],
    ['plaintext-for-all', change('PeerAuthentication', { spec: { mtls: { mode: 'PERMISSIVE' } } })],
    [
      'port-mode-without-selector',
      change('PeerAuthentication', { spec: { portLevelMtls: { 80: { mode: 'PERMISSIVE' } } } }),
    ],
    [
      'network-rule-without-peers',
      change(
        'NetworkPolicy',
        { spec: { ingress: [{ ports: [{ port: 15008 }] }] } },
        { spec: { ingress: [{ from: [{}], ports: [] }] } },
      ),
    ],
    ['leaves-mesh', change('Namespace', { metadata: { labels: { 'istio.io/dataplane-mode': 'none' } } })],
    ['allows-everybody', change('AuthorizationPolicy', { spec: { rules: [{}] } })],
    [
      'allows-everybody',
      change('AuthorizationPolicy', { spec: { rules: [{ from: [{ source: { namespaces: ['*'] } }] }] } }),
    ],
    [
      'operation-for-everybody',
      change('AuthorizationPolicy', {
        spec: { rules: [{ from: [{ source: { ipBlocks: ['0.0.0.0/0'] } }], to: [{ operation: { ports: ['80'] } }] }] },
      }),
    ],
    [
      'operation-for-everybody',
      change('AuthorizationPolicy', { spec: { rules: [{ to: [{ operation: { paths: ['/metrics'] } }] }] } }),
    ],
    [
      'trusts-header',
      change('AuthorizationPolicy', { spec: { rules: [{ when: [{ key: 'request.headers[x]', values: ['y'] }] }] } }),
    ],
    [
      'protection-removed',
      change(
        'AuthorizationPolicy',
        { spec: { action: 'CUSTOM', rules: [{ to: [{ operation: { notPaths: ['/v1*'] } }] }] } },
        { spec: { action: 'CUSTOM', rules: [{ to: [{ operation: { notPaths: [] } }] }] } },
      ),
    ],
    ['protection-removed', { ...change('AuthorizationPolicy', {}), op: 'delete', after: null }],
    [
      'mutual-tls-for-all-hosts',
      change('DestinationRule', { spec: { host: '*.local', trafficPolicy: { tls: { mode: 'ISTIO_MUTUAL' } } } }),
    ],
    ['egress-to-all', change('Sidecar', { spec: { egress: [{ hosts: ['*/*'] }] } })],
    ['captures-all-hosts', change('VirtualService', { spec: { hosts: ['*'] } })],
    ['ignores-webhook-failure', change('ValidatingWebhookConfiguration', { webhooks: [{ failurePolicy: 'Ignore' }] })],
    [null, change('AuthorizationPolicy', { spec: { action: 'DENY', rules: [{}] } })],
    [
      null,
      change('AuthorizationPolicy', { spec: { rules: [{ from: [{ source: { principals: ['c/ns/a/sa/b'] } }] }] } }),
    ],
  ];
  it.each(cases)('is %s', (form, given) => {
    expect(forbiddenForm(given)).toBe(form);
  });

  it('holds a form against a change only if the object did not have it before', () => {
    const open = { spec: { mtls: { mode: 'PERMISSIVE' } } };
    expect(forbiddenForm(change('PeerAuthentication', open, open))).toBeNull();
  });
});

describe('step', () => {
  it('is a draft without changes', () => {
    expect(step('investigate', 'look', { confirm: ['true'] })).toEqual({
      kind: 'investigate',
      summary: 'look',
      risk: null,
      decision: null,
      changes: [],
      commands: { confirm: ['true'], apply: [], verify: [], rollback: [] },
    });
  });
});
