import { useWebSocketDm } from '@rejoinder/client/react';
import { useCallback } from 'react';
import { unavailability } from '../words.js';
import { Composer } from './Composer.js';
import { ConversationHeader } from './ConversationHeader.js';
import { Timeline } from './Timeline.js';

interface ConversationProps {
  readonly userId: string;
  readonly threadId: string;
  readonly partnerId: string;
  readonly goBack: () => void;
}

/** One open conversation: who, what was said, and the place to answer. */
export function Conversation({ userId, threadId, partnerId, goBack }: ConversationProps) {
  const dm = useWebSocketDm(threadId);
  const { sendMessage, sendTyping, retry, discard } = dm;
  const send = useCallback((body: string) => sendMessage(threadId, body), [sendMessage, threadId]);
  const setTyping = useCallback(
    (isTyping: boolean) => sendTyping(threadId, isTyping),
    [sendTyping, threadId],
  );
  // They fail only together with the whole client, which the banner tells.
  const retryAgain = useCallback((id: string) => void retry(id).catch(console.error), [retry]);
  const takeBack = useCallback((id: string) => void discard(id).catch(console.error), [discard]);
  return (
    <div className="conversation">
      <ConversationHeader
        partnerId={partnerId}
        isTyping={dm.partnerTyping}
        presence={dm.partnerPresence}
        lastSeenAt={dm.lastSeenAt}
        isConnected={dm.isConnected}
        isCatchingUp={dm.syncState === 'catching-up' || dm.hasGap}
        goBack={goBack}
      />
      {dm.unavailable && (
        <p className="notice" role="alert">
          {unavailability(dm.unavailable)}
        </p>
      )}
      {!dm.unavailable && !dm.isLoaded && <p className="notice">Loading …</p>}
      {!dm.unavailable && dm.isLoaded && (
        <Timeline
          partnerId={partnerId}
          messages={dm.messages}
          isConnected={dm.isConnected}
          isPartnerTyping={dm.partnerTyping}
          hasOlder={dm.hasOlder}
          isLoadingOlder={dm.isLoadingOlder}
          loadOlder={dm.loadOlder}
          retry={retryAgain}
          discard={takeBack}
        />
      )}
      <Composer
        userId={userId}
        threadId={threadId}
        partnerId={partnerId}
        send={send}
        sendTyping={setTyping}
      />
    </div>
  );
}
