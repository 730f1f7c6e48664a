import { homedir } from 'node:os'
import { join } from 'node:path'

/** What is worth keeping from run to run: the bucket with the built images, and the verdict on KVM. */
export function cacheDirectory(env: Readonly<Record<string, string | undefined>> = process.env): string {
  return join(env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'bridgehead')
}
