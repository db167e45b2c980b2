import type { Finding } from '../../model/finding.ts';
import type { MeshView } from '../../model/mesh.ts';
import type { Draft, Wishes } from '../../model/remedy.ts';
import { actionOf } from '../../policy/action.ts';
import { parsePeerIp } from '../../policy/match-ip.ts';
import { parseCaller } from '../../text/caller-id.ts';
import { shellWord } from '../../text/shell.ts';
import { identityOf, principalOf } from '../../text/spiffe.ts';
import { callerName } from '../edits/caller.ts';
import { ownAddresses } from '../edits/caller-proof.ts';
import { withDeducedCaller } from '../edits/deduced-caller.ts';
import { sourcePods } from '../edits/destination.ts';
import { sameData } from '../edits/json-patch.ts';
import { showPolicy } from '../edits/kubectl.ts';
import { principalParts } from '../edits/names.ts';
import { step } from '../edits/step.ts';

/**
 * The drafts that may be printed. Where a denial looks wanted, or a draft takes back what a DENY policy says, changes need
 * the operator's word that the caller is legitimate (`--allow-caller`): without it one step stands in their place, first,
 * that says why nothing is printed and how to ask for it.
 */
export function withhold(drafts: readonly Draft[], finding: Finding, wishes: Wishes, mesh: MeshView): readonly Draft[] {
  const kept = drafts.filter((draft) => !needsWord(draft, finding, wishes, mesh));
  const [held] = drafts.filter((draft) => !kept.includes(draft));
  return held === undefined ? drafts : [askForWord(held, kept, finding, mesh), ...kept];
}

/** Whether a draft makes a change, or gives commands that make one, for a caller of whom the operator has to say that it is legitimate. */
export function needsWord(draft: Draft, finding: Finding, { allowCallers }: Wishes, mesh: MeshView): boolean {
  const isHeld = makesChange(draft) && (looksWanted(finding) || takesBack(draft, mesh));
  return isHeld && !allowCallers.some((id) => namesCaller(id, finding, mesh));
}

function makesChange({ changes, commands }: Draft): boolean {
  return changes.length > 0 || commands.apply.length > 0;
}

/** A denial by policy that somebody wanted. Notes need no change. */
function looksWanted({ category, intended, level }: Finding): boolean {
  const isDenial = (category === 'authorization' || category === 'mutual-tls') && level !== 'note';
  return isDenial && (intended === 'yes' || intended === 'likely');
}

/** An exception from a DENY policy, perhaps behind the one that refused, that its owner has to decide on. */
function takesBack({ decision, changes }: Draft, mesh: MeshView): boolean {
  return decision !== null && changes.some(({ object }) => actionOf(object, mesh) === 'DENY');
}

function askForWord(held: Draft, kept: readonly Draft[], finding: Finding, mesh: MeshView): Draft {
  const what = kept.some(makesChange) ? 'A further change is held back' : 'No change is printed';
  const id = callerId(finding, mesh);
  const parts = id === null ? null : principalParts(id);
  const because = looksWanted(finding) ? finding.intendedBecause : held.decision;
  const ask =
    id === null
      ? 'Find out who called; if that is legitimate, run again with --allow-caller and its identity or address.'
      : `If ${callerName(finding)} is legitimate, run again with --allow-caller ${shellWord(id)}.`;
  const own =
    parts?.serviceAccount === 'default'
      ? 'Better, give its workload a service account of its own first: an identity that stands for it alone can be admitted without the others.'
      : null;
  return step(
    'none',
    [`${what}, as this denial looks wanted.`, because, ask, own].filter((part) => part !== null).join(' '),
    { confirm: [...lookAtPolicies(finding), ...(own === null ? [] : [whoShares(parts?.namespace ?? '')])] },
  );
}

/**
 * Whether an id as operators give it (see `parseCaller`) names the caller of a finding: by the identity it has proven, by
 * the account of the pods that called, or by its own address. Never by an address that only was forwarded.
 */
export function namesCaller(id: string, finding: Finding, mesh: MeshView): boolean {
  const named = parseCaller(id);
  if (named === null) return false;
  const address = parsePeerIp(named);
  if (address !== null) return ownAddresses(finding).some((own) => sameData(parsePeerIp(own), address));
  return principalsOf(finding, mesh).some((principal) => {
    const parts = principalParts(principal);
    return named === principal || (parts !== null && named === `${parts.namespace}/${parts.serviceAccount}`);
  });
}

/** What the caller is known as, or would be if it were in the mesh. */
function principalsOf(finding: Finding, mesh: MeshView): readonly string[] {
  const { principal } = finding.source;
  if (principal !== null) return [principal];
  return sourcePods(finding, mesh).map(({ namespace, serviceAccount }) =>
    principalOf(identityOf(mesh.trustDomain, namespace, serviceAccount)),
  );
}

/** The id to name the caller by; null: nothing about it is known. */
function callerId(finding: Finding, mesh: MeshView): string | null {
  const { source } = withDeducedCaller(finding, mesh) ?? finding;
  const [address = null] = ownAddresses(finding);
  return [source.principal, address].find((id) => id !== null && parseCaller(id) !== null) ?? null;
}

function lookAtPolicies({ policies, destination }: Finding): readonly string[] {
  if (policies.length > 0) return policies.map(showPolicy);
  const place = destination.namespace === null ? '--all-namespaces' : `-n ${shellWord(destination.namespace)}`;
  return [`kubectl ${place} get authorizationpolicies -o yaml`];
}

function whoShares(namespace: string): string {
  return `kubectl -n ${shellWord(namespace)} get pods -o custom-columns=POD:.metadata.name,ACCOUNT:.spec.serviceAccountName`;
}
