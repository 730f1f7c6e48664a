/** One message with its two bytes of length before it, as TCP carries it (RFC 1035 §4.2.2). */
export function frame(message: Buffer): Buffer {
  const out = Buffer.allocUnsafe(message.length + 2)
  out.writeUInt16BE(message.length, 0)
  message.copy(out, 2)
  return out
}

/** Cuts a stream into messages. Holds at most one unfinished message (64 KiB) and what came with it. */
export function createFrames(): { add(chunk: Buffer): Buffer[] } {
  let rest: Buffer = Buffer.alloc(0)
  return {
    add(chunk) {
      rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
      const messages: Buffer[] = []
      while (rest.length >= 2 && rest.length >= 2 + rest.readUInt16BE(0)) {
        const end = 2 + rest.readUInt16BE(0)
        messages.push(rest.subarray(2, end))
        rest = rest.subarray(end)
      }
      return messages
    },
  }
}
