// A small stand-in for a Supabase project, so that the example runs without an account: sign-in, rows
// and Realtime, as much of each as the example uses. Not for anything else.
import { createServer } from 'node:http';
import { createAuth } from './auth.mjs';
import { openDatabase } from './database.mjs';
import { serveRealtime } from './realtime.mjs';
import { createRest } from './rest.mjs';
import { createTokens } from './tokens.mjs';

const { DATABASE_URL, PORT = '54321', TOKEN_LIFETIME_S = '300' } = process.env;
if (!DATABASE_URL) throw new Error('set DATABASE_URL to a PostgreSQL database');

const url = `http://127.0.0.1:${PORT}`;
const database = await openDatabase(DATABASE_URL);
const tokens = createTokens(`${url}/auth/v1`, Number(TOKEN_LIFETIME_S));
const services = [createAuth(database, tokens), createRest(database)];

const server = createServer(async (request, response) => {
  try {
    const { status, body } = await answer(request);
    const headers = { ...corsFor(request), 'content-type': 'application/json' };
    response.writeHead(status, headers).end(body === undefined ? undefined : JSON.stringify(body));
  } catch (error) {
    console.error('local Supabase:', error);
    response.writeHead(500, corsFor(request)).end();
  }
});

async function answer(request) {
  if (request.method === 'OPTIONS') return { status: 204 };
  const { pathname, searchParams } = new URL(request.url, url);
  const bearer = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1];
  const asked = {
    method: request.method,
    path: pathname,
    query: searchParams,
    headers: request.headers,
    body: await read(request),
    // An anon key is no token of a person.
    claims: tokens.claims(bearer),
  };
  for (const service of services) {
    const answered = await service(asked);
    if (answered) return answered;
  }
  return { status: 404, body: { message: `this stand-in has no ${asked.method} ${pathname}` } };
}

async function read(request) {
  let text = '';
  for await (const chunk of request) text += chunk;
  return text === '' ? {} : JSON.parse(text);
}

/** Pages of any origin may ask, as with the real one. */
const corsFor = ({ headers }) => ({
  'access-control-allow-origin': '*',
  'access-control-allow-methods': 'GET, POST',
  'access-control-allow-headers': headers['access-control-request-headers'] ?? '*',
});

await serveRealtime(server, database, tokens);
server.listen(Number(PORT), '127.0.0.1', () => console.log(`listening on ${url}`));
