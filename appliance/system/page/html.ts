import type { Screen } from '../console/render.ts'

/** Text that is HTML already; everything else that comes into a template is escaped. */
class Html {
  readonly text: string
  constructor(text: string) {
    this.text = text
  }
}
type Part = string | number | undefined | Html | readonly Html[]

export function html(strings: TemplateStringsArray, ...parts: Part[]): Html {
  let text = strings[0] ?? ''
  parts.forEach((part, index) => {
    text += show(part) + (strings[index + 1] ?? '')
  })
  return new Html(text)
}

function show(part: Part): string {
  if (part === undefined) return ''
  if (part instanceof Html) return part.text
  if (typeof part === 'object') return part.map((one) => one.text).join('')
  return String(part).replace(/[&<>"']/g, (letter) => `&#${letter.charCodeAt(0)};`)
}

const STYLE = `body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem;color:#1c2230;background:#fff}
h1{font-size:1.4rem}table{border-collapse:collapse}td,th{text-align:left;padding:.2rem 1rem .2rem 0;vertical-align:top}
.bad{border-left:4px solid #b3261e;padding:.3rem .8rem;background:#fbeae9}.good{border-left:4px solid #2e7d32;padding:.3rem .8rem;background:#eaf5ea}
textarea,input{font:inherit;width:100%;box-sizing:border-box;padding:.4rem}textarea{font-family:monospace;min-height:18rem}
button{font:inherit;padding:.4rem 1rem}form{margin:1rem 0}
@media(prefers-color-scheme:dark){body{color:#e6e8ee;background:#14171f}.bad{background:#3a1a18}.good{background:#17301a}textarea,input,button{background:#20242e;color:inherit;border:1px solid #555}}`

export function page(title: string, body: Html): string {
  return html`<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${title}</title><style>${new Html(STYLE)}</style></head><body><h1>${title}</h1>${body}</body></html>
`.text
}

/** For the Content-Security-Policy: this very style and nothing else. */
export const STYLE_TEXT = STYLE

export function loginPage(trouble?: string): string {
  return page(
    'Bridgehead appliance',
    html`${trouble === undefined ? undefined : html`<p class="bad">${trouble}</p>`}<p>The password stands on this box's screen, HDMI or serial.</p>
<form method="post" action="/login"><p><label>Password <input name="credential" type="password" autocomplete="off" autofocus required></label></p><button>Open</button></form>`,
  )
}

export function statePage(screen: Screen, { leases, services }: { leases: number; services: Record<string, string> }): string {
  const row = (name: string, value: Part) => html`<tr><th>${name}</th><td>${value}</td></tr>`
  const troubles = screen.troubles.map((trouble) => html`<p class="bad">${trouble}</p>`)
  return page(
    screen.name ?? 'Bridgehead appliance',
    html`${troubles}<table>
${row('Version', `${screen.version}, ${screen.board}, slot ${screen.slot}`)}${row('Manager', screen.manager ?? 'none')}${row('Uplink', screen.uplink)}
${screen.claim ? row('Code', screen.claim.code) : undefined}
${screen.interfaces.map((one) => row(one.name, `${one.addresses.join(', ') || (one.carrier ? 'no address' : 'no cable')}${one.role === '' ? '' : ` (${one.role})`}`))}
${screen.lans.map((lan) => row(`LAN ${lan.name}`, `${lan.address}, ${lan.mode}`))}${row('Leases', leases)}
${Object.entries(services).map(([name, said]) => row(name, said))}${screen.doing.map((one) => row('Now', one))}
</table><p><a href="/settings">Change the settings</a></p>
<form method="post" action="/diagnostics"><button>Download diagnostics</button></form>
<form method="post" action="/logout"><button>Leave</button></form>`,
  )
}

export function settingsPage(text: string, said?: { good: boolean; lines: readonly string[] }): string {
  const lines = said?.lines.map((line) => html`<p class="${said.good ? 'good' : 'bad'}">${line}</p>`)
  return page(
    'Settings of this box',
    html`${lines}<p>This is <code>bridgehead.json</code>. The token and the Wi-Fi passphrase are not shown; what you leave out of those stays.</p>
<form method="post" action="/settings"><textarea name="settings" spellcheck="false">${text}</textarea><p><button>Check and save</button></p></form><p><a href="/">Back</a></p>`,
  )
}
