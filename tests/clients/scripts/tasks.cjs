// What each client of node's does: answers the queries in queries.json, and prints them as JSON.
const fs = require('fs');

// query(sql) gives rows of plain values; write(sql, path) a CSV file, if the client has a way.
exports.run = async (folder, query, write) => {
  const queries = JSON.parse(fs.readFileSync(`${folder}/queries.json`));
  const answers = {};
  for (const [name, sql] of Object.entries(queries)) {
    try {
      answers[name] = { value: await query(sql) };
    } catch (error) {
      answers[name] = { error: String(error).split('\n')[0].slice(0, 160) };
    }
  }
  if (answers.list.value) answers.list.value = answers.list.value.flat();
  const rows = answers.export.value;
  if (rows) {
    const text = () => rows.map((row) => row.map((value) => JSON.stringify(value)).join(',')).join('\n');
    if (write) await write(queries.export, `${folder}/export.csv`);
    else fs.writeFileSync(`${folder}/export.csv`, text());
    answers.export = { value: rows.length };
  }
  console.log(JSON.stringify(answers));
};
