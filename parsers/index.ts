import type { Parser } from '../src/model/record.ts';
import { agentgatewayText } from './agentgateway/text.ts';
import { envoyAppLog } from './envoy/app-log.ts';
import { envoyFragment } from './envoy/fragment.ts';
import { envoyJson } from './envoy/json.ts';
import { envoyKeyValue } from './envoy/key-value.ts';
import { defaultTextParsers } from './envoy/text.ts';
import { kserveText } from './kserve/text.ts';
import { kubeflowScript } from './kubeflow/script.ts';
import { platformIstiod } from './platform/istiod.ts';
import { platformProbe } from './platform/probe.ts';
import { platformSandbox } from './platform/sandbox.ts';
import { platformWebhook } from './platform/webhook.ts';
import { ztunnelExit } from './ztunnel/exit.ts';
import { ztunnelFragment } from './ztunnel/fragment.ts';
import { ztunnelJson } from './ztunnel/json.ts';
import { ztunnelLegacy } from './ztunnel/legacy.ts';
import { ztunnelText } from './ztunnel/text.ts';

export { wrappings } from './envelopes/index.ts';
export { type GivenFormat, inferFormat, ownFormatsParser } from './envoy/index.ts';

/** All log formats in the order they are tried: exact ones first, what is left of a pasted line last. */
export const parsers: readonly Parser[] = [
  ztunnelText,
  ztunnelJson,
  ...defaultTextParsers,
  envoyJson,
  agentgatewayText,
  envoyKeyValue,
  envoyAppLog,
  ztunnelLegacy,
  platformProbe,
  platformSandbox,
  platformWebhook,
  platformIstiod,
  kserveText,
  kubeflowScript,
  ztunnelExit,
  ztunnelFragment,
  envoyFragment,
];
