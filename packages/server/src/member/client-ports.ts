import type { Address } from '@flotilla/platform';
import { type MethodTable, Services } from '@flotilla/wire';
import type { Configuration } from '../configuration/configuration.ts';
import type { ListenUrl } from '../configuration/listen-url.ts';
import { type HttpHandler, pageNotFound } from '../http/exchange.ts';

/** A port to be opened for clients, and what is served there. */
export interface ClientPort {
  readonly address: Address;
  readonly socketPath?: string;
  readonly secure: boolean;
  readonly cleartext: boolean;
  readonly services: MethodTable;
  readonly http: HttpHandler;
}

/**
 * The client URLs serve everything. With URLs for HTTP alone they serve gRPC alone, as in etcd, where slow streams on
 * a shared port could starve each other; the URLs for metrics serve what watches over a member.
 */
export function clientPorts(
  configuration: Configuration,
  services: MethodTable,
  http: HttpHandler,
): ClientPort[] {
  const { clientListeners, httpListeners, metricsListeners } = configuration;
  const isShared = httpListeners.length === 0;
  return [
    ...clientListeners.map((url) => ({ ...portOf(url), services, http: isShared ? http : noHttp })),
    ...httpListeners.map((url) => ({ ...portOf(url), services: noServices, http })),
    ...metricsListeners.map((url) => ({ ...portOf(url), services: noServices, http: watching(http) })),
  ];
}

function portOf({
  address,
  socketPath,
  secure,
  cleartext,
}: ListenUrl): Omit<ClientPort, 'services' | 'http'> {
  return { address, secure, cleartext, ...(socketPath === null ? {} : { socketPath }) };
}

const noServices = new Services([]);

const noHttp: HttpHandler = {
  handle: (exchange) => {
    exchange.answer(pageNotFound);
    return Promise.resolve();
  },
};

function watching(http: HttpHandler): HttpHandler {
  return {
    handle: (request) => {
      const path = request.target.replace(/\?.*$/, '');
      return /^\/(metrics|health|livez|readyz)($|\/)/.test(path)
        ? http.handle(request)
        : noHttp.handle(request);
    },
  };
}
