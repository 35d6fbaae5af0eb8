/** What the main thread and the packet threads say to each other. Plain data; each kind goes one way only. */
import type { NamedConnection } from '../../tcp/flow-names.ts';
import type { FlowNumbering } from '../../connection/flow-numbers.ts';
import type { FlowPage, FlowQuestion } from '../../connection/listing.ts';
import type { EngineMemory } from '../../engine/engine.ts';
import type { Endpoint } from '../../judge/events.ts';
import type { ExamineRequest, ProbeAnswer, ProbeEnds, ProbeRequest } from '../../judge/ports.ts';
import type { KeptSession } from '../../judge/sessions.ts';
import type { PolicyChange } from '../../pins/match/pack.ts';
import type { HandshakeSecret } from '../../source/key-log.ts';
import type { ConnmarkRoute, HandedQueue } from '../../source/nfqueue.ts';
import type { DatedFacts } from '../../x509/examine.ts';
import type { WireEvent } from '../events/wire.ts';

/** A packet thread's workerData. */
export interface QueueSetup {
  readonly queueNum: number;
  /** Whole. */
  readonly policy: PolicyChange;
  readonly numbering: FlowNumbering;
  /** Whether handshake messages are to be told as they go by. */
  readonly watch: boolean;
  /** The queue is another process's until it is handed over: waits for `begin`. */
  readonly isHanded: boolean;
  /** Of QueueCounters. */
  readonly counters: SharedArrayBuffer;
  /** Of DialledMemory. */
  readonly dialled?: SharedArrayBuffer;
  /** Of Bridging. */
  readonly bridging?: SharedArrayBuffer;
}

export type ToQueue =
  /** Answered by `adopted`. Generations are numbered from 1, the one that the thread began with, and leave none out. */
  | { readonly kind: 'policy'; readonly change: PolicyChange; readonly generation: number }
  /** Answered by `listed`. */
  | { readonly kind: 'list'; readonly id: number; readonly question: FlowQuestion }
  /** Answered by `told-accepted`. */
  | { readonly kind: 'ask-accepted'; readonly id: number; readonly named: readonly NamedConnection[] }
  /** Answered by `told-sessions`. */
  | { readonly kind: 'ask-sessions'; readonly id: number }
  /** Those of another gateway with the same pinsets. */
  | { readonly kind: 'add-sessions'; readonly sessions: readonly KeptSession[] }
  /** The answer to `examine`. */
  | { readonly kind: 'facts'; readonly id: number; readonly facts: DatedFacts }
  /** The server that `probe` asks has the connection. */
  | { readonly kind: 'probing'; readonly id: number }
  /** The SYN that waits for `accompany` may leave. */
  | { readonly kind: 'accompanied'; readonly id: number }
  /** The answer to `probe`. */
  | { readonly kind: 'probed'; readonly id: number; readonly answer: ProbeAnswer }
  /** What clients logged. */
  | { readonly kind: 'secrets'; readonly secrets: readonly HandshakeSecret[] }
  /** The queue that was awaited, and what was remembered with it. Answered by `started`. */
  | { readonly kind: 'begin'; readonly handed: HandedQueue; readonly memory: EngineMemory }
  /** Another process is to have the queue. Answered by `released`. */
  | { readonly kind: 'release' }
  /** It has not taken it. */
  | { readonly kind: 'resume' }
  | { readonly kind: 'stop' };

export type FromQueue =
  /** All is there but the queue. */
  | { readonly kind: 'prepared' }
  | { readonly kind: 'started'; readonly route: ConnmarkRoute }
  /** Nothing is read any more, and everything held was answered. */
  | { readonly kind: 'released'; readonly handed: HandedQueue; readonly memory: EngineMemory }
  /** An operator's error: the queue could not be bound. */
  | { readonly kind: 'failed'; readonly message: string }
  /** The policy of that generation decides from now on. */
  | { readonly kind: 'adopted'; readonly generation: number }
  | { readonly kind: 'listed'; readonly id: number; readonly page: FlowPage }
  /** Those that were accepted there, by their places. */
  | { readonly kind: 'told-accepted'; readonly id: number; readonly places: readonly number[] }
  /** That were given out there since it was asked the last time. */
  | { readonly kind: 'told-sessions'; readonly id: number; readonly sessions: readonly KeptSession[] }
  | { readonly kind: 'events'; readonly events: readonly WireEvent[] }
  | {
      readonly kind: 'examine';
      readonly id: number;
      readonly request: ExamineRequest;
      readonly client: Endpoint;
      readonly server: Endpoint;
    }
  /** The answer to `examine` is not wanted any more. */
  | { readonly kind: 'withdraw'; readonly id: number }
  | { readonly kind: 'probe'; readonly id: number; readonly request: ProbeRequest }
  /** Answered by `accompanied`. */
  | { readonly kind: 'accompany'; readonly id: number; readonly ends: ProbeEnds }
  /** So many questions like this one had the answer that the last one had. */
  | { readonly kind: 'spoken-for'; readonly request: ProbeRequest; readonly times: number }
  /** Something that operators should know and that stops nothing, such as ENOBUFS. */
  | { readonly kind: 'trouble'; readonly message: string }
  /** Everything held was answered and the queue is unbound: nothing follows. */
  | { readonly kind: 'stopped' };

/** One end of the wire. */
export interface Port<Out> {
  postMessage(message: Out): void;
}
