#!/usr/bin/env node
// Runs the program for this platform as if it had been called itself: arguments, input and output,
// signals, and how it ends.
import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { platform } from 'node:process';

const require = createRequire(import.meta.url);
const { name, optionalDependencies } = require('../package.json');

const found = program();
if (found.path) run(found.path);
else {
  console.error(`rejoinder-gateway: ${found.problem}`);
  process.exitCode = 1;
}

/** The path of the program, or why there is none. */
function program() {
  const wanted = `${name}-${platform}-${process.arch}`;
  if (!(wanted in optionalDependencies)) {
    const known = Object.keys(optionalDependencies).map((one) => one.slice(name.length + 1));
    const problem = `there is no program for ${platform}-${process.arch}, only for ${known.join(', ')}; with Rust it is built from source: cargo build --release --package rejoinder-gateway`;
    return { problem };
  }
  try {
    return { path: require.resolve(`${wanted}/rejoinder-gateway`) };
  } catch {
    const problem = `${wanted} is not installed; install ${name} again, on this machine and without --omit=optional`;
    return { problem };
  }
}

function run(path) {
  const gateway = spawn(path, process.argv.slice(2), { stdio: 'inherit' });
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
  const pass = (signal) => gateway.kill(signal);
  for (const signal of signals) process.on(signal, pass);
  if (process.env.npm_command) endWithParent(gateway);
  gateway.on('error', (error) => {
    console.error(`rejoinder-gateway: ${path}: ${error.message}`);
    process.exitCode = 1;
  });
  gateway.on('exit', (code, signal) => {
    for (const one of signals) process.off(one, pass);
    if (signal) process.kill(process.pid, signal);
    else process.exitCode = code;
  });
}

/** npx that is told to end ends only the shell that it put between, and the gateway would go on. */
function endWithParent(gateway) {
  const parent = process.ppid;
  const look = () => process.ppid === parent || gateway.kill('SIGTERM');
  setInterval(look, 200).unref();
}
