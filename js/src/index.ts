export type { Core, CoreClient, CoreExports } from './core.js';
export { RejoinderError, type RejoinderErrorCode } from './errors.js';
export { loadCore, type WasmSource } from './load.js';
