/** A straight line through points, and the confidence of its slope. */

export interface Line {
  readonly slope: number
  readonly intercept: number
  /** Half of the slope's 99 % confidence interval. */
  readonly margin: number
}

/** Student's t for 99 %, two-sided, above some 40 points. */
const T99 = 2.7

/**
 * Least squares. Successive samples of a heap resemble each other, so the error of the slope is widened by how much
 * they do.
 */
export const regress = (points: ReadonlyArray<readonly [number, number]>): Line => {
  const n = points.length
  const mean = (of: (point: readonly [number, number]) => number) => points.reduce((sum, p) => sum + of(p), 0) / n
  const [meanX, meanY] = [mean(([x]) => x), mean(([, y]) => y)]
  const sxx = points.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0)
  const sxy = points.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0)
  if (n < 3 || sxx === 0) return { slope: 0, intercept: meanY, margin: Infinity }
  const slope = sxy / sxx
  const intercept = meanY - slope * meanX
  const residuals = points.map(([x, y]) => y - intercept - slope * x)
  const squares = residuals.reduce((sum, r) => sum + r * r, 0)
  const products = residuals.slice(1).reduce((sum, r, i) => sum + r * (residuals[i] ?? 0), 0)
  const alike = squares === 0 ? 0 : Math.min(0.95, Math.max(0, products / squares))
  const error = Math.sqrt(squares / (n - 2) / sxx) * Math.sqrt((1 + alike) / (1 - alike))
  return { slope, intercept, margin: T99 * error }
}
