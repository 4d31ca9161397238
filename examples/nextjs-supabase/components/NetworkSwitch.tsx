'use client';

import { useState } from 'react';
import { setNetwork } from '@/lib/network';

/** Takes the network away from both sides, to see what each makes of that. */
export function NetworkSwitch() {
  const [isOn, setIsOn] = useState(true);
  return (
    <label className="switch">
      <input
        type="checkbox"
        checked={isOn}
        onChange={(event) => {
          setIsOn(event.currentTarget.checked);
          setNetwork(event.currentTarget.checked);
        }}
      />
      Network
    </label>
  );
}
