// @vitest-environment node

import { readdirSync, readFileSync } from 'node:fs';
import { expect, test, vi } from 'vitest';

const react = new URL('../src/react/', import.meta.url);

test('an import touches nothing of a browser and loads no core', async () => {
  const fetched = vi.spyOn(globalThis, 'fetch');
  const compiled = vi.spyOn(WebAssembly, 'instantiate');
  expect(globalThis).not.toHaveProperty('window');
  const { createClient, getWebSocketClient } = await import('../src/index.js');
  await import('../src/react/index.js');
  const client = createClient();
  client.subscribe('t');
  expect(client.connection.getSnapshot()).toEqual({
    state: 'idle',
    queueLength: 0,
    storage: 'memory',
  });
  expect(getWebSocketClient().isConnected).toBe(false);
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(fetched).not.toHaveBeenCalled();
  expect(compiled).not.toHaveBeenCalled();
});

test('every React file says on its first line that it belongs to the browser', () => {
  const files = readdirSync(react);
  expect(files.length).toBeGreaterThan(3);
  for (const file of files) {
    expect(readFileSync(new URL(file, react), 'utf8'), file).toMatch(/^'use client';\n/);
  }
});
