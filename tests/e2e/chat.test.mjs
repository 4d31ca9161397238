// Two people chat in the example, each in a browser of their own, and one of them loses the network.
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { startGateway } from './gateway.mjs';
import { startProxy } from './proxy.mjs';
import { startDriver } from './webdriver.mjs';

const pictures = fileURLToPath(new URL('../../target/e2e/', import.meta.url));
const engine = process.env.E2E_ENGINE ?? 'chromium';

let gateway;
let proxy;
let driver;
let alice;
let bob;

before(async () => {
  mkdirSync(pictures, { recursive: true });
  gateway = await startGateway();
  proxy = await startProxy(gateway.port);
  driver = await startDriver(engine);
  alice = await driver.session();
  bob = await driver.session();
});

after(async () => {
  await alice?.close();
  await bob?.close();
  await driver?.stop();
  await proxy?.stop();
  await gateway?.stop();
});

const picture = async (session, name) =>
  writeFileSync(`${pictures}${name}.png`, await session.screenshot());

/** The bodies and states of the messages that are shown. */
const shown = (session) =>
  session.run(() =>
    [...document.querySelectorAll('[data-message-id]')].map((row) => ({
      text: row.textContent,
      status: row.dataset.status,
    })),
  );

const isConnected = (session) =>
  session.waitFor('connected', () => {
    const pane = document.querySelector('[data-user]');
    return pane && !document.querySelector('[data-testid="connection-banner"]')
      ? /connected/i.test(pane.textContent) || true
      : false;
  });

/** Types into the composer and presses Enter, as React sees it. */
const write = (session, text) =>
  session.run((body) => {
    const field = document.querySelector('.composer textarea');
    const { set } = Object.getOwnPropertyDescriptor(HTMLTextAreaElement.prototype, 'value');
    set.call(field, body);
    field.dispatchEvent(new Event('input', { bubbles: true }));
    return new Promise((resolve) => {
      setTimeout(() => {
        const enter = { key: 'Enter', bubbles: true, cancelable: true };
        field.dispatchEvent(new KeyboardEvent('keydown', enter));
        setTimeout(resolve, 0);
      }, 0);
    });
  }, text);

/** Waits until exactly these messages are shown, in this order, each in this state. */
const shows = async (session, bodies, status) => {
  const what = `${bodies.length} messages, ${status}`;
  try {
    await session.waitFor(
      what,
      (expected, state) => {
        const rows = [...document.querySelectorAll('[data-message-id]')];
        return (
          rows.length === expected.length &&
          rows.every((row, at) => row.textContent.includes(expected[at])) &&
          rows.every((row) => !state || row.dataset.status === state)
        );
      },
      bodies,
      status,
    );
  } catch (error) {
    throw new Error(`${error.message}; shown: ${JSON.stringify(await shown(session))}`);
  }
};

test('two people exchange messages, and each sees the other write and be there', async () => {
  await alice.open(`${gateway.url}/?user=alice&socket-port=${proxy.port}`);
  await bob.open(`${gateway.url}/?user=bob`);
  await isConnected(alice);
  await isConnected(bob);
  await write(alice, 'Hello, Bob!');
  await shows(bob, ['Hello, Bob!'], 'sent');
  await write(bob, 'Hello, Alice!');
  await shows(alice, ['Hello, Bob!', 'Hello, Alice!'], 'sent');
  await picture(alice, 'exchange');
});

test('three messages written offline survive a reload and arrive once, in order', async () => {
  const before = ['Hello, Bob!', 'Hello, Alice!'];
  const written = ['offline one', 'offline two', 'offline three'];
  proxy.cut();
  await alice.waitFor('offline', () =>
    Boolean(document.querySelector('[data-testid="connection-banner"]')),
  );
  for (const body of written) await write(alice, body);
  await shows(alice, [...before, ...written]);
  await picture(alice, 'offline');
  const states = (await shown(alice)).map((row) => row.status);
  assert.deepEqual(states, ['sent', 'sent', 'queued', 'queued', 'queued']);

  await alice.reload();
  await shows(alice, [...before, ...written]);
  await shows(bob, before, 'sent');

  proxy.restore();
  await shows(bob, [...before, ...written], 'sent');
  await shows(alice, [...before, ...written], 'sent');
  await picture(bob, 'arrived');
  // Nothing comes a second time.
  await write(bob, 'I got all three.');
  await shows(alice, [...before, ...written, 'I got all three.'], 'sent');
  await shows(bob, [...before, ...written, 'I got all three.'], 'sent');
});

test('a new device shows the newest messages, and older ones without a jump', async () => {
  for (let number = 1; number <= 70; number += 1) await write(alice, `line ${number}.`);
  await alice.waitFor('all 76 are stored', () => {
    const rows = [...document.querySelectorAll('[data-message-id]')];
    return rows.length === 76 && rows.every((row) => row.dataset.status === 'sent');
  });
  const device = await driver.session();
  try {
    await device.open(`${gateway.url}/?user=bob`);
    await device.waitFor('the newest 50', () => {
      const rows = document.querySelectorAll('[data-message-id]');
      return rows.length === 50 && rows[49].textContent.includes('line 70.');
    });
    // Up to where the first message is in view: older ones are fetched and put above it.
    const before = await device.run(async () => {
      const rows = () => [...document.querySelectorAll('[data-message-id]')];
      const first = rows()[0];
      let view = first.parentElement;
      while (view && !(view.scrollHeight > view.clientHeight + 1)) view = view.parentElement;
      view.scrollTop = 0;
      window.anchor = first;
      window.anchorTop = first.getBoundingClientRect().top;
      return { id: first.dataset.messageId };
    });
    await device.waitFor('all 76', () => {
      return document.querySelectorAll('[data-message-id]').length === 76;
    });
    const after = await device.run(async () => {
      await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve, 100)));
      const top = window.anchor.getBoundingClientRect().top;
      return {
        isSameElement: window.anchor.isConnected,
        id: window.anchor.dataset.messageId,
        moved: Math.abs(top - window.anchorTop),
        isLast: [...document.querySelectorAll('[data-message-id]')].at(-1)?.textContent,
      };
    });
    await picture(device, 'older');
    assert.equal(after.id, before.id);
    assert.ok(after.isSameElement, 'the message was rendered anew');
    assert.ok(after.moved <= 2, `the message that was read moved by ${after.moved} px`);
    assert.match(after.isLast, /line 70\./);
  } finally {
    await device.close();
  }
});

test('markup that somebody writes is shown as text and does nothing', async () => {
  const markup = [
    '<img src="x" onerror="window.struck = true">',
    '<script>window.struck = true</script>',
    'javascript:window.struck=true',
  ];
  for (const body of markup) await write(alice, body);
  for (const reader of [alice, bob]) {
    await reader.waitFor(
      'the markup',
      (bodies) => {
        const rows = [...document.querySelectorAll('[data-message-id]')].slice(-bodies.length);
        return rows.every((row, at) => row.textContent.includes(bodies[at]));
      },
      markup,
    );
    const found = await reader.run(() => ({
      isStruck: 'struck' in window,
      elements: document.querySelectorAll('[data-message-id] :is(img, script, a)').length,
    }));
    assert.deepEqual(found, { isStruck: false, elements: 0 });
  }
});
