// @vitest-environment node

import { expect, test, vi } from 'vitest';
import { FakePage } from './fakeCore.js';

test('a panic tells every listener once, and those that come later at once', () => {
  const page = new FakePage();
  const heard = vi.fn();
  const silenced = vi.fn();
  const reported = vi.spyOn(console, 'error').mockImplementation(() => {});
  page.module.onFailure(() => {
    throw new Error('a broken listener');
  });
  page.module.onFailure(heard);
  page.module.onFailure(silenced)();
  expect(page.module.failure).toBeUndefined();

  page.panic('planted');

  const { failure } = page.module;
  expect(failure).toMatchObject({ code: 'panic', message: expect.stringContaining('planted') });
  expect(heard).toHaveBeenCalledExactlyOnceWith(failure);
  expect(silenced).not.toHaveBeenCalled();
  expect(reported).toHaveBeenCalledTimes(1);
  const late = vi.fn();
  page.module.onFailure(late);
  expect(late).toHaveBeenCalledExactlyOnceWith(failure);
});

test('the real core panics, says so once, and refuses what comes later', async () => {
  vi.spyOn(console, 'error').mockImplementation(() => {});
  const { loadCore } = await import('../src/load.js');
  const module = await loadCore();
  const heard = vi.fn();
  module.onFailure(heard);

  expect(() => module.exports.plantedPanic()).toThrow(WebAssembly.RuntimeError);
  await new Promise((resolve) => setTimeout(resolve));
  expect(heard).toHaveBeenCalledExactlyOnceWith(
    expect.objectContaining({ code: 'panic', message: expect.stringContaining('planted panic') }),
  );
  expect(() => module.exports.plantedPanic()).toThrow('reload the page');
  const options = { url: 'ws://127.0.0.1:1/ws', userId: 'alice', skipFailed: false };
  expect(() => new module.exports.Core(options, () => {})).toThrow('reload the page');
  expect(heard).toHaveBeenCalledTimes(1);
});
