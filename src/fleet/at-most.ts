/** Waiting that comes to an end, whatever becomes of what is waited for. Knows nothing of it. */

/** What the work comes to; undefined where that takes longer, and it goes on. */
export async function atMost<T>(patienceMs: number, work: Promise<T>): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => (timer = setTimeout(() => resolve(undefined), patienceMs)));
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
