// node, by pg.
const { Client } = require('pg');
const { run } = require('./tasks.cjs');

(async () => {
  const [address, folder] = process.argv.slice(2);
  // begin connect
  const client = new Client({ connectionString: address });
  await client.connect();
  // end connect
  await run(folder, async (sql) => {
    const result = await client.query({ text: sql, rowMode: 'array' });
    const kinds = result.fields.map((field) => field.dataTypeID);
    return result.rows.map((row) => row.map((value, at) => plain(value, kinds[at])));
  });
  await client.end();
})();

// pg hands out bigint and numeric as texts, and days as instants of the local midnight.
function plain(value, kind) {
  if (value === null) return null;
  if (kind === 20) return Number(value);
  if (kind === 1700) return { decimal: value };
  if (kind === 1082) return `${value.getFullYear()}-${String(value.getMonth() + 1).padStart(2, '0')}-${String(value.getDate()).padStart(2, '0')}`;
  return value instanceof Date ? value.toISOString() : value;
}
