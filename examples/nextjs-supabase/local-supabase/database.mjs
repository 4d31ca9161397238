// The project's database, asked as its owner or as somebody who has signed in.
import { readFileSync } from 'node:fs';
import pg from 'pg';

const file = (path) => readFileSync(new URL(path, import.meta.url), 'utf8');

/** Connects to the database at `url`, and makes the example's tables if it has none. */
export async function openDatabase(url) {
  const pool = new pg.Pool({ connectionString: url, max: 4 });
  await prepare(pool);
  return {
    asOwner: (sql, values) => pool.query(sql, values),

    /** Runs a statement as PostgREST does: with the role and the claims of a token. */
    async asUser(claims, sql, values) {
      const client = await pool.connect();
      try {
        await client.query('BEGIN');
        const role = claims ? 'authenticated' : 'anon';
        const settings = "set_config('role', $1, true), set_config('request.jwt.claims', $2, true)";
        await client.query(`SELECT ${settings}`, [role, JSON.stringify(claims ?? {})]);
        const result = await client.query(sql, values);
        await client.query('COMMIT');
        return result;
      } catch (error) {
        await client.query('ROLLBACK');
        throw error;
      } finally {
        client.release();
      }
    },

    /** Calls `heard` with what is notified on `channel`. */
    async listen(channel, heard) {
      const client = await pool.connect();
      client.on('notification', ({ payload }) => heard(payload));
      await client.query(`LISTEN ${channel}`);
    },
  };
}

async function prepare(pool) {
  const found = await pool.query("SELECT to_regclass('public.messages') AS messages");
  if (found.rows[0].messages === null) {
    const client = await pool.connect();
    try {
      const parts = ['project.sql', '../supabase/schema.sql', '../supabase/seed.sql'].map(file);
      await client.query(`BEGIN; ${parts.join('\n')} COMMIT`);
    } finally {
      client.release();
    }
  }
  await pool.query(file('changes.sql'));
}
