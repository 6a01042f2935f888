/**
 * Programs that print the same wherever they run: in Node itself and in the simulator. Each is a set of files, the
 * first of which is its main module. Nothing that they print may depend on how long something takes.
 */
export const differences: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'ECMAScript modules': {
    'main.mjs': `#!/usr/bin/env node
      import fallback, { a, b as renamed, counter, add, Thing } from './a.mjs';
      import * as all from './a.mjs';
      import './effect.mjs';
      import json from './data.json' with { type: 'json' };
      import cjs, { named } from './c.cjs';
      import { createRequire } from 'node:module';
      import { sep } from 'path';
      console.log(a, renamed, fallback(), new Thing().name, json.x, cjs.named, named, sep);
      add(); console.log(counter, all.counter, Object.keys(all).join(), all[Symbol.toStringTag]);
      console.log(import.meta.url.endsWith('main.mjs'), typeof import.meta.dirname, this === undefined, typeof require);
      const late = await import('./late.mjs');
      console.log(late.default, (await import('./late.mjs')) === late);
      console.log(createRequire(import.meta.url)('./c.cjs') === cjs);
      try { await import('./none.mjs'); } catch (error) { console.log(error.code); }
      label: for (const x of [1]) { break label; }
      const regex = /import "x" from \\/[/'"]/g, half = 4 / 2 / 1;
      console.log(\`\${regex.source} \${[half].map((y) => \`\${y}\`)}\`);
      export const { p, q: [r] } = { p: 1, q: [2] }, s = (x, y) => x / y
      console.log(p, r, s(4, 2), process.argv.slice(2).join());`,
    'a.mjs': `
      export const a = 'a'; let b = 'b'; export { b, b as "string name" };
      export let counter = 0; export function add() { counter += 1; }
      export default function () { return 'default'; }
      export class Thing { get name() { return 'thing'; } }
      export * from './more.mjs'; export * as more from './more.mjs';
      import { before } from './cycle.mjs'; export const early = before();`,
    'more.mjs': `export const extra = 1; export default 2;`,
    'cycle.mjs': `import * as a from './a.mjs'; export function before() { try { return a.a; } catch (e) { return e.name; } }`,
    'effect.mjs': `console.log('effect');`,
    'late.mjs': `import { setTimeout as sleep } from 'timers/promises'; await sleep(2); export default 'late';`,
    'data.json': `{ "x": 1 }`,
    'c.cjs': `exports.named = 'named';`,
  },
  'CommonJS modules': {
    'main.js': `
      const { one, two } = require('./lib');
      const path = require('node:path');
      console.log(one, two(), require('./lib') === require('./lib/index.js'), path.basename(__filename), path.basename(__dirname) !== '');
      console.log(require.main === module, module.exports === exports, this === exports, require('./data').list.length);
      console.log(require('pack').name, require('pack/sub'), require.resolve('fs'));
      try { require('./none'); } catch (error) { console.log(error.code); }
      import('./m.mjs').then((m) => console.log(m.default, require('./m.mjs') === m));
      function sloppy() { return typeof this; } console.log(sloppy());`,
    'lib/index.js': `const main = require('../main.js'); exports.one = Object.keys(main).length; exports.two = () => 'two';`,
    'data.json': `{ "list": [1, 2] }`,
    'm.mjs': `import { name } from 'pack'; export default 'esm ' + name;`,
    'node_modules/pack/package.json': `{ "name": "pack", "exports": { ".": { "import": "./m.mjs", "require": "./c.js" }, "./*": { "default": "./lib/*.js" } } }`,
    'node_modules/pack/m.mjs': `export const name = 'import';`,
    'node_modules/pack/c.js': `exports.name = 'require';`,
    'node_modules/pack/lib/sub.js': `module.exports = 'sub';`,
  },
  'the order of ticks, promises and timers': {
    'main.cjs': `
      const log = (text) => () => console.log(text);
      const { promisify } = require('util'); const timers = require('timers/promises');
      process.nextTick(log('tick 1'), 1); Promise.resolve().then(() => { log('promise 1')(); process.nextTick(log('tick in promise')); }).then(log('promise 2'));
      queueMicrotask(log('microtask')); process.nextTick(() => { log('tick 2')(); process.nextTick(log('tick 3')); });
      setTimeout(() => { process.nextTick(log('tick in timeout')); Promise.resolve().then(log('promise in timeout')); console.log('timeout 1'); }, 1);
      const late = setTimeout(log('never'), 3); clearTimeout(late); clearTimeout(+setTimeout(log('never'), 2)); clearTimeout(undefined); clearImmediate(setImmediate(log('never')));
      const abort = new AbortController(); timers.setTimeout(1e6, null, { signal: abort.signal }).catch((error) => console.log(error.name, error.code)); abort.abort();
      try { setTimeout('text'); } catch (error) { console.log(error.name, error.code); }
      process.on('beforeExit', () => console.log('before exit')); process.on('exit', (code) => console.log('exit', code, process.exitCode));
      (async () => {
        await promisify(setTimeout)(20); await new Promise((resolve) => setImmediate((...values) => { console.log(values.join()); resolve(); }, 'a', 'b'));
        await new Promise((resolve) => { let times = 0; const interval = setInterval(() => { console.log('interval', times += 1); if (times === 3) { clearInterval(interval); resolve(); } }, 5); });
        await new Promise((resolve) => setTimeout((...values) => { console.log(values.join()); resolve(); }, 5, 'c', 'd'));
        console.log(await promisify(setTimeout)(5, 'promised'), await promisify(setImmediate)('immediate'), await timers.setImmediate('too'));
        for await (const value of timers.setInterval(5, 'tick')) { console.log(value); break; }
        const timer = setTimeout(log('once'), 5); console.log(typeof timer.ref, timer.hasRef(), timer.unref().hasRef(), timer.ref().hasRef(), timer.refresh() === timer);
        await timers.setTimeout(50); timer.refresh(); await timers.setTimeout(50); console.log('refreshed');
        await new Promise((resolve) => { AbortSignal.timeout(5).addEventListener('abort', (event) => { console.log(event.target.reason.name); resolve(); }); setTimeout(() => {}, 10000).unref(); const keep = setInterval(() => {}, 1000); setTimeout(() => clearInterval(keep), 100); });
        await timers.scheduler.wait(5); setTimeout(log('never'), 100000).unref(); process.exitCode = 0;
      })();`,
  },
  'streams between sockets': {
    'main.mjs': `
      import net from 'node:net';
      import { once } from 'node:events';
      import { pipeline } from 'node:stream/promises';
      import { createInterface } from 'node:readline';
      import { Transform } from 'node:stream';
      const log = (name, socket) => { for (const event of ['end', 'finish', 'close', 'error']) socket.on(event, (value) => console.log(name, event, value instanceof Error ? value.code : value)); return socket; };
      async function serve(options, handler, use) {
        const server = net.createServer(options, handler);
        server.listen(0); await once(server, 'listening');
        console.log(server.listening, typeof server.address().port, server.address().family);
        await use(server.address().port);
        await new Promise((resolve) => server.close(resolve));
        console.log('closed', server.listening, server.address());
      }
      console.log('-- echo');
      await serve({}, (s) => s.pipe(s), async (port) => {
        const s = log('client', net.connect(port)); s.setEncoding('utf8'); s.on('connect', () => console.log('connect', s.connecting, s.readyState, s.remoteFamily, s.remotePort === port));
        console.log(s.connecting, s.pending, s.readyState, s.setNoDelay() === s, s.setKeepAlive(true) === s);
        let text = ''; s.on('data', (d) => { text += d; });
        s.write('hel'); s.end('lo', () => console.log('ended')); await once(s, 'close');
        console.log(text, s.destroyed, s.bytesRead, s.bytesWritten, s.readyState);
      });
      console.log('-- half open');
      await serve({ allowHalfOpen: true }, (s) => { let got = ''; s.on('data', (d) => { got += d; }); s.on('end', () => setTimeout(() => s.end(got.toUpperCase()), 20)); }, async (port) => {
        const s = log('client', net.connect(port)); const gone = once(s, 'close'); s.end('question'); let got = ''; for await (const d of s) got += d; console.log(got); await gone;
      });
      console.log('-- not half open');
      await serve({}, (s) => { log('server', s); s.resume(); s.on('end', () => setTimeout(() => s.write('late', (e) => console.log('late', e?.code)), 10)); }, async (port) => {
        const s = log('client', net.connect(port)); s.resume(); s.end('bye'); await once(s, 'close');
        await new Promise((resolve) => setTimeout(resolve, 50));
      });
      console.log('-- reset');
      await serve({}, (s) => { s.on('data', () => s.resetAndDestroy()); s.on('error', () => {}); }, async (port) => {
        const s = log('client', net.connect(port)); s.write('x'); await new Promise((resolve) => s.on('close', resolve));
      });
      console.log('-- destroyed behind a write');
      await serve({}, (s) => { s.on('error', () => {}); s.write('last words', () => s.destroy()); }, async (port) => { const s = log('client', net.connect(port)); let got = ''; s.on('data', (d) => { got += d; }); await once(s, 'close'); console.log(got); });
      console.log('-- destroyed with something unread');
      await serve({ pauseOnConnect: true }, (s) => { setTimeout(() => s.destroy(), 50); }, async (port) => { const s = log('client', net.connect(port)); s.resume(); s.write('unread'); await new Promise((resolve) => s.on('close', resolve)); });
      console.log('-- refused');
      await serve({}, () => {}, async (port) => { globalThis.free = port; });
      { const s = net.connect({ port: globalThis.free, host: '127.0.0.1' }); s.on('connect', () => console.log('no')); const [error] = await once(s, 'error'); console.log(error.code, error.syscall, error.message.replace(/\\d+$/, 'N')); }
      console.log('-- in use');
      await serve({}, () => {}, async (port) => { const [error] = await once(net.createServer().listen(port), 'error'); console.log(error.code, error.syscall); });
      console.log('-- destroyed while connecting');
      await serve({}, (s) => { s.on('error', () => {}); s.resume(); }, async (port) => { const s = log('client', net.connect(port)); s.write('x', (e) => console.log(e?.code)); s.destroy(); await once(s, 'close'); await new Promise((resolve) => setTimeout(resolve, 20)); });
      console.log('-- errors of the caller');
      for (const bad of [() => net.connect(70000), () => net.createServer().listen(-1), () => { const s = net.createServer(); s.listen(0); try { s.listen(0); } finally { s.close(); } }]) try { bad(); } catch (error) { console.log(error.name, error.code); }
      net.createServer().close((error) => console.log(error.code));
      console.log(net.isIP('10.0.0.1'), net.isIPv6('::1'), new net.Socket() instanceof net.Socket, net.Server() instanceof net.Server);
      console.log('-- idle');
      await serve({}, (s) => { s.setTimeout(30); s.on('timeout', () => { console.log('timeout', s.timeout); s.end('idle'); }); s.resume(); }, async (port) => { const s = net.connect(port); let got = ''; for await (const d of s) got += d; console.log(got); });
      console.log('-- lines, through a pipeline, many');
      const upper = () => new Transform({ transform(chunk, encoding, done) { done(null, String(chunk).toUpperCase()); } });
      await serve({}, (s) => { pipeline(s, upper(), s).catch((error) => console.log(error.code)); }, async (port) => {
        const s = net.connect(port); let n = 0; let drains = 0; s.on('drain', () => { drains += 1; });
        for (let i = 0; i < 2000; i += 1) s.write('line ' + i + ' ' + 'y'.repeat(100) + '\\n'); s.end();
        for await (const line of createInterface({ input: s })) { if (!line.startsWith('LINE ' + n + ' YYY')) console.log('bad', line); n += 1; }
        console.log(n, drains > 0);
      });
      server_counts: { const server = net.createServer(); server.maxConnections = 1; server.listen(0); await once(server, 'listening'); const { port } = server.address();
        const a = net.connect(port); await once(server, 'connection'); const b = net.connect(port); b.on('error', () => {}); b.resume(); await once(server, 'drop'); server.getConnections((error, count) => console.log(error, count)); a.end(); a.resume(); await new Promise((resolve) => server.close(resolve)); }`,
  },
  'requests by http': {
    'main.mjs': `
      import http from 'node:http';
      import { once } from 'node:events';
      import { text } from 'node:stream/consumers';
      const server = http.createServer(async (request, response) => {
        if (request.url === '/slow') return;
        if (request.url === '/gone') return request.socket.destroy();
        const body = await text(request);
        response.setHeader('content-type', 'text/plain');
        if (request.url === '/chunks') { for (let i = 0; i < 3; i += 1) { response.write('chunk ' + i + ' '); await new Promise((resolve) => setTimeout(resolve, 2)); } response.end(); }
        else { response.writeHead(201, { 'x-own': 'yes' }); response.end(request.method + ' ' + request.url + ' ' + body + ' ' + request.headers.host?.replace(/\\d+$/, 'N')); }
      });
      server.listen(0, '127.0.0.1'); await once(server, 'listening'); const { port } = server.address(); console.log(server.listening, typeof port);
      async function ask(method, path, body, options = {}) {
        const request = http.request({ port, host: '127.0.0.1', method, path, ...options }); request.end(body);
        const [response] = await once(request, 'response'); const answer = await text(response);
        console.log(response.statusCode, Object.keys(response.headers).sort().join(), answer, typeof response.headers.date, request.reusedSocket);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      await ask('GET', '/a'); await ask('POST', '/b', 'body'); await ask('PUT', '/chunks', 'x'); await ask('GET', '/c', undefined, { agent: false }); await ask('GET', '/d', undefined, { agent: new http.Agent() });
      console.log(await new Promise((resolve) => http.get('http://127.0.0.1:' + port + '/e', (response) => resolve(text(response)))));
      for (const path of ['/gone', '/slow']) { const request = http.get({ port, host: '127.0.0.1', path, timeout: 50, agent: false }); request.on('timeout', () => { console.log('timeout'); request.destroy(new Error('too slow')); }); const [error] = await once(request, 'error'); console.log(error.code, error.message); }
      const refused = http.get({ port: 1, host: '127.0.0.1' }); const [error] = await once(refused, 'error'); console.log(error.code);
      await new Promise((resolve) => server.close(resolve)); console.log('closed', server.listening, http.STATUS_CODES[404]);`,
  },
  'files, in all three forms': {
    'main.mjs': `
      import fs, { promises } from 'node:fs';
      import * as fsp from 'node:fs/promises';
      import { once } from 'node:events';
      import { pipeline } from 'node:stream/promises';
      const failing = (action) => { try { action(); console.log('no error'); } catch (e) { console.log(e.code, e.syscall, e.errno); } };
      console.log(promises === fsp || promises === fsp.default, fs.constants.O_CREAT);
      fs.mkdirSync('d/e', { recursive: true }); failing(() => fs.mkdirSync('d')); failing(() => fs.mkdirSync('x/y')); failing(() => fs.readFileSync('none')); failing(() => fs.readdirSync('none'));
      fs.writeFileSync('d/f', 'hello'); fs.appendFileSync('d/f', Buffer.from(' world')); console.log(fs.readFileSync('d/f', 'utf8'), fs.statSync('d/f').size, fs.statSync('d').isDirectory(), fs.existsSync('d/g'));
      failing(() => fs.writeFileSync('d/f', '', { flag: 'wx' })); failing(() => fs.openSync('d', 'w')); failing(() => fs.rmdirSync('d')); failing(() => fs.unlinkSync('none')); failing(() => fs.closeSync(999)); failing(() => fs.accessSync('none')); failing(() => fs.rmSync('none'));
      console.log(fs.statSync('none', { throwIfNoEntry: false }), fs.readdirSync('d').join());
      const fd = fs.openSync('d/g', 'w+'); console.log(fs.writeSync(fd, 'abcdef'), fs.writeSync(fd, Buffer.from('XYZ'), 1, 2, 0), fs.writeSync(fd, 'é', 4, 'latin1'));
      const buffer = Buffer.alloc(10); console.log(fs.readSync(fd, buffer, 0, 10, 0), buffer.toString('latin1', 0, 6), fs.readSync(fd, buffer), fs.fstatSync(fd).size);
      fs.ftruncateSync(fd, 2); fs.fsyncSync(fd); fs.fdatasyncSync(fd); fs.closeSync(fd); console.log(fs.readFileSync('d/g', 'latin1')); failing(() => fs.writeSync(fd, 'x'));
      fs.renameSync('d/g', 'd/h'); fs.copyFileSync('d/h', 'd/i'); fs.truncateSync('d/i', 1); console.log(fs.readdirSync('d').join(), fs.readFileSync('d/i', 'utf8'), fs.readdirSync('d', { withFileTypes: true }).map((e) => e.name + e.isFile()).join());
      const readOnly = fs.openSync('d/h', 'r'); failing(() => fs.writeSync(readOnly, 'x')); fs.closeSync(readOnly); failing(() => fs.openSync('d/h', 'zz'));
      // ---- promises
      await fsp.writeFile('p', ['a', 'b'].join('\\n')); await fsp.appendFile('p', '\\nc'); console.log(JSON.stringify(await fsp.readFile('p', { encoding: 'utf8' })), (await fsp.stat('p')).isFile());
      const file = await fsp.open('p', 'r+'); const { bytesRead, buffer: read } = await file.read(Buffer.alloc(3), 0, 3, 1); console.log(bytesRead, JSON.stringify(String(read)));
      console.log((await file.write('ZZ', 0)).bytesWritten, (await file.stat()).size); await file.truncate(3); await file.sync(); await file.datasync(); await file.close(); await file.close(); console.log(JSON.stringify(await fsp.readFile('p', 'utf8')));
      const lines = await fsp.open('p'); for await (const line of lines.readLines()) console.log('line', line);
      for (const bad of [() => fsp.readFile('none'), () => fsp.open('none/f', 'w'), () => fsp.access('none'), () => fsp.mkdir('d'), () => fsp.rm('d')]) await bad().catch((e) => console.log(e.code));
      await fsp.rename('p', 'q'); await fsp.unlink('q'); await fsp.rm('none', { force: true }); console.log((await fsp.mkdtemp('tmp-')).length > 4);
      // ---- callbacks
      await new Promise((resolve) => fs.writeFile('c', 'callback', () => fs.readFile('c', 'utf8', (error, text) => { console.log(error, text); fs.readFile('none', (e, t) => { console.log(e.code, t); fs.stat('c', (e2, stats) => { console.log(e2, stats.size); fs.exists('c', (found) => { console.log(found); fs.open('c', 'a', (e3, fd3) => fs.write(fd3, '!', (e4, count) => fs.fsync(fd3, (e5) => fs.close(fd3, (e6) => { console.log(e3, e4, count, e5, e6, fs.readFileSync('c', 'utf8')); resolve(); })))); }); }); }); })));
      // ---- streams
      const out = fs.createWriteStream('s'); for (let i = 0; i < 5000; i += 1) out.write('number ' + i + '\\n'); out.end(); await once(out, 'finish'); await once(out, 'close'); console.log(out.bytesWritten, fs.statSync('s').size);
      let bytes = 0; for await (const chunk of fs.createReadStream('s', { highWaterMark: 1000 })) bytes += chunk.length; console.log(bytes);
      await pipeline(fs.createReadStream('s', { start: 7, end: 15 }), fs.createWriteStream('t')); console.log(JSON.stringify(fs.readFileSync('t', 'utf8')));
      const [error] = await once(fs.createReadStream('none'), 'error'); console.log(error.code);
      fs.rmSync('d', { recursive: true }); console.log(fs.existsSync('d'));`,
  },
  'what computes': {
    'main.mjs': `
      import crypto, { createHash, randomBytes, randomInt, randomUUID, webcrypto } from 'node:crypto';
      import { parseArgs, promisify, format, inspect } from 'node:util';
      import { crc32, gzipSync, gunzipSync } from 'node:zlib';
      import os from 'node:os'; import { AsyncLocalStorage } from 'node:async_hooks';
      console.log(createHash('sha256').update('x').digest('hex'), randomBytes(8).length, (await promisify(randomBytes)(4)).length, randomInt(5) < 5, /^[0-9a-f-]{36}$/.test(randomUUID()), randomUUID()[14]);
      console.log(crypto.timingSafeEqual(Buffer.from('a'), Buffer.from('a')), webcrypto.getRandomValues(new Uint16Array(3)).length, (await promisify(crypto.scrypt)('a', 'b', 8)).toString('hex'), globalThis.crypto.getRandomValues(new Uint8Array(2)).length);
      try { randomInt(0); } catch (error) { console.log(error.code); }
      console.log(JSON.stringify(parseArgs({ options: { second: { type: 'boolean' } }, allowPositionals: true })), format('%s %d', 'a', 1), inspect({ a: [1] }), crc32('abc'), String(gunzipSync(gzipSync('zip'))));
      const d = new Date(0); console.log(d.toISOString(), new Date(2020, 1, 2) instanceof Date, Date.UTC(2000), typeof Date(), Math.max(1, 2), new (class extends Date {})(5).getTime(), Object.prototype.toString.call(Math));
      const before = process.hrtime(); const [s, ns] = process.hrtime(before); console.log(s, typeof ns, typeof process.hrtime.bigint(), process.uptime() >= 0, performance.now() >= 0, process.argv.length, process.version, process.env.NOTHING, typeof process.pid, process.cwd().length > 0);
      console.log(new Intl.DateTimeFormat('en', { timeZone: 'UTC' }).format(0), Intl.DateTimeFormat('en').format() === new Date().toLocaleDateString('en'), typeof navigator, new Intl.NumberFormat('en').format(1e4)); const { promisify: p } = await import('util'); console.log(await p((await import('fs')).exists)('none'), (await p((await import('dns')).lookup)('localhost', { family: 4 })).address);
      console.table([{ a: 1 }]); console.group('g'); console.log('indented'); console.groupEnd(); console.log('%o', [1]); console.assert(true); console.dir({ a: 1 }); process.stdout.write('no line break'); process.stdout.write('\\n');
      const path = await import('node:path'); const url = await import('url'); const { Buffer: B } = await import('buffer');
      console.log(path.resolve('a', '../b') === path.join(process.cwd(), 'b'), path.relative('a/b', 'a/c'), path.posix.normalize('a//b'), url.fileURLToPath(url.pathToFileURL('x')) === path.resolve('x'), B === Buffer, url.parse('http://h/p').pathname);
      const fs = await import('fs'); fs.writeFileSync(new URL('beside', import.meta.url), 'beside'); console.log(fs.readFileSync(path.join(import.meta.dirname, 'beside'), 'utf8'), fs.existsSync('nowhere'));
      console.log(typeof globalThis.setTimeout, globalThis === global, typeof structuredClone, os.EOL.length, typeof os.hostname(), [1, 2].at(-1), new Error('e') instanceof Error, Buffer.from('a') instanceof Uint8Array);`,
  },
};
