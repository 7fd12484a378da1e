/** The arithmetic mean; NaN without values. */
export function mean(values: readonly number[]): number {
  return values.reduce((sum, one) => sum + one, 0) / values.length;
}

/**
 * A percentile, with linear interpolation between neighbours: type 7 of Hyndman and Fan, the default of R and NumPy.
 * @param share 0 to 1; 0.5 is the median.
 * @returns NaN without values.
 */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (sorted.length - 1) * share;
  const below = sorted[Math.floor(at)] ?? NaN;
  const above = sorted[Math.ceil(at)] ?? NaN;
  return below + (above - below) * (at - Math.floor(at));
}

/**
 * Jain's index of fairness (Jain, Chiu, Hawe 1984, DEC-TR-301): 1 if all values are equal, 1/n if all but one are zero.
 */
export function jain(values: readonly number[]): number {
  const sum = values.reduce((total, one) => total + one, 0);
  const squares = values.reduce((total, one) => total + one * one, 0);
  return (sum * sum) / (values.length * squares);
}
