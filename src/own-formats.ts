import { type GivenFormat, ownFormatsParser } from '../parsers/index.ts';
import { accessLogFormats } from './mesh/formats.ts';
import type { MeshView } from './model/mesh.ts';
import type { Parser } from './model/record.ts';
import type { Problem } from './model/report.ts';
import { OWN_FORMAT } from './traffic/detect.ts';

/** The parser of the access log formats that are known beside the defaults; null: there are none. */
export interface OwnFormat {
  readonly parser: Parser | null;
  /** Formats that cannot be used, and columns that are in doubt. */
  readonly problems: readonly Problem[];
}

/** What reads the formats that the operator gives and those that the mesh has, in this order. */
export function ownFormat(given: readonly GivenFormat[], mesh: MeshView): OwnFormat {
  const known = accessLogFormats(mesh).map((format) => ({ ...format, isMeant: false }));
  const { parser, problems } = ownFormatsParser(OWN_FORMAT, "Envoy access log, the mesh's own format", [
    ...given,
    ...known,
  ]);
  return { parser, problems: problems.map((message) => ({ about: 'format', message })) };
}
