import type { Delivery } from '@rejoinder/client';
import { Icon, type IconName } from './Icon.js';

const SHOWN: Record<Delivery['status'], { icon: IconName; words: string }> = {
  queued: { icon: 'clock', words: 'Waiting to be sent' },
  sent: { icon: 'check', words: 'Sent' },
  failed: { icon: 'alert', words: 'Not sent' },
  cancelling: { icon: 'undo', words: 'Being taken back' },
};

/** Where one's own message stands: a small sign with words for those who do not see it. */
export function MessageStatus({ delivery }: { readonly delivery: Delivery }) {
  const { icon, words } = SHOWN[delivery.status];
  return (
    <span className={`status status-${delivery.status}`} title={words}>
      <Icon name={icon} />
      <span className="visually-hidden">{words}</span>
    </span>
  );
}
