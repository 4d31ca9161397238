import type { DmClient } from '@rejoinder/client';
import { DmProvider, useConnection } from '@rejoinder/client/react';
import { useCallback, useMemo, useRef } from 'react';
import { useConnect } from '../hooks/useConnect.js';
import { useFocusOnChange } from '../hooks/useFocusOnChange.js';
import { useRemembered } from '../hooks/useRemembered.js';
import { colourOf, nameOf, threadOf } from '../people.js';
import { clientOf, tokenOf } from '../session.js';
import { ConnectionBanner } from './ConnectionBanner.js';
import { Conversation } from './Conversation.js';
import { PaneHeader } from './PaneHeader.js';
import { StorageWarning } from './StorageWarning.js';
import { ThreadList } from './ThreadList.js';

interface PaneProps {
  readonly userId: string;
  /** Whom the conversation that is open at first is with. */
  readonly partnerId: string;
  readonly isAlone: boolean;
}

/** The whole chat of one person, with a client of its own. */
export function Pane(props: PaneProps) {
  const client = useMemo(() => clientOf(props.userId), [props.userId]);
  return (
    <DmProvider client={client}>
      <Chat {...props} client={client} />
    </DmProvider>
  );
}

/** What the client of a pane has to show. */
function Chat({ userId, partnerId, isAlone, client }: PaneProps & { readonly client: DmClient }) {
  const connection = useConnection();
  const { retry, startProblem } = useConnect(client, tokenOf(userId));
  const [openPartnerId, open] = useRemembered(`open ${userId}`, partnerId);
  const pane = useRef<HTMLElement>(null);
  useFocusOnChange(pane, openPartnerId);
  const goBack = useCallback(() => open(''), [open]);
  return (
    <section
      ref={pane}
      className={`pane ${colourOf(userId)}`}
      aria-label={`Chat of ${nameOf(userId)}`}
      data-user={userId}
    >
      <PaneHeader
        userId={userId}
        connection={connection}
        canLeave={!isAlone}
        cut={() => client.debug.cut()}
        restore={() => client.debug.restore()}
      />
      <ConnectionBanner
        userId={userId}
        connection={connection}
        startProblem={startProblem}
        retry={retry}
      />
      {connection.storage === 'memory' && <StorageWarning reason={connection.storageReason} />}
      <div className="pane-body" data-view={openPartnerId ? 'conversation' : 'list'}>
        <ThreadList userId={userId} openPartnerId={openPartnerId} open={open} />
        {openPartnerId ? (
          <Conversation
            key={openPartnerId}
            userId={userId}
            threadId={threadOf(userId, openPartnerId)}
            partnerId={openPartnerId}
            goBack={goBack}
          />
        ) : (
          <p className="notice">Choose a conversation.</p>
        )}
      </div>
    </section>
  );
}
