import { execFileSync } from 'node:child_process';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Access, KubeClient } from './kube-client.ts';
import { freePorts, type Running, start, untilReady } from './processes.ts';

/** Programs and definitions that a cluster is made of: folders and files. */
export interface ClusterParts {
  readonly kubernetes: string;
  readonly etcd: string;
  readonly definitions: readonly string[];
}

/** An API server without nodes and controllers. */
export interface Cluster {
  readonly kubeconfig: string;
  /** A home folder for kubectl, so that it neither reads nor writes the caller's. */
  readonly home: string;
  /** One line that tells what listens where. */
  readonly told: string;
  stop(): Promise<void>;
}

/** Generous: the machine may be busy. On an idle one both are ready after three seconds. */
const READY_LIMIT_MS = 60_000;

/**
 * Starts etcd and kube-apiserver on loopback, with a new data folder, and gives them the definitions of custom resources.
 * Throws where one of them does not become ready; nothing is left running then.
 */
export async function startCluster(parts: ClusterParts): Promise<Cluster> {
  const folder = mkdtempSync(join(tmpdir(), 'meshmend-real-'));
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  process.on('exit', remove);
  const running: Running[] = [];
  // The API server first: it waits for etcd when it ends.
  const stop = async (): Promise<void> => {
    for (const server of running.toReversed()) await server.stop();
    process.off('exit', remove);
    remove();
  };
  try {
    const [client = 0, peer = 0, secure = 0] = await freePorts(3);
    running.push(startEtcd(parts.etcd, folder, client, peer));
    const access = accessTo(folder, secure);
    const server = startApiServer(parts.kubernetes, folder, client, secure, access.token);
    running.push(server);
    await untilReady(server, () => isReady(access), READY_LIMIT_MS);
    const kubeconfig = writeKubeconfig(folder, access);
    const home = join(folder, 'home');
    mkdirSync(home);
    install(parts, kubeconfig, home);
    return { kubeconfig, home, told: `etcd on 127.0.0.1:${client}, kube-apiserver on 127.0.0.1:${secure}`, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function startEtcd(programs: string, folder: string, client: number, peer: number): Running {
  const [clientUrl, peerUrl] = [`http://127.0.0.1:${client}`, `http://127.0.0.1:${peer}`];
  const args = {
    'data-dir': join(folder, 'etcd'),
    'listen-client-urls': clientUrl,
    'advertise-client-urls': clientUrl,
    'listen-peer-urls': peerUrl,
    'initial-advertise-peer-urls': peerUrl,
    'initial-cluster': `default=${peerUrl}`,
  };
  return start('etcd', join(programs, 'etcd'), flagsOf(args), join(folder, 'etcd.log'));
}

function startApiServer(programs: string, folder: string, etcd: number, port: number, token: string): Running {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  const write = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text, { mode: 0o600 });
    return join(folder, name);
  };
  const args = {
    'bind-address': '127.0.0.1',
    'secure-port': String(port),
    'etcd-servers': `http://127.0.0.1:${etcd}`,
    'cert-dir': join(folder, 'cert'),
    'service-account-issuer': 'https://kubernetes.default.svc',
    'service-account-key-file': write('sa.pub', publicKey),
    'service-account-signing-key-file': write('sa.key', privateKey),
    'token-auth-file': write('tokens.csv', `${token},admin,u1,"system:masters"\n`),
    'authorization-mode': 'RBAC',
    // No controller makes the service accounts that it asks for.
    'disable-admission-plugins': 'ServiceAccount',
    'service-cluster-ip-range': '10.96.0.0/16',
    'endpoint-reconciler-type': 'none',
  };
  return start('kube-apiserver', join(programs, 'kube-apiserver'), flagsOf(args), join(folder, 'apiserver.log'));
}

function flagsOf(args: Readonly<Record<string, string>>): readonly string[] {
  return Object.entries(args).map(([name, value]) => `--${name}=${value}`);
}

/** The server writes its own certificate, for the address and not for `localhost`. */
function accessTo(folder: string, port: number): Access {
  return {
    url: `https://127.0.0.1:${port}`,
    caFile: join(folder, 'cert', 'apiserver.crt'),
    token: randomBytes(16).toString('hex'),
  };
}

async function isReady(access: Access): Promise<boolean> {
  if (!existsSync(access.caFile)) return false;
  const answer = await new KubeClient(access).send('GET', '/readyz').catch(() => null);
  return answer?.status === 200;
}

/** A kubeconfig in JSON, which is YAML too. */
function writeKubeconfig(folder: string, { url, caFile, token }: Access): string {
  const path = join(folder, 'kubeconfig');
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'real', cluster: { server: url, 'certificate-authority': caFile } }],
    users: [{ name: 'admin', user: { token } }],
    contexts: [{ name: 'real', context: { cluster: 'real', user: 'admin' } }],
    'current-context': 'real',
  };
  writeFileSync(path, JSON.stringify(config), { mode: 0o600 });
  return path;
}

function install({ kubernetes, definitions }: ClusterParts, kubeconfig: string, home: string): void {
  const env = { PATH: process.env['PATH'], KUBECONFIG: kubeconfig, HOME: home };
  const kubectl = (...args: readonly string[]): void => {
    execFileSync(join(kubernetes, 'kubectl'), args, { env, stdio: ['ignore', 'ignore', 'pipe'] });
  };
  kubectl('create', ...definitions.flatMap((file) => ['-f', file]));
  kubectl('wait', '--for=condition=Established', 'crd', '--all', '--timeout=30s');
}
