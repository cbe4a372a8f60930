/**
 * The check of the addresses and options of clients and servers, before anything is created. Each function returns one
 * line for each wrong option.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import Cluster from "node:cluster"
import * as Net from "node:net"
import { describe } from "../../internal/support/describe.js"
import type { ListenOptions } from "./listenOptions.js"

type Problems = ReadonlyArray<string>
type Fields = Readonly<Record<string, unknown>>

/**
 * What is wrong with the options of a TCP client.
 *
 * @since 0.1.0
 * @category validation
 */
export const tcpProblems = (options: unknown): Problems =>
  ofFields(options, ({ connectTimeout, host, port }) => [
    ...portProblem(port, 1),
    ...hostProblem(host),
    ...timeoutProblem(connectTimeout)
  ])

/**
 * What is wrong with the options of a TLS client. With `socket` or `path`, Node uses no port.
 *
 * @since 0.1.0
 * @category validation
 */
export const tlsProblems = (options: unknown): Problems =>
  ofFields(options, ({ connectTimeout, host, path, port, socket }) => [
    ...(socket !== undefined ? [] : path !== undefined ? pathProblem(path) : portProblem(port, 1)),
    ...hostProblem(host),
    ...timeoutProblem(connectTimeout)
  ])

/**
 * What is wrong with the options of a client of a unix socket.
 *
 * @since 0.1.0
 * @category validation
 */
export const unixProblems = (options: unknown): Problems =>
  ofFields(options, ({ connectTimeout, path }) => [...pathProblem(path), ...timeoutProblem(connectTimeout)])

/**
 * What is wrong with the options of a listener.
 *
 * @since 0.1.0
 * @category validation
 */
export const listenProblems = (options: ListenOptions): Problems =>
  options._tag === "Unix"
    ? ofFields(options, ({ mode, path, replaceStale }) => [
        ...pathProblem(path),
        ...modeProblem(mode),
        ...(replaceStale === undefined || typeof replaceStale === "boolean"
          ? []
          : [`replaceStale must be true or false, not ${describe(replaceStale)}`]),
        ...((mode !== undefined || replaceStale !== undefined) && typeof path === "string" && !isSocketFile(path)
          ? [
              "mode and replaceStale need a socket file that this process creates: not an abstract name, a pipe or a cluster worker"
            ]
          : [])
      ])
    : ofFields(options._tag === "Tls" ? options.options : options.where, ({ host, listening, port, reusePort }) =>
        listening === undefined
          ? [...portProblem(port, 0), ...hostProblem(host), ...reusePortProblem(reusePort)]
          : host === undefined && port === undefined && reusePort === undefined
            ? listeningProblem(listening)
            : ["host, port and reusePort have no meaning with listening, which listens already"]
      )

/**
 * What is wrong with `reusePort`. Older versions of Node ignore it, so the second server would not find out why its
 * address is in use.
 *
 * @since 0.1.0
 * @category validation
 */
export const reusePortProblem = (reusePort: unknown, version: string = process.versions.node): Problems => {
  if (reusePort === undefined || reusePort === false) return []
  if (reusePort !== true) return [`reusePort must be true or false, not ${describe(reusePort)}`]
  const [major = 0, minor = 0] = version.split(".").map(Number)
  const isThere = major > 23 || (major === 23 && minor >= 1) || (major === 22 && minor >= 12)
  return isThere ? [] : [`reusePort needs Node 22.12, 23.1 or later; this is Node ${version}`]
}

const listeningProblem = (listening: unknown): Problems => {
  if (listening instanceof Net.Server) {
    return typeof listening.address() === "object" && listening.listening
      ? []
      : ["listening must be a server that listens on TCP; this one does not listen, or not on TCP"]
  }
  const fd = Predicate.hasProperty(listening, "fd") ? listening.fd : undefined
  return isInteger(fd, 0, MAX_DESCRIPTOR)
    ? []
    : [`listening must be a server that listens, or { fd } with the number of a descriptor, not ${describe(listening)}`]
}

const MAX_DESCRIPTOR = 2 ** 31 - 1

/**
 * Whether a server on `path` creates a socket file itself. It does not for an abstract name or a Windows pipe, nor in a
 * cluster worker, where the primary process listens.
 *
 * @since 0.1.0
 * @category validation
 */
export const isSocketFile = (path: string): boolean =>
  process.platform !== "win32" && !path.startsWith("\0") && !Cluster.isWorker

/**
 * The most bytes that the path of a unix socket may have. The system cuts a longer path without an error.
 *
 * @since 0.1.0
 * @category constants
 */
export const maxPathBytes = (platform: NodeJS.Platform = process.platform): number =>
  ["linux", "android"].includes(platform) ? 107 : 103

/** The most characters that the name of a Windows pipe may have. */
const MAX_PIPE_NAME = 256

/**
 * What is wrong with the path of a unix socket, an abstract name (`"\0name"`, Linux), or the name of a Windows pipe.
 *
 * @since 0.1.0
 * @category validation
 */
export const pathProblem = (path: unknown, platform: NodeJS.Platform = process.platform): Problems => {
  if (typeof path !== "string" || path === "") return [`path must be a non-empty string, not ${describe(path)}`]
  if (platform === "win32") {
    return path.length <= MAX_PIPE_NAME
      ? []
      : [`path is too long: the name of a pipe has at most ${MAX_PIPE_NAME} characters, and this one ${path.length}`]
  }
  const limit = maxPathBytes(platform)
  const isAbstract = path.startsWith("\0")
  const bytes = Buffer.byteLength(path) - (isAbstract ? 1 : 0)
  if (isAbstract && platform !== "linux")
    return ["path is an abstract name (it begins with NUL); only Linux supports these"]
  if (path.includes("\0", 1)) return ["path contains a NUL character; the system would cut the path there"]
  return bytes <= limit
    ? []
    : [
        `path is too long: ${isAbstract ? "an abstract name" : "the path of a socket"} has at most ${limit} bytes here, and this one ${bytes}`
      ]
}

const ofFields = (options: unknown, problems: (fields: Fields) => Problems): Problems =>
  typeof options === "object" && options !== null
    ? problems({ ...options })
    : [`the options must be an object, not ${describe(options)}`]

const isInteger = (value: unknown, from: number, to: number): boolean =>
  typeof value === "number" && Number.isInteger(value) && value >= from && value <= to

const portProblem = (port: unknown, from: number): Problems =>
  isInteger(port, from, 65_535) ? [] : [`port must be an integer from ${from} to 65535, not ${describe(port)}`]

const hostProblem = (host: unknown): Problems =>
  host === undefined || (typeof host === "string" && host !== "")
    ? []
    : [`host must be a non-empty string, not ${describe(host)}`]

const modeProblem = (mode: unknown): Problems =>
  mode === undefined || isInteger(mode, 0, 0o777)
    ? []
    : [
        `mode must be an integer from 0 to 0o777, not ${typeof mode === "number" ? `0o${mode.toString(8)}` : describe(mode)}`
      ]

const timeoutProblem = (timeout: unknown): Problems =>
  timeout === undefined ||
  Option.exists(Duration.decodeUnknown(timeout), (duration) => Duration.greaterThan(duration, Duration.zero))
    ? []
    : [`connectTimeout must be a duration of more than 0, not ${describe(timeout)}`]
