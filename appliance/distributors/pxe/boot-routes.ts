import type { BootClient } from '@bridgehead/shared/boot/client.ts'
import { platformOf } from '@bridgehead/shared/boot/client.ts'
import { GrubScriptError, grubScript } from '@bridgehead/shared/boot/grub-script.ts'
import { autoexecScript, startScript } from '@bridgehead/shared/boot/scripts.ts'
import type { Ipv4 } from '@bridgehead/shared/model/address.ts'
import { Mac } from '@bridgehead/shared/model/address.ts'
import type { HostFacts } from '@bridgehead/shared/model/event.ts'
import type { Platform } from '@bridgehead/shared/model/state.ts'
import type { LanAnswer, LanRequest, LanRoutes } from './lan-http.ts'

/** What the routes need of the machine's record; filled by `main`. Rejections with a numeric `status` become that answer. */
export interface BootDesk {
  serverUrl(server: Ipv4): string
  script(request: { client: BootClient; ip: Ipv4; server: Ipv4; facts: Omit<HostFacts, 'macs'> }): Promise<string | undefined>
  answers(boot: string, token: string, ip: Ipv4, server: Ipv4): Promise<string>
  stage(
    boot: string,
    token: string,
    ip: Ipv4,
    report: { stage: string; bytes?: number | undefined; total?: number | undefined; detail?: string | undefined },
  ): Promise<void>
  installed(boot: string, token: string, ip: Ipv4): Promise<void>
  failed(boot: string, token: string, ip: Ipv4, why: string): Promise<void>
  phoneHome(boot: string, token: string, ip: Ipv4, hostKeys: readonly string[]): Promise<void>
}

type Handler = (desk: BootDesk, request: LanRequest, id: string) => Promise<LanAnswer>

const ROUTES: readonly { method: string; path: RegExp; handle: Handler }[] = [
  {
    method: 'GET',
    path: /^\/boot\/start\.ipxe$/,
    handle: async (desk, { server }) => text(startScript(desk.serverUrl(server))),
  },
  {
    method: 'GET',
    path: /^\/(?:loaders\/)?autoexec\.ipxe$/,
    handle: async (desk, { server }) => text(autoexecScript(desk.serverUrl(server))),
  },
  { method: 'GET', path: /^\/boot\/script$/, handle: script },
  { method: 'GET', path: /^\/boot\/grub\.cfg$/, handle: grubConfig },
  {
    method: 'GET',
    path: /^\/boot\/([^/]+)\/answers$/,
    handle: async (desk, { query, client, server }, id) => text(await desk.answers(id, token(query), client, server)),
  },
  { method: 'POST', path: /^\/boot\/([^/]+)\/stage$/, handle: stage },
  {
    method: 'POST',
    path: /^\/boot\/([^/]+)\/installed$/,
    handle: async (desk, { query, client }, id) => desk.installed(id, token(query), client).then(() => DONE),
  },
  {
    method: 'POST',
    path: /^\/boot\/([^/]+)\/failed$/,
    handle: async (desk, { query, client, body }, id) => desk.failed(id, token(query), client, await body()).then(() => DONE),
  },
  { method: 'POST', path: /^\/phone-home\/([^/]+)$/, handle: phoneHome },
]

/** The LAN's boot routes: scripts for loaders, answers and reports of installers, the installed system's first word. */
export function bootRoutes(desk: BootDesk): LanRoutes {
  return async (request) => {
    const method = request.method === 'HEAD' ? 'GET' : request.method
    for (const route of ROUTES) {
      const found = route.path.exec(request.path)
      if (!found) continue
      if (route.method !== method) return { status: 405, headers: { allow: route.method }, body: `expected ${route.method}\n` }
      try {
        return await route.handle(desk, request, found[1] ?? '')
      } catch (error) {
        const status = error instanceof Error && 'status' in error ? error.status : undefined
        if (typeof status !== 'number') throw error
        return { status, body: `${(error as Error).message}\n` }
      }
    }
    return undefined
  }
}

async function script(desk: BootDesk, { query, client: ip, server }: LanRequest): Promise<LanAnswer> {
  const mac = Mac.safeParse(query.get('mac') ?? '')
  if (!mac.success) return { status: 400, body: 'mac: expected a MAC address such as 52:54:00:12:34:56\n' }
  const uuid = query.get('uuid')?.toLowerCase()
  const platform = platformFrom(query.get('platform'), query.get('arch'))
  const fact = (name: string) => query.get(name)?.trim().slice(0, 128) || undefined
  const answer = await desk.script({
    client: { mac: mac.data, uuid: uuid && /[1-9a-f]/.test(uuid) ? uuid : undefined, platform, stage: 'ipxe', http: false },
    ip,
    server,
    facts: { serial: fact('serial'), vendor: fact('vendor'), product: fact('product') },
  })
  return answer === undefined ? { status: 404, body: 'nothing for this machine\n' } : text(answer)
}

/** The same for Debian's signed GRUB, which starts where Secure Boot lets no iPXE run. A script without a GRUB twin becomes a sentence. */
async function grubConfig(desk: BootDesk, request: LanRequest): Promise<LanAnswer> {
  const answer = await script(desk, request)
  if (answer.status !== 200) return answer
  try {
    return text(grubScript(String(answer.body ?? '')))
  } catch (error) {
    if (!(error instanceof GrubScriptError)) throw error
    const why = error.message.replace(/["\\$`]/g, ' ')
    return text(`echo "Bridgehead: this machine's script needs iPXE, which Secure Boot keeps out: ${why}"\nsleep 30\nreboot\n`)
  }
}

/** iPXE's `platform` (`pcbios`, `efi`) and `buildarch` (`i386`, `x86_64`, `arm64`). */
function platformFrom(platform: string | null, arch: string | null): Platform {
  if (platform === 'pcbios') return platformOf(0x00)
  if (platform !== 'efi') return 'unknown'
  return ({ x86_64: 'uefi-x86_64', arm64: 'uefi-arm64', i386: 'uefi-x86', arm32: 'uefi-arm32' } as const)[arch ?? ''] ?? 'unknown'
}

async function stage(desk: BootDesk, { query, client }: LanRequest, id: string): Promise<LanAnswer> {
  const count = (name: string) => {
    const value = Number(query.get(name) ?? Number.NaN)
    return Number.isSafeInteger(value) && value >= 0 ? value : undefined
  }
  await desk.stage(id, token(query), client, {
    stage: query.get('stage') ?? '',
    bytes: count('bytes'),
    total: count('total'),
    detail: query.get('detail') ?? undefined,
  })
  return DONE
}

async function phoneHome(desk: BootDesk, { client, body }: LanRequest, id: string): Promise<LanAnswer> {
  const form = new URLSearchParams(await body())
  await desk.phoneHome(id, token(form), client, (form.get('hostkeys') ?? '').split('\n'))
  return DONE
}

const token = (query: URLSearchParams) => query.get('token') ?? ''
const text = (body: string): LanAnswer => ({ status: 200, body })
const DONE: LanAnswer = { status: 204 }
