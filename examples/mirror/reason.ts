import { isPlatformError } from "@effect/platform/Error"

/** What the system says of a failure, without the path: that stands beside it anyway. */
export const reasonOf = (error: unknown): string => {
  const described = isPlatformError(error) ? error.description : undefined
  const message = described ?? (error instanceof Error ? error.message : String(error))
  return /^E[A-Z0-9]+: [^,]+/.exec(message)?.[0] ?? message
}
