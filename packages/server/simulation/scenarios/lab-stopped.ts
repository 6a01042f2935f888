/** Ends a scenario whose run has failed already. */
export class LabStopped extends Error {}
