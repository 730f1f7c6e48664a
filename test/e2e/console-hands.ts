import { z } from 'zod'
import { type Api, LAB_EMAIL, LAB_PASSWORD } from '../lab/api.ts'
import { type ConsoleRig, createConsoleRig } from './console-rig.ts'

export const Script = z.object({ id: z.string(), version: z.int(), text: z.string() })
export const Site = z.object({ id: z.string(), name: z.string() })

/** What a person does in the console again and again; on the rig's page, or on another tab of the same browser. */
function handsOn({ page, manager }: ConsoleRig, api: Api) {
  page.context().setDefaultTimeout(30_000)
  const editor = (name: string, on = page) => on.getByRole('textbox', { name: `Text of ${name}` })
  return {
    signIn: () => page.request.post(`${manager.url}/api/v1/session`, { data: { email: LAB_EMAIL, password: LAB_PASSWORD } }),
    newScript: (name: string, text: string) => api.send('POST', '/scripts', { name, kind: 'bash', text }, Script),
    async open(path: string, on = page) {
      await on.goto(`${manager.url}${path}`)
      await on.getByRole('heading', { level: 1 }).waitFor()
    },
    editor,
    textOf: async (name: string, on = page) => (await editor(name, on).locator('.cm-line').allTextContents()).join('\n'),
    async typeAtEnd(name: string, text: string, on = page) {
      await editor(name, on).click()
      await on.keyboard.press('ControlOrMeta+End')
      await on.keyboard.type(text)
    },
    async paste(text: string) {
      await page.context().grantPermissions(['clipboard-read', 'clipboard-write'])
      await page.evaluate(`navigator.clipboard.writeText(${JSON.stringify(text)})`)
      await page.keyboard.press('ControlOrMeta+V')
    },
    save: (on = page) => on.getByRole('button', { name: /^Save/ }),
  }
}

/** A rig whose manager is set up, and the hands before it: not signed in yet. */
export async function startHands() {
  const rig = await createConsoleRig()
  const api = await rig.manager.setUp()
  return { rig, api, page: rig.page, hands: handsOn(rig, api) }
}
export type Started = Awaited<ReturnType<typeof startHands>>
