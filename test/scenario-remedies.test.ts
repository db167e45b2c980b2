import { describe, expect, it } from 'vitest';
import type { Remedy, Wishes } from '../src/model/remedy.ts';
import { valueAt } from '../src/text/untyped.ts';
import { reportOn } from './analysis.ts';
import { loadScenario, meshFromScenario, scenarioLines } from './scenario.ts';
import { runScenario } from './scenario-run.ts';

function pathOf(name: string): string {
  return `fixtures/scenarios/${name}.yaml`;
}

function remediesIn(name: string): readonly Remedy[] {
  return runScenario(pathOf(name)).report.findings[0]?.remedies ?? [];
}

describe('a name in a list of callers that nobody has', () => {
  it('is replaced by the one that was most likely meant, as an alternative with its price', () => {
    const [, replaced] = remediesIn('N01-account-name-mistyped');
    expect(replaced?.verification.status).toBe('verified');
    expect(replaced?.summary).toContain('in place of cluster.local/ns/shop/sa/wbe');
    expect(replaced?.risk).toContain('is admitted no more');
    expect(replaced?.changes[0]?.jsonPatch?.filter(({ op }) => op !== 'test')).toEqual([
      { op: 'replace', path: '/spec/rules/0/from/0/source/principals/0', value: 'cluster.local/ns/shop/sa/web' },
    ]);
  });

  it('is replaced where only the trust domain is not the one of the mesh', () => {
    const summaries = remediesIn('N12-trust-domain-changed').map(({ summary }) => summary);
    expect(summaries.some((summary) => summary.includes('in place of old.example/ns/shop/sa/web'))).toBe(true);
  });

  it('stays where it is quite another name', () => {
    const summaries = remediesIn('N05-account-renamed').map(({ summary }) => summary);
    expect(summaries.filter((summary) => summary.includes('in place of'))).toEqual([]);
  });
});

describe('a tunnel that NetworkPolicies stop', () => {
  it('is opened for the caller alone where the rule is for everybody', () => {
    const [best] = remediesIn('N13-networkpolicy-for-everybody');
    const rules = valueAt(best?.changes[0]?.after, 'spec', 'ingress');
    expect(rules).toEqual([
      { ports: [{ port: 8080, protocol: 'TCP' }] },
      { from: [{ podSelector: { matchLabels: { app: 'web' } } }], ports: [{ protocol: 'TCP', port: 15008 }] },
    ]);
  });

  it('keeps its limit to ports, at the first place because it opens less', () => {
    const [limited, plain] = remediesIn('N07-networkpolicies-of-both-ends');
    expect(valueAt(limited?.changes[2]?.after, 'spec')).toEqual({
      selector: { matchLabels: { app: 'api' } },
      action: 'DENY',
      rules: [{ to: [{ operation: { notPorts: ['8080'] } }] }],
    });
    const opened = (remedy: Remedy | undefined): readonly string[] => remedy?.verification.newlyAllows ?? [];
    expect(opened(limited).length).toBeLessThan(opened(plain).length);
    for (const tuple of opened(limited)) expect(opened(plain)).toContain(tuple);
  });
});

describe('a pod that opts out of the mesh by its own label', () => {
  it('is taken in again before a port is opened for plain text', () => {
    const [best, second] = remediesIn('N09-opted-out-pod-under-strict');
    expect(best?.kind).toBe('enrol');
    expect(best?.risk).toContain('istio.io/dataplane-mode=none');
    expect(second?.changes[0]?.object.kind).toBe('PeerAuthentication');
  });
});

describe('requests that no rule can list', () => {
  const path = pathOf('N14-path-missing-at-sidecar');
  const [line = ''] = scenarioLines(loadScenario(path));

  function reportFor(paths: readonly string[], wishes: Partial<Wishes>) {
    const log = `${paths.map((each) => line.replace('/v2/items', each)).join('\n')}\n`;
    return reportOn({ log }, meshFromScenario(path), wishes);
  }

  const many = Array.from('abcdefghijkl', (letter) => `/v2/${letter.repeat(4)}/price`);

  it('are a question unless templates are asked for', () => {
    const [finding] = reportFor(many, {}).findings;
    expect(finding?.remedies.flatMap(({ changes }) => changes)).toEqual([]);
    expect(finding?.remedies[0]?.summary).toContain('which pattern of paths');
  });

  it('get the templates that they have in common', () => {
    const { findings, problems } = reportFor(many, { widen: 'path-template' });
    const [best] = findings[0]?.remedies ?? [];
    expect(best?.verification.status).toBe('verified');
    expect(best?.summary).toContain('GET /v2/{*}/price');
    expect(problems.filter(({ about }) => about.startsWith('--widen'))).toEqual([]);
  });

  it('stay a question where they have none in common, and the report says so', () => {
    const odd = Array.from('abcdefghijkl', (letter) => `/${letter.repeat(4)}`);
    const { findings, problems } = reportFor(odd, { widen: 'path-template' });
    expect(findings[0]?.remedies.flatMap(({ changes }) => changes)).toEqual([]);
    expect(problems.find(({ about }) => about.startsWith('--widen'))?.message).toContain('too little in common');
  });
});
