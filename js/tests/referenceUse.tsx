// The usage of the system that Rejoinder replaces, word for word but for the imports.
import { expectTypeOf } from 'vitest';
import { getWebSocketClient } from '../src/index.js';
import { useWebSocketDm } from '../src/react/index.js';

declare const supabase: {
  auth: { getSession(): Promise<{ data: { session: { access_token: string } } }> };
};

export function ChatWindow({ threadId }: { threadId: string }) {
  const { messages, isConnected, partnerTyping, partnerOnline, sendMessage, sendTyping } =
    useWebSocketDm(threadId);

  // Send message
  const handleSend = async () => {
    await sendMessage(threadId, 'Hello!', []);
  };

  // Send typing indicator
  const handleTyping = () => {
    sendTyping(threadId, true);
  };

  expectTypeOf(isConnected).toEqualTypeOf<boolean>();
  expectTypeOf(partnerOnline).toEqualTypeOf<boolean>();
  expectTypeOf({ handleSend, handleTyping }).not.toBeAny();
  return (
    <div>
      {messages.map((msg) => (
        <div key={msg.id}>{msg.body}</div>
      ))}
      {partnerTyping && <div>Partner is typing...</div>}
    </div>
  );
}

export async function directUse(threadId: string) {
  const wsClient = getWebSocketClient();

  // Connect
  const {
    data: { session },
  } = await supabase.auth.getSession();
  await wsClient.connect(session.access_token);

  // Subscribe to thread
  wsClient.subscribe(threadId);

  // Listen for events
  wsClient.on('message', (event) => {
    console.log('New message:', event.message);
  });

  // Send message
  await wsClient.sendMessage(threadId, 'Hello!', []);

  // Send typing indicator
  wsClient.sendTyping(threadId, true);
}
