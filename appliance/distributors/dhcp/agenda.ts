/**
 * When addresses run out, in buckets of ten seconds. One entry an address: one that was renewed meanwhile is looked up again when
 * its old bucket is due and put into its new one, so that a renewal costs nothing here.
 */
export interface Agenda {
  add(ip: number, until: number): void
  /** Forgets and returns every address whose bucket has passed. The caller adds again what lives on. */
  due(now: number): number[]
}

const BUCKET_MS = 10_000

export function createAgenda(): Agenda {
  const buckets = new Map<number, Set<number>>()
  const where = new Map<number, number>()
  return {
    add(ip, until) {
      const bucket = Math.ceil(until / BUCKET_MS)
      const before = where.get(ip)
      if (before !== undefined) {
        if (before <= bucket) return // found there first, and added again then
        buckets.get(before)?.delete(ip)
      }
      where.set(ip, bucket)
      const set = buckets.get(bucket)
      if (set) set.add(ip)
      else buckets.set(bucket, new Set([ip]))
    },
    due(now) {
      const ips: number[] = []
      for (const [bucket, set] of buckets) {
        if (bucket * BUCKET_MS > now) continue
        buckets.delete(bucket)
        for (const ip of set) {
          where.delete(ip)
          ips.push(ip)
        }
      }
      return ips
    },
  }
}
