/** Maps an error code of the system to a reason of `ServerFailed`. */
import type { ServerFailed } from "../../MuxadoError.js"

const REASONS: Readonly<Record<string, ServerFailed["reason"]>> = {
  EADDRINUSE: "AddressInUse",
  EACCES: "PermissionDenied",
  EPERM: "PermissionDenied",
  EROFS: "PermissionDenied",
  EADDRNOTAVAIL: "NoSuchAddress",
  EAFNOSUPPORT: "NoSuchAddress",
  EAI_AGAIN: "NoSuchAddress",
  ENOENT: "NoSuchAddress",
  ENOTDIR: "NoSuchAddress",
  ENOTFOUND: "NoSuchAddress"
}

/** The reason for an error of listening: `"Listen"` if its code is not in the table. */
export const listenReason = (cause: unknown): ServerFailed["reason"] => {
  const code = cause instanceof Error && "code" in cause ? cause.code : undefined
  return (typeof code === "string" ? REASONS[code] : undefined) ?? "Listen"
}
