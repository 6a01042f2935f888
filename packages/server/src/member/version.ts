/** The etcd whose API is spoken: clients turn features on by it (progress requests need 3.4.31 or 3.5.13). */
export const API_VERSION = '3.7.0';
