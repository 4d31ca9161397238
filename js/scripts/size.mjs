// Prints what a browser downloads, minified as a bundler would.
import { readdirSync, readFileSync } from 'node:fs';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { minifySync } from 'vite';

const dist = new URL('../dist/', import.meta.url);
const read = (name) => readFileSync(new URL(name, dist));

const glue = 'rejoinder.js';
const fallback = ['inline.js', 'inlineBytes.js'];
const facade = readdirSync(dist).filter((name) => {
  return name.endsWith('.js') && name !== glue && !fallback.includes(name);
});
const minified = (names) => {
  const code = names.map((name) => {
    return minifySync(name, read(name).toString(), {
      module: true,
      codegen: { legalComments: 'none' },
    }).code;
  });
  return Buffer.from(code.join('\n'));
};

const parts = [
  ['wasm', read('rejoinder_bg.wasm')],
  ['glue', read(glue)],
  ['facade', minified(facade)],
].map(([name, bytes]) => [
  name,
  bytes.length,
  gzipSync(bytes, { level: 9 }).length,
  brotliCompressSync(bytes).length,
]);
const sum = (column) => parts.reduce((total, row) => total + row[column], 0);
parts.push(['all', sum(1), sum(2), sum(3)]);

const row = (cells) => cells.map((cell) => String(cell).padStart(9)).join('');
const kilobytes = (bytes) => (bytes / 1000).toFixed(1);
console.log(row(['KB', 'raw', 'gzip', 'brotli']));
for (const [name, ...sizes] of parts) console.log(row([name, ...sizes.map(kilobytes)]));
