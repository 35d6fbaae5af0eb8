/**
 * Plays datagram programs, several at once, through the rules and the running engine: a client of OpenSSL's for each, and
 * two servers of OpenSSL's behind the man in the middle. Tells what the forged server got; knows nothing of what should hold.
 */
import { spkiPin } from '../../../src/runtime/demo/certificates.ts';
import type { Child } from '../../../src/runtime/demo/child.ts';
import { type Bank, makeBank, NAME } from '../../support/lab/bank.ts';
import { Engine } from '../../support/lab/engine.ts';
import { Lab } from '../../support/lab/lab.ts';
import { peer } from '../../support/lab/peers.ts';
import { DatagramEditor } from './editor.ts';
import type { DatagramProgram } from './moves.ts';

export interface DatagramOutcome {
  /** The forged server had what the client sent once it believed it. */
  readonly hasSecretLeaked: boolean;
  /** The client says that its handshake with somebody is over, and it is the forger's certificate. */
  readonly believesForger: boolean;
  readonly isServed: boolean;
  readonly text: string;
}

const SECRET = 'a secret for the bank';

export class DatagramScene {
  readonly #lab: Lab;
  readonly #bank: Bank;
  readonly #middle: Child;
  readonly engine: Engine | undefined;
  #count = 0;

  private constructor(lab: Lab, bank: Bank, engine: Engine | undefined, middle: Child) {
    this.#lab = lab;
    this.#bank = bank;
    this.engine = engine;
    this.#middle = middle;
  }

  static async create({ isProtected = true } = {}): Promise<DatagramScene> {
    const lab = new Lab();
    const bank = makeBank([NAME, ISSUED]);
    const pinsets = [
      { name: 'leaf', match: { hosts: [NAME] }, pins: [bank.pin] },
      { name: 'issuer', match: { hosts: [ISSUED] }, pins: [spkiPin(bank.issuer.cert)] },
    ];
    try {
      const rules = ['--queue-udp'];
      const engine = isProtected ? await Engine.start(lab, { config: { pinsets }, rules }) : undefined;
      const middle = lab.start('server', [process.execPath, peer('datagrams.mjs')]);
      middle.write(`${JSON.stringify({ socket: 'middle', port: 443 })}\n`);
      await middle.says(/opened/);
      return new DatagramScene(lab, bank, engine, middle);
    } catch (error) {
      await lab.close();
      throw error;
    }
  }

  play(programs: readonly DatagramProgram[]): Promise<DatagramOutcome[]> {
    this.#middle.forget();
    return Promise.all(programs.map((program) => this.#one(program)));
  }

  async close(): Promise<void> {
    await this.#lab.close();
    this.#bank.remove();
  }

  async #one(program: DatagramProgram): Promise<DatagramOutcome> {
    const index = this.#count++ % 4_000;
    const [clientPort, forgedPort, genuinePort] = [20_000 + index, 30_000 + index, 40_000 + index];
    const { forgedChain, genuineChain } = this.#bank;
    const servers = [
      ['forged', forgedPort, forgedChain],
      ['genuine', genuinePort, genuineChain],
    ] as const;
    const [forged, genuine] = servers.map(([, port, { cert, key }]) =>
      this.#lab.start('server', [
        ...['openssl', 's_server', '-dtls', '-6', '-accept', `[::1]:${port}`, '-cert', cert, '-cert_chain', cert],
        ...['-key', key, '-quiet', '-mtu', `${program.mtu}`],
      ]),
    ) as [Child, Child];
    await Promise.all([forgedPort, genuinePort].map((port) => this.#lab.listening('server', port)));
    const stop = this.#relay(program, clientPort, { forged: forgedPort, genuine: genuinePort });
    const bound = { 4: '0.0.0.0', 6: '[::]' }[program.version];
    const address = this.#lab.address('server', program.version);
    const client = this.#lab.start(
      'client',
      [
        ...['timeout', '4', 'openssl', 's_client', '-dtls', '-bind', `${bound}:${clientPort}`, '-mtu', '1300'],
        ...['-connect', program.version === 6 ? `[${address}]:443` : `${address}:443`],
        ...['-servername', program.pinned === 'leaf' ? NAME : ISSUED],
      ],
      { input: `${SECRET}\n` },
    );
    await client.ended;
    stop();
    const text = client.output + client.errors;
    const isConnected = /^ {4}Verify return code/m.test(client.output) && !client.output.includes('Cipher is (NONE)');
    const outcome = {
      hasSecretLeaked: forged.output.includes(SECRET),
      believesForger: isConnected && /^issuer=.*careless/m.test(client.output),
      isServed: genuine.output.includes(SECRET),
      text,
    };
    await Promise.all([forged.stop('SIGKILL'), genuine.stop('SIGKILL')]);
    return outcome;
  }

  /** Between one client and the two servers, until it is stopped. */
  #relay(program: DatagramProgram, clientPort: number, ports: Record<'forged' | 'genuine', number>): () => void {
    let client: readonly [string, number] | undefined;
    let sessionId: Buffer = Buffer.alloc(0);
    const said = { forged: [] as Buffer[], genuine: [] as Buffer[] };
    const editor = new DatagramEditor(program, () => sessionId);
    const send = (socket: string, to: readonly [string, number], data: Buffer) =>
      this.#middle.write(`${JSON.stringify({ socket, to, data: data.toString('hex') })}\n`);
    const on = ({ socket, from, data }: { socket: string; from: [string, number]; data: string }) => {
      const octets = Buffer.from(data, 'hex');
      if (socket === 'middle') {
        if (from[1] !== clientPort) return;
        client = from;
        if (octets[13] === 1 && octets.length > 60) sessionId = octets.subarray(60, 60 + octets[59]!);
        for (const who of ['forged', 'genuine'] as const) send(`${who} ${clientPort}`, ['::1', ports[who]], octets);
        return;
      }
      const who = socket === `forged ${clientPort}` ? 'forged' : socket === `genuine ${clientPort}` ? 'genuine' : null;
      if (who === null || client === undefined) return;
      said[who].push(octets);
      const speaks = editor.count < program.switchesAt ? program.first : other(program.first);
      if (who !== speaks) return;
      for (const datagram of editor.edit(octets, said.genuine.slice(-2))) send('middle', client, datagram);
    };
    return this.#middle.onLine((line) => {
      const event = JSON.parse(line) as { socket?: string };
      if (event.socket !== undefined) on(event as Parameters<typeof on>[0]);
    });
  }
}

const ISSUED = 'issued.bank.example';
const other = (who: 'forged' | 'genuine') => (who === 'forged' ? 'genuine' : 'forged');
