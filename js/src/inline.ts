import gzipped from './inlineBytes.js';

/**
 * The core from inside the JavaScript, for pages that cannot fetch the `.wasm` file.
 *
 * A chunk of its own: pages that can fetch it never load this.
 */
export async function bytes(): Promise<ArrayBuffer> {
  const packed = Uint8Array.from(atob(gzipped), (character) => character.charCodeAt(0));
  const unpacked = new Blob([packed]).stream().pipeThrough(new DecompressionStream('gzip'));
  return new Response(unpacked).arrayBuffer();
}
