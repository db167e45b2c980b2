import type { Party, Platform } from './platform.ts';

const SYSTEM = ['kserve', 'kubeflow', 'opendatahub', 'redhat-ods-applications'];

const controller: Party = {
  title: "KServe's controller",
  namespaces: SYSTEM,
  names: /^(?:kserve-controller-manager|llmisvc-controller-manager|kserve-localmodel-controller-manager)$/,
  accounts: null,
};
const component = (title: string, names: RegExp): Party => ({ title, namespaces: null, names, accounts: null });
const predictor = component('a predictor', /-predictor(?:-default)?(?:-\d{5})?(?:-deployment)?$/);
const transformer = component('a transformer', /-transformer(?:-default)?(?:-\d{5})?(?:-deployment)?$/);
const explainer = component('an explainer', /-explainer(?:-default)?(?:-\d{5})?(?:-deployment)?$/);

/** Ports of queue-proxy in Knative mode, and of model servers in Standard mode. */
const SERVING = [8012, 8013, 8112, 8080, 9000];

/** KServe, in Knative and in Standard mode. */
export const kserve: Platform = {
  id: 'kserve',
  title: 'KServe',
  flows: [
    {
      id: 'kserve-webhook',
      from: 'kube-apiserver',
      to: controller,
      ports: [9443],
      paths: null,
      purpose:
        "the kube-apiserver, which asks KServe's webhook before it stores an InferenceService or starts its pods",
      without: 'Without it no InferenceService can be created, and its pods do not start.',
      exception:
        'a PeerAuthentication with the selector control-plane: kserve-controller-manager and portLevelMtls PERMISSIVE for 9443',
      forwards: null,
    },
    {
      id: 'kserve-transformer-to-predictor',
      from: transformer,
      to: predictor,
      ports: SERVING,
      paths: null,
      purpose: 'a transformer of KServe, which sends what it prepared to its predictor',
      without: 'Without it the InferenceService answers no prediction.',
      exception: 'the identity of the transformer, at the predictor of the same InferenceService',
      forwards: null,
    },
    {
      id: 'kserve-explainer-to-predictor',
      from: explainer,
      to: predictor,
      ports: SERVING,
      paths: null,
      purpose: 'an explainer of KServe, which asks its predictor',
      without: 'Without it the InferenceService answers no :explain request.',
      exception: 'the identity of the explainer, at the predictor of the same InferenceService',
      forwards: null,
    },
  ],
  notes: [
    'The VirtualService that KServe makes for each InferenceService leads through the local gateway: policies then see the gateway and not the caller. disableIstioVirtualHost: true takes it away for the whole cluster, and clients then call the host of the component (NAME-predictor).',
    'Clients outside of a STRICT mesh need a gateway with a listener of their own (kserve-local-gateway, port 8082), and disable-gateway-port-translation on its Service.',
    'Settings in key ingress of ConfigMap inferenceservice-config are one JSON text: add keys to it, and keep the others (the controller does not start without ingressGateway).',
    'TLS of a cluster-local gateway needs its Secret in the namespace of the gateway pods.',
    'An init container has no sidecar before it: with Istio CNI the storage initializer runs as the user of the sidecar, or downloads time out.',
  ],
  changed: [
    {
      about: 'names of components',
      was: 'NAME-predictor-default',
      is: 'NAME-predictor (also in the label serving.knative.dev/service)',
      since: '2023-04',
    },
    {
      about: 'deployment modes',
      was: 'Serverless, RawDeployment',
      is: 'Knative, Standard (the old words are still taken)',
      since: '0.16',
    },
    {
      about: 'sidecar of an InferenceService',
      was: 'annotation sidecar.istio.io/inject',
      is: 'label sidecar.istio.io/inject, which Istio reads first',
      since: null,
    },
    {
      about: 'a cluster without the VirtualService kind',
      was: 'passed over in silence',
      is: 'event VirtualServiceCRDNotFound',
      since: null,
    },
  ],
  layout: null,
  cites: [
    'kserve/kserve pkg/constants/constants.go',
    'kserve/kserve pkg/controller/v1beta1/inferenceservice/controller.go',
    'kserve/website docs/admin-guide/serverless/servicemesh',
    'kserve/kserve#3737',
    'kserve/kserve#2508',
  ],
};
