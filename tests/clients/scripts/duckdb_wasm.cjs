// node, by @duckdb/duckdb-wasm, as a browser has it.
const fs = require('fs');
const path = require('path');
const duckdb = require('@duckdb/duckdb-wasm/dist/duckdb-node-blocking.cjs');
const { run } = require('./tasks.cjs');

const built = path.dirname(require.resolve('@duckdb/duckdb-wasm/dist/duckdb-node-blocking.cjs'));
const bundles = { mvp: { mainModule: `${built}/duckdb-mvp.wasm` }, eh: { mainModule: `${built}/duckdb-eh.wasm` } };

(async () => {
  const [address, folder] = process.argv.slice(2);
  const bytes = new Uint8Array(fs.readFileSync(address));
  const database = await duckdb.createDuckDB(bundles, new duckdb.VoidLogger(), duckdb.NODE_RUNTIME);
  await database.instantiate();
  // begin connect
  database.registerFileBuffer('harvest_data.duckdb', bytes);
  database.open({
    path: 'harvest_data.duckdb',
    accessMode: duckdb.DuckDBAccessMode.READ_ONLY,
    query: { castDecimalToDouble: true },
  });
  const connection = database.connect();
  // end connect
  await run(folder, (sql) => {
    const table = connection.query(sql);
    const kinds = table.schema.fields.map((field) => String(field.type));
    return table.toArray().map((row) => row.toArray().map((value, at) => plain(value, kinds[at])));
  });
})();

function plain(value, kind) {
  if (value === null) return null;
  if (typeof value === 'bigint') return Number(value);
  if (kind.startsWith('Date')) return new Date(value).toISOString().slice(0, 10);
  if (kind.startsWith('Float')) return { float: value };
  // Without castDecimalToDouble a decimal comes as an integer: the table would show that it differs.
  return kind.startsWith('Decimal') ? { decimal: value.toString() } : value;
}
