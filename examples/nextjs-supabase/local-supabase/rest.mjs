// Stands in for PostgREST: reading rows and inserting them, under the policies of the database.

/** The words of a query that name no column. */
const NO_COLUMNS = new Set(['select', 'order', 'limit', 'columns']);

/** Answers what comes to `/rest/v1/<table>`; filters are `column=eq.value` and `column=in.(…)`. */
export function createRest(database) {
  const read = async (table, query, claims) => {
    const values = [];
    const found = await database.asUser(claims, select(table, query, values), values);
    return { status: 200, body: found.rows };
  };

  const insert = async (table, query, body, claims, prefers) => {
    const rows = Array.isArray(body) ? body : [body];
    const columns = Object.keys(rows[0] ?? {});
    const values = rows.flatMap((row) => columns.map((column) => row[column]));
    const places = rows.map((_, row) => {
      const numbers = columns.map((_, column) => `$${row * columns.length + column + 1}`);
      return `(${numbers.join(', ')})`;
    });
    const wantsRows = prefers.includes('return=representation');
    const returning = wantsRows ? ` RETURNING ${list(query.get('select'))}` : '';
    const into = `INSERT INTO public.${name(table)} (${columns.map(name).join(', ')})`;
    const sql = `${into} VALUES ${places.join(', ')}${returning}`;
    const inserted = await database.asUser(claims, sql, values);
    return { status: 201, body: wantsRows ? inserted.rows : undefined };
  };

  return async ({ method, path, query, body, claims, headers }) => {
    const table = /^\/rest\/v1\/([a-z_]+)$/.exec(path)?.[1];
    if (!table) return undefined;
    try {
      if (method === 'GET') return await read(table, query, claims);
      if (method === 'POST') {
        return await insert(table, query, body, claims, headers.prefer ?? '');
      }
    } catch (error) {
      // 42501: the policies do not allow it.
      const status = error.code === '42501' ? 403 : 400;
      return { status, body: { code: error.code ?? '', message: error.message } };
    }
    return undefined;
  };
}

function select(table, query, values) {
  const conditions = [...query]
    .filter(([column]) => !NO_COLUMNS.has(column))
    .map(([column, filter]) => condition(column, filter, values));
  const where = conditions.length > 0 ? ` WHERE ${conditions.join(' AND ')}` : '';
  const limit = query.has('limit') ? ` LIMIT ${Number(query.get('limit'))}` : '';
  return `SELECT ${list(query.get('select'))} FROM public.${name(table)}${where}${order(query)}${limit}`;
}

function condition(column, filter, values) {
  const [, operator, text] = /^(eq|in)\.(.*)$/.exec(filter) ?? [];
  if (operator === undefined) throw new Error(`this stand-in knows no filter ${filter}`);
  const members = operator === 'in' ? text.slice(1, -1).split(',') : [text];
  values.push(members.map((member) => member.replace(/^"|"$/g, '')));
  return `${name(column)}::text = ANY ($${values.length})`;
}

function order(query) {
  const parts = (query.get('order') ?? '').split(',').filter(Boolean);
  const sql = parts.map((part) => {
    const [column, direction] = part.split('.');
    return `${name(column)} ${direction === 'desc' ? 'DESC' : 'ASC'}`;
  });
  return sql.length > 0 ? ` ORDER BY ${sql.join(', ')}` : '';
}

const list = (columns) =>
  !columns || columns === '*' ? '*' : columns.split(',').map(name).join(', ');

/** A name inside SQL: only what needs no quotes. */
function name(text) {
  if (!/^[a-z_]+$/.test(text)) throw new Error(`this stand-in knows no name ${text}`);
  return text;
}
