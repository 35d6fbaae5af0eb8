/** Situations, in which no certificate can decide, and checks, which are made besides the pins. */
import { z } from 'zod';
import {
  CHECK_DEFAULTS,
  SITUATION_NAMES,
  situationDefault,
  type SituationName,
  SITUATIONS,
} from '../situation-values.ts';
import { choice, text } from './values.ts';

type SituationShape = {
  [name in SituationName]: z.ZodOptional<z.ZodEnum<{ [value in (typeof SITUATIONS)[name][0][number]]: value }>>;
};

export function situations(kind: 'pinned' | 'unpinned') {
  const shape = Object.fromEntries(
    SITUATION_NAMES.map((name) => [
      name,
      choice(kind === 'pinned' && name === 'incomplete' ? ['deny'] : SITUATIONS[name][0])
        .optional()
        .describe(SITUATIONS[name][1])
        .meta({ default: situationDefault(name, kind) }),
    ]),
  ) as unknown as SituationShape;
  return { ...shape, checks: checks(CHECK_DEFAULTS[kind]).optional() };
}

const checks = (defaults: { name: string; validity: string; proofOfPossession: string }) =>
  z
    .strictObject({
      name: choice(['auto', 'on', 'off'])
        .optional()
        .describe('Whether the certificate must carry the name. auto: when the pin that matched is not on the leaf.')
        .meta({ default: defaults.name }),
      validity: choice(['auto', 'on', 'off'])
        .optional()
        .describe('Whether the dates must hold. auto: when the pin that matched is not on the leaf.')
        .meta({ default: defaults.validity }),
      proofOfPossession: choice(['require', 'report', 'off'])
        .optional()
        .describe('Whether the server must prove that it has the key (the signature of ServerKeyExchange).')
        .meta({ default: defaults.proofOfPossession }),
      minVersion: choice(['1.0', '1.1', '1.2', '1.3']).optional().describe('The least TLS version. Default: any.'),
      trust: text()
        .optional()
        .describe(
          'PEM bundle of trusted certificates, one of which the path must end at, or "system": the bundle that programs of this system trust. Pins of a root that servers do not send need it. Default: none.',
        ),
    })
    .describe('What is checked besides the pins.');

export type SituationsSource = { [name in SituationName]?: string | undefined } & { checks?: ChecksSource | undefined };
export type ChecksSource = z.infer<ReturnType<typeof checks>>;
