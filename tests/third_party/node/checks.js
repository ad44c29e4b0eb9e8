// A very small test runner: each check prints one line that begins with `ok` or `FAILED`.
const assert = require("node:assert/strict");

const checks = [];

function check(name, body) {
  checks.push({ name, body });
}

async function main(client) {
  let failed = 0;
  for (const { name, body } of checks) {
    try {
      await body();
      console.log(`ok ${client}: ${name}`);
    } catch (error) {
      failed += 1;
      console.log(`FAILED ${client}: ${name}`);
      console.log(error);
    }
  }
  process.exitCode = failed ? 1 : 0;
}

module.exports = { check, equal: assert.deepEqual, main };
