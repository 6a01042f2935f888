export { LmdbStorage, openLmdb } from './lmdb-storage.ts';
