import { isPlatformError } from "@effect/platform/Error"

/** The system's text of a failure, without the path, which is printed beside it. */
export const reasonOf = (error: unknown): string => {
  const described = isPlatformError(error) ? error.description : undefined
  const message = described ?? (error instanceof Error ? error.message : String(error))
  return /^E[A-Z0-9]+: [^,]+/.exec(message)?.[0] ?? message
}
