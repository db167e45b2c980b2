import type { AuthorizationPolicy, PolicySource } from '../../model/policy.ts';

/** A value of a policy that names callers, and the keys from the object to it. */
export interface NamedCaller {
  readonly at: readonly (string | number)[];
  readonly value: string;
  /** It stands in a list of those who are not meant. */
  readonly negated: boolean;
}

type Sort = 'principal' | 'namespace' | 'serviceAccount';

/** Fields of `source` and key of `when` for each sort of name. */
const PLACES: Readonly<Record<Sort, { readonly fields: readonly (keyof PolicySource)[]; readonly key: string }>> = {
  principal: { fields: ['principals', 'notPrincipals'], key: 'source.principal' },
  namespace: { fields: ['namespaces', 'notNamespaces'], key: 'source.namespace' },
  serviceAccount: { fields: ['serviceAccounts', 'notServiceAccounts'], key: 'source.serviceAccount' },
};

/** Every place in a policy where callers are named by principal, namespace or service account. */
export function entriesNaming({ rules }: AuthorizationPolicy, sort: Sort): readonly NamedCaller[] {
  const { fields, key } = PLACES[sort];
  return rules.flatMap(({ from, when }, rule) => {
    const bySource = from.flatMap((source, index) =>
      fields.flatMap((field) =>
        entries(
          source?.[field] ?? [],
          ['spec', 'rules', rule, 'from', index, 'source', field],
          field.startsWith('not'),
        ),
      ),
    );
    const byCondition = when.flatMap((condition, index) => {
      if (condition.key !== key) return [];
      const at = ['spec', 'rules', rule, 'when', index];
      return [
        ...entries(condition.values, [...at, 'values'], false),
        ...entries(condition.notValues, [...at, 'notValues'], true),
      ];
    });
    return [...bySource, ...byCondition];
  });
}

function entries(values: readonly string[], at: NamedCaller['at'], negated: boolean): readonly NamedCaller[] {
  return values.map((value, index) => ({ at: [...at, index], value, negated }));
}
