/** Without empty parts and without a slash at the end, so that two spellings of a path are one file. */
export function normalize(path: string): string {
  const parts = path.split('/').filter((part) => part !== '' && part !== '.');
  return (path.startsWith('/') ? '/' : '') + parts.join('/');
}

/** The directory that a normalized path is in. */
export function parentOf(path: string): string {
  const slash = path.lastIndexOf('/');
  return slash < 0 ? '' : slash === 0 ? '/' : path.slice(0, slash);
}

/** The name of a normalized path in its directory. */
export function baseOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
