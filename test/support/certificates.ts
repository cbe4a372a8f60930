import { generate } from "selfsigned"

/** A private key and its certificate, in PEM. */
export interface Identity {
  readonly key: string
  readonly cert: string
}

/** A throw-away authority, and one server (`localhost`, `127.0.0.1`) and one client that it vouches for. */
export interface Certificates {
  readonly ca: string
  readonly server: Identity
  readonly client: Identity
  /** A client that vouches for itself. */
  readonly stranger: Identity
}

/** Made once for each test file. */
export const certificates = (): Promise<Certificates> => (made ??= make())

let made: Promise<Certificates> | undefined

const make = async (): Promise<Certificates> => {
  const settings = { keyType: "ec", algorithm: "sha256" } as const
  const authority = await generate([{ name: "commonName", value: "Throw-away authority" }], {
    ...settings,
    extensions: [
      { name: "basicConstraints", cA: true, critical: true },
      { name: "keyUsage", keyCertSign: true, cRLSign: true, critical: true }
    ]
  })
  const issue = async (commonName: string, signed: boolean): Promise<Identity> => {
    const pems = await generate([{ name: "commonName", value: commonName }], {
      ...settings,
      ...(signed ? { ca: { key: authority.private, cert: authority.cert } } : {}),
      extensions: [
        { name: "basicConstraints", cA: false, critical: true },
        { name: "keyUsage", digitalSignature: true, critical: true },
        { name: "extKeyUsage", serverAuth: true, clientAuth: true },
        {
          name: "subjectAltName",
          altNames: [
            { type: 2, value: "localhost" },
            { type: 7, ip: "127.0.0.1" }
          ]
        }
      ]
    })
    return { key: pems.private, cert: pems.cert }
  }
  const [server, client, stranger] = await Promise.all([
    issue("localhost", true),
    issue("client", true),
    issue("stranger", false)
  ])
  return { ca: authority.cert, server, client, stranger }
}
