/** Known faults that break a rule of the fuzzer, and why they are accepted. An entry is removed when its cause is. */
export const isKnown = {
  /**
   * A peer that sends DATA on an id before the SYN is answered by an RST, but the stream that is then opened there is
   * treated as any other.
   */
  early: (stream: { readonly early: boolean }): boolean => stream.early
}
