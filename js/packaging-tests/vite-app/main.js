import { loadCore } from '@rejoinder/client';

/** Reads what an earlier visit stored, then stores something: the tests watch both. */
async function roundTrip() {
  const core = await loadCore();
  const client = await core.guard(core.exports.Client.open('packaging'));
  const text = (bytes) => bytes && new TextDecoder().decode(bytes);
  const before = text(await core.guard(client.get('greeting')));
  await core.guard(client.put('greeting', new TextEncoder().encode('hello')));
  const after = text(await core.guard(client.get('greeting')));
  return { before, after };
}

async function panic() {
  const core = await loadCore();
  const heard = [];
  core.onFailure((failure) => heard.push(failure.code));
  const waiting = core.guard(new Promise(() => {})).catch((failure) => failure.code);
  let thrown;
  try {
    core.exports.plantedPanic();
  } catch (error) {
    thrown = error.constructor.name;
  }
  return {
    thrown,
    waiting: await waiting,
    heard,
    later: await core.exports.Client.open('packaging').catch((error) => error.message),
  };
}

window.rejoinderTest = { roundTrip, panic };
