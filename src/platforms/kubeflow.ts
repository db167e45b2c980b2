import type { Party, Platform } from './platform.ts';

const party = (title: string, namespace: string, names: RegExp, accounts: readonly string[] | null = null): Party => ({
  title,
  namespaces: [namespace],
  names,
  accounts,
});

const gateway = party("Kubeflow's gateway", 'istio-system', /^istio-ingressgateway$/, [
  'istio-ingressgateway-service-account',
]);
const webApps = party(
  'a web application of Kubeflow',
  'kubeflow',
  /^(?:centraldashboard|jupyter-web-app(?:-deployment)?|volumes-web-app(?:-deployment)?|tensorboards-web-app(?:-deployment)?|katib-ui|ml-pipeline-ui|kserve-models-web-app(?:lication)?|model-registry-ui(?:-deployment)?|model-catalog-server|model-registry-server|metadata-envoy(?:-deployment)?)$/,
);
const dex = party('Dex', 'auth', /^dex$/);
const oauth2Proxy = party('oauth2-proxy', 'oauth2-proxy', /^oauth2-proxy$/);
const notebookController = party('the notebook controller', 'kubeflow', /^notebook-controller(?:-deployment)?$/, [
  'notebook-controller-service-account',
]);
const pipelineUi = party('the user interface of pipelines', 'kubeflow', /^ml-pipeline-ui$/, ['ml-pipeline-ui']);

/** What pipelines are made of, by the policies of mysql and of the API server. */
const pipelines = party(
  'a part of pipelines',
  'kubeflow',
  /^(?:ml-pipeline(?:-ui|-persistenceagent|-scheduledworkflow|-viewer-crd)?|cache-server|metadata-grpc-(?:deployment|server))$/,
  [
    'ml-pipeline',
    'ml-pipeline-ui',
    'ml-pipeline-persistenceagent',
    'ml-pipeline-scheduledworkflow',
    'ml-pipeline-viewer-crd-service-account',
    'kubeflow-pipelines-cache',
    'metadata-grpc-server',
  ],
);

const BEHIND_GATEWAY =
  'The gateway passes on requests of users whom it has checked, and names them in the header kubeflow-userid; a rule needs both, the identity of the gateway and that header.';

/** Kubeflow, from its manifests. */
export const kubeflow: Platform = {
  id: 'kubeflow',
  title: 'Kubeflow',
  flows: [
    {
      id: 'kubeflow-authorizer',
      from: gateway,
      to: oauth2Proxy,
      ports: [4180],
      paths: null,
      purpose: "Kubeflow's gateway, which asks oauth2-proxy who a user is",
      without: 'Without it every request without a token is answered with 403.',
      exception: 'the identity of the gateway, at port 4180 of oauth2-proxy',
      forwards: null,
    },
    {
      id: 'kubeflow-login',
      from: gateway,
      to: dex,
      ports: [5556],
      paths: null,
      purpose: "Kubeflow's gateway, which leads users who log in to Dex",
      without: 'Without it nobody can log in.',
      exception: 'the identity of the gateway, at port 5556 of Dex',
      forwards: null,
    },
    {
      id: 'kubeflow-token-exchange',
      from: oauth2Proxy,
      to: dex,
      ports: [5556],
      paths: null,
      purpose: 'oauth2-proxy, which asks Dex for the token of a user',
      without: 'Without it every log-in fails.',
      exception: 'the identity of oauth2-proxy, at port 5556 of Dex',
      forwards: null,
    },
    {
      id: 'kubeflow-keys',
      from: party('istiod', 'istio-system', /^istiod$/, ['istiod']),
      to: dex,
      ports: [5556],
      paths: null,
      purpose: 'istiod, which fetches the keys that tokens of Dex are signed with',
      without: 'Without it no token of Dex verifies: 401 at the gateway.',
      exception: 'istiod, which has no sidecar, at port 5556 of Dex',
      forwards: null,
    },
    {
      id: 'kubeflow-web-applications',
      from: gateway,
      to: webApps,
      ports: [],
      paths: null,
      purpose: "Kubeflow's gateway, which leads users to a web application",
      without: 'Without it that page answers 403.',
      exception: 'the identity of the gateway, at the port of that application',
      forwards: BEHIND_GATEWAY,
    },
    {
      id: 'kubeflow-access-management',
      from: party('the dashboard', 'kubeflow', /^centraldashboard$/, ['centraldashboard']),
      to: party('the access management', 'kubeflow', /^profiles(?:-deployment)?$/),
      ports: [8081],
      paths: null,
      purpose: "Kubeflow's dashboard, which asks which profiles a user has",
      without: 'Without it the dashboard shows no namespaces.',
      exception: 'the identity of the dashboard, at port 8081 of the profile controller',
      forwards: null,
    },
    {
      id: 'kubeflow-notebook-culling',
      from: notebookController,
      to: { title: 'a notebook', namespaces: null, names: null, accounts: null },
      ports: [8888],
      paths: null,
      purpose: 'the notebook controller, which looks for idle kernels',
      without: 'Without it notebooks that nobody uses are not stopped.',
      exception: 'the identity of the notebook controller, GET */api/kernels',
      forwards: null,
    },
    {
      id: 'kubeflow-artifacts',
      from: pipelineUi,
      to: { title: 'a proxy of artifacts', namespaces: null, names: /^ml-pipeline-ui-artifact$/, accounts: null },
      ports: [3000],
      paths: null,
      purpose: 'the user interface of pipelines, which fetches artifacts of a profile',
      without: 'Without it artifacts of a run cannot be seen.',
      exception: 'the identity ml-pipeline-ui together with the header kubeflow-userid of the owner',
      forwards: BEHIND_GATEWAY,
    },
    {
      id: 'kubeflow-pipelines-api',
      from: pipelines,
      to: party('the API server of pipelines', 'kubeflow', /^ml-pipeline$/),
      ports: [8887, 8888],
      paths: null,
      purpose: 'a part of pipelines, which asks their API server or reports to it',
      without: 'Without it runs are not started, or their state is not shown.',
      exception: 'the identity of that part, at ports 8887 and 8888 of the API server',
      forwards: null,
    },
    {
      id: 'kubeflow-pipelines-database',
      from: pipelines,
      to: party('the database of pipelines', 'kubeflow', /^mysql$/),
      ports: [3306],
      paths: null,
      purpose: 'a part of pipelines, which keeps runs and metadata in its database',
      without: 'Without it pipelines do not start at all.',
      exception: 'the identity of that part, at port 3306 of mysql',
      forwards: null,
    },
    {
      id: 'kubeflow-certificates',
      from: 'kube-apiserver',
      to: {
        title: "cert-manager's webhook",
        namespaces: ['cert-manager'],
        names: /^(?:cert-manager-)?webhook$/,
        accounts: null,
      },
      ports: [10250],
      paths: null,
      purpose: "the kube-apiserver, which asks cert-manager's webhook before it stores a certificate",
      without: 'Without it the webhooks of Kubeflow get no certificates.',
      exception: 'port 10250 of the webhook in plaintext',
      forwards: null,
    },
    {
      id: 'kubeflow-webhooks',
      from: 'kube-apiserver',
      to: {
        title: 'a webhook of Kubeflow',
        namespaces: ['kubeflow', 'kubeflow-system'],
        names:
          /^(?:cache-server|katib-controller|admission-webhook(?:-deployment)?|poddefaults-webhook-deployment|poddefaults|pvcviewer(?:-controller-manager)?|training-operator|kubeflow-training-operator|spark-operator-webhook|(?:kubeflow-)?trainer(?:-controller-manager)?|jobset(?:-controller-manager)?)$/,
        accounts: null,
      },
      ports: [4443, 8443, 9443],
      paths: null,
      purpose: "the kube-apiserver, which asks one of Kubeflow's webhooks before it stores an object",
      without: 'Without it pods of that kind do not start.',
      exception: 'a PeerAuthentication with the selector of that webhook and portLevelMtls PERMISSIVE for its port',
      forwards: null,
    },
  ],
  notes: [
    'A request passes oauth2-proxy (CUSTOM), the token check (RequestAuthentication), require-jwt (DENY) and then, at the pod, the policy of the profile: the first that refuses answers.',
    'A token that the gateway verified is not known to the sidecar of a predictor: rules there need the identity of the gateway and the header kubeflow-userid, never requestPrincipals.',
    'A program sends a token of a service account of the profile (default-editor) as Authorization: Bearer; the cookie is for browsers.',
    'sidecar.istio.io/inject: "false" at a predictor makes it answer everybody in the cluster.',
    'The Sidecar default in istio-system leaves out hosts of other profiles: calls there leave the mesh in plaintext and lose their identity.',
  ],
  changed: [
    {
      about: 'log-in at the gateway',
      was: 'authservice, cookie authservice_session',
      is: 'oauth2-proxy and Dex, cookie oauth2_proxy_kubeflow',
      since: '1.9',
    },
    {
      about: 'a request without log-in',
      was: '302 to /dex/auth',
      is: '403 with the sign-in page, 401 below /api and /apis',
      since: null,
    },
    {
      about: 'egress',
      was: 'every host',
      is: 'the own namespace and the system namespaces (Sidecar default in istio-system)',
      since: null,
    },
    {
      about: 'sidecars',
      was: 'init container',
      is: 'Istio CNI and native sidecars; overlays for ambient',
      since: null,
    },
  ],
  layout: null,
  cites: [
    'kubeflow/manifests common/oauth2-proxy/components/istio-external-auth',
    'kubeflow/manifests common/istio/istio-install/base',
    'kubeflow/manifests common/kubeflow-namespace/base/kubeflow',
    'kubeflow/manifests common/kubeflow-namespace/base/kubeflow-system',
    'kubeflow/manifests common/cert-manager/overlays/kubeflow',
    'kubeflow/manifests applications/pipeline/upstream/base/installs/multi-user/istio-authorization-config.yaml',
    'kubeflow/kubeflow components/profile-controller/controllers/profile_controller.go',
    'kubeflow/manifests#2864',
  ],
};
