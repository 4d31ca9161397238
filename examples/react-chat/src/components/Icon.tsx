const PATHS = {
  alert: 'M12 8v5m0 3.500v.01M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18Z',
  back: 'm14.5 5-7 7 7 7',
  check: 'm5 12.5 4.5 4.500L19 7.5',
  clock: 'M12 7v5l3 2M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18Z',
  cut: 'M3 3l18 18M8.5 15.500a5 5 0 0 1 4-1.450M5 12a10 10 0 0 1 4.5-2.600M12 19.500v.01M2 8.500a15 15 0 0 1 3.5-2.200M14 9.300a10 10 0 0 1 5 2.700M10.5 5.100A15 15 0 0 1 22 8.5',
  down: 'M12 5v14m-6-6 6 6 6-6',
  retry: 'M19 12a7 7 0 1 1-2-4.900L19 9m0-5v5h-5',
  send: 'M12 19V5m-6 6 6-6 6 6',
  trash: 'M5 7h14M10 11v6m4-6v6M6.5 7l1 12.500h9l1-12.500M9.5 7V4.500h5V7',
  undo: 'M9 14 4 9l5-5M4 9h10a6 6 0 0 1 0 12h-3',
  wifi: 'M5 12a10 10 0 0 1 14 0M8.5 15.500a5 5 0 0 1 7 0M12 19.500v.01M2 8.500a15 15 0 0 1 20 0',
  window: 'M14 4h6v6m0-6-9 9M18 14v5a1 1 0 0 1-1 1H5a1 1 0 0 1-1-1V7a1 1 0 0 1 1-1h5',
} as const;

export type IconName = keyof typeof PATHS;

/** A drawing beside words; never the only bearer of a meaning. */
export function Icon({ name }: { readonly name: IconName }) {
  return (
    <svg className="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} />
    </svg>
  );
}
