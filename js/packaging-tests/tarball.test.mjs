// What the tarball holds, and what its types ask of whoever installs it.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { js, npm, pack, size, temporaryFolder } from './pack.mjs';

let consumer;
let packed;

before(() => {
  consumer = temporaryFolder();
  packed = pack(consumer.path);
  writeFileSync(join(consumer.path, 'package.json'), '{ "private": true, "type": "module" }');
  // Who imports `./react` has React's types; what else is imported does without.
  const types = `@types/react@${JSON.parse(readFileSync(join(js, 'package.json'), 'utf8')).devDependencies['@types/react']}`;
  npm(consumer.path, 'install', '--no-save', '--prefer-offline', packed.tarball, types);
});

after(() => consumer?.remove());

test('holds what it needs and nothing generated for others', () => {
  for (const file of ['index.js', 'index.d.ts', 'rejoinder.js', 'rejoinder_bg.wasm', 'inline.js']) {
    assert.ok(packed.files.includes(`dist/${file}`), file);
  }
  const generated = packed.files.filter((file) => /^dist\/rejoinder.*\.d\.ts$/.test(file));
  assert.deepEqual(generated, []);
  assert.deepEqual(installed().dependencies, undefined);
});

test('every entry leads to a file', () => {
  const targets = Object.values(installed().exports).flatMap((entry) => {
    return typeof entry === 'string' ? [entry] : Object.values(entry);
  });
  for (const target of targets) assert.ok(existsSync(join(packageFolder(), target)), target);
});

test('the core is the optimised one', () => {
  const shipped = readFileSync(join(packageFolder(), 'dist/rejoinder_bg.wasm')).length;
  assert.ok(shipped < 0.8 * size('../pkg/rejoinder_bg.wasm'), `${shipped} bytes`);
});

test('compiles for an old lib, all declarations checked', () => {
  const entries = Object.entries(installed().exports).filter(([, target]) => target.types);
  const imports = entries.map(([name], index) => {
    return `import * as entry${index} from '@rejoinder/client${name.slice(1)}';\nvoid entry${index};`;
  });
  writeFileSync(join(consumer.path, 'use.ts'), imports.join('\n'));
  const options = ['--lib', 'es2020,dom', '--skipLibCheck', 'false', '--strict', '--noEmit'];
  const modules = ['--target', 'es2020', '--module', 'nodenext', '--types', ''];
  const tsc = spawnSync(
    join(js, 'node_modules/.bin/tsc'),
    [...options, ...modules, '--listFiles', 'use.ts'],
    { cwd: consumer.path, encoding: 'utf8' },
  );
  assert.equal(tsc.status, 0, tsc.stdout);
  assert.match(tsc.stdout, /dist\/index\.d\.ts/);
  assert.doesNotMatch(tsc.stdout, /rejoinder(_bg\.wasm)?\.d\.ts/);
});

const packageFolder = () => join(consumer.path, 'node_modules/@rejoinder/client');
const installed = () => JSON.parse(readFileSync(join(packageFolder(), 'package.json'), 'utf8'));
