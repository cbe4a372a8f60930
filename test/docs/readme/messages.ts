import { Effect, Schema, Stream } from "effect"
import type { Session } from "effect-muxado"
import * as Messages from "effect-muxado/Messages"

class Order extends Schema.Class<Order>("Order")({ item: Schema.String, count: Schema.Int }) {}
class Receipt extends Schema.Class<Receipt>("Receipt")({ item: Schema.String, cents: Schema.Int }) {}

/** Sends a receipt for each order. A message that is not an order fails the handler, which resets the stream. */
export const serve = (session: Session.SessionService) =>
  session.serve(
    (stream) => {
      const messages = Messages.make(stream, { receive: Order, send: Receipt })
      return messages.receive.pipe(
        Stream.map(({ count, item }) => new Receipt({ item, cents: count * 250 })),
        messages.sendAll // finishes the stream
      )
    },
    { type: 1 }
  )

export const buy = (session: Session.SessionService, orders: ReadonlyArray<{ item: string; count: number }>) =>
  session.withStream(
    (stream) => {
      const messages = Messages.make(stream, { receive: Receipt, send: Order })
      const sending = messages.sendAll(Stream.map(Stream.fromIterable(orders), (order) => new Order(order)))
      const receipts = Effect.map(Stream.runCollect(messages.receive), (received) => [...received])
      return Effect.map(Effect.all([sending, receipts], { concurrency: 2 }), ([, received]) => received)
    },
    { type: 1 }
  )

/** A call of one message there and one back. Both sides use this value. */
const Price = { type: 2, request: Schema.String, response: Schema.Int, format: "msgpack", maxBytes: 1000 } as const

export const servePrices = (session: Session.SessionService) =>
  session.serve(
    Messages.respond(Price, (item) => Effect.succeed(item === "pear" ? 250 : 300)),
    { type: Price.type, concurrency: 100 }
  )

export const priceOf = (session: Session.SessionService, item: string) => Messages.request(session, item, Price)
