import type { Party, Platform } from './platform.ts';

const SYSTEM = ['knative-serving'];

const activator: Party = {
  title: 'the activator',
  namespaces: SYSTEM,
  names: /^activator$/,
  // The second is that of older releases, which it shares with the autoscaler.
  accounts: ['activator', 'controller'],
};
const autoscaler: Party = {
  title: 'the autoscaler',
  namespaces: SYSTEM,
  names: /^autoscaler$/,
  accounts: ['controller'],
};
const ingressController: Party = {
  title: "net-istio's controller",
  namespaces: SYSTEM,
  names: /^(?:net-istio-controller|networking-istio)$/,
  accounts: ['controller'],
};
const webhook: Party = {
  title: "Knative's webhook",
  namespaces: SYSTEM,
  names: /^(?:webhook|net-istio-webhook|istio-webhook|domainmapping-webhook|net-certmanager-webhook)$/,
  accounts: null,
};
/** Pods of revisions are named after their Deployment, `REVISION-deployment`; revisions end in a number of five digits. */
const revision: Party = {
  title: 'queue-proxy of a revision',
  namespaces: null,
  names: /-\d{5}(?:-deployment)?$/,
  accounts: null,
};
const gateway: Party = {
  title: "the gateway of Knative's routes",
  namespaces: null,
  names: /^(?:istio-ingressgateway|knative-local-gateway|cluster-local-gateway)$/,
  accounts: ['istio-ingressgateway-service-account', 'istio-ingressgateway', 'cluster-local-gateway-service-account'],
};

/** Ports of queue-proxy that take requests: HTTP/1, HTTP/2, TLS. */
const QUEUE = [8012, 8013, 8112];

const BEHIND_ACTIVATOR =
  'Behind the activator nothing in Istio can tell who asked: every request comes under its identity, so a rule that admits it for all paths admits whoever can call it, from any namespace. Only with the annotation autoscaling.knative.dev/targetBurstCapacity: "0", and a minimum scale of 1 or more, does it stay off the way, so that policies see the real caller.';

/** Knative Serving with net-istio. */
export const knative: Platform = {
  id: 'knative',
  title: 'Knative Serving',
  flows: [
    {
      id: 'knative-activator-probe',
      from: activator,
      to: revision,
      ports: QUEUE,
      paths: ['/healthz'],
      purpose: "Knative's activator, which probes a revision before it sends requests there",
      without: 'Without it the activator holds all requests until they time out.',
      exception: 'the identity of the activator, GET /healthz',
      forwards: null,
    },
    {
      id: 'knative-activator-forward',
      from: activator,
      to: revision,
      ports: QUEUE,
      paths: null,
      purpose: "Knative's activator, which passes on requests of others to a revision",
      without:
        'Without it the revision answers no request while it is scaled to zero or its burst capacity is used up.',
      exception: 'the identity of the activator, at the port of queue-proxy of this one service',
      forwards: BEHIND_ACTIVATOR,
    },
    {
      id: 'knative-scrape',
      from: autoscaler,
      to: revision,
      ports: [9090],
      paths: ['/metrics'],
      purpose: "Knative's autoscaler, which reads the load of a revision from queue-proxy",
      without: 'Without it the revision is not scaled.',
      exception: 'the identity of the autoscaler, GET /metrics on port 9090',
      forwards: null,
    },
    {
      id: 'knative-autoscaler-probe',
      from: autoscaler,
      to: activator,
      ports: QUEUE,
      paths: ['/healthz'],
      purpose:
        "Knative's autoscaler, which makes sure that the activator is on the way before it scales a revision to zero",
      without: 'Without it revisions that nobody calls are not scaled to zero.',
      exception: 'the identity of the autoscaler, GET /healthz at the port of the activator',
      forwards: null,
    },
    {
      id: 'knative-user-metrics',
      from: { title: 'Prometheus', namespaces: null, names: /prometheus/, accounts: null },
      to: revision,
      ports: [9091],
      paths: ['/metrics'],
      purpose: 'Prometheus, which reads the request metrics of queue-proxy',
      without: 'Without it dashboards of the revision stay empty; requests are not touched.',
      exception: 'the identity of Prometheus, GET /metrics on port 9091',
      forwards: null,
    },
    {
      id: 'knative-drain',
      from: 'kubelet',
      to: revision,
      ports: [8022],
      paths: ['/wait-for-drain'],
      purpose: 'the kubelet, which runs the hook of queue-proxy that waits for open requests before the pod stops',
      without: 'Without it requests are cut when a pod of the revision stops.',
      exception: 'the port 8022 in plaintext, or probes that the sidecar rewrites',
      forwards: null,
    },
    {
      id: 'knative-statistics',
      from: activator,
      to: autoscaler,
      ports: [8080],
      paths: null,
      purpose: "Knative's activator, which tells the autoscaler how many requests wait",
      without: 'Without it nothing is scaled up from zero.',
      exception: 'the identity of the activator, at port 8080 of the autoscaler',
      forwards: null,
    },
    {
      id: 'knative-gateway-to-activator',
      from: gateway,
      to: activator,
      ports: [8012, 8013, 8112],
      paths: null,
      purpose: 'the gateway, which sends requests for a revision to the activator',
      without: 'Without it services that are scaled to zero do not answer from outside.',
      exception: 'the identity of the gateway, at port 8012 of the activator',
      forwards: 'The gateway passes on the requests of its clients: who they are is for its own policies to check.',
    },
    {
      id: 'knative-client-to-activator',
      from: { title: 'a client of the mesh', namespaces: null, names: null, accounts: null },
      to: activator,
      ports: [8012, 8013, 8112],
      paths: null,
      purpose: 'a client of the mesh, whose sidecar sends requests for a revision to the activator itself',
      without: 'Without it services are not reached while the activator is on the way.',
      exception: 'port 8012 of the activator for the namespaces of the clients, in NetworkPolicies too',
      forwards: BEHIND_ACTIVATOR,
    },
    {
      id: 'knative-gateway-to-revision',
      from: gateway,
      to: revision,
      ports: QUEUE,
      paths: null,
      purpose: 'the gateway, which sends requests straight to a revision',
      without: 'Without it the service does not answer from outside.',
      exception: 'the identity of the gateway, at the port of queue-proxy of this one service',
      forwards: 'The gateway passes on the requests of its clients: who they are is for its own policies to check.',
    },
    {
      id: 'knative-gateway-probe',
      from: ingressController,
      to: gateway,
      ports: [8080, 8081, 8443, 8444],
      paths: ['/healthz'],
      purpose: "net-istio's controller, which probes gateways before it calls a route ready",
      without: 'Without it new services never become ready.',
      exception:
        'the controller of net-istio, at the ports of the gateway; it has no sidecar by its manifest, and needs none',
      forwards: null,
    },
    {
      id: 'knative-webhook',
      from: 'kube-apiserver',
      to: webhook,
      ports: [8443],
      paths: null,
      purpose: "the kube-apiserver, which asks Knative's webhook before it stores an object",
      without: 'Without it no Knative object can be created or changed.',
      exception:
        'a PeerAuthentication with the selector of the webhook and portLevelMtls PERMISSIVE for 8443, as net-istio brings them (webhook, net-istio-webhook)',
      forwards: null,
    },
  ],
  notes: [
    'A policy by source namespace isolates a service only while the activator is off the way: targetBurstCapacity "0" and a minimum scale of 1 or more, SKS mode Serve.',
    'Nothing brings the caller back behind the activator: it sends its own certificate, and X-Forwarded-Client-Cert is replaced.',
    'With mutual TLS the pods of knative-serving need sidecars, except net-istio-controller.',
    'The activator takes 502 and 503 for a mesh and falls back to the Service address; a 403 it does not.',
  ],
  changed: [
    { about: 'controller of the ingress', was: 'networking-istio', is: 'net-istio-controller', since: null },
    { about: 'webhook of the ingress', was: 'istio-webhook', is: 'net-istio-webhook', since: null },
    {
      about: 'service account of the activator',
      was: 'controller, shared with autoscaler and webhook',
      is: 'activator',
      since: '2023-07',
    },
    {
      about: 'exception for webhooks',
      was: 'PeerAuthentication default PERMISSIVE for all of knative-serving',
      is: 'PeerAuthentications webhook and net-istio-webhook for port 8443 only, brought by net-istio',
      since: '2021-02',
    },
    {
      about: 'gateway for calls within the cluster',
      was: 'cluster-local-gateway, a deployment of its own',
      is: 'knative-local-gateway on the pods of istio-ingressgateway, port 8081',
      since: null,
    },
    {
      about: 'keys of log lines',
      was: 'level, ts, msg',
      is: 'severity, timestamp, message',
      since: null,
    },
    {
      about: 'a probe of the activator that a proxy answers',
      was: 'the body is told first (want "queue", got …)',
      is: 'the status is told first (want [200], got 503)',
      since: null,
    },
    {
      about: 'repository of net-istio',
      was: 'knative-sandbox/net-istio',
      is: 'knative-extensions/net-istio; its issue 554 (callers behind the activator) was closed as stale',
      since: null,
    },
  ],
  layout: null,
  cites: [
    'knative/serving pkg/networking/constants.go',
    'knative/serving pkg/activator/net/revision_backends.go',
    'knative/serving pkg/reconciler/autoscaling/kpa/scaler.go',
    'knative-extensions/net-istio config/400-webhook-peer-authentication.yaml',
    'knative-extensions/net-istio#554',
    'knative/serving#14133',
    'knative/serving#14988',
  ],
};
