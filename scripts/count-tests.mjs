// Prints «passed failed» from a vitest JSON report, and then what failed, with the first lines of why.
// A suite that failed to load counts as one failure.
import { readFileSync } from 'node:fs';
import { relative } from 'node:path';

const REASON_LINES = 12;

const report = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const failures = report.testResults.flatMap((suite) => {
  const file = relative('.', suite.name);
  const failed = suite.assertionResults.filter((test) => test.status === 'failed');
  if (failed.length === 0) return suite.status === 'failed' ? [told(file, 'the file', [suite.message])] : [];
  return failed.map((test) => told(file, test.fullName, test.failureMessages));
});
console.log(`${report.numPassedTests} ${failures.length}`);
for (const failure of failures) console.log(failure);
if (report.numTotalTests === 0) process.exit(1);

function told(file, name, messages) {
  const reason = messages.join('\n').split('\n').slice(0, REASON_LINES).join('\n    ');
  return `failed: ${file}: ${name}\n    ${reason}`;
}
