// What is public has the types that it is said to have.
import { describe, expectTypeOf, test } from 'vitest';
import {
  type ConnectionState,
  createClient,
  type DiscardOutcome,
  type DmClient,
  type Message,
  type RejoinderError,
  type SentMessage,
  type SyncState,
} from '../src/index.js';
import { DmProvider, useConnection, useInbox, useWebSocketDm } from '../src/react/index.js';
import { ChatWindow } from './referenceUse.js';

describe('the types', () => {
  const client = createClient({ url: '/ws', skipFailed: true });

  test('calls bring what they say', () => {
    expectTypeOf(client.sendMessage).returns.resolves.toEqualTypeOf<SentMessage>();
    expectTypeOf(client.discard).returns.resolves.toEqualTypeOf<DiscardOutcome>();
    expectTypeOf(client.connect).returns.resolves.toBeVoid();
    expectTypeOf(client.subscribe).returns.toEqualTypeOf<() => void>();
    expectTypeOf(client.lastError).toEqualTypeOf<RejoinderError | undefined>();
    expectTypeOf(client.lastServerMsgId('t')).toEqualTypeOf<string | undefined>();
    expectTypeOf(client.connect)
      .parameter(0)
      .toEqualTypeOf<string | (() => string | Promise<string>)>();
  });

  test('events are told apart by name', () => {
    client.on('message', (event) => expectTypeOf(event.message).toEqualTypeOf<Message>());
    client.on('connection', ({ state }) => expectTypeOf(state).toEqualTypeOf<ConnectionState>());
    client.on('error', (error) => expectTypeOf(error).toEqualTypeOf<RejoinderError>());
    client.on('inbox', ({ threads }) => expectTypeOf(threads).items.toHaveProperty('partnerIds'));
    client.on('discarded', (event) => expectTypeOf(event.outcome).toEqualTypeOf<DiscardOutcome>());
    // @ts-expect-error: no such event
    client.on('messages', () => {});
  });

  test('wrong calls do not compile', () => {
    // @ts-expect-error: a body is a text
    void client.sendMessage('t', 42);
    // @ts-expect-error: an attachment has a size
    void client.sendMessage('t', 'x', [{ name: 'a', mimeType: 'b', url: 'c' }]);
    // @ts-expect-error: connect needs a token
    void client.connect();
    // @ts-expect-error: an option that does not exist
    createClient({ uri: '/ws' });
  });

  test('the hook takes no thread too, and what it gives cannot be changed', () => {
    type Dm = ReturnType<typeof useWebSocketDm>;
    expectTypeOf(useWebSocketDm).parameter(0).toEqualTypeOf<string | null | undefined>();
    expectTypeOf<Dm['messages']>().toEqualTypeOf<readonly Message[]>();
    expectTypeOf<Dm['syncState']>().toEqualTypeOf<SyncState>();
    expectTypeOf<Dm['sendMessage']>().toEqualTypeOf<DmClient['sendMessage']>();
    expectTypeOf<Dm['lastSeenAt']>().toEqualTypeOf<number | undefined>();
    expectTypeOf(useConnection).returns.toHaveProperty('nextAttemptAt');
    expectTypeOf(useInbox).returns.toHaveProperty('isCurrent');
    const change = (dm: Dm) => {
      // @ts-expect-error: snapshots are frozen
      dm.messages.push();
    };
    expectTypeOf(change).not.toBeAny();
  });

  test('where a message stands decides what is known about it', () => {
    const words = ({ delivery }: Message): string => {
      switch (delivery.status) {
        case 'queued':
          return delivery.blockedBy ?? delivery.durability ?? '';
        case 'failed':
          return delivery.code;
        case 'sent':
        case 'cancelling':
          // @ts-expect-error: only a failed message has a code
          return delivery.code;
      }
    };
    expectTypeOf(words).not.toBeAny();
  });

  test('the provider takes a client and children', () => {
    const page = (
      <DmProvider client={client}>
        <ChatWindow threadId="t" />
      </DmProvider>
    );
    expectTypeOf(page).not.toBeAny();
    // @ts-expect-error: without a client there is nothing to provide
    const empty = <DmProvider />;
    expectTypeOf(empty).not.toBeAny();
  });
});
