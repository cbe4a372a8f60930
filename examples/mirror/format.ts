/** Numbers for people. */

export const formatCount = (count: number): string => count.toLocaleString("en").replaceAll(",", " ")

export const formatBytes = (bytes: number): string => {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"]
  const power = bytes < 1024 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10))
  return `${power === 0 ? Math.round(bytes) : (bytes / 1024 ** power).toFixed(1)} ${units[power]}`
}

/** A count and its noun. */
export interface Amount {
  readonly files: number
  readonly bytes: number
}
