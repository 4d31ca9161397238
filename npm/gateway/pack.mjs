// Packs `@rejoinder/gateway` and, with a program that was built, the package of its platform:
//
//   node npm/gateway/pack.mjs PROGRAM TARGET FOLDER
//
// TARGET is the program's Rust target, such as x86_64-unknown-linux-musl.
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = fileURLToPath(new URL('.', import.meta.url));
const licences = ['LICENSE-APACHE', 'LICENSE-MIT'];

/** Packs both; gives the paths of the tarballs. */
export function pack(program, target, into) {
  const scratch = mkdtempSync(join(tmpdir(), 'rejoinder-pack-'));
  try {
    const tarballs = [
      packFolder(entry(join(scratch, 'entry')), into),
      packFolder(platform(join(scratch, 'platform'), program, target), into),
    ];
    return tarballs;
  } finally {
    rmSync(scratch, { recursive: true });
  }
}

/** What everybody installs: the command, which looks for the program. */
function entry(folder) {
  mkdirSync(folder);
  for (const file of ['bin', 'package.json', 'README.md']) {
    cpSync(join(here, file), join(folder, file), { recursive: true });
  }
  return folder;
}

/** What npm installs beside it where `os` and `cpu` fit. */
function platform(folder, program, target) {
  const { name, version, license, engines, optionalDependencies } = JSON.parse(
    readFileSync(join(here, 'package.json'), 'utf8'),
  );
  const fits = platformOf(target);
  const own = `${name}-${fits.os}-${fits.cpu}`;
  if (optionalDependencies[own] !== version) {
    throw new Error(`package.json does not name ${own} ${version} in optionalDependencies`);
  }
  mkdirSync(folder);
  const manifest = {
    name: own,
    version,
    description: `The program of ${name} for ${target}`,
    license,
    engines,
    os: [fits.os],
    cpu: [fits.cpu],
    ...(fits.libc && { libc: [fits.libc] }),
    // A program cannot be run inside the archives of Yarn's Plug'n'Play.
    preferUnplugged: true,
    files: ['rejoinder-gateway', ...licences],
  };
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
  const readme = `The program of \`${name}\` for ${target}. Install that; npm chooses this.\n`;
  writeFileSync(join(folder, 'README.md'), readme);
  copyFileSync(program, join(folder, 'rejoinder-gateway'));
  chmodSync(join(folder, 'rejoinder-gateway'), 0o755);
  return folder;
}

/** What npm calls the platform of a Rust target. */
function platformOf(target) {
  const cpus = { x86_64: 'x64', aarch64: 'arm64' };
  const systems = {
    'unknown-linux-musl': { os: 'linux' }, // Needs no C library of the system, so it fits with any.
    'unknown-linux-gnu': { os: 'linux', libc: 'glibc' },
    'apple-darwin': { os: 'darwin' },
  };
  const dash = target.indexOf('-');
  const [cpu, system] = [cpus[target.slice(0, dash)], systems[target.slice(dash + 1)]];
  if (!cpu || !system) throw new Error(`npm has no word for ${target}`);
  return { cpu, ...system };
}

function packFolder(folder, into) {
  for (const file of licences) copyFileSync(join(here, '../..', file), join(folder, file));
  const command = ['pack', '--json', '--pack-destination', into];
  const [{ filename }] = JSON.parse(
    execFileSync('npm', command, { cwd: folder, encoding: 'utf8' }),
  );
  return join(into, filename);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [program, target, into] = process.argv.slice(2);
  for (const tarball of pack(program, target, into)) console.log(tarball);
}
