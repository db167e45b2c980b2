import { enterpriseRag } from './enterprise-rag.ts';
import { knative } from './knative.ts';
import { kserve } from './kserve.ts';
import { kubeflow } from './kubeflow.ts';
import type { Platform } from './platform.ts';

/** All platforms, sorted by id. */
export const platforms: readonly Platform[] = [enterpriseRag, knative, kserve, kubeflow];
