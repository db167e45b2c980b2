import type { MeshView } from '../model/mesh.ts';
import type { Draft, ObjectChange, Remedy, Verification } from '../model/remedy.ts';
import type { StaticMatch } from '../model/static.ts';
import { validateForApply } from '../policy/validate.ts';
import { forbiddenForm } from '../remedy/edits/index.ts';
import { reachOf } from '../remedy/reach/reach.ts';
import { withDiffs } from '../remedy/splice/splice.ts';
import { decodeKubeObject } from '../text/kube-object.ts';

/** Alternatives told per finding. */
const MAX_REMEDIES = 3;

/** What becomes of the drafts of one match: remedies, best first, and why others are not told. */
export interface StaticRemedies {
  readonly remedies: readonly Remedy[];
  readonly problems: readonly string[];
}

/**
 * Makes remedies of a match's drafts. A change that must never be advised, or that an API server would refuse, is dropped and
 * said. No traffic is known, so none is ever `verified`.
 */
export function remediesOf(match: StaticMatch, mesh: MeshView): StaticRemedies {
  const problems: string[] = [];
  const remedies = (match.drafts ?? []).flatMap((draft) => {
    const wrong = faultOf(draft);
    if (wrong !== null) problems.push(wrong);
    return wrong === null ? [remedyOf(draft, mesh)] : [];
  });
  return { remedies: remedies.slice(0, MAX_REMEDIES), problems };
}

function remedyOf(draft: Draft, mesh: MeshView): Remedy {
  const changes = withDiffs(draft.changes, mesh);
  return { ...draft, changes, verification: notReplayed(changes), reach: reachOf(draft, mesh) };
}

function notReplayed(changes: readonly ObjectChange[]): Verification {
  const reason =
    changes.length === 0
      ? 'there is no change of an object to check: these are steps to take'
      : 'manifests alone show no traffic: meshmend analyze with the logs replays it';
  return {
    status: 'unverifiable',
    reason,
    fixes: { of: 0, fixed: 0 },
    newlyAllows: [],
    newlyDenies: [],
    probes: [],
  };
}

/** Why a draft is not told; null: nothing is wrong with it. */
function faultOf(draft: Draft): string | null {
  for (const change of draft.changes) {
    const form = forbiddenForm(change);
    if (form !== null) return `proposed what must never be advised (${form}); dropped`;
    // Where the object is refused as it is, that is no fault of the change.
    const refusal = refusalOf(change.before) === null ? refusalOf(change.after) : null;
    if (refusal !== null) return `proposed what an API server would refuse (${refusal}); dropped`;
  }
  return null;
}

/** Why an API server refuses an object; null: it does not, or there is none. */
function refusalOf(raw: ObjectChange['after']): string | null {
  const object = raw === null ? null : decodeKubeObject(raw, { file: '', document: 0 });
  if (object === null || typeof object === 'string') return object;
  const { valid, errors } = validateForApply(object);
  return valid ? null : (errors[0] ?? 'it is not valid');
}
