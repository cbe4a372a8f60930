/** A value that the types do not allow, as JavaScript or an `any` gives it. */
export const wrong = <A>(value: unknown): A => value as A
