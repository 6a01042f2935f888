// A small key-value server with a standby that copies it, in plain Node.
//
//   node server.mjs --port 7000 --standby HOST:7000     the server
//   node server.mjs --port 7000                         the standby
//
// A client sends lines: `set KEY VALUE` is answered by `ok`, `get KEY` by `value VALUE` or `none`. What was answered by
// `ok` is on the disk. The server sends its log to the standby, entry by entry.
import { open, readFile, rename } from 'node:fs/promises';
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { crc32 } from 'node:zlib';

const { values: options } = parseArgs({
  options: { port: { type: 'string', default: '7000' }, standby: { type: 'string' }, log: { type: 'string', default: 'log' } },
}); // prettier-ignore

/** Mistakes that are easily made, for trying out what finds them. */
const mistakes = new Set((process.env.MISTAKES ?? '').split(','));

/** All that was ever set, in order. */
export const entries = [];
const state = new Map();
let log;
let wake = () => {};

// ---- the log

function encode(entry) {
  const json = JSON.stringify(entry);
  return `${checksum(json)} ${json}\n`;
}

function checksum(text) {
  return crc32(text).toString(16).padStart(8, '0');
}

/**
 * Takes in the lines that are whole; behind the first one that is not, a crash has left garbage. They go to a new file,
 * because what a disk says it has once failed to sync is not to be trusted.
 */
async function recover() {
  const old = await readFile(options.log, 'latin1').catch((error) => {
    if (error.code === 'ENOENT') return '';
    throw error;
  });
  for (const line of old.split('\n').slice(0, -1)) {
    const json = line.slice(9);
    if (line.slice(0, 8) !== checksum(json)) break;
    apply(JSON.parse(json));
  }
  log = await open(`${options.log}.new`, 'w');
  await log.writeFile(entries.map(encode).join(''));
  await log.sync();
  await rename(`${options.log}.new`, options.log);
  const directory = await open('.', 'r');
  await directory.sync();
  await directory.close();
}

function apply(entry) {
  entries.push(entry);
  state.set(entry.key, entry.value);
}

let writing = Promise.resolve();

/** Writes entries one after the other; afterwards this one is on the disk, and everybody may see it. */
function append(entry, mayAppend = () => true) {
  writing = writing.then(async () => {
    if (!mayAppend()) return;
    await log.appendFile(encode(entry));
    if (!mistakes.has('ack-before-sync')) await log.sync();
    apply(entry);
    wake();
  });
  return writing;
}

// ---- clients, and the standby's side of copying

async function answer(line, reply) {
  const [command, key, value] = line.split(' ');
  if (command === 'set') {
    await append({ key, value });
    reply('ok');
  } else if (command === 'get') {
    reply(state.has(key) ? `value ${state.get(key)}` : 'none');
  } else if (command === 'copy') {
    const [, index, json] = /^copy (\d+) (.*)$/.exec(line);
    // What the server is not sure that we have, it sends again.
    await append(JSON.parse(json), () => Number(index) === entries.length);
    reply(`have ${entries.length}`);
  } else if (command === 'follow') {
    reply(`have ${entries.length}`);
  } else reply('what?');
}

/** Calls back with every line that comes, however the stream is cut into chunks. */
function onLines(socket, received) {
  let rest = '';
  socket.setEncoding('utf8');
  socket.on('data', (chunk) => {
    const lines = (mistakes.has('chunk-is-line') ? chunk : rest + chunk).split('\n');
    rest = lines.pop();
    if (mistakes.has('chunk-is-line') && rest !== '') lines.push(rest);
    for (const line of lines) received(line);
  });
}

const server = net.createServer((socket) => {
  if (!mistakes.has('no-error-listener')) socket.on('error', () => {});
  onLines(socket, (line) => {
    answer(line, (text) => socket.write(`${text}\n`)).catch(fail);
  });
});

// ---- the server's side of copying

async function copyTo(address) {
  const [host, port] = address.split(':');
  for (;;) {
    await new Promise((closed) => {
      const socket = net.connect({ host, port: Number(port) });
      let sent = Infinity;
      const send = () => {
        for (; sent < entries.length; sent += 1)
          socket.write(`copy ${sent} ${JSON.stringify(entries[sent])}\n`);
      };
      socket.setTimeout(2000, () => socket.destroy());
      onLines(socket, (line) => {
        const have = Number(line.split(' ')[1]);
        if (sent === Infinity) sent = have;
        wake = send;
        send();
      });
      socket.on('error', () => {});
      socket.on('close', closed);
      socket.write('follow\n');
    });
    wake = () => {};
    await sleep(100);
  }
}

/** Nobody knows what a disk has that has failed once. */
function fail(error) {
  console.error(error);
  process.exit(1);
}

try {
  await recover();
} catch (error) {
  fail(error);
}
server.listen(Number(options.port), () =>
  console.log(`${entries.length} entries, port ${server.address().port}`),
);
if (options.standby !== undefined) copyTo(options.standby).catch(fail);
