/** Every bound of the transports that come with the library. */
export const transportLimits = {
  /** How often certificate files are looked at. A renewed certificate is in use for new connections that soon. */
  certificateCheckMs: 60_000,
  /** Of a file with certificates or a key: more is a wrong file. */
  certificateFileBytes: 1024 * 1024,
} as const;
