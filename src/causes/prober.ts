import type { LogRecord } from '../model/record.ts';

/** Who calls only to see whether something answers: of its failures nobody but it takes notice. */
export interface Prober {
  readonly kind: 'probe' | 'health-check' | 'scrape' | 'scanner';
  /** A sentence for the operator. */
  readonly told: string;
}

const PROBERS: readonly (readonly [agent: RegExp, kind: Prober['kind'], who: string])[] = [
  [/^kube-probe\//, 'probe', 'the kubelet, with a probe of the pod'],
  [/^Knative-Ingress-Probe/, 'probe', 'Knative, with a probe of its ingress'],
  [
    /^(?:GoogleHC|GoogleStackdriverMonitoring|ELB-HealthChecker|Amazon-Route53|Envoy\/HC|SLBHealthCheck|KeepAliveClient|Consul Health Check)/,
    'health-check',
    'a load balancer, with a health check',
  ],
  [
    /^(?:Edge Health Probe|Load Balancer Agent|Azure Traffic Manager)/,
    'health-check',
    'a load balancer, with a health check',
  ],
  [
    /^(?:Blackbox[ -]Exporter|UptimeRobot|Uptime-Kuma|Pingdom|StatusCake|Site24x7|Mozilla\/5\.0\+\(compatible; UptimeRobot)|\bPingdom\.com_bot/i,
    'health-check',
    'a monitoring service, with a health check',
  ],
  [
    /^(?:Prometheus\/|vm_promscrape|vmagent|GrafanaAgent\/|Grafana Agent|Alloy\/|OpenTelemetry Collector|Telegraf\/|Datadog Agent)/i,
    'scrape',
    'a collector of metrics',
  ],
  [
    /\b(?:zgrab|masscan|Nmap Scripting Engine|CensysInspect|InternetMeasurement|Nuclei|sqlmap|Nikto|gobuster|dirbuster|feroxbuster|ffuf|fuzz faster u fool|wpscan|WPScan|l9explore|l9tcpid|NetSystemsResearch|GenomeCrawler|Expanse, a Palo Alto|ModatScanner|visionheight|Odin; https|project-resonance)\b/i,
    'scanner',
    'a scanner of the internet',
  ],
];

/** No agent that is meant stands further behind. */
const MAX_AGENT = 300;

/**
 * Whether the caller of a request that was answered with an error names itself as one of these in its User-Agent, which whoever
 * calls may write. Null: no, or no error was answered: flows of such requests are not told apart by who asked.
 */
export function proberOf(record: LogRecord): Prober | null {
  if (record.kind !== 'request' || record.status === null || record.status < 400) return null;
  const agent = record.envoy.userAgent?.slice(0, MAX_AGENT);
  if (agent === undefined) return null;
  const [, kind, who] = PROBERS.find(([pattern]) => pattern.test(agent)) ?? [];
  return kind === undefined || who === undefined ? null : { kind, told: `The caller is ${who} by its User-Agent.` };
}
