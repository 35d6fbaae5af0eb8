#!/usr/bin/env node
/**
 * What is run first: signals that must not do what Node does by itself are heard before anything else is loaded. All
 * else is program.ts.
 */
import { hearSignals } from './early-signals.ts';

const args = process.argv.slice(2);
if (args.find((arg) => !arg.startsWith('-')) === 'run') hearSignals();
const { runProgram } = await import('./program.ts');
await runProgram(args);
