/**
 * Whether a certificate with these subject alternative names is good for `host`, by Go's rules: an IP address must be
 * named as such, a wildcard stands for one whole label, and the common name does not count.
 */
export function isGoodFor(names: readonly string[], host: string): boolean {
  const wanted = canonicalHost(host);
  if (isIpAddress(wanted)) return names.some((name) => canonicalHost(name) === wanted);
  return names.some((name) => matchesName(name.toLowerCase().replace(/\.$/, ''), wanted));
}

export function isIpAddress(host: string): boolean {
  return /^[0-9]{1,3}(\.[0-9]{1,3}){3}$/.test(host) || host.includes(':');
}

/** Lower case; IPv6 in its shortest form, and IPv4 that travels in it as IPv4. */
export function canonicalHost(host: string): string {
  const plain = host
    .toLowerCase()
    .replace(/\.$/, '')
    .replace(/^::ffff:(?=[0-9.]+$)/, '');
  if (!plain.includes(':')) return plain;
  try {
    return new URL(`http://[${plain.replace(/%.*$/, '')}]`).hostname.slice(1, -1);
  } catch {
    return plain;
  }
}

function matchesName(pattern: string, host: string): boolean {
  if (!pattern.startsWith('*.')) return pattern === host;
  const dot = host.indexOf('.');
  return dot > 0 && host.slice(dot) === pattern.slice(1);
}
