import { type RpcError, Status } from '@flotilla/wire';

/** How grpc-gateway maps a call's status (`HTTPStatusFromCode`). */
export function httpStatusOf(status: Status): number {
  switch (status) {
    case Status.OK:
      return 200;
    case Status.CANCELLED:
      return 499;
    case Status.INVALID_ARGUMENT:
    case Status.FAILED_PRECONDITION:
    case Status.OUT_OF_RANGE:
      return 400;
    case Status.UNAUTHENTICATED:
      return 401;
    case Status.PERMISSION_DENIED:
      return 403;
    case Status.NOT_FOUND:
      return 404;
    case Status.ALREADY_EXISTS:
    case Status.ABORTED:
      return 409;
    case Status.RESOURCE_EXHAUSTED:
      return 429;
    case Status.UNIMPLEMENTED:
      return 501;
    case Status.UNAVAILABLE:
      return 503;
    case Status.DEADLINE_EXCEEDED:
      return 504;
    case Status.UNKNOWN:
    case Status.INTERNAL:
    case Status.DATA_LOSS:
      return 500;
  }
}

/** Both shapes in one: up to etcd 3.5 the text was in `error`, where Patroni 3.0 looks for it; since 3.6 in `message`. */
export function failureBody({ status, message }: RpcError): string {
  return JSON.stringify({ error: message, code: status, message, details: [] });
}

/** One line of a stream, with what grpc-gateway 1 wrote (`grpc_code`, `http_code`) and what 2 does (`code`). */
export function failureLine({ status, message }: RpcError): string {
  const httpCode = httpStatusOf(status);
  const error = {
    grpc_code: status,
    http_code: httpCode,
    message,
    http_status: reasons[httpCode] ?? '',
    code: status,
    details: [],
  };
  return `${JSON.stringify({ error })}\n`;
}

const reasons: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  409: 'Conflict',
  429: 'Too Many Requests',
  500: 'Internal Server Error',
  501: 'Not Implemented',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
};
