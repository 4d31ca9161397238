// The WebDriver client itself.
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { startDriver } from '../../tests/e2e/webdriver.mjs';
import { temporaryFolder } from './pack.mjs';

const { TMPDIR } = process.env;
let folder;

before(() => {
  folder = temporaryFolder();
  process.env.TMPDIR = folder.path;
});

after(() => {
  if (TMPDIR === undefined) delete process.env.TMPDIR;
  else process.env.TMPDIR = TMPDIR;
  folder.remove();
});

test('a driver that has stopped leaves no profile behind', async () => {
  const driver = await startDriver();
  const closed = await driver.session();
  await closed.open('about:blank');
  await closed.close();
  const open = await driver.session();
  await open.open('about:blank');
  assert.notDeepEqual(readdirSync(folder.path), []);
  await driver.stop();
  assert.deepEqual(readdirSync(folder.path), []);
});
