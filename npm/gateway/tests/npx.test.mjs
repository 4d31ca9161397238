// The packed packages in an empty folder: what a team without Rust does.
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { pack } from '../pack.mjs';

/** The program to pack, and what it was compiled for. */
const { GATEWAY_PROGRAM: program, GATEWAY_TARGET: target } = process.env;
const manifest = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));

/** Whatever takes longer has failed. */
const patience = { timeout: 60_000 };

let folder;
let packed;
/** Of processes: whatever a failed test leaves behind is in one of them. */
const groups = [];

before(() => {
  assert.ok(program && target, 'cargo xtask test says which program to pack');
  folder = mkdtempSync(join(tmpdir(), 'rejoinder-npx-'));
  packed = pack(program, target, folder);
  install('whole', packed);
});

after(() => {
  for (const group of groups) killGroup(group);
  rmSync(folder, { recursive: true, force: true });
});

test('npx starts a gateway, and SIGTERM to npx stops it well', patience, async () => {
  const { started, url, ended } = await start('npx', '--offline', '@rejoinder/gateway');
  started.kill('SIGTERM');
  const { log } = await ended;
  assert.match(log, /draining/);
  await assert.rejects(fetch(`${url}/healthz`), 'it is gone');
});

test('the command ends as the program ends', patience, async () => {
  for (const signal of ['SIGINT', 'SIGTERM']) {
    const { started, ended } = await start(bin('whole'));
    started.kill(signal);
    assert.equal((await ended).code, 0, signal);
  }
  const wrong = run('whole', ['--no-such-option']);
  assert.equal(wrong.status, 2);
  assert.match(wrong.stderr, /--no-such-option/);
});

test('a program that is killed is no success', patience, async () => {
  const { started, ended } = await start(bin('whole'));
  const children = `/proc/${started.pid}/task/${started.pid}/children`;
  process.kill(Number(readFileSync(children, 'utf8')), 'SIGKILL');
  assert.equal((await ended).signal, 'SIGKILL');
});

test('arguments and versions are those of the program', () => {
  assert.equal(run('whole', ['--version']).stdout, `rejoinder-gateway ${manifest.version}\n`);
  const token = ['token', '--sub', 'somebody', '--jwt-secret', 'a secret with spaces'];
  assert.match(run('whole', token).stdout, /^[\w-]+\.[\w-]+\.[\w-]+\n$/);
});

test('another platform is told what there is', () => {
  const pretend = "Object.defineProperty(process, 'platform', { value: 'sunos' });";
  const preload = join(folder, 'sunos.cjs');
  writeFileSync(preload, pretend);
  const refused = run('whole', ['--dev'], ['--require', preload]);
  assert.equal(refused.status, 1);
  assert.match(refused.stderr, /no program for sunos-.*only for linux-x64.*cargo build/);
  assert.doesNotMatch(refused.stderr, /\n\s+at /);
});

test('who left out the optional package is told so', () => {
  install('without', [packed[0], '--omit=optional']);
  const refused = run('without', ['--dev']);
  assert.equal(refused.status, 1);
  assert.match(refused.stderr, /gateway-linux-x64 is not installed.*--omit=optional/);
});

/** A folder with nothing but what was packed; no registry is asked. */
function install(name, what) {
  const app = join(folder, name);
  mkdirSync(app);
  writeFileSync(join(app, 'package.json'), '{ "private": true }');
  const options = ['--offline', '--no-audit', '--no-fund'];
  execFileSync('npm', ['install', ...options, ...what], { cwd: app, stdio: 'pipe' });
}

const bin = (name) => join(folder, name, 'node_modules/.bin/rejoinder-gateway');

function run(name, args, node = []) {
  return spawnSync('node', [...node, bin(name), ...args], { encoding: 'utf8' });
}

/** Starts the command; resolves once it answers. */
async function start(command, ...first) {
  const options = ['--dev', '--listen', '127.0.0.1:0', '--database', 'sqlite::memory:'];
  const started = spawn(command, [...first, ...options], {
    cwd: join(folder, 'whole'),
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  groups.push(started.pid);
  let log = '';
  started.stderr.on('data', (text) => {
    log += text;
  });
  const ended = new Promise((resolve) => {
    started.on('close', (code, signal) => resolve({ code, signal, log }));
  });
  const url = await new Promise((resolve, reject) => {
    ended.then(() => reject(new Error(`it ended: ${log}`)), reject);
    createInterface({ input: started.stdout }).on('line', (line) => {
      const address = /^listening on (http:\S+)/.exec(line)?.[1];
      if (address) resolve(address);
    });
  });
  const healthy = await fetch(`${url}/healthz`);
  assert.equal(await healthy.text(), 'ok\n');
  return { started, url, ended };
}

function killGroup(leader) {
  try {
    process.kill(-leader, 'SIGKILL');
  } catch {
    // All of them have ended.
  }
}
