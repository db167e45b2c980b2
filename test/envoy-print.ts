import { readFileSync } from 'node:fs';
import { shared } from './shared.ts';

/** What a real Envoy printed of one request, by operator. */
export type Printed = Readonly<Record<string, string>>;

/** The default JSON keys (reference: Istio's default JSON) by the operators that print them. */
const KEYS: Readonly<Record<string, string>> = {
  START_TIME: 'start_time',
  'REQ(:METHOD)': 'method',
  'REQ(X-ENVOY-ORIGINAL-PATH?:PATH)': 'path',
  PROTOCOL: 'protocol',
  RESPONSE_CODE: 'response_code',
  RESPONSE_FLAGS: 'response_flags',
  RESPONSE_CODE_DETAILS: 'response_code_details',
  CONNECTION_TERMINATION_DETAILS: 'connection_termination_details',
  UPSTREAM_TRANSPORT_FAILURE_REASON: 'upstream_transport_failure_reason',
  BYTES_RECEIVED: 'bytes_received',
  BYTES_SENT: 'bytes_sent',
  DURATION: 'duration',
  'RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)': 'upstream_service_time',
  'REQ(X-FORWARDED-FOR)': 'x_forwarded_for',
  'REQ(USER-AGENT)': 'user_agent',
  'REQ(X-REQUEST-ID)': 'request_id',
  'REQ(:AUTHORITY)': 'authority',
  UPSTREAM_HOST: 'upstream_host',
  UPSTREAM_CLUSTER: 'upstream_cluster',
  UPSTREAM_LOCAL_ADDRESS: 'upstream_local_address',
  DOWNSTREAM_LOCAL_ADDRESS: 'downstream_local_address',
  DOWNSTREAM_REMOTE_ADDRESS: 'downstream_remote_address',
  REQUESTED_SERVER_NAME: 'requested_server_name',
  ROUTE_NAME: 'route_name',
};

/** The requests of a capture (`_mixed/json.log`), as its default JSON log tells them. */
export function printedRequests(log: string): readonly Printed[] {
  return readFileSync(shared(`captures/envoy/${log}`), 'utf8')
    .trim()
    .split('\n')
    .map((line) => {
      const object: unknown = JSON.parse(line);
      const values = new Map(typeof object === 'object' && object !== null ? Object.entries(object) : []);
      return Object.fromEntries(
        Object.entries(KEYS).map(([operator, key]) => [operator, String(values.get(key) ?? '-')]),
      );
    });
}

/** The line that Envoy would print of a request with a format string of those operators. */
export function printWith(format: string, printed: Printed): string {
  return format.replace(/%(?:%|([A-Z_]+(?:\((.*?)\))?)%)/g, (whole, operator?: string, argument?: string) => {
    if (whole === '%%') return '%';
    if (operator?.startsWith('START_TIME(')) return timeWith(argument ?? '', printed['START_TIME'] ?? '-');
    if (operator?.endsWith('_WITHOUT_PORT')) return (printed[operator.slice(0, -13)] ?? '-').replace(/:\d+$/, '');
    return printed[operator ?? ''] ?? '-';
  });
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** A few strftime directives, in UTC. */
function timeWith(notation: string, time: string): string {
  const [year = '', month = '', day = '', hour = '', minute = '', second = '', millis = ''] = time.split(/[^\d]/);
  const parts: Readonly<Record<string, string>> = {
    Y: year,
    m: month,
    d: day,
    b: MONTHS[Number(month) - 1] ?? '',
    H: hour,
    M: minute,
    S: second,
    z: '+0000',
    '3f': millis,
    s: String(Math.floor(Date.parse(time) / 1000)),
  };
  return notation.replace(/%(\d?[A-Za-z])/g, (_whole, directive: string) => parts[directive] ?? '');
}
