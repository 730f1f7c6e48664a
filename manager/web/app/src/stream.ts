/** The part of the browser's EventSource that is needed here. */
export interface Source {
  readonly readyState: number
  onopen: (() => void) | null
  onerror: (() => void) | null
  addEventListener(event: string, take: (message: { data: string; lastEventId: string }) => void): void
  close(): void
}

export interface StreamUses {
  /** What is done with each event of these names. */
  take: Record<string, (data: string) => void>
  opened?(): void
  /** It is being tried again. */
  lost?(): void
  /** Opens it: a browser's EventSource unless told. */
  open?(url: string): Source
}

const CLOSED = 2
const AGAIN_MS = 3_000

/**
 * Server-sent events until the returned function is called. The browser itself comes back after a cut, and says what it had; after a refusal
 * (a session that ended, a manager that is starting) it gives up, so that this asks again, from the last id on.
 */
export function openStream(url: string, { take, opened, lost, open = (at) => new EventSource(at) as Source }: StreamUses): () => void {
  let last = ''
  let source: Source
  let again: ReturnType<typeof setTimeout> | undefined
  const connect = () => {
    source = open(last === '' ? url : `${url}?after=${last}`)
    source.onopen = () => opened?.()
    source.onerror = () => {
      lost?.()
      if (source.readyState === CLOSED) again = setTimeout(connect, AGAIN_MS)
    }
    for (const [event, use] of Object.entries(take))
      source.addEventListener(event, ({ data, lastEventId }) => {
        if (lastEventId !== '') last = lastEventId
        use(data)
      })
  }
  connect()
  return () => {
    clearTimeout(again)
    source.close()
  }
}
