// A thread does not load TypeScript because the one that made it does.
import { register } from 'tsx/esm/api';

register();
await import(new URL('outside-thread.ts', import.meta.url).href);
