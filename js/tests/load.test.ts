// @vitest-environment node

import { afterEach, expect, test, vi } from 'vitest';

afterEach(() => {
  vi.restoreAllMocks();
});

test('a failed load may be retried, then there is one instance', async () => {
  vi.spyOn(console, 'warn').mockImplementation(() => {});
  const { loadCore } = await import('../src/load.js');
  const refused = loadCore(new Uint8Array([1, 2, 3]));
  await expect(refused).rejects.toMatchObject({ name: 'RejoinderError', code: 'core_load_failed' });

  const [first, second] = await Promise.all([loadCore(), loadCore()]);
  expect(first).toBe(second);
  expect(typeof first.exports.Core).toBe('function');
});

test('a page that forbids WebAssembly is told which directive it lacks', async () => {
  vi.resetModules();
  const { loadCore } = await import('../src/load.js');
  const refused = loadCore(() => {
    throw new WebAssembly.CompileError('violates the following Content Security policy directive');
  });
  await expect(refused).rejects.toMatchObject({
    code: 'csp_forbids_wasm',
    message: expect.stringContaining("'wasm-unsafe-eval'"),
  });
});
