/** Which reason of `ServerFailed` an error of the system is. */
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

/** `"Listen"` for what has no code of its own. */
export const listenReason = (cause: unknown): ServerFailed["reason"] => {
  const code = cause instanceof Error && "code" in cause ? cause.code : undefined
  return (typeof code === "string" ? REASONS[code] : undefined) ?? "Listen"
}
