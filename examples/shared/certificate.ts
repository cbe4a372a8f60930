/** A certificate for one run of an example, made in memory and never written to a file. */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import { generate } from "selfsigned"

/** A private key and its self-signed certificate, in PEM. */
export interface Identity {
  readonly key: string
  readonly cert: string
}

export class CertificateFailed extends Data.TaggedError("CertificateFailed")<{ readonly cause: unknown }> {
  override get message(): string {
    return `No certificate could be made: ${String(this.cause)}`
  }
}

/** For a server on this machine (`localhost`, `127.0.0.1`). A client with `cert` as its `ca` can verify it. */
export const throwAwayCertificate = Effect.fn("throwAwayCertificate")(function* () {
  const pems = yield* Effect.tryPromise({
    try: () =>
      generate([{ name: "commonName", value: "localhost" }], {
        keyType: "ec",
        algorithm: "sha256",
        extensions: [
          { name: "basicConstraints", cA: false, critical: true },
          { name: "keyUsage", digitalSignature: true, critical: true },
          { name: "extKeyUsage", serverAuth: true },
          {
            name: "subjectAltName",
            altNames: [
              { type: 2, value: "localhost" },
              { type: 7, ip: "127.0.0.1" }
            ]
          }
        ]
      }),
    catch: (cause) => new CertificateFailed({ cause })
  })
  const identity: Identity = { key: pems.private, cert: pems.cert }
  return identity
})
