/*
 * The process gives up what it does not need: every capability but one, other users' files, core dumps, debuggers of its
 * own user. For good, in every thread that there is; threads that are made later inherit it.
 */
#ifndef TLSPIN_CONFINE_H
#define TLSPIN_CONFINE_H

/*
 * `user`: a name or a number, whom to become; NULL to stay who we are. `capability` is kept where it is held. 0, or an
 * errno with *operation saying what failed; a process whose confinement failed must not go on.
 */
int confine(const char *user, unsigned capability, const char **operation);

#endif
