export type { CredentialFiles, Credentials } from './credentials.ts';
export { tcp } from './tcp.ts';
export { memberName, tls } from './tls.ts';
export type { TlsTransportOptions } from './tls.ts';
export type * from './types.ts';
