import { CoreModule } from './core.js';
import { RejoinderError } from './errors.js';
import init, * as glue from './rejoinder.js';

type WasmInput = string | URL | Request | Response | BufferSource | WebAssembly.Module;

/** Where the core's WebAssembly comes from, if not from beside this file. */
export type WasmSource = WasmInput | (() => WasmInput | Promise<WasmInput>);

let pending: Promise<CoreModule> | undefined;

/**
 * Loads the core: one instance per page, whoever asks. After a failure the next call tries again.
 */
export function loadCore(source?: WasmSource): Promise<CoreModule> {
  pending ??= start(source).catch((error) => {
    pending = undefined;
    throw explain(error);
  });
  return pending;
}

async function start(source: WasmSource | undefined): Promise<CoreModule> {
  const given = typeof source === 'function' ? await source() : source;
  await init({ module_or_path: given ?? (await find()) });
  return new CoreModule(glue);
}

async function find(): Promise<Response | BufferSource> {
  let why: unknown;
  try {
    // One literal expression: bundlers match this text to ship the file.
    const url = new URL('./rejoinder_bg.wasm', import.meta.url);
    if (url.protocol === 'file:') {
      const file = readFile(url);
      if (file) return file;
    }
    const response = await fetch(url);
    // A server for single-page apps answers 200 with its index page for a file it does not have.
    const isPage = response.headers.get('content-type')?.startsWith('text/html');
    if (response.ok && !isPage) return response;
    why = `${url} answered ${response.status}${isPage ? ' with an HTML page' : ''}`;
  } catch (error) {
    // `connect-src` forbids the fetch, or a bundler left no usable `import.meta.url`.
    why = error;
  }
  console.warn('Rejoinder: the .wasm file is out of reach, using the larger built-in copy.', why);
  const inline = await import('./inline.js');
  return inline.bytes();
}

/** Node cannot fetch `file:`. Not an import, which bundlers for the browser would try to follow. */
function readFile(url: URL): Uint8Array<ArrayBuffer> | undefined {
  interface NodeProcess {
    getBuiltinModule?(name: 'node:fs'): { readFileSync(url: URL): Uint8Array<ArrayBuffer> };
  }
  const { process } = globalThis as { process?: NodeProcess };
  return process?.getBuiltinModule?.('node:fs').readFileSync(url);
}

function explain(error: unknown): RejoinderError {
  if (error instanceof RejoinderError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  if (/content security policy|\bcsp\b|unsafe-eval/i.test(reason)) {
    return new RejoinderError('csp_forbids_wasm', `(${reason})`, error);
  }
  return new RejoinderError('core_load_failed', `(${reason})`, error);
}
