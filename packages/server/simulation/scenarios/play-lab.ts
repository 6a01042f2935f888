import { fromEventLoop, generatedTape, type Tape, type World } from '@flotilla/sim';
import type { KvLabResult } from './lab-result.ts';
import { LabStopped } from './lab-stopped.ts';

interface PlayedLab {
  readonly world: World;
  result(): KvLabResult;
}

/** One run of one scenario: a function of the seed. */
export function playLab<Lab extends PlayedLab>(
  seed: number,
  create: (tape: Tape) => Lab,
  play: (lab: Lab) => void,
): Promise<KvLabResult> {
  return fromEventLoop(() => {
    const lab = create(generatedTape(seed));
    try {
      play(lab);
    } catch (error) {
      if (!(error instanceof LabStopped)) throw error;
    } finally {
      lab.world.end();
    }
    return lab.result();
  });
}
