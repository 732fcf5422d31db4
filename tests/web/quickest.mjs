/** How long something takes, for tests that look at how that grows: no machine is too slow for them, or too busy. */

/**
 * Return how much of a CPU some work takes in the best of some times, in milliseconds.
 * @param {() => void} work
 */
export function quickest(work) {
  let best = Infinity;
  for (let time = 0; time < 7; time++) {
    const started = process.cpuUsage();
    work();
    const { user, system } = process.cpuUsage(started);
    best = Math.min(best, (user + system) / 1000);
  }
  return best;
}
