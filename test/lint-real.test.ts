import { readdirSync, readFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { staticRules } from '../rules/static/index.ts';
import { lintMesh } from '../src/lint/lint.ts';
import { deployed } from '../src/mesh/deployed.ts';
import { readMesh } from '../src/mesh/read.ts';
import { createMesh } from '../src/mesh/view.ts';
import type { MeshView } from '../src/model/mesh.ts';
import type { Report, ReportedFinding } from '../src/model/report.ts';
import { listOf, recordOf, textMapOf, textOf, valueAt } from '../src/text/untyped.ts';
import { SOME_TIME } from './analysis.ts';
import { loadScenario, meshFromScenario } from './scenario.ts';
import { hasShared, needsShared, shared } from './shared.ts';

/** Rules that tell what a kind of finding by hand is about; null: why none is told. */
const KINDS: Readonly<Record<string, readonly string[]>> = {
  L7_ON_SELECTOR_ALLOW: ['policy-allow-dropped-at-ztunnel'],
  L7_ON_SELECTOR_DENY: ['policy-deny-dead-at-ztunnel', 'policy-deny-widened-at-ztunnel'],
  NP_PORTS_WITHOUT_15008: ['network-hbone-omitted'],
  ALLOW_WITHOUT_FROM: ['allow-source-missing', 'probe-paths-public', 'header-unproved', 'allow-everything'],
  DISABLE_MODE: ['peer-disable-at-ztunnel'],
  CLIENT_TLS_DISABLE: ['client-tls-fixed', 'client-tls-contradicted'],
  WILDCARD_ISTIO_MUTUAL: ['client-tls-fixed', 'client-tls-contradicted'],
  NAMESPACE_OR_MESH_PERMISSIVE: ['peer-mode-open'],
  NAMESPACE_OR_MESH_DISABLE: ['peer-mode-open'],
  MATCH_ALL_RULE: ['allow-everything'],
  EGRESS_PRUNED: ['egress-pruned'],
  ALLOW_NOTHING: ['allow-nothing'],
  POSSIBLE_OR_DASH: ['policy-rule-split'],
  DENY_BY_NAMESPACE: ['deny-identity-escaped'],
  PRINCIPAL_STAR: ['principal-any'],
  DEFAULT_WITH_SELECTOR: ['peer-default-selective'],
  MESH_WIDE: ['policy-mesh-wide'],
  ROOTNS_SELECTOR: ['peer-selector-in-root'],
  PORTLEVEL_WITHOUT_SELECTOR: ['object-refused'],
};
/** Found by hand and told by lint, at least: the rest is in files that are templates or no manifests, and in policies of dry-run. */
const MUST_FIND = 0.9;
/** Errors and warnings on all these objects, at most, beside manifests that are invalid on purpose: each was looked at. */
const MUST_BE_QUIET = 40;

describe.skipIf(!hasShared)(needsShared('lint on policies that people wrote'), () => {
  const root = shared('policies/');
  const byFile = new Map<string, Report>();
  const reportOn = (file: string): Report => {
    const known = byFile.get(file) ?? lint(meshOf([`${root}${file}`]));
    byFile.set(file, known);
    return known;
  };
  const files = hasShared
    ? readdirSync(root, { recursive: true, encoding: 'utf8' })
        .filter((file) => /\.ya?ml/.test(file))
        .sort()
    : [];
  const byHand = hasShared ? readFileSync(`${root}findings.jsonl`, 'utf8').trim().split('\n').map(parseHand) : [];
  const lines: string[] = [];
  afterAll(() => console.log(lines.join('\n')));

  it('finds what was found by hand', () => {
    const missedIn: string[] = [];
    let found = 0;
    for (const [kind, rules] of Object.entries(KINDS)) {
      const own = byHand.filter((hand) => hand.finding === kind);
      const missed = own.filter((hand) => !reportOn(hand.file).findings.some((each) => tells(each, hand, rules)));
      const told = files.flatMap((file) =>
        reportOn(file)
          .findings.filter(({ ruleId }) => rules.includes(ruleId))
          .map((each) => ({ file, each })),
      );
      const extra = told.filter(
        ({ file, each }) => !byHand.some((hand) => hand.file === file && tells(each, hand, rules)),
      );
      found += own.length - missed.length;
      missedIn.push(...missed.map((hand) => `${kind} ${hand.file} ${hand.name}`));
      lines.push(
        `${kind.padEnd(30)} found ${String(own.length - missed.length).padStart(3)}  missed ${String(missed.length).padStart(3)}  extra ${String(extra.length).padStart(3)}`,
      );
    }
    lines.push(...missedIn.map((line) => `missed ${line}`));
    expect(byHand.filter(({ finding }) => !(finding in KINDS))).toEqual([]);
    expect(found / byHand.length).toBeGreaterThan(MUST_FIND);
  });

  it('raises few errors and warnings', () => {
    const invalid = (file: string): boolean => file.endsWith('-invalid.yaml');
    const raised = files
      .filter((file) => !invalid(file))
      .flatMap((file) =>
        loud(reportOn(file)).map(({ level, ruleId, policies: [ref] }) => `${level} ${ruleId} ${file} ${ref?.name}`),
      );
    lines.push(`errors and warnings: ${raised.length}`, ...raised);
    expect(raised.length).toBeLessThanOrEqual(MUST_BE_QUIET);
    for (const file of files)
      expect(reportOn(file).problems.filter(({ about }) => about.startsWith('rule'))).toEqual([]);
  });
});

/** What must be told of an incident that no log line shows, and about which policy. */
const SILENT: Readonly<Record<string, readonly [string, string]>> = {
  S07: ['peer-default-selective', 'vdb/default'],
  S12: ['policy-selector-missed', 'auth/keycloak-postgresql'],
  S21: ['knative-isolation-bypassed', 'user1/allow-serving-tests'],
};

describe.skipIf(!hasShared)(needsShared('lint on incidents'), () => {
  const names = hasShared ? readdirSync(shared('scenarios')).map((file) => file.replace(/\.yaml$/, '')) : [];
  const told = names.map((name) => {
    const path = shared(`scenarios/${name}.yaml`);
    return { name, path, scenario: loadScenario(path), report: lint(meshFromScenario(path)) };
  });

  it.each(told.filter(({ name }) => name.slice(0, 3) in SILENT))(
    '$name: the cause is named, with the right change',
    ({ name, scenario, report }) => {
      const [ruleId, policy] = SILENT[name.slice(0, 3)] ?? [];
      const finding = report.findings.find((each) => each.ruleId === ruleId);
      const [ref] = finding?.policies ?? [];
      expect(`${ref?.namespace}/${ref?.name}`).toBe(policy);
      const wanted = listOf(valueAt(scenario, 'fix', 'change', 'apply'));
      const changes = finding?.remedies[0]?.changes ?? [];
      const specs = changes.map(({ after }) => after?.['spec']);
      expect(changes.length).toBe(wanted.length);
      for (const object of wanted) expect(specs).toContainEqual(valueAt(object, 'spec'));
    },
  );

  it.each(told)('$name: quiet once it is put right', ({ path, scenario }) => {
    expect(loud(lint(meshAfter(path, scenario))).map(({ ruleId, cause }) => `${ruleId} ${cause}`)).toEqual([]);
  });

  it.each(told)('$name: no wrong fix is printed', ({ scenario, report }) => {
    const remedies = report.findings.flatMap((finding) => finding.remedies).filter(({ changes }) => changes.length > 0);
    for (const wrong of listOf(scenario['wrong_fixes'])) {
      const objects = listOf(valueAt(wrong, 'change', 'apply'));
      const same = remedies.filter(
        ({ changes }) =>
          changes.length === objects.length &&
          changes.every(({ after }) =>
            objects.some((object) => isDeepStrictEqual(valueAt(object, 'spec'), after?.['spec'])),
          ),
      );
      expect(
        same.map(({ summary }) => summary),
        textOf(valueAt(wrong, 'what')) ?? '',
      ).toEqual([]);
    }
  });
});

interface Hand {
  readonly file: string;
  readonly kind: string;
  readonly namespace: string | null;
  readonly name: string;
  readonly finding: string;
}

function parseHand(line: string): Hand {
  const { file, kind, namespace, name, finding } = textMapOf(JSON.parse(line));
  return { file: file ?? '', kind: kind ?? '', namespace: namespace ?? null, name: name ?? '', finding: finding ?? '' };
}

function tells({ ruleId, policies: [ref] }: ReportedFinding, hand: Hand, rules: readonly string[]): boolean {
  return rules.includes(ruleId) && ref?.kind === hand.kind && ref.name === hand.name;
}

function loud({ findings }: Report): readonly ReportedFinding[] {
  return findings.filter(({ level }) => level !== 'note');
}

function lint(mesh: MeshView): Report {
  const tool = { name: 'meshmend', version: 'test' };
  return lintMesh({ rules: staticRules, mesh, tool, generatedAt: SOME_TIME, problems: [] });
}

function meshOf(paths: readonly string[]): MeshView {
  const { objects, sources, texts } = readMesh(paths);
  return createMesh(deployed(objects), { sources, texts });
}

/** The mesh of a scenario after its own fix: objects applied, deleted, and labels of namespaces and pods. */
function meshAfter(path: string, scenario: Readonly<Record<string, unknown>>): MeshView {
  const { objects } = meshFromScenario(path);
  const change = recordOf(valueAt(scenario, 'fix', 'change'));
  const named = [
    ...listOf(change['apply']).map((object) => ({ ...recordOf(object), ...recordOf(valueAt(object, 'metadata')) })),
    ...listOf(change['delete']),
  ];
  const isReplaced = (kind: string, namespace: string, name: string): boolean =>
    named
      .map(textMapOf)
      .some((one) => one['kind'] === kind && one['name'] === name && (one['namespace'] ?? '') === namespace);
  const kept = objects
    .filter(({ kind, metadata }) => !isReplaced(kind, metadata.namespace, metadata.name))
    .map(({ raw }) => labelled(raw, listOf(change['cluster'])));
  return createMesh([...kept, ...listOf(change['apply'])]);
}

function labelled(raw: Readonly<Record<string, unknown>>, changes: readonly unknown[]): unknown {
  const { namespace = '', name = '' } = textMapOf(raw['metadata']);
  const own = raw['kind'] === 'Namespace' ? ['namespace', name] : ['pod', `${namespace}/${name}`];
  const labels = changes.flatMap((change) =>
    textOf(valueAt(change, own[0] ?? '')) === own[1] ? Object.entries(textMapOf(valueAt(change, 'labels'))) : [],
  );
  if (labels.length === 0) return raw;
  const metadata = recordOf(raw['metadata']);
  return {
    ...raw,
    metadata: { ...metadata, labels: { ...recordOf(metadata['labels']), ...Object.fromEntries(labels) } },
  };
}
