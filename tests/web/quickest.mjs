/** How long something takes, for tests that look at how that grows: no machine is too slow for them. */

/**
 * Return how long some work takes in the best of some times, in milliseconds.
 * @param {() => void} work
 */
export function quickest(work) {
  let best = Infinity;
  for (let time = 0; time < 7; time++) {
    const started = performance.now();
    work();
    best = Math.min(best, performance.now() - started);
  }
  return best;
}
