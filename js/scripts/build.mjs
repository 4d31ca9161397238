// Builds dist/ from src/ and from what wasm-pack put into ../pkg.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { minifySync } from 'vite';

const here = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url));
const tool = (name, ...args) => {
  execFileSync(here(`node_modules/.bin/${name}`), args, { stdio: 'inherit' });
};

const pkg = (name) => here(`../pkg/${name}`);
const dist = (name) => here(`dist/${name}`);

rmSync(here('dist'), { recursive: true, force: true });
mkdirSync(here('dist'));
tool('tsc', '-p', here('tsconfig.build.json'));

// The pinned binaryen: the wasm-opt of some distributions breaks the file without a word.
const strip = ['--strip-debug', '--strip-producers', '--strip-target-features'];
const optimised = dist('rejoinder_bg.wasm');
tool('wasm-opt', '-Oz', ...strip, pkg('rejoinder_bg.wasm'), '-o', optimised);

const glue = minifySync('rejoinder.js', readFileSync(pkg('rejoinder.js'), 'utf8'), {
  module: true,
});
if (glue.errors.length > 0) throw new Error(JSON.stringify(glue.errors));
writeFileSync(dist('rejoinder.js'), glue.code);

const gzipped = gzipSync(readFileSync(optimised), { level: 9 }).toString('base64');
writeFileSync(dist('inlineBytes.js'), `export default ${JSON.stringify(gzipped)};\n`);
