// Access tokens as Supabase Auth signs them: ES256, with a key that this process makes for itself.
import { generateKeyPairSync, randomUUID, sign, verify } from 'node:crypto';

const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
const decode = (text) => JSON.parse(Buffer.from(text, 'base64url').toString());

/** Makes an issuer whose tokens are valid for so many seconds. */
export function createTokens(issuer, lifetimeS) {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const kid = randomUUID();
  const key = { key: privateKey, dsaEncoding: 'ieee-p1363' };
  const header = encode({ alg: 'ES256', kid, typ: 'JWT' });
  return {
    /** What stands at `/.well-known/jwks.json`. */
    keys: {
      keys: [{ ...publicKey.export({ format: 'jwk' }), kid, alg: 'ES256', use: 'sig' }],
    },
    /** Signs a token for a user; gives it with the second at which it ends. */
    issue({ id, email }, sessionId) {
      const iat = Math.floor(Date.now() / 1000);
      const exp = iat + lifetimeS;
      const user = { sub: id, email, role: 'authenticated', aud: 'authenticated' };
      const session = { session_id: sessionId, aal: 'aal1', is_anonymous: false };
      const signed = `${header}.${encode({ iss: issuer, ...user, ...session, iat, exp })}`;
      const signature = sign('sha256', Buffer.from(signed), key).toString('base64url');
      return { token: `${signed}.${signature}`, expiresAt: exp, lifetimeS };
    },
    /** Returns the claims of a token of ours that has not ended; anything else is nobody. */
    claims(token) {
      const [head, body, signature] = String(token ?? '').split('.');
      if (head !== header || !body || !signature) return undefined;
      const signed = Buffer.from(`${head}.${body}`);
      const check = { key: publicKey, dsaEncoding: 'ieee-p1363' };
      if (!verify('sha256', signed, check, Buffer.from(signature, 'base64url'))) return undefined;
      const claims = decode(body);
      return claims.exp * 1000 > Date.now() ? claims : undefined;
    },
  };
}
