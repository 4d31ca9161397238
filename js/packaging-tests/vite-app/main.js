import { createClient } from '@rejoinder/client';

/** Nobody listens there: what is tried here works without a gateway. */
const url = 'ws://127.0.0.1:47999/ws';
const threadId = 'alice|bob';

/** Reads what an earlier visit left in the outbox, then leaves something there: the tests watch both. */
async function roundTrip() {
  const client = createClient({ url, userId: 'alice' });
  try {
    await client.connect('dev:alice');
    const thread = client.thread(threadId);
    const leave = thread.subscribe(() => {});
    await until(() => thread.getSnapshot().isLoaded);
    const bodies = () => thread.getSnapshot().messages.map(({ body }) => body);
    const before = bodies();
    const { durability } = await client.sendMessage(threadId, 'hello', []);
    const after = bodies();
    leave();
    return { before, durability, after };
  } finally {
    client.dispose();
  }
}

async function until(isTrue) {
  while (!isTrue()) await new Promise((resolve) => setTimeout(resolve, 10));
}

window.rejoinderTest = { roundTrip };
