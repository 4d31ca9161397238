/**
 * The glue that wasm-bindgen generates, as far as the facade uses it.
 *
 * Written by hand and never shipped: the generated declarations name `Symbol.dispose`, which breaks
 * every consumer that compiles with an older `lib`.
 */
import type { CoreExports } from './core.js';

export const Core: CoreExports['Core'];
export const setFatalListener: CoreExports['setFatalListener'];
export const plantedPanic: CoreExports['plantedPanic'];

export default function init(options: { module_or_path: unknown }): Promise<unknown>;
