import type { Rule } from '../src/model/finding.ts';
import { step } from '../src/remedy/edits/index.ts';

/** A NACK: Envoy refused an xDS update. */
export const rule: Rule = {
  meta: {
    id: 'envoy-config-rejected',
    category: 'platform',
    level: 'error',
    title: 'The proxy rejected the configuration of istiod',
    page: {
      meaning:
        'Envoy refused an update and goes on with what it had, or without that listener at all: an EnvoyFilter that does not fit, a policy field the proxy does not know, or a conflict of ports.',
      printedBy:
        'Envoy (gRPC config … rejected), istio-agent (config received, but was rejected) and istiod (ACK ERROR).',
      confirm: [
        'istioctl proxy-status | grep -v SYNCED # confirmed if the proxy shows STALE or an error',
        'kubectl get envoyfilters -A',
        'istioctl analyze -A',
      ],
      change:
        'The message names the resource and the reason: correct the EnvoyFilter, policy or Gateway it was made from.',
      never: 'Do not ignore it: from then on no change reaches that proxy.',
    },
    cites: [
      'envoy 1.37 source/extensions/config_subscription/grpc/grpc_subscription_impl.cc',
      'istio 86c9f01f pilot/pkg/xds/ads.go',
      'istio/istio#50658',
    ],
  },
  on: ['envoy/diagnostic', 'istio-agent/diagnostic', 'istiod/diagnostic'],
  match({ record }) {
    if (record.kind !== 'diagnostic') return null;
    const [, reason] = REJECTED.exec(record.message) ?? [];
    if (reason === undefined) return null;
    const what = reason.trim();
    return {
      certainty: 'certain',
      cause: `The proxy rejected a configuration update and works on with the old one: ${what === '' ? record.message : what}.`,
      intended: 'no',
      subject: [what.slice(0, 200)],
    };
  },
  propose() {
    return [
      step('investigate', 'Correct the object that the message names, then see that the proxy takes the update.', {
        confirm: ['istioctl analyze -A', 'kubectl get envoyfilters -A'],
        verify: ['istioctl proxy-status'],
      }),
    ];
  },
};

const REJECTED = /(?:gRPC config for \S+ (?:update )?rejected:|, but was rejected:|ACK ERROR[^:]*:?)([^\n]*)/;
