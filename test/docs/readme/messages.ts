import { Ndjson } from "@effect/platform"
import { Effect, Schema, Stream } from "effect"
import { MuxStream, type Session } from "effect-muxado"

class Order extends Schema.Class<Order>("Order")({ item: Schema.String, count: Schema.Int }) {}
class Receipt extends Schema.Class<Receipt>("Receipt")({ item: Schema.String, cents: Schema.Int }) {}

/** Sends a receipt for each order. A line that is not an order fails the handler, which resets the stream. */
export const serve = (session: Session.SessionService) =>
  session.serve((stream) =>
    MuxStream.toStream(stream).pipe(
      Stream.decodeText(),
      Stream.pipeThroughChannel(Ndjson.unpackSchemaString(Order)()),
      Stream.map(({ count, item }) => new Receipt({ item, cents: count * 250 })),
      Stream.pipeThroughChannel(Ndjson.packSchema(Receipt)()),
      Stream.run(MuxStream.toSink(stream)) // finishes the stream
    )
  )

export const buy = (session: Session.SessionService, orders: ReadonlyArray<{ item: string; count: number }>) =>
  session.withStream((stream) =>
    Effect.gen(function* () {
      const sending = Stream.fromIterable(orders).pipe(
        Stream.map((order) => new Order(order)),
        Stream.pipeThroughChannel(Ndjson.packSchema(Order)()),
        Stream.run(MuxStream.toSink(stream))
      )
      const receipts = MuxStream.toStream(stream).pipe(
        Stream.decodeText(),
        Stream.pipeThroughChannel(Ndjson.unpackSchemaString(Receipt)()),
        Stream.runCollect
      )
      const [, received] = yield* Effect.all([sending, receipts], { concurrency: 2 })
      return [...received]
    })
  )
