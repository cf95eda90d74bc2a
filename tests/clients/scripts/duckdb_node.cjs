// node, by @duckdb/node-api.
const { DuckDBInstance } = require('@duckdb/node-api');
const { run } = require('./tasks.cjs');

(async () => {
  const [address, folder] = process.argv.slice(2);
  // begin connect
  const instance = await DuckDBInstance.create(address, { access_mode: 'READ_ONLY' });
  const connection = await instance.connect();
  // end connect
  await run(
    folder,
    async (sql) => (await connection.runAndReadAll(sql)).getRows().map((row) => row.map(plain)),
    (sql, file) => connection.run(`COPY (${sql}) TO '${file}' (HEADER)`),
  );
})();

function plain(value) {
  if (value === null || ['string', 'boolean', 'number'].includes(typeof value)) return value;
  if (typeof value === 'bigint') return Number(value);
  const text = value.toString();
  return /^-?\d+(\.\d+)?$/.test(text) ? { decimal: text } : text;
}
