// @vitest-environment node

import { expect, test, vi } from 'vitest';
import { Core, type CoreExports } from '../src/core.js';

/** A core whose panic the test decides. */
function fakeCore() {
  let panic = (_message: string) => {};
  const exports: CoreExports = {
    Client: { open: () => new Promise(() => {}) },
    onFatal: (callback) => {
      panic = callback;
    },
    plantedPanic: () => panic('planted'),
  };
  return new Core(exports);
}

test('a panic rejects what waits, tells every listener once, and refuses what comes later', async () => {
  const core = fakeCore();
  const heard = vi.fn();
  const silenced = vi.fn();
  vi.spyOn(console, 'error').mockImplementation(() => {});
  core.onFailure(() => {
    throw new Error('a broken listener');
  });
  core.onFailure(heard);
  core.onFailure(silenced)();
  const waiting = core.guard(new Promise(() => {}));

  core.exports.plantedPanic();

  await expect(waiting).rejects.toMatchObject({ code: 'panic' });
  await expect(core.guard(Promise.resolve(1))).rejects.toBe(core.failure);
  expect(heard).toHaveBeenCalledExactlyOnceWith(core.failure);
  expect(silenced).not.toHaveBeenCalled();
  const late = vi.fn();
  core.onFailure(late);
  expect(late).toHaveBeenCalledExactlyOnceWith(core.failure);
});

test('a guarded call settles like the call', async () => {
  const core = fakeCore();
  await expect(core.guard(Promise.resolve(1))).resolves.toBe(1);
  await expect(core.guard(Promise.reject(new Error('no')))).rejects.toThrow('no');
  expect(core.failure).toBeUndefined();
});

test('a panic of the real core is reported once, and its exports say so afterwards', async () => {
  vi.spyOn(console, 'error').mockImplementation(() => {});
  vi.spyOn(console, 'warn').mockImplementation(() => {});
  const { loadCore } = await import('../src/load.js');
  const core = await loadCore();
  const heard = vi.fn();
  core.onFailure(heard);
  const waiting = core.guard(new Promise(() => {}));

  expect(() => core.exports.plantedPanic()).toThrow(WebAssembly.RuntimeError);
  await expect(waiting).rejects.toMatchObject({
    code: 'panic',
    message: expect.stringContaining('planted panic'),
  });
  expect(() => core.exports.plantedPanic()).toThrow('reload the page');
  await expect(core.exports.Client.open('x')).rejects.toThrow('reload the page');
  expect(heard).toHaveBeenCalledTimes(1);
});
