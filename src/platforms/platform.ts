/** A party of a flow: which workloads are meant. Every part that is given has to fit. */
export interface Party {
  /** In a sentence: `the activator`. */
  readonly title: string;
  /** Namespaces it runs in; null: any. */
  readonly namespaces: readonly string[] | null;
  /** Names of its workload or values of the labels that name it; null: any. */
  readonly names: RegExp | null;
  /** Service accounts it runs as, which tell it where no name is known; null: the account tells nothing. */
  readonly accounts: readonly string[] | null;
}

/**
 * Callers that are no workload of the mesh and so have no identity in it: the kube-apiserver at webhooks, the kubelet at
 * probes and hooks.
 */
export type Outsider = 'kube-apiserver' | 'kubelet';

/** A call that has to be possible for a platform to work. */
export interface ExpectedFlow {
  /** kebab-case, unique over all platforms. */
  readonly id: string;
  readonly from: Party | Outsider;
  readonly to: Party;
  /** Ports of the pods that are called; empty: any. */
  readonly ports: readonly number[];
  /** Paths that are its own, to the letter; null: whatever is asked. */
  readonly paths: readonly string[] | null;
  /** What it is, to follow `This is `; no period. */
  readonly purpose: string;
  /** What does not work without it, one sentence. */
  readonly without: string;
  /** The narrowest thing that admits it, in words, no period. */
  readonly exception: string;
  /**
   * What to know of it where the caller passes on the calls of others: whom nothing behind it can tell apart. One or two
   * sentences; null: it calls for itself.
   */
  readonly forwards: string | null;
}

/** A name, default or text that changed, so that older pages and policies mislead. */
export interface Changed {
  /** What it is about, a few words. */
  readonly about: string;
  readonly was: string;
  readonly is: string;
  /** Release or year; null: not known. */
  readonly since: string | null;
}

/**
 * Where the policies of a platform's own repository lie. Patterns are for the end of a path and capture the folder before it
 * (with its slash, or nothing) and the namespace.
 */
export interface FileLayout {
  /** A kind of object, the files that hold those of one namespace, and the name of such a file behind its folder. */
  readonly homes: readonly { readonly kind: string; readonly pattern: RegExp; readonly file: string }[];
  /** The file that is applied to every namespace that has none of its own, with what it holds. Captures the folder. */
  readonly shared: { readonly kind: string; readonly pattern: RegExp };
}

/** What is known of a system that runs on Istio. Facts in our own words; where each is from stands in `cites`. */
export interface Platform {
  /** kebab-case, equal to the file name. */
  readonly id: string;
  readonly title: string;
  readonly flows: readonly ExpectedFlow[];
  /** What can and what cannot be isolated in it, and traps, one sentence each. */
  readonly notes: readonly string[];
  readonly changed: readonly Changed[];
  readonly layout: FileLayout | null;
  readonly cites: readonly string[];
}
