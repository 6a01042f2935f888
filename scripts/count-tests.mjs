// Prints «passed failed» from a vitest JSON report. A suite that failed to load counts as one failure.
import { readFileSync } from 'node:fs';

const report = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const brokenSuites = report.testResults.filter(
  (suite) => suite.status === 'failed' && suite.assertionResults.every((test) => test.status !== 'failed'),
).length;
console.log(`${report.numPassedTests} ${report.numFailedTests + brokenSuites}`);
if (report.numTotalTests === 0) process.exit(1);
