// A page without a bundler, on servers that make loading the core hard.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { startDriver } from '../../tests/e2e/webdriver.mjs';
import { freshApp, pack, temporaryFolder } from './pack.mjs';

const types = { '.js': 'text/javascript', '.wasm': 'application/wasm', '.html': 'text/html' };

const page = `<!doctype html><title>plain page</title>
<script type="importmap">
  { "imports": { "@rejoinder/client": "/node_modules/@rejoinder/client/dist/index.js" } }
</script>
<script type="module" src="/main.js"></script>`;

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

test('an import map is enough', async () => {
  assert.deepEqual(await load({}), { outcome: 'hello on disk', inline: false });
});

test('a server that answers the .wasm with its index page', async () => {
  const server = { answer: (path) => path.endsWith('.wasm') && page };
  assert.deepEqual(await load(server), { outcome: 'hello on disk', inline: true });
});

test("a policy with 'wasm-unsafe-eval' is enough", async () => {
  const policy = "script-src 'self' 'unsafe-inline' 'wasm-unsafe-eval'; connect-src 'self'";
  assert.deepEqual(await load({ policy }), { outcome: 'hello on disk', inline: false });
});

test('a policy that forbids the fetch', async () => {
  const policy =
    "script-src 'self' 'unsafe-inline' 'wasm-unsafe-eval'; connect-src wss://example.org";
  assert.deepEqual(await load({ policy }), { outcome: 'hello on disk', inline: true });
});

test("a policy without 'wasm-unsafe-eval' is named", async () => {
  const policy = "script-src 'self' 'unsafe-inline'";
  const { outcome } = await load({ policy });
  assert.match(outcome, /^csp_forbids_wasm: .*add 'wasm-unsafe-eval'/);
});

test('a panic ends the client, says so once, and loses no promise', async () => {
  const told = await load({}, async () => {
    const dist = '/node_modules/@rejoinder/client/dist';
    const { createClient } = await import(`${dist}/index.js`);
    const { plantedPanic } = await import(`${dist}/rejoinder.js`);
    const client = createClient({ url: 'ws://127.0.0.1:47999/ws', userId: 'alice' });
    await client.connect('dev:alice');
    const heard = [];
    client.on('error', (error) => heard.push(error.code));
    const code = (promise) =>
      promise.then(
        () => 'resolved',
        (error) => error.code,
      );
    const waiting = code(client.sendMessage('alice|bob', 'waiting', []));
    let thrown;
    try {
      plantedPanic();
    } catch (error) {
      thrown = error.constructor.name;
    }
    return {
      thrown,
      waiting: await waiting,
      heard,
      state: client.connection.getSnapshot().state,
      later: await code(client.sendMessage('alice|bob', 'later', [])),
    };
  });
  assert.deepEqual(told.outcome, {
    thrown: 'RuntimeError',
    waiting: 'panic',
    heard: ['panic'],
    state: 'failed',
    later: 'panic',
  });
});

/** Stores a message in the page. */
const roundTrip = () =>
  window.rejoinderTest.roundTrip().then(
    ({ durability, after }) => `${after} on ${durability}`,
    (error) => `${error.code}: ${error.message}`,
  );

/** What the page made of a server with these habits, and whether it took the built-in copy. */
async function load({ answer, policy }, act = roundTrip) {
  const requested = [];
  const server = createServer((request, response) => {
    requested.push(request.url);
    const body = answer?.(request.url) || (request.url === '/' && page);
    if (policy) response.setHeader('content-security-policy', policy);
    response.setHeader(
      'content-type',
      types[body ? '.html' : extname(request.url)] ?? 'text/plain',
    );
    try {
      response.end(body || readFileSync(join(app.path, request.url)));
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const browser = await driver.session();
  try {
    await browser.open(`http://127.0.0.1:${server.address().port}/`);
    await browser.waitFor('the page has started', () => window.rejoinderTest !== undefined);
    const outcome = await browser.run(act);
    return { outcome, inline: requested.some((url) => url.endsWith('/inline.js')) };
  } finally {
    await browser.close();
    server.closeAllConnections();
    server.close();
  }
}
