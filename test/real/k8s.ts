import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, copyFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cached } from './cache.ts';
import { type Cluster, startCluster } from './cluster.ts';
import { buildGo, fetchGoModule, type GoModule } from './go.ts';

const KUBERNETES = '1.35.4';
const ETCD = '3.6.16';

const GATEWAY_API: GoModule = {
  path: 'sigs.k8s.io/gateway-api',
  version: '1.6.3',
  sum: 'h1:lKpJa5bGlraC/QeACvCpsHLdmO6y0iKfzVl6gzaFEYc=',
};

/** The releases whose API is asked, the newest first. What is printed must be good for the older one too. */
const ISTIO: readonly GoModule[] = [
  { path: 'istio.io/api', version: '1.31.1', sum: 'h1:5Yb5ihcz4YQsCkciusK7DnFpBMwRB6EFWeUKH1Atuyk=' },
  { path: 'istio.io/api', version: '1.24.2', sum: 'h1:jYjcN6Iq0RPtQj/3KMFsybxmfqmjGN/dxhL7FGJEdIM=' },
];

/** Runs the tests against one API server with the definitions of each release. False: one failed. */
export async function runKubernetes(): Promise<boolean> {
  const kubernetes = cached('kubernetes', KUBERNETES, buildKubernetes);
  const etcd = cached('etcd', ETCD, buildEtcd);
  const gateway = cached('gateway-api-crds', GATEWAY_API.version, (folder) => {
    copyDefinitions(GATEWAY_API, join('config', 'crd', 'standard'), folder);
  });
  const clusters: Cluster[] = [];
  try {
    for (const release of ISTIO) {
      const istio = cached('istio-crds', release.version, (folder) => copyDefinitions(release, 'kubernetes', folder));
      const cluster = await startCluster({ kubernetes, etcd, definitions: [...filesIn(istio), ...filesIn(gateway)] });
      clusters.push(cluster);
      process.stdout.write(`Istio ${release.version}: ${cluster.told}\n`);
    }
    return await runTests(clusters, kubernetes);
  } finally {
    await Promise.all(clusters.map(({ stop }) => stop()));
  }
}

/** The tests find the newest release by KUBECONFIG. */
async function runTests([newest, older]: readonly Cluster[], programs: string): Promise<boolean> {
  const spec = fileURLToPath(new URL('k8s.spec.ts', import.meta.url));
  const child = spawn(process.execPath, ['--import', 'tsx', '--test-reporter=dot', spec], {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: {
      ...process.env,
      KUBECONFIG: newest?.kubeconfig,
      MESHMEND_REAL_OLDER_KUBECONFIG: older?.kubeconfig,
      HOME: newest?.home,
      PATH: `${programs}:${process.env['PATH']}`,
    },
  });
  const kill = (): boolean => child.kill();
  process.on('exit', kill);
  const [code] = await once(child, 'exit');
  process.off('exit', kill);
  return code === 0;
}

/** Without the flags kubectl and the server call themselves v0.0.0-master. */
function buildKubernetes(folder: string): void {
  const version = 'k8s.io/component-base/version';
  const [major, minor] = KUBERNETES.split('.');
  const told = { gitVersion: `v${KUBERNETES}`, gitMajor: major, gitMinor: minor };
  const flags = Object.entries(told).map(([name, value]) => `-X ${version}.${name}=${value}`);
  for (const program of ['kube-apiserver', 'kubectl']) {
    buildGo('k8s', `k8s.io/kubernetes/cmd/${program}`, ['-s -w', ...flags].join(' '), join(folder, program));
  }
}

function buildEtcd(folder: string): void {
  buildGo('etcd', 'go.etcd.io/etcd/server/v3', '-s -w', join(folder, 'etcd'));
}

function copyDefinitions(module: GoModule, within: string, folder: string): void {
  const from = join(fetchGoModule(module, folder), within);
  for (const file of readdirSync(from).filter((name) => name.endsWith('.yaml') && !isAdmission(name))) {
    copyFileSync(join(from, file), join(folder, file));
    // Files of the module cache are read-only.
    chmodSync(join(folder, file), 0o644);
  }
}

/** Policies about the definitions themselves, which are no definitions. */
function isAdmission(name: string): boolean {
  return name.includes('_vap_');
}

function filesIn(folder: string): readonly string[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.yaml'))
    .map((name) => join(folder, name));
}
