import net from 'node:net';

/** Sends a line to a server, and answers the line that comes back. */
export function ask(host, port, line, timeoutMs = 1000) {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ host, port });
    let text = '';
    socket.setEncoding('utf8');
    socket.setTimeout(timeoutMs, () => socket.destroy(new Error(`${host} does not answer`)));
    socket.on('data', (chunk) => {
      text += chunk;
      if (!text.endsWith('\n')) return;
      resolve(text.slice(0, -1));
      socket.end();
    });
    socket.on('error', reject);
    socket.on('close', () => reject(new Error(`${host} has closed the connection`)));
    socket.write(`${line}\n`);
  });
}
