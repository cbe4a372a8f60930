/** Formats a figure: three significant digits, with thousands separated. */
export const figure = (value: number): string => {
  if (!Number.isFinite(value)) return "?"
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2
  return value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits })
}
