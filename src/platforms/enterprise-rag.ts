import type { ExpectedFlow, Party, Platform } from './platform.ts';

const of = (namespace: string, account: string): Party => ({
  title: `${namespace}/${account}`,
  namespaces: [namespace],
  names: null,
  accounts: [account],
});
const workload = (title: string, namespace: string, names: RegExp): Party => ({
  title,
  namespaces: [namespace],
  names,
  accounts: null,
});

const gateway = of('auth-apisix', 'auth-apisix');
const dataPreparation = of('edp', 'edp-chart');
const retriever = of('chatqa', 'retriever-usvc');
const ingress = of('ingress-nginx', 'ingress-nginx');

/** A flow of the installer's own policies: who is in the notPrincipals list of whom. */
function listed(id: string, from: Party, to: Party, purpose: string, without: string): ExpectedFlow {
  return {
    id: `rag-${id}`,
    from,
    to,
    ports: [],
    paths: null,
    purpose,
    without,
    exception: `${from.title} in the notPrincipals list of the DENY policy of this workload, and nobody else`,
    forwards: null,
  };
}

/** Intel AI for Enterprise RAG, in ambient mode. */
export const enterpriseRag: Platform = {
  id: 'enterprise-rag',
  title: 'Intel AI for Enterprise RAG',
  flows: [
    listed(
      'gateway-to-router',
      gateway,
      { title: 'a router', namespaces: ['chatqa', 'docsum'], names: /^router-service/, accounts: null },
      "Enterprise RAG's gateway (APISIX), which passes on questions of users to the router",
      'Without it no question is answered.',
    ),
    listed(
      'gateway-to-edp',
      gateway,
      workload('the backend of data preparation', 'edp', /^edp-backend$/),
      "Enterprise RAG's gateway (APISIX), which passes on requests for data preparation",
      'Without it no document can be loaded.',
    ),
    listed(
      'gateway-to-history',
      gateway,
      workload('the chat history', 'chat-history', /^chat-history$/),
      "Enterprise RAG's gateway (APISIX), which reads and stores the history of chats",
      'Without it chats have no history.',
    ),
    listed(
      'gateway-to-fingerprint',
      gateway,
      workload('the fingerprint service', 'fingerprint', /^fingerprint$/),
      "Enterprise RAG's gateway (APISIX), which reads and changes settings of the pipeline",
      'Without it settings cannot be changed.',
    ),
    listed(
      'ingress-to-ui',
      ingress,
      workload('the user interface', 'rag-ui', /^ui-app$/),
      'the ingress, which leads users to the interface of Enterprise RAG',
      'Without it nobody sees the interface.',
    ),
    listed(
      'ingress-to-keycloak',
      ingress,
      workload('Keycloak', 'auth', /^keycloak$/),
      'the ingress, which leads users who log in to Keycloak',
      'Without it nobody can log in.',
    ),
    listed(
      'edp-to-database',
      dataPreparation,
      workload('the vector database', 'vdb', /^(?:vdb-)?(?:redis|redis-cluster|pgvector|mssql)$/),
      "Enterprise RAG's data preparation, which stores vectors of documents",
      'Without it documents are never found.',
    ),
    listed(
      'edp-to-own-stores',
      dataPreparation,
      workload('a store of data preparation', 'edp', /^(?:edp-)?(?:postgresql|redis(?:-master)?|minio)$/),
      "Enterprise RAG's data preparation, which keeps its jobs and files in stores of its own",
      'Without it no document is processed.',
    ),
    listed(
      'retriever-to-database',
      retriever,
      workload('the vector database', 'vdb', /^(?:vdb-)?(?:redis|redis-cluster|pgvector|mssql)$/),
      "Enterprise RAG's retriever, which looks for documents in the vector database",
      'Without it answers are given without documents.',
    ),
    listed(
      'retriever-to-edp',
      retriever,
      workload('the backend of data preparation', 'edp', /^edp-backend$/),
      "Enterprise RAG's retriever, which asks which documents a user may see",
      'Without it questions fail where access is checked.',
    ),
    listed(
      'keycloak-to-database',
      of('auth', 'keycloak'),
      workload("Keycloak's database", 'auth', /^(?:keycloak-)?postgresql$/),
      'Keycloak, which keeps users in its database',
      'Without it nobody can log in.',
    ),
    {
      id: 'rag-ingress-admission',
      from: 'kube-apiserver',
      to: workload('the controller of the ingress', 'ingress-nginx', /^ingress-nginx(?:-controller)?$/),
      ports: [8443],
      paths: null,
      purpose: 'the kube-apiserver, which asks ingress-nginx before it stores an Ingress',
      without: 'Without it no Ingress can be created or changed.',
      exception:
        'a PeerAuthentication with the selector app.kubernetes.io/name: ingress-nginx and portLevelMtls PERMISSIVE for 8443',
      forwards: null,
    },
    {
      id: 'rag-gmc-webhook',
      from: 'kube-apiserver',
      to: workload('the microservice connector', 'system', /^gmc(?:-controller)?$/),
      ports: [9443],
      paths: null,
      purpose: 'the kube-apiserver, which asks the microservice connector (GMC) before it stores a pipeline',
      without: 'Without it no pipeline can be created or changed.',
      exception:
        'a PeerAuthentication with the selector app.kubernetes.io/name: gmc and portLevelMtls PERMISSIVE for 9443',
      forwards: null,
    },
    {
      id: 'rag-metrics-api',
      from: 'kube-apiserver',
      to: workload('the adapter of metrics', 'monitoring', /^prometheus-adapter$/),
      ports: [6443],
      paths: null,
      purpose: 'the kube-apiserver, which asks the Prometheus adapter for the metrics that pods are scaled by',
      without: 'Without it nothing is scaled by such metrics.',
      exception:
        'a PeerAuthentication with the selector app.kubernetes.io/name: prometheus-adapter and portLevelMtls PERMISSIVE for 6443',
      forwards: null,
    },
  ],
  notes: [
    'Each workload has one DENY policy with notPrincipals: whoever is not listed is denied, plaintext included. A new caller goes into that same list; a second rule or source would deny more.',
    'An ALLOW policy beside them admits nobody who is denied, and refuses everybody else.',
    'A PeerAuthentication named default that has a selector covers that workload only: its namespace then has no STRICT of its own, so that the file of a namespace needs both objects.',
    'Charts that bring NetworkPolicies with lists of ports need 15008 in them.',
  ],
  changed: [
    {
      about: 'files of PeerAuthentication',
      was: 'mTLS-strict.yaml, and mTLS-strict-NAMESPACE.yaml instead of it where a namespace has exceptions',
      is: 'one template, mtls-strict.yaml.j2, with a branch per namespace',
      since: null,
    },
    {
      about: 'selectors of policies',
      was: 'keycloak-postgresql, redis, mongodb, vllm-asr-cpu, which no pod has any more',
      is: 'postgresql, edp-redis, fingerprint-mongodb, vllm-audio-cpu',
      since: '2026-03',
    },
    {
      about: 'list of identities',
      was: 'istioctl ztunnel-config services',
      is: 'istioctl ztunnel-config certificates',
      since: null,
    },
  ],
  layout: {
    homes: [
      {
        kind: 'PeerAuthentication',
        pattern: /^(|.*\/)mTLS-strict-([a-z0-9][a-z0-9-]*)\.ya?ml$/,
        file: 'mTLS-strict-NAMESPACE.yaml',
      },
      {
        kind: 'AuthorizationPolicy',
        pattern: /^(|.*\/)authz\/authz-([a-z0-9][a-z0-9-]*)\.ya?ml$/,
        file: 'authz/authz-NAMESPACE.yaml',
      },
    ],
    shared: { kind: 'PeerAuthentication', pattern: /^(|.*\/)mTLS-strict\.ya?ml$/ },
  },
  cites: [
    'opea-project/Enterprise-RAG deployment/components/istio/authz',
    'opea-project/Enterprise-RAG release-1.5.0 deployment/components/istio',
    'opea-project/Enterprise-RAG deployment/roles/application/istio/templates/mtls-strict.yaml.j2',
  ],
};
