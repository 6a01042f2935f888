/** One cell of the courses' generic test of a key-value service. */
export interface GenericCell {
  readonly name: string;
  readonly clients: number;
  readonly members: number;
  readonly unreliable?: boolean;
  /** All members crash after each round. */
  readonly crashes?: boolean;
  /** The members are split in two anew every second. */
  readonly partitions?: boolean;
  readonly snapshots?: boolean;
  /** Clients share keys; else each has one of its own, which it also appends to. */
  readonly shared?: boolean;
}

export const genericCells: readonly GenericCell[] = [
  { name: 'one client', clients: 1, members: 5 },
  { name: 'concurrent clients', clients: 5, members: 5 },
  { name: 'unreliable', clients: 5, members: 5, unreliable: true },
  { name: 'partitions, one client', clients: 1, members: 5, partitions: true },
  { name: 'partitions', clients: 5, members: 5, partitions: true },
  { name: 'restarts, one client', clients: 1, members: 5, crashes: true },
  { name: 'restarts', clients: 5, members: 5, crashes: true },
  { name: 'restarts, unreliable', clients: 5, members: 5, crashes: true, unreliable: true },
  { name: 'restarts, partitions', clients: 5, members: 5, crashes: true, partitions: true },
  {
    name: 'restarts, partitions, unreliable',
    clients: 5,
    members: 5,
    crashes: true,
    partitions: true,
    unreliable: true,
  },
  {
    name: 'restarts, partitions, unreliable, shared keys',
    clients: 15,
    members: 7,
    crashes: true,
    partitions: true,
    unreliable: true,
    shared: true,
  },
  { name: 'snapshots, restarts, one client', clients: 1, members: 5, snapshots: true, crashes: true },
  { name: 'snapshots, restarts, many clients', clients: 20, members: 5, snapshots: true, crashes: true },
  { name: 'snapshots, unreliable', clients: 5, members: 5, snapshots: true, unreliable: true },
  {
    name: 'snapshots, restarts, unreliable',
    clients: 5,
    members: 5,
    snapshots: true,
    crashes: true,
    unreliable: true,
  },
  {
    name: 'snapshots, restarts, partitions, unreliable',
    clients: 5,
    members: 5,
    snapshots: true,
    crashes: true,
    partitions: true,
    unreliable: true,
  },
  {
    name: 'snapshots, restarts, partitions, unreliable, shared keys',
    clients: 15,
    members: 7,
    snapshots: true,
    crashes: true,
    partitions: true,
    unreliable: true,
    shared: true,
  },
];
