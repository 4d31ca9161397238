'use client';

export { useDmClient } from './clientContext.js';
export { DmProvider, type DmProviderProps } from './DmProvider.js';
export { useConnection } from './useConnection.js';
export { useInbox } from './useInbox.js';
export { useWebSocketDm, type WebSocketDm } from './useWebSocketDm.js';
