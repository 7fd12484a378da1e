#!/usr/bin/env -S node --inspect-port=192.0.2.1:9229
// the first line, and why this import comes first: see no-debugger.ts
import './no-debugger.js';
import { answerQuickly } from './quick-command.js';

// The program begins here. Most of the time of a short command is the loading of files, so the others come only if needed.
if (!(await answerQuickly(process.argv.slice(2)))) await import('./main.js');
