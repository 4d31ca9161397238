// The tarball as a user gets it, and a folder to install it into.
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const js = fileURLToPath(new URL('..', import.meta.url));

export const npm = (cwd, ...args) => {
  return execFileSync('npm', args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
};

/** Packs `js/`; gives the tarball's path and the files inside. */
export function pack(into) {
  const [{ filename, files }] = JSON.parse(npm(js, 'pack', '--json', '--pack-destination', into));
  return { tarball: join(into, filename), files: files.map(({ path }) => path) };
}

/** A temporary copy of the app in `packaging-tests/<name>`, with the tarball installed. */
export function freshApp(name, tarball) {
  const app = temporaryFolder();
  cpSync(join(js, 'packaging-tests', name), app.path, {
    recursive: true,
    filter: (source) => !source.includes('node_modules'),
  });
  npm(app.path, 'install', '--no-save', '--prefer-offline', tarball);
  return app;
}

/** A folder that `remove` takes away again. */
export function temporaryFolder() {
  const path = mkdtempSync(join(tmpdir(), 'rejoinder-packaging-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** The size of a built file. */
export const size = (path) => readFileSync(join(js, path)).length;
