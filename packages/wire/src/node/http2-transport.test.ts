import { describeTransport } from '../../test/transport-contract.ts';
import { listenHttp2, openHttp2Channel } from './index.ts';

describeTransport({
  name: 'HTTP/2',
  serve: listenHttp2,
  open: (endpoints, options) =>
    openHttp2Channel({ endpoints: endpoints.map(({ host, port }) => `${host}:${port}`), ...options }),
});
