import type { Store } from '../store/store.ts'
import { diskFailure } from './data.ts'

/** The same store; `onFailure` is called once, when a write fails because the disk does. Whoever waits for that write hears of it as ever. */
export function watchedStore(store: Store, onFailure: (code: string) => void): Store {
  let told = false
  return {
    ...store,
    write(task) {
      const written = store.write(task)
      written.catch((error: unknown) => {
        const code = diskFailure(error)
        if (code === undefined || told) return
        told = true
        onFailure(code)
      })
      return written
    },
  }
}
