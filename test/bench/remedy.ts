import { createMesh } from '../../src/mesh/view.ts';
import type { MeshView } from '../../src/model/mesh.ts';
import { analysisOf, SOME_TIME } from '../analysis.ts';

const NAMESPACES = 100;
const POLICIES = 10;
const PODS = 20;
const FINDINGS = 1000;

/** Judging and proving many findings: 1,000 refused callers in a mesh of 1,000 policies and 2,000 pods. */
export function benchRemedies(): void {
  const mesh = bigMesh();
  const analysis = analysisOf(mesh);
  for (let line = 1; line <= FINDINGS * 2; line++) {
    const text = line <= FINDINGS ? refused(line - 1) : worked(line - 1);
    analysis.feed({ at: { input: 'bench.log', line }, text, truncated: false });
  }
  const [start, began] = [process.cpuUsage(), performance.now()];
  const { findings } = analysis.report(SOME_TIME, false);
  const wall = (performance.now() - began) / 1e3;
  const { user, system } = process.cpuUsage(start);
  const verified = findings.filter(({ remedies }) => remedies[0]?.verification.status === 'verified').length;
  console.log('\nremedies, judged and proved in a mesh of 1,000 policies and 2,000 pods');
  console.log(
    `  ${findings.length} findings, ${verified} with a verified change: ${wall.toFixed(2)} s, ${((user + system) / 1e6).toFixed(2)} s of all threads`,
  );
}

function bigMesh(): MeshView {
  const objects = Array.from({ length: NAMESPACES }, (_, space) => [
    {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: `ns-${space}`, labels: { 'istio.io/dataplane-mode': 'ambient' } },
    },
    ...Array.from({ length: PODS }, (_pod, index) => podNumber(space, index)),
    ...Array.from({ length: POLICIES }, (_policy, index) => policyNumber(space, index)),
  ]);
  return createMesh(objects.flat());
}

function podNumber(space: number, index: number): object {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: `app-${index}`, namespace: `ns-${space}`, labels: { app: `app-${index}` } },
    spec: { serviceAccountName: `app-${index}`, containers: [{ name: 'app', ports: [{ containerPort: 8080 }] }] },
    status: { podIP: `10.${space}.0.${index + 1}` },
  };
}

/** One ALLOW policy for each of ten workloads; it knows three callers of the same namespace. */
function policyNumber(space: number, index: number): object {
  return {
    apiVersion: 'security.istio.io/v1',
    kind: 'AuthorizationPolicy',
    metadata: { name: `callers-${index}`, namespace: `ns-${space}` },
    spec: {
      selector: { matchLabels: { app: `app-${index}` } },
      rules: [
        {
          from: [
            { source: { principals: [1, 2, 3].map((step) => `cluster.local/ns/ns-${space}/sa/app-${index + step}`) } },
          ],
          to: [{ operation: { ports: ['8080'] } }],
        },
      ],
    },
  };
}

function refused(index: number): string {
  return line(
    index,
    10,
    'error',
    ' error="connection closed due to policy rejection: allow policies exist, but none allowed"',
  );
}

function worked(index: number): string {
  return line(index, 1, 'info', '');
}

/** A call within a namespace, to the workload `index % 10`, from the workload `step` further. */
function line(index: number, step: number, level: string, tail: string): string {
  const space = Math.floor(index / POLICIES) % NAMESPACES;
  const to = index % POLICIES;
  const from = to + step;
  const identity = (workload: number): string => `spiffe://cluster.local/ns/ns-${space}/sa/app-${workload}`;
  return `2026-01-02T03:04:05.000000Z\t${level}\taccess\tconnection complete\tsrc.addr=10.${space}.0.${from + 1}:40000 src.workload="app-${from}" src.namespace="ns-${space}" src.identity="${identity(from)}" dst.addr=10.${space}.0.${to + 1}:15008 dst.hbone_addr=10.${space}.0.${to + 1}:8080 dst.workload="app-${to}" dst.namespace="ns-${space}" dst.identity="${identity(to)}" direction="inbound" bytes_sent=0 bytes_recv=0 duration="0ms"${tail}`;
}
