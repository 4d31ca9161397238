import { useState } from 'react';
import { nameOf } from '../people.js';

interface NetworkSwitchProps {
  readonly userId: string;
  readonly cut: () => void;
  readonly restore: () => void;
}

/** Takes this person's network away, for real: the socket is closed and none can be opened. */
export function NetworkSwitch({ userId, cut, restore }: NetworkSwitchProps) {
  const [isOn, setOn] = useState(true);
  const toggle = () => {
    if (isOn) cut();
    else restore();
    setOn(!isOn);
  };
  return (
    <button
      type="button"
      role="switch"
      aria-checked={isOn}
      aria-label={`Network of ${nameOf(userId)}`}
      className="switch"
      title={isOn ? 'Cut the network' : 'Restore the network'}
      onClick={toggle}
    >
      Network
      <span className="switch-track" aria-hidden="true">
        <span className="switch-thumb" />
      </span>
    </button>
  );
}
