import fc from 'fast-check';

import { fuzz } from '../support/fuzz.ts';
import { compareWithModel, firstSeq, streamStep } from '../support/half-stream-model.ts';

fuzz({
  'half-stream and model': fc.property(
    firstSeq,
    fc.array(streamStep, { maxLength: 120, size: 'max' }),
    compareWithModel,
  ),
});
