import * as os from 'node:os';
import { addressOf } from '../node-address.ts';
import type { ProgramRuntime } from '../runtime.ts';
import { trackedModule } from '../tracked.ts';

const gibibyte = 1024 ** 3;

/** `node:os`: a machine of one processor, named as its node. */
export function osOf(runtime: ProgramRuntime): Record<string, unknown> {
  const { node } = runtime.life;
  const cpu = { model: 'simulated', speed: 1000, times: { user: 0, nice: 0, sys: 0, idle: 0, irq: 0 } };
  const face = (address: string, mac: string, internal: boolean, bits: number): object => ({
    address, mac, internal, family: 'IPv4', netmask: bits === 8 ? '255.0.0.0' : '255.255.0.0', cidr: `${address}/${bits}`,
  }); // prettier-ignore
  const own = {
    arch: () => 'x64',
    availableParallelism: () => 1,
    cpus: () => [cpu],
    endianness: () => 'LE',
    freemem: () => gibibyte,
    homedir: () => '/root',
    hostname: () => node.name,
    loadavg: () => [0, 0, 0],
    machine: () => 'x86_64',
    networkInterfaces: () => ({
      lo: [face('127.0.0.1', '00:00:00:00:00:00', true, 8)],
      eth0: [
        face(
          addressOf(node),
          `02:00:00:00:00:${(node.index & 255).toString(16).padStart(2, '0')}`,
          false,
          16,
        ),
      ],
    }),
    platform: () => 'linux',
    release: () => '6.1.0',
    tmpdir: () => '/tmp',
    totalmem: () => 2 * gibibyte,
    type: () => 'Linux',
    uptime: () => Math.floor(runtime.world.now / 1000),
    userInfo: () => ({ username: 'root', uid: 0, gid: 0, shell: '/bin/sh', homedir: '/root' }),
    version: () => '#1 SMP',
  };
  return trackedModule(runtime, 'node:os', os, { own, pure: ['EOL', 'constants', 'devNull'] });
}
