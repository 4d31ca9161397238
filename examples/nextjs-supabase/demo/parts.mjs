// The parts of the example as processes: each resolves when it is there, and can be stopped.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const app = fileURLToPath(new URL('..', import.meta.url));
const repository = join(app, '../..');
const built = (name) => join(repository, 'target/debug', name);
const { REJOINDER_GATEWAY: gateway = built('rejoinder-gateway') } = process.env;
const next = join(app, 'node_modules/next/dist/bin/next');

/** A TCP port that nobody listens on: `wanted`, if that is free. */
export async function freePort(wanted = 0) {
  const server = createServer();
  const listening = once(server, 'listening');
  server.listen(wanted, '127.0.0.1');
  try {
    await listening;
    return server.address().port;
  } catch (error) {
    if (wanted === 0) throw error;
    return freePort();
  } finally {
    server.close();
  }
}

/** Starts a PostgreSQL server of its own, which is gone afterwards; gives the URL of a database. */
export async function startPostgres() {
  // Detached: Ctrl-C must not end it before it has tidied up. It ends with its input, whatever
  // becomes of this process.
  const server = start(built('postgres'), [], { stdin: 'pipe', detached: true });
  const url = await server.line(/^(postgres:\S+)/);
  return {
    url,
    stop() {
      server.child.stdin.end();
      return server.ended;
    },
  };
}

/** Starts the stand-in for a Supabase project on a database. */
export async function startSupabase({ databaseUrl, port, tokenLifetimeS = 300 }) {
  const env = { DATABASE_URL: databaseUrl, PORT: port, TOKEN_LIFETIME_S: tokenLifetimeS };
  const server = start('node', [join(app, 'local-supabase/server.mjs')], { env });
  return { url: await server.line(/^listening on (\S+)/), stop: server.stop };
}

/** Where the gateway finds the messages, and who takes part. */
const tables = ['--participants-table', 'public.thread_participants'];

/** Upgrades the application's tables. */
export async function migrate(databaseUrl) {
  const migration = start(gateway, ['migrate', '--database', databaseUrl, ...tables]);
  const said = await migration.line(/^(prepared.*)/);
  await migration.ended;
  return said;
}

/** Starts the gateway: for the users of the project, and for the pages of the application. */
export async function startGateway({ databaseUrl, supabaseUrl, appUrl, port }) {
  const server = start(gateway, [
    ...['--database', databaseUrl, ...tables],
    ...['--supabase-url', supabaseUrl],
    ...['--allow-origin', appUrl],
    ...['--listen', `127.0.0.1:${port}`],
  ]);
  return { url: await server.line(/^listening on (\S+)/), stop: server.stop };
}

/** The variables of the application. */
export function variables({ supabaseUrl, gatewayPort }) {
  return {
    NEXT_PUBLIC_SUPABASE_URL: supabaseUrl,
    NEXT_PUBLIC_SUPABASE_ANON_KEY: 'anon-key-of-the-stand-in',
    NEXT_PUBLIC_REJOINDER_URL: `ws://127.0.0.1:${gatewayPort}/ws`,
    NEXT_TELEMETRY_DISABLED: '1',
  };
}

/** Builds the application; the variables become part of it. */
export async function buildNext(env) {
  const build = start('node', [next, 'build', app], { env });
  await build.ended;
}

/** Serves the application: `start` what was built, or `dev` with hot reload. */
export async function startNext(command, port, env) {
  const args = [next, command, app, '-H', '127.0.0.1', '-p', port];
  const server = start('node', args, { env, isHeard: command === 'dev' });
  await server.line(/Ready in/);
  return { url: `http://127.0.0.1:${port}`, stop: server.stop };
}

function start(program, args, options = {}) {
  const { env = {}, stdin = 'ignore', detached = false, isHeard = false } = options;
  const child = spawn(program, args.map(String), {
    stdio: [stdin, 'pipe', 'pipe'],
    env: { ...process.env, ...env },
    detached,
  });
  let said = '';
  const waiting = new Set();
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => {
      said += `${line}\n`;
      if (isHeard) console.log(line);
      for (const look of waiting) look(line);
    });
  }
  const ended = new Promise((resolve, reject) => {
    child.once('error', (error) => reject(new Error(`${program}: ${error.message}`)));
    child.once('close', (code, signal) => {
      if (code === 0 || signal === 'SIGTERM') resolve();
      else reject(new Error(`${[program, ...args].join(' ')} ended with ${code}:\n${said}`));
    });
  });
  // Whoever waits for it hears of a failure; nobody else has to.
  ended.catch(() => {});
  return {
    child,
    ended,
    /** Resolves with what `pattern` captures, once a line matches. */
    line(pattern) {
      const found = new Promise((resolve) => {
        waiting.add((line) => {
          const match = pattern.exec(line);
          if (match) resolve(match[1] ?? line);
        });
      });
      const tooEarly = ended.then(() => {
        throw new Error(`${program} never said ${pattern}:\n${said}`);
      });
      return Promise.race([found, tooEarly]);
    },
    async stop() {
      child.kill('SIGTERM');
      await ended.catch(() => {});
    },
  };
}
