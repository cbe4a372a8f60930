/** Which servers take a stream, by its type, and the streams that wait for a server or for a fiber in `accept`. */
import type { StreamHandle } from "../stream/streamHandle.js"
import { Queue } from "../support/queue.js"
import type { Server } from "./acceptSource.js"

interface Waiting {
  readonly handle: StreamHandle
  /** Its place in the order in which all waiting streams arrived. */
  readonly arrival: number
}

/** The servers that take the same streams, and the streams that wait until one of these servers is free. */
export class Route {
  readonly servers = new Set<Server>()
  readonly waiting = new Queue<Waiting>()
}

export class Routes {
  private readonly routesOf = new Map<Server, ReadonlyArray<Route>>()
  private readonly typed = new Map<number, Route>()
  /** Of the servers without types, which take every stream that no server with types takes. */
  private readonly others = new Route()
  /** Streams that no server takes. */
  private readonly unserved = new Queue<Waiting>()
  private arrivals = 0
  private count = 0
  /**
   * Servers have just started or ended, and others may start in the same turn. Until `settle`, streams that have a type
   * wait unless a server with types takes them.
   */
  private unsettled = false

  /** The number of all streams that wait. */
  get waiting(): number {
    return this.count
  }

  get hasServers(): boolean {
    return this.routesOf.size > 0
  }

  get servers(): ReadonlyArray<Server> {
    return [...this.routesOf.keys()]
  }

  /** Whether it is known which streams no server takes. */
  get isSettled(): boolean {
    return !this.unsettled || !this.hasServers
  }

  /** Whether a stream waits that no server takes. */
  get hasUnserved(): boolean {
    return this.isSettled && this.unserved.size > 0
  }

  /** The number of streams that wait although a server without types is free for them. */
  get unsettledDemand(): number {
    let demand = 0
    if (this.unsettled) for (const server of this.others.servers) demand += server.free
    return demand
  }

  /**
   * How many of the next streams the servers take at once. If a server takes only some types, it is all or none, because
   * the types of the next streams are unknown.
   */
  get demand(): number {
    let demand = 0
    for (const server of this.routesOf.keys()) demand += server.free
    return demand > 0 && this.typed.size > 0 ? Infinity : demand
  }

  /** The route of a stream; `undefined` if no server takes it, or if that is not settled. */
  find(type: number | undefined): Route | undefined {
    if (type !== undefined) {
      const route = this.typed.size === 0 ? undefined : this.typed.get(type)
      if (route !== undefined || this.unsettled) return route
    }
    return this.others.servers.size > 0 ? this.others : undefined
  }

  /** Adds a stream that waits. */
  wait(handle: StreamHandle): void {
    this.count++
    this.place({ handle, arrival: this.arrivals++ })
  }

  private place(waiting: Waiting): void {
    const queue = this.find(waiting.handle.type)?.waiting ?? this.unserved
    queue.push(waiting)
  }

  add(server: Server): void {
    const routes = server.types === undefined ? [this.others] : [...server.types].map((type) => this.routeOf(type))
    for (const route of routes) route.servers.add(server)
    this.routesOf.set(server, routes)
    this.unsettled = true
    this.replace(this.takeWaiting())
  }

  private routeOf(type: number): Route {
    const known = this.typed.get(type)
    if (known !== undefined) return known
    const route = new Route()
    this.typed.set(type, route)
    return route
  }

  remove(server: Server): void {
    const waiting = this.takeWaiting()
    for (const route of this.routesOf.get(server) ?? []) route.servers.delete(server)
    this.routesOf.delete(server)
    for (const type of server.types ?? []) if (this.typed.get(type)?.servers.size === 0) this.typed.delete(type)
    this.unsettled = true
    this.replace(waiting)
  }

  /**
   * All servers of this turn have started. The ones without types get the streams that nothing else takes. Returns false
   * if that was settled before.
   */
  settle(): boolean {
    if (!this.unsettled) return false
    this.unsettled = false
    this.replace(this.takeWaiting())
    return true
  }

  /** The streams that wait may have other servers now. */
  private replace(waiting: ReadonlyArray<Waiting>): void {
    this.count = waiting.length
    for (const one of waiting) this.place(one)
  }

  /** Takes the stream that has waited longest for this server. */
  takeFor(server: Server): StreamHandle | undefined {
    if (this.count === 0) return undefined
    let longest: Route | undefined = undefined
    let arrival = Infinity
    for (const route of this.routesOf.get(server) ?? []) {
      const oldest = route.waiting.oldest
      if (oldest === undefined || oldest.arrival >= arrival) continue
      longest = route
      arrival = oldest.arrival
    }
    return this.shift(longest?.waiting)
  }

  /** Takes the stream that has waited longest without a server. */
  takeUnserved(): StreamHandle | undefined {
    return this.isSettled ? this.shift(this.unserved) : undefined
  }

  private shift(queue: Queue<Waiting> | undefined): StreamHandle | undefined {
    const waiting = queue?.shift()
    if (waiting !== undefined) this.count--
    return waiting?.handle
  }

  /** Takes the streams without a server, except the `kept` ones that have waited longest. */
  takeUnservedBeyond(kept: number): ReadonlyArray<StreamHandle> {
    const unserved = takeAll(this.unserved)
    for (const waiting of unserved.slice(0, kept)) this.unserved.push(waiting)
    const taken = unserved.slice(kept)
    this.count -= taken.length
    return taken.map(({ handle }) => handle)
  }

  /** Takes all streams that wait. */
  takeAll(): ReadonlyArray<StreamHandle> {
    const waiting = this.takeWaiting()
    this.count = 0
    return waiting.map(({ handle }) => handle)
  }

  private takeWaiting(): ReadonlyArray<Waiting> {
    if (this.count === 0) return []
    const queues = [this.unserved, this.others.waiting, ...[...this.typed.values()].map((route) => route.waiting)]
    return queues.flatMap(takeAll).sort((a, b) => a.arrival - b.arrival)
  }
}

const takeAll = (queue: Queue<Waiting>): Array<Waiting> => {
  const all: Array<Waiting> = []
  for (let waiting = queue.shift(); waiting !== undefined; waiting = queue.shift()) all.push(waiting)
  return all
}
