/**
 * TLS clients that come and go, many in one process. Each line of standard input is JSON {id, does, host, port,
 * servername, version, timeout, keylog (a file)}:
 *   visit   a connection, one request, one answer
 *   open    the same, and it stays
 *   ask     another request over what was opened under this id
 *   leave   ends all that are open
 * Prints one JSON line each: {id, outcome: served | alert | reset | silence | …, shook: whether the handshake was done,
 * port: the client's own, millis}.
 */
import { appendFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { connect } from 'node:tls';

const open = new Map();
createInterface({ input: process.stdin }).on('line', (line) => {
  const { id, does, timeout = 4_000, ...options } = JSON.parse(line);
  if (does === 'leave') {
    for (const visitor of open.values()) visitor.leave();
    return open.clear();
  }
  const visitor = does === 'ask' ? open.get(id) : new Visitor(options);
  if (does === 'open') open.set(id, visitor);
  visitor.ask(timeout, (outcome) => {
    process.stdout.write(`${JSON.stringify({ id, ...outcome })}\n`);
    if (does === 'visit') visitor.leave();
  });
});

class Visitor {
  #socket;
  #shook = false;
  #port;
  #asked = 0;
  #answered = 0;
  #end;
  #settle = () => {};

  constructor({ version, keylog, ...options }) {
    this.#socket = connect({ ...options, minVersion: version, maxVersion: version, rejectUnauthorized: false });
    this.#socket.once('connect', () => (this.#port = this.#socket.localPort));
    this.#socket.once('secureConnect', () => (this.#shook = true));
    if (keylog !== undefined) this.#socket.on('keylog', (line) => appendFileSync(keylog, line));
    this.#socket.on('data', (data) => {
      this.#answered += data.toString('latin1').split('\n').length - 1;
      if (this.#answered >= this.#asked) this.#settle('served');
    });
    this.#socket.on('error', (error) => this.#over(outcomeOf(error)));
    this.#socket.on('close', () => this.#over('reset'));
  }

  /** What was asked before and not answered yet has to be answered first. */
  ask(timeout, onOutcome) {
    const began = performance.now();
    const timer = setTimeout(() => this.#settle('silence'), timeout);
    this.#settle = (outcome) => {
      clearTimeout(timer);
      this.#settle = () => {};
      onOutcome({ outcome, shook: this.#shook, port: this.#port, millis: Math.round(performance.now() - began) });
    };
    if (this.#end !== undefined) return this.#settle(this.#end);
    this.#asked++;
    this.#socket.write('hello\n');
  }

  leave() {
    this.#socket.destroy();
  }

  #over(outcome) {
    this.#end ??= outcome;
    this.#settle(this.#end);
  }
}

function outcomeOf({ code = '', message }) {
  if (/alert/i.test(`${code} ${message}`)) return 'alert';
  return { ECONNRESET: 'reset', EPIPE: 'reset', ETIMEDOUT: 'silence' }[code] ?? code;
}
