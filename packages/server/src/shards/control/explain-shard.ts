import { orderShard, type ShardId } from '@flotilla/store';
import type { ShardCandidate, ShardExplainResponse } from '@flotilla/wire';
import type { Candidate } from '../../placement/targets.ts';
import type { PlacementSettings } from '../../placement/settings.ts';
import { limits } from '../../limits.ts';
import type { ClusterState } from './cluster-state.ts';
import { nextSteps } from './next-steps.ts';

/** Why a shard is where it is: what placement would decide now, or what keeps it from deciding anything. */
export function explainShard(
  state: ClusterState,
  shard: ShardId,
  settings: PlacementSettings,
): ShardExplainResponse {
  const { configuration } = state;
  if (shard === orderShard) {
    const words = "it is the order group's own: on every node, never moved and never merged away, only split";
    const because = 'order-shard';
    const empty = { operation: '', candidates: [], alternatives: [] };
    return { configuration, shard, need: 'nothing', because, words, ...empty };
  }
  const options = { settings, seed: 0, budgetBytes: limits.balanceBytesMax, underWay: new Map() };
  const [explanation] = nextSteps(state, { ...options, explain: [shard] }).explanations;
  const { need = '', because = '', words = '', operation = null, candidates = [] } = explanation ?? {};
  return {
    configuration,
    shard,
    need,
    because,
    words,
    operation: operation === null ? '' : JSON.stringify(operation),
    candidates: candidates.map(candidateRow),
    alternatives: (explanation?.alternatives ?? []).map((alternative) => ({
      kind: alternative.kind,
      dimension: alternative.dimension ?? '',
      from: alternative.from ?? 0,
      because: alternative.because,
      words: alternative.words,
      candidates: alternative.candidates.map(candidateRow),
    })),
  };
}

function candidateRow({ node, refusal }: Candidate): ShardCandidate {
  return { node, refusal: refusal ?? '' };
}
