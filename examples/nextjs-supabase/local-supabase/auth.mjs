// Stands in for Supabase Auth: signing in with a password, and newer tokens for a session.
import { randomUUID } from 'node:crypto';

/** The password of everybody: these people are not real. */
const PASSWORD = 'rejoinder';

/** Answers what comes to `/auth/v1`. */
export function createAuth(database, tokens) {
  /** Who is signed in, by refresh token. It stays the same, where Supabase's changes with each use. */
  const sessions = new Map();

  const answer = (refreshToken) => {
    const { user, sessionId } = sessions.get(refreshToken);
    const { token, expiresAt, lifetimeS } = tokens.issue(user, sessionId);
    const session = { token_type: 'bearer', expires_in: lifetimeS, expires_at: expiresAt };
    const body = { access_token: token, refresh_token: refreshToken, ...session };
    return { status: 200, body: { ...body, user: asUser(user) } };
  };

  const signIn = async ({ email, password }) => {
    const found = await database.asOwner('SELECT id, email FROM auth.users WHERE email = $1', [
      String(email).trim().toLowerCase(),
    ]);
    const user = password === PASSWORD ? found.rows[0] : undefined;
    if (!user) return refusal('invalid_credentials', 'Invalid login credentials');
    const refreshToken = randomUUID();
    sessions.set(refreshToken, { user, sessionId: randomUUID() });
    return answer(refreshToken);
  };

  const refresh = ({ refresh_token: refreshToken }) => {
    if (sessions.has(refreshToken)) return answer(refreshToken);
    return refusal('refresh_token_not_found', 'Invalid Refresh Token');
  };

  return async ({ method, path, query, body, claims }) => {
    switch (`${method} ${path}`) {
      case 'GET /auth/v1/.well-known/jwks.json':
        return { status: 200, body: tokens.keys };
      case 'POST /auth/v1/token':
        return query.get('grant_type') === 'password' ? signIn(body) : refresh(body);
      case 'GET /auth/v1/user':
        if (!claims) return { status: 401, body: { code: 'no_authorization', msg: 'No token' } };
        return { status: 200, body: asUser({ id: claims.sub, email: claims.email }) };
      case 'POST /auth/v1/logout':
        for (const [refreshToken, { sessionId }] of sessions) {
          if (sessionId === claims?.session_id) sessions.delete(refreshToken);
        }
        return { status: 204 };
    }
    return undefined;
  };
}

const refusal = (code, msg) => ({ status: 400, body: { code, error_code: code, msg } });

const asUser = ({ id, email }) => ({
  id,
  email,
  aud: 'authenticated',
  role: 'authenticated',
  app_metadata: { provider: 'email', providers: ['email'] },
  user_metadata: {},
  identities: [],
  created_at: new Date(0).toISOString(),
});
