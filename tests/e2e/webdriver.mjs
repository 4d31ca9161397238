// A small WebDriver client over plain fetch: one way to drive every browser engine.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** The capabilities that the wasm-pack tests use too. */
const capabilities = JSON.parse(
  readFileSync(new URL('../../webdriver.json', import.meta.url), 'utf8'),
);

/** Another engine joins with one more row. */
const engines = {
  chromium: {
    driver: process.env.CHROMEDRIVER ?? 'chromedriver',
    args: (port) => [`--port=${port}`],
    capabilities: { 'goog:chromeOptions': capabilities['goog:chromeOptions'] },
  },
};

/** A TCP port that nobody listens on. */
export function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/** Asks `probe` until it gives something true; errors count as not yet. */
export async function eventually(what, probe, { withinMs = 20_000 } = {}) {
  const deadline = Date.now() + withinMs;
  let last;
  while (Date.now() < deadline) {
    try {
      const value = await probe();
      if (value) return value;
      last = value;
    } catch (error) {
      last = error;
    }
    await sleep(50);
  }
  const seen = last instanceof Error ? last.message : JSON.stringify(last);
  throw new Error(`${what}: not within ${withinMs} ms (last: ${seen})`);
}

/** Starts the driver of `engine`; it carries any number of sessions, each a browser of its own. */
export async function startDriver(engine = 'chromium') {
  const { driver, args, capabilities } = engines[engine];
  const port = await freePort();
  // Drivers forget to delete the profiles of their browsers, megabytes each.
  const folder = mkdtempSync(join(tmpdir(), 'rejoinder-browser-'));
  const env = { ...process.env, TMPDIR: folder };
  const child = spawn(driver, args(port), { stdio: 'ignore', env });
  const sessions = new Set();
  const failed = new Promise((_, reject) => {
    child.once('error', (error) => reject(new Error(`${driver} does not start: ${error.message}`)));
  });
  const base = `http://127.0.0.1:${port}`;
  const ready = eventually(`${driver} is ready`, async () => {
    return (await call(base, 'GET', '/status')).ready;
  });
  await Promise.race([ready, failed]);
  return {
    async session() {
      const alwaysMatch = { ...capabilities, timeouts: { script: 60_000 } };
      const { sessionId } = await call(base, 'POST', '/session', { capabilities: { alwaysMatch } });
      const session = new Session(`${base}/session/${sessionId}`, () => sessions.delete(session));
      sessions.add(session);
      return session;
    },
    /** Ends the driver and every browser that is still open. */
    async stop() {
      // A browser that has crashed cannot be closed any more.
      await Promise.allSettled([...sessions].map((session) => session.close()));
      if (child.exitCode === null && child.signalCode === null) {
        const exited = once(child, 'exit');
        child.kill();
        await exited;
      }
      await remove(folder);
    },
  };
}

/** Removes a folder that a browser may still write to: its processes outlive its session a little. */
function remove(folder) {
  return eventually(`${folder} is gone`, async () => {
    rmSync(folder, { recursive: true, force: true });
    await sleep(250);
    return !existsSync(folder);
  });
}

/** One browser with a profile of its own. */
class Session {
  #base;
  #forget;

  constructor(base, forget) {
    this.#base = base;
    this.#forget = forget;
  }

  /** Navigates to `url` and waits until the page has loaded. */
  async open(url) {
    await call(this.#base, 'POST', '/url', { url });
  }

  async reload() {
    await call(this.#base, 'POST', '/refresh', {});
  }

  /** Runs `f` in the page, awaits what it returns, and rejects with what it throws. */
  async run(f, ...args) {
    const script = `
      const args = [...arguments], done = args.pop();
      const told = (error) => done({ error: String(error?.stack ?? error) });
      try { Promise.resolve((${f})(...args)).then((value) => done({ value }), told); }
      catch (error) { told(error); }`;
    const { value, error } = await call(this.#base, 'POST', '/execute/async', { script, args });
    if (error) throw new Error(`in the page: ${error}`);
    return value;
  }

  /** Asks `f` in the page until it returns something true. */
  waitFor(what, f, ...args) {
    return eventually(what, () => this.run(f, ...args));
  }

  /** The visible page as a PNG. */
  async screenshot() {
    return Buffer.from(await call(this.#base, 'GET', '/screenshot'), 'base64');
  }

  async close() {
    this.#forget();
    await call(this.#base, 'DELETE', '');
  }
}

async function call(base, method, path, body) {
  const response = await fetch(base + path, {
    method,
    ...(body && { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
  });
  const { value } = await response.json();
  if (!response.ok)
    throw new Error(`WebDriver ${method} ${path}: ${value.error}: ${value.message}`);
  return value;
}
