import type { Finding } from '../../model/finding.ts';
import type { MeshView } from '../../model/mesh.ts';
import type { Draft, Wishes } from '../../model/remedy.ts';
import { forbiddenForm } from '../edits/index.ts';
import { hasPortModeWithoutEffect } from './port-modes.ts';
import { needsWord } from './withhold.ts';
import {
  type Advice,
  admitsWaypointForAll,
  answersDenyWithAllow,
  asksForUncheckedToken,
  asksZtunnelForHttp,
  changesPoliciesWithoutRefusal,
  namesIdentityOfNobody,
  setsApartWhatBelongsTogether,
} from './wrong-advice.ts';

/** A kind of advice that is wrong. */
interface WrongAdvice {
  /** A word for it. */
  readonly id: string;
  /** Its number in the catalogue of what must never be advised. */
  readonly number: `N-${number}`;
  /** Why, one sentence without a period. */
  readonly why: string;
  /** Absent: one change alone shows it (`forbiddenForm` answers the id). */
  readonly given?: (advice: Advice) => boolean;
}

/** Every kind of advice that must never be given, whatever asked for it. */
export const NEVER: readonly WrongAdvice[] = [
  {
    id: 'allow-against-deny',
    number: 'N-01',
    why: 'DENY is asked first, so the ALLOW changes nothing for the caller and locks out everybody else',
    given: answersDenyWithAllow,
  },
  { id: 'principal-not-exact', number: 'N-02', why: 'a star admits others, and a scheme never matches' },
  {
    id: 'principal-for-nobody',
    number: 'N-03',
    why: 'a caller that proved no identity never matches a principal',
    given: namesIdentityOfNobody,
  },
  { id: 'plaintext-for-all', number: 'N-04', why: 'plain text would be open at all ports of all workloads' },
  { id: 'port-mode-without-selector', number: 'N-05', why: 'modes of single ports need a selector' },
  {
    id: 'port-mode-without-effect',
    number: 'N-05',
    why: 'modes of ports count by the port of the pod, and in the oldest object for a pod only',
    given: ({ draft, mesh }) => draft.changes.some((change) => hasPortModeWithoutEffect(change, mesh)),
  },
  { id: 'network-rule-without-peers', number: 'N-06', why: 'the outer barrier would be lost' },
  { id: 'leaves-mesh', number: 'N-07', why: 'outside the mesh nothing is enforced any more' },
  { id: 'allows-everybody', number: 'N-08', why: 'it ends all isolation' },
  { id: 'operation-for-everybody', number: 'N-09', why: 'what is named would be public' },
  {
    id: 'http-at-ztunnel',
    number: 'N-10',
    why: 'ztunnel drops ALLOW rules with HTTP fields, and takes these fields out of DENY rules',
    given: asksZtunnelForHttp,
  },
  {
    id: 'token-without-check',
    number: 'N-11',
    why: 'where no RequestAuthentication checks tokens, no request has a principal of one',
    given: asksForUncheckedToken,
  },
  { id: 'trusts-header', number: 'N-12', why: 'everybody can send a header' },
  { id: 'protection-removed', number: 'N-13', why: 'what the policy guards would be open to everybody' },
  { id: 'token-check-removed', number: 'N-14', why: 'any text in place of a token would pass' },
  { id: 'mutual-tls-for-all-hosts', number: 'N-15', why: 'destinations without a proxy could not be called any more' },
  { id: 'mixed-protocols', number: 'N-16', why: 'one port serves one protocol, and the other clients would fail' },
  {
    id: 'sources-apart',
    number: 'N-17',
    why: 'entries of a list are alternatives: one of them alone would suffice',
    given: setsApartWhatBelongsTogether,
  },
  { id: 'egress-to-all', number: 'N-18', why: 'it undoes the limit for every workload' },
  { id: 'captures-all-hosts', number: 'N-19', why: 'it takes the traffic of others' },
  { id: 'ignores-webhook-failure', number: 'N-20', why: 'objects would not be validated any more' },
  {
    id: 'intended-denial',
    number: 'N-21',
    why: 'the denial looks wanted, and nobody said that the caller is legitimate',
    given: ({ draft, finding, mesh, wishes }) => needsWord(draft, finding, wishes, mesh),
  },
  {
    id: 'policy-without-refusal',
    number: 'N-22',
    why: 'no policy refused anything here',
    given: changesPoliciesWithoutRefusal,
  },
  {
    id: 'waypoint-for-everybody',
    number: 'N-23',
    why: 'everybody who comes through the waypoint would pass',
    given: admitsWaypointForAll,
  },
];

/**
 * What is wrong with the advice of a draft, as `id: reason`, whoever proposed it; null: nothing that is known. The draft may
 * be any. The finding is the one that it answers. Never throws.
 */
export function forbiddenAdvice(draft: Draft, finding: Finding, mesh: MeshView, wishes: Wishes): string | null {
  const advice: Advice = { draft, finding, mesh, wishes };
  const forms = new Set(draft.changes.map(forbiddenForm));
  const wrong = NEVER.find(({ id, given }) => (given === undefined ? forms.has(id) : given(advice)));
  return wrong === undefined ? null : `${wrong.id}: ${wrong.why}`;
}
