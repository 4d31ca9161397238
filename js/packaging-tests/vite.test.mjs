// A fresh Vite app installs the tarball, with no configuration, and runs it in a browser.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { eventually, freePort, startDriver } from '../../tests/e2e/webdriver.mjs';
import { freshApp, pack, size, temporaryFolder } from './pack.mjs';

let folder;
let app;
let driver;

before(async () => {
  folder = temporaryFolder();
  app = freshApp('vite-app', pack(folder.path).tarball);
  driver = await startDriver();
});

after(async () => {
  await driver?.stop();
  app?.remove();
  folder?.remove();
});

test('the dev server serves an app that works', async () => {
  await withServer([], runsInABrowser);
});

test('the built app works', async () => {
  execFileSync('node', [vite(), 'build'], { cwd: app.path, stdio: 'pipe' });
  await withServer(['preview'], runsInABrowser);
});

const vite = () => join(app.path, 'node_modules/vite/bin/vite.js');

/** Serves the app as long as `use` runs. */
async function withServer(command, use) {
  const port = await freePort();
  const args = [vite(), ...command, '--port', port, '--strictPort', '--host', '127.0.0.1'];
  const server = spawn('node', args, { cwd: app.path, stdio: 'ignore' });
  try {
    const url = `http://127.0.0.1:${port}/`;
    await eventually(`vite ${command}`, async () => (await fetch(url)).ok);
    await use(url);
  } finally {
    server.kill();
  }
}

async function runsInABrowser(url) {
  const browser = await driver.session();
  try {
    await openApp(browser, url);
    assert.deepEqual(await browser.run(() => window.rejoinderTest.roundTrip()), {
      before: [],
      durability: 'disk',
      after: ['hello'],
    });
    assert.deepEqual(await loadedWasm(browser), [size('dist/rejoinder_bg.wasm')]);

    await openApp(browser, url);
    assert.deepEqual(await browser.run(() => window.rejoinderTest.roundTrip()), {
      before: ['hello'],
      durability: 'disk',
      after: ['hello', 'hello'],
    });
  } finally {
    await browser.close();
  }
}

async function openApp(browser, url) {
  await browser.open(url);
  // Vite's dev server reloads the page once when it discovers the dependency.
  await browser.waitFor('the app has started', () => window.rejoinderTest !== undefined);
}

/** The sizes of the WebAssembly files that the page fetched. */
function loadedWasm(browser) {
  return browser.run(() => {
    const wasm = performance
      .getEntriesByType('resource')
      .filter(({ name }) => name.includes('.wasm'));
    return wasm.map(({ decodedBodySize }) => decodedBodySize);
  });
}
