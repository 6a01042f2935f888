import { RpcError } from './rpc-error.ts';
import { Status } from './status.ts';

/**
 * Every error that etcd 3.7 answers, code and text to the letter: clients match on the text. They are values, to be
 * thrown as they are: `throw etcdErrors.compacted`. Their stack is that of this module, which spares a stack trace a
 * refused request.
 */
export const etcdErrors = {
  emptyKey: error(Status.INVALID_ARGUMENT, 'key is not provided'),
  keyNotFound: error(Status.INVALID_ARGUMENT, 'key not found'),
  valueProvided: error(Status.INVALID_ARGUMENT, 'value is provided'),
  leaseProvided: error(Status.INVALID_ARGUMENT, 'lease is provided'),
  tooManyOperations: error(Status.INVALID_ARGUMENT, 'too many operations in txn request'),
  duplicateKey: error(Status.INVALID_ARGUMENT, 'duplicate key given in txn request'),
  invalidClientApiVersion: error(Status.INVALID_ARGUMENT, 'invalid client api version'),
  invalidSortOption: error(Status.INVALID_ARGUMENT, 'invalid sort option'),
  compacted: error(Status.OUT_OF_RANGE, 'mvcc: required revision has been compacted'),
  futureRevision: error(Status.OUT_OF_RANGE, 'mvcc: required revision is a future revision'),
  noSpace: error(Status.RESOURCE_EXHAUSTED, 'mvcc: database space exceeded'),

  leaseNotFound: error(Status.NOT_FOUND, 'requested lease not found'),
  leaseExists: error(Status.FAILED_PRECONDITION, 'lease already exists'),
  leaseTtlTooLarge: error(Status.OUT_OF_RANGE, 'too large lease TTL'),

  watchCanceled: error(Status.CANCELLED, 'watch canceled'),

  memberExists: error(Status.FAILED_PRECONDITION, 'member ID already exist'),
  peerUrlExists: error(Status.FAILED_PRECONDITION, 'Peer URLs already exists'),
  memberNotEnoughStarted: error(
    Status.FAILED_PRECONDITION,
    're-configuration failed due to not enough started members',
  ),
  memberBadUrls: error(Status.INVALID_ARGUMENT, 'given member URLs are invalid'),
  memberNotFound: error(Status.NOT_FOUND, 'member not found'),
  memberNotLearner: error(Status.FAILED_PRECONDITION, 'can only promote a learner member'),
  learnerNotReady: error(
    Status.FAILED_PRECONDITION,
    'can only promote a learner member which is in sync with leader',
  ),
  tooManyLearners: error(Status.FAILED_PRECONDITION, 'too many learner members in cluster'),
  clusterIdMismatch: error(Status.FAILED_PRECONDITION, 'cluster ID mismatch'),

  requestTooLarge: error(Status.INVALID_ARGUMENT, 'request is too large'),
  tooManyRequests: error(Status.RESOURCE_EXHAUSTED, 'too many requests'),

  rootUserNotExist: error(Status.FAILED_PRECONDITION, 'root user does not exist'),
  rootRoleNotExist: error(Status.FAILED_PRECONDITION, 'root user does not have root role'),
  userAlreadyExists: error(Status.FAILED_PRECONDITION, 'user name already exists'),
  userEmpty: error(Status.INVALID_ARGUMENT, 'user name is empty'),
  userNotFound: error(Status.FAILED_PRECONDITION, 'user name not found'),
  roleAlreadyExists: error(Status.FAILED_PRECONDITION, 'role name already exists'),
  roleNotFound: error(Status.FAILED_PRECONDITION, 'role name not found'),
  roleEmpty: error(Status.INVALID_ARGUMENT, 'role name is empty'),
  authenticationFailed: error(Status.INVALID_ARGUMENT, 'authentication failed, invalid user ID or password'),
  permissionNotGiven: error(Status.INVALID_ARGUMENT, 'permission not given'),
  permissionDenied: error(Status.PERMISSION_DENIED, 'permission denied'),
  roleNotGranted: error(Status.FAILED_PRECONDITION, 'role is not granted to the user'),
  permissionNotGranted: error(Status.FAILED_PRECONDITION, 'permission is not granted to the role'),
  authNotEnabled: error(Status.FAILED_PRECONDITION, 'authentication is not enabled'),
  invalidAuthToken: error(Status.UNAUTHENTICATED, 'invalid auth token'),
  invalidAuthManagement: error(Status.INVALID_ARGUMENT, 'invalid auth management'),
  authOldRevision: error(Status.INVALID_ARGUMENT, 'revision of auth store is old'),

  noLeader: error(Status.UNAVAILABLE, 'no leader'),
  notLeader: error(Status.FAILED_PRECONDITION, 'not leader'),
  leaderChanged: error(Status.UNAVAILABLE, 'leader changed'),
  notCapable: error(Status.FAILED_PRECONDITION, 'not capable'),
  stopped: error(Status.UNAVAILABLE, 'server stopped'),
  timeout: error(Status.UNAVAILABLE, 'request timed out'),
  timeoutLeaderFailed: error(
    Status.UNAVAILABLE,
    'request timed out, possibly due to previous leader failure',
  ),
  timeoutConnectionLost: error(Status.UNAVAILABLE, 'request timed out, possibly due to connection lost'),
  timeoutWaitAppliedIndex: error(
    Status.UNAVAILABLE,
    'request timed out, waiting for the applied index took too long',
  ),
  unhealthy: error(Status.UNAVAILABLE, 'unhealthy cluster'),
  corrupt: error(Status.DATA_LOSS, 'corrupt cluster'),
  notSupportedForLearner: error(Status.FAILED_PRECONDITION, 'rpc not supported for learner'),
  badLeaderTransferee: error(Status.FAILED_PRECONDITION, 'bad leader transferee'),

  clusterVersionUnavailable: error(Status.FAILED_PRECONDITION, 'cluster version not found during downgrade'),
  wrongDowngradeVersionFormat: error(Status.INVALID_ARGUMENT, 'wrong downgrade target version format'),
  invalidDowngradeTargetVersion: error(Status.INVALID_ARGUMENT, 'invalid downgrade target version'),
  downgradeInProcess: error(Status.FAILED_PRECONDITION, 'cluster has a downgrade job in progress'),
  noInflightDowngrade: error(Status.FAILED_PRECONDITION, 'no inflight downgrade job'),

  canceled: error(Status.CANCELLED, 'request canceled'),
  deadlineExceeded: error(Status.DEADLINE_EXCEEDED, 'context deadline exceeded'),
} as const;

function error(status: Status, text: string): RpcError {
  return new RpcError(status, `etcdserver: ${text}`);
}
