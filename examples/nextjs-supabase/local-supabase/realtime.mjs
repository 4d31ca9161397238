// Stands in for Supabase Realtime: `postgres_changes` with INSERT, over the Phoenix protocol 2.0.0,
// whose frames are `[join_ref, ref, topic, event, payload]`.
import { WebSocketServer } from 'ws';

/** Serves `/realtime/v1/websocket` on `server`. */
export function serveRealtime(server, database, tokens) {
  const sockets = new WebSocketServer({ noServer: true });
  /** Every channel that somebody has joined. */
  const channels = new Set();

  server.on('upgrade', (request, socket, head) => {
    if (!request.url?.startsWith('/realtime/v1/websocket')) {
      socket.destroy();
      return;
    }
    sockets.handleUpgrade(request, socket, head, (opened) => serve(opened));
  });

  function serve(socket) {
    const joined = new Map();
    const send = (...frame) => socket.send(JSON.stringify(frame));
    socket.on('error', () => socket.terminate());
    socket.on('close', () => {
      for (const channel of joined.values()) channels.delete(channel);
    });
    socket.on('message', (data) => {
      const [joinRef, ref, topic, event, payload] = JSON.parse(data.toString());
      const reply = (response) =>
        send(joinRef, ref, topic, 'phx_reply', { status: 'ok', response });
      switch (event) {
        case 'phx_join': {
          const wanted = payload.config?.postgres_changes ?? [];
          const changes = wanted.map((change, index) => ({ ...change, id: index + 1 }));
          const claims = tokens.claims(payload.access_token);
          const channel = { joinRef, topic, changes, claims, send };
          channels.delete(joined.get(topic));
          joined.set(topic, channel);
          channels.add(channel);
          reply({ postgres_changes: changes });
          const told = { status: 'ok', extension: 'postgres_changes', channel: topic };
          const message = 'Subscribed to PostgreSQL';
          send(joinRef, null, topic, 'system', { ...told, message });
          break;
        }
        case 'access_token': {
          const channel = joined.get(topic);
          if (channel) channel.claims = tokens.claims(payload.access_token);
          break;
        }
        case 'phx_leave':
          channels.delete(joined.get(topic));
          joined.delete(topic);
          reply({});
          break;
        default:
          reply({});
      }
    });
  }

  /** Tells a channel of a row, if its filter and the policies let it see that. */
  async function tell(channel, id) {
    const sql = 'SELECT to_jsonb(messages) AS record FROM public.messages WHERE id = $1';
    const found = await database.asUser(channel.claims, sql, [id]);
    const record = found.rows[0]?.record;
    const ids = channel.changes.filter((change) => matches(change, record)).map(({ id }) => id);
    if (!record || ids.length === 0) return;
    const table = { schema: 'public', table: 'messages', type: 'INSERT' };
    const commit_timestamp = new Date().toISOString();
    const columns = Object.keys(record).map((name) => ({ name, type: 'text' }));
    const data = { ...table, commit_timestamp, columns, record, errors: null };
    channel.send(channel.joinRef, null, channel.topic, 'postgres_changes', { ids, data });
  }

  // One after the other, or rows would change places.
  let last = Promise.resolve();
  return database.listen('local_supabase', (id) => {
    last = last.then(async () => {
      for (const channel of channels) {
        await tell(channel, id).catch((error) => console.error('realtime:', error.message));
      }
    });
  });
}

function matches({ event, table, filter }, record) {
  if (!record || !['INSERT', '*'].includes(event) || table !== 'messages') return false;
  const [, column, value] = /^(\w+)=eq\.(.*)$/.exec(filter ?? '') ?? [];
  return column === undefined || String(record[column]) === value;
}
