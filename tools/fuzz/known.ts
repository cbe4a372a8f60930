/** What is known to break a rule of the fuzzer, and why it is let pass. Each entry goes when its cause does. */
export const isKnown = {
  /**
   * A peer that sends DATA on an id before the SYN is answered by an RST, but the stream that is then opened there is
   * treated as any other.
   */
  early: (stream: { readonly early: boolean }): boolean => stream.early
}
