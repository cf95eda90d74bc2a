// Evidence's own connectors, by which its sources are read.
const path = require('path');
const { run } = require('./tasks.cjs');

(async () => {
  const [address, folder] = process.argv.slice(2);
  const isServer = address.startsWith('postgres');
  const { getRunner } = require(isServer ? '@evidence-dev/postgres' : '@evidence-dev/duckdb');
  const options = isServer
    ? { connectionString: address }
    : { filename: path.relative(folder, address) };
  const read = await getRunner(options, folder);
  await run(folder, async (sql) => {
    const found = await read(sql, 'query.sql', 100000);
    const rows = [];
    for await (const batch of typeof found.rows === 'function' ? found.rows() : found.rows) rows.push(...[batch].flat());
    return rows.map((row) => found.columnTypes.map((column) => plain(row[column.name])));
  });
  process.exit(0);
})();

function plain(value) {
  if (value instanceof Date) return value.toISOString();
  return typeof value === 'number' && !Number.isInteger(value) ? { float: value } : value;
}
