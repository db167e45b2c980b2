import type { Parser } from '../../src/model/record.ts';
import { ztunnelExit } from './exit.ts';
import { ztunnelFragment } from './fragment.ts';
import { ztunnelJson } from './json.ts';
import { ztunnelLegacy } from './legacy.ts';
import { ztunnelText } from './text.ts';

/** Everything that ztunnel prints, the commonest first. */
export const ztunnelParsers: readonly Parser[] = [
  ztunnelText,
  ztunnelJson,
  ztunnelLegacy,
  ztunnelExit,
  ztunnelFragment,
];
