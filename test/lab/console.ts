import { startWholeApi, type WholeApi } from '@bridgehead/manager/api/whole-api.ts'
import { createListener } from '@bridgehead/manager/listener.ts'
import { CONSOLE } from '@bridgehead/manager/web/build.ts'
import { consoleRoutes } from '@bridgehead/manager/web/console-routes.ts'
import { silentLog } from '@bridgehead/shared/log.ts'
import type { z } from 'zod'
import { freePort } from '../interop/free-port.ts'
import type { Page } from './browser.ts'

/** The console on loopback, with the whole API in memory behind it; facts and jobs come from whoever started it. */
export interface ConsoleServer {
  whole: WholeApi
  url: string
  /** As the owner of organisation `acme`. */
  signIn(page: Page): Promise<void>
  /** Asks the API as organisation `acme`; the answer must have the shape. Throws what it refused. */
  send<T>(method: string, path: string, body: unknown, shape: z.ZodType<T>): Promise<T>
  /** Takes the manager away from its port, cutting all connections, and back to it. */
  listener: { start(): Promise<void>; stop(): Promise<void> }
  close(): Promise<void>
}

/** The console must have been built. `live`: jobs that tell of every change. */
export async function startConsole({ live = false } = {}): Promise<ConsoleServer> {
  const whole = await startWholeApi({ live })
  const { app } = whole.harness.manager
  const pages = consoleRoutes({ directory: CONSOLE })
  const port = await freePort()
  const listen = () =>
    createListener({
      ...{ name: 'http', host: '127.0.0.1', port, variable: 'none', log: silentLog },
      fetch: async (request) => {
        const page = await pages.fetch(request)
        return page.status === 404 ? app.fetch(request) : page
      },
    })
  let listener = listen()
  await listener.start()
  const key = await whole.newKey('acme')
  const url = `http://127.0.0.1:${port}`
  return {
    ...{ whole, url },
    async signIn(page) {
      await page.request.post(`${url}/api/v1/session`, { data: { email: 'acme@example.com', password: 'correct horse battery' } })
    },
    async send(method, path, body, shape) {
      const { status, body: answer } = await whole.ask(key, method, path, body)
      if (status >= 300) throw new Error(`${method} ${path}: ${JSON.stringify(answer)}`)
      return shape.parse(answer)
    },
    listener: {
      stop: () => listener.stop(),
      async start() {
        listener = listen()
        await listener.start()
      },
    },
    async close() {
      await listener.stop()
      await whole.close()
    },
  }
}
