// A real gateway that serves the example, as `cargo xtask demo` starts it.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** Starts a gateway on a database of its own; resolves once it listens. */
export async function startGateway() {
  const folder = mkdtempSync(join(tmpdir(), 'rejoinder-e2e-'));
  const program = join(root, 'target/debug/rejoinder-gateway');
  const child = spawn(
    program,
    [
      '--dev',
      '--listen',
      '127.0.0.1:0',
      '--database',
      `sqlite:${join(folder, 'gateway.db')}`,
      '--serve-dir',
      join(root, 'examples/react-chat/dist'),
    ],
    { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, REJOINDER_LOG: 'error' } },
  );
  const url = await new Promise((resolve, reject) => {
    child.once('error', (error) => reject(new Error(`${program}: ${error.message}`)));
    child.once('exit', (code) => reject(new Error(`${program} ended with ${code}`)));
    createInterface({ input: child.stdout }).on('line', (line) => {
      const address = /^listening on (http:\S+)/.exec(line)?.[1];
      if (address) resolve(address);
    });
  });
  return {
    url,
    port: Number(new URL(url).port),
    stop() {
      return new Promise((resolve) => {
        child.once('exit', () => {
          rmSync(folder, { recursive: true, force: true });
          resolve();
        });
        child.kill('SIGKILL');
      });
    },
  };
}
