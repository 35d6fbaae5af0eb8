/** Facilities of syslog, by their names in configurations. */

/** RFC 5424 §6.2.1: those that are for programs that are no part of the system. */
export const FACILITIES = {
  ...{ user: 1, daemon: 3, auth: 4, authpriv: 10 },
  ...{ local0: 16, local1: 17, local2: 18, local3: 19, local4: 20, local5: 21, local6: 22, local7: 23 },
} as const;
