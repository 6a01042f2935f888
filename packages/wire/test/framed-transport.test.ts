import { nodePlatform } from '@flotilla/platform/node';
import { listenFramed, openFramedChannel } from '../src/index.ts';
import { describeTransport } from './transport-contract.ts';

const nothing = (): void => {};

const platform = nodePlatform({
  nodeName: 'test',
  logger: { debug: nothing, info: nothing, warn: nothing, error: nothing },
  onFatal: (error) => {
    throw error;
  },
});

describeTransport({
  name: 'framed',
  serve: (options) => listenFramed(platform, options),
  open: (endpoints, options) => openFramedChannel(platform, { endpoints, ...options }),
});
