export * from './configuration/configuration.ts';
export { type Collected, collect, type Sources } from './configuration/sources.ts';
export { type ClientListenerOptions, Member, type MemberOptions } from './member/member.ts';
export { API_VERSION } from './member/version.ts';
