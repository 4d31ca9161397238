// A Supabase team's application on its way: the old path and the new one on one page, for two people
// in browsers of their own, on one real database that has been upgraded with its rows.
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import {
  buildNext,
  freePort,
  migrate,
  startGateway,
  startNext,
  startPostgres,
  startSupabase,
  variables,
} from '../../examples/nextjs-supabase/demo/parts.mjs';
import { startDriver } from './webdriver.mjs';

const pg = createRequire(new URL('../../examples/nextjs-supabase/demo/', import.meta.url))('pg');
const root = new URL('../../', import.meta.url);
const guide = readFileSync(new URL('docs/migrating.md', root), 'utf8');
const pictures = fileURLToPath(new URL('../../target/e2e/', import.meta.url));

/** So short that a token ends while the tests run, again and again. */
const TOKEN_LIFETIME_S = 15;

const BOB = 'b0b00000-0000-4000-8000-000000000002';
const THREAD = '7ead0000-0000-4000-8000-000000000003';
/** What the application's table holds before anybody has heard of Rejoinder. */
const OLD_ROWS = [
  'Did you find the keys?',
  'Under the flower pot, as ever.',
  'Then I bring the bread on Friday.',
  'And I light the stove.',
];
/** Every message so far. */
const said = [...OLD_ROWS];

const parts = [];
let app;
let database;
let gateway;
let startNewGateway;
let alice;
let bob;

const keep = (part) => {
  parts.unshift(part);
  return part;
};

before(async () => {
  mkdirSync(pictures, { recursive: true });
  const ports = await Promise.all([freePort(), freePort(), freePort()]);
  const [port, gatewayPort, appPort] = ports;
  const supabaseUrl = `http://127.0.0.1:${port}`;
  const appUrl = `http://127.0.0.1:${appPort}`;
  const env = variables({ supabaseUrl, gatewayPort });
  const built = buildNext(env);
  const databaseUrl = keep(await startPostgres()).url;
  database = new pg.Client(databaseUrl);
  await database.connect();
  keep({ stop: () => database.end() });
  keep(await startSupabase({ databaseUrl, port, tokenLifetimeS: TOKEN_LIFETIME_S }));
  startNewGateway = async () => {
    assert.match(await migrate(databaseUrl), /threads that were numbered: 1/);
    gateway = await startGateway({ databaseUrl, supabaseUrl, appUrl, port: gatewayPort });
  };
  await startNewGateway();
  keep({ stop: () => gateway.stop() });
  await built;
  app = keep(await startNext('start', appPort, env));
  const driver = keep(await startDriver());
  [alice, bob] = await Promise.all([driver.session(), driver.session()]);
});

after(async () => {
  for (const part of parts) await part.stop();
});

const picture = async (session, name) =>
  writeFileSync(`${pictures}${name}.png`, await session.screenshot());

/** Signs in through the form. */
async function signIn(session, email) {
  await session.open(app.url);
  // A click before the page is hydrated would reload it instead.
  await session.waitFor('the form', () => {
    const form = document.querySelector('.sign-in');
    return form && Object.keys(form).some((key) => key.startsWith('__reactProps'));
  });
  await session.run((who) => {
    document.querySelector('.sign-in select').value = who;
    document.querySelector('.sign-in').requestSubmit();
  }, email);
  await bothConnected(session);
}

const bothConnected = (session) =>
  session.waitFor('both sides are connected', () => {
    const words = [...document.querySelectorAll('.status')].map(({ textContent }) => textContent);
    return words.length === 2 && words.every((word) => word === 'connected');
  });

/** Types into the field of a side and sends. */
const write = (session, side, text) =>
  session.run(
    async (side, text) => {
      const form = document.querySelector(`[data-side=${side}] form`);
      const field = form.querySelector('input');
      const { set } = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value');
      set.call(field, text);
      field.dispatchEvent(new Event('input', { bubbles: true }));
      await new Promise((resolve) => setTimeout(resolve, 0));
      form.requestSubmit();
    },
    side,
    text,
  );

/** Switches the network of a page off or on. */
const switchNetwork = (session) =>
  session.run(() => document.querySelector('.switch input').click());

const bodies = (session, side) =>
  session.run((side) => {
    const rows = document.querySelectorAll(`[data-side=${side}] [data-message] .body`);
    return [...rows].map(({ textContent }) => textContent);
  }, side);

/** Waits until exactly these messages are shown on a side, in this order. */
async function shows(session, side, expected) {
  try {
    await session.waitFor(
      `${expected.length} messages on the side ${side}`,
      (side, expected) => {
        const rows = [...document.querySelectorAll(`[data-side=${side}] [data-message] .body`)];
        return (
          rows.length === expected.length &&
          rows.every(({ textContent }, at) => textContent === expected[at])
        );
      },
      side,
      expected,
    );
  } catch (error) {
    throw new Error(`${error.message}; shown: ${JSON.stringify(await bodies(session, side))}`);
  }
}

/** Notes from now on what becomes of the connection to the gateway, in `window.noted`. */
const noteConnection = (session) =>
  session.run(() => {
    const noted = { since: Date.now(), states: [], sent: [], received: [] };
    window.noted = noted;
    const client = globalThis[Symbol.for('@rejoinder/client')];
    client.on('connection', ({ state }) => noted.states.push(state));
    const { send } = WebSocket.prototype;
    const heard = new Set();
    WebSocket.prototype.send = function (data) {
      // Realtime's are arrays, and go elsewhere.
      const frame = JSON.parse(data);
      if (frame.type) {
        noted.sent.push(frame);
        if (!heard.has(this)) {
          heard.add(this);
          this.addEventListener('message', ({ data }) => noted.received.push(JSON.parse(data)));
        }
      }
      send.call(this, data);
    };
  });

const notice = (session, words) =>
  session.waitFor(
    words,
    (words) => document.querySelector('[data-side=after] .notice')?.textContent === words,
    words,
  );

/** The page as the server sends it, without the marks that React puts between texts. */
const html = async (cookie = '') =>
  (await (await fetch(app.url, { headers: { cookie } })).text()).replaceAll('<!-- -->', '');

test('the guide quotes code that exists', () => {
  const quotes = [...guide.matchAll(/```tsx? (\S+)\n(.*?)```/gs)];
  assert.ok(quotes.length > 5);
  for (const [, path, code] of quotes) {
    assert.ok(readFileSync(new URL(path, root), 'utf8').includes(code), `${path}:\n${code}`);
  }
});

test('the server renders the page, with the rows that were there, before any script runs', async () => {
  const stranger = await html();
  assert.match(stranger, /<h1>Sign in<\/h1>/);
  assert.doesNotMatch(stranger, /summer house/);

  await signIn(alice, 'alice@example.com');
  const page = await html(await alice.run(() => document.cookie));
  assert.match(page, /<h1>The summer house<\/h1>/);
  assert.match(page, /Alice with Bob/);
  const [, left, right] = page.split('data-side=');
  for (const body of OLD_ROWS) {
    for (const side of [left, right]) assert.ok(side.includes(`>${body}<`), body);
  }
});

test('the new path shows the rows that the old one has written', async () => {
  await signIn(bob, 'bob@example.com');
  await noteConnection(bob);
  for (const session of [alice, bob]) {
    for (const side of ['before', 'after']) await shows(session, side, OLD_ROWS);
  }
  await notice(alice, 'Bob is online');
});

test('what one path sends arrives on both, once and in order', async () => {
  for (const [session, side, text] of [
    [alice, 'before', 'old to new'],
    [bob, 'after', 'new to old'],
    [alice, 'after', 'new to new'],
    [bob, 'before', 'old to old'],
    [bob, 'after', 'and once more'],
  ]) {
    said.push(text);
    await write(session, side, text);
    for (const reader of [alice, bob]) {
      for (const side of ['before', 'after']) await shows(reader, side, said);
    }
  }
  const numbered = await database.query(
    'SELECT body, sequence_number::int FROM messages ORDER BY sequence_number',
  );
  assert.deepEqual(
    numbered.rows,
    said.map((body, index) => ({ body, sequence_number: index + 1 })),
  );
  await picture(alice, 'nextjs');
});

test('without a network the old path loses messages, and the new one nothing', async () => {
  await switchNetwork(alice);
  await alice.waitFor('offline', () =>
    [...document.querySelectorAll('.status')].every((one) => one.textContent.startsWith('offline')),
  );
  await write(alice, 'after', 'written offline');
  const meanwhile = ['while you were away', 'and this, too'];
  await write(bob, 'after', 'while you were away');
  await shows(bob, 'before', [...said, 'while you were away']);
  await write(bob, 'before', 'and this, too');
  await shows(bob, 'after', [...said, ...meanwhile]);
  await picture(alice, 'nextjs-offline');

  await switchNetwork(alice);
  const complete = [...said, ...meanwhile, 'written offline'];
  await shows(alice, 'after', complete);
  await shows(bob, 'after', complete);
  await bothConnected(alice);
  const old = await bodies(alice, 'before');
  for (const lost of meanwhile) assert.ok(!old.includes(lost), `the old path shows ${lost}`);
  await picture(alice, 'nextjs-online-again');

  said.push(...meanwhile, 'written offline');
  await alice.reload();
  await bothConnected(alice);
  for (const side of ['before', 'after']) await shows(alice, side, said);
});

test('who is removed from the table of participants is gone on the new path at once', async () => {
  await notice(alice, 'Bob is online');
  await database.query('DELETE FROM thread_participants WHERE thread_id = $1 AND user_id = $2', [
    THREAD,
    BOB,
  ]);
  await notice(alice, 'Nobody else takes part any more');
  await notice(bob, 'You take part in this conversation no longer');
  await shows(bob, 'after', []);
  await picture(bob, 'nextjs-removed');

  await database.query('INSERT INTO thread_participants VALUES ($1, $2)', [THREAD, BOB]);
  await notice(alice, 'Bob is online');
  await shows(bob, 'after', said);
});

test('tokens end, and the connection goes on with newer ones', async () => {
  const found = await bob.waitFor(
    'a token that is newer than any at the beginning',
    (lifetimeMs) => {
      const { since, states, sent, received } = window.noted;
      const newer = received.find(
        ({ type, expires_at: at }) => type === 'authenticated' && at > since + lifetimeMs,
      );
      const hasEnded = Date.now() > since + lifetimeMs;
      return newer && hasEnded && { states, types: sent.map(({ type }) => type) };
    },
    TOKEN_LIFETIME_S * 1000,
  );
  assert.ok(found.types.includes('auth'));
  assert.ok(!found.types.includes('hello'), 'it has connected anew');
  assert.deepEqual([...new Set(found.states)], ['connected']);
  said.push('still here');
  await write(bob, 'after', 'still here');
  for (const session of [alice, bob]) await shows(session, 'after', said);
});

test('the migration can be taken back, and made anew', async () => {
  await gateway.stop();
  await database.query(/```sql\n(DROP SCHEMA.*?)```/s.exec(guide)[1]);
  said.push('as in the old days');
  await write(bob, 'before', 'as in the old days');
  for (const session of [alice, bob]) {
    await session.reload();
    await shows(session, 'before', said);
  }

  await startNewGateway();
  for (const session of [alice, bob]) {
    await bothConnected(session);
    await shows(session, 'after', said);
  }
});
