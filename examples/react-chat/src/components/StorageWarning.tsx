import { useAnnouncement } from './Announcer.js';
import { Icon } from './Icon.js';

/** Says that this browser keeps nothing: a message that waits is gone with the page. */
export function StorageWarning({ reason }: { readonly reason: string | undefined }) {
  const words =
    'This browser does not let the chat store anything. Keep this page open until everything is sent.';
  useAnnouncement(words);
  return (
    <div className="banner banner-storage" title={reason}>
      <Icon name="alert" />
      <p>{words}</p>
    </div>
  );
}
