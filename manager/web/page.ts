import { html, raw } from 'hono/html'

/** What every page may load: this origin alone; no inline script. The style block is allowed by its hash. */
export const PAGE_HEADERS = {
  'content-type': 'text/html; charset=utf-8',
  'cache-control': 'no-store',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
} as const

export const STYLE = `
:root { color-scheme: light dark; --ink: light-dark(#1b1f24, #e6e8eb); --soft: light-dark(#5b6570, #9aa4af); --line: light-dark(#d5dae0, #363d45);
  --paper: light-dark(#fbfbfa, #15181c); --card: light-dark(#fff, #1c2025); --accent: light-dark(#0b5cad, #6fb1ff); --bad: light-dark(#a3231c, #ff8f86) }
* { box-sizing: border-box }
body { margin: 0; font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper) }
main { max-width: 34rem; margin: 8vh auto; padding: 2rem; background: var(--card); border: 1px solid var(--line); border-radius: 12px }
h1 { margin: 0 0 .25rem; font-size: 1.5rem } p { color: var(--soft) } .bad { color: var(--bad) }
label { display: block; margin: 1rem 0 .25rem; font-weight: 600 }
input, select { width: 100%; padding: .55rem .7rem; font: inherit; color: inherit; background: var(--paper); border: 1px solid var(--line); border-radius: 8px }
button { margin-top: 1.5rem; padding: .6rem 1.2rem; font: inherit; font-weight: 600; color: var(--card); background: var(--accent); border: 0; border-radius: 8px; cursor: pointer }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px }
code { overflow-wrap: anywhere; font-size: .9rem } a { color: var(--accent) }
table { width: 100%; border-collapse: collapse } td, th { text-align: left; padding: .35rem .5rem; border-bottom: 1px solid var(--line) }
`

export interface Field {
  name: string
  label: string
  type?: 'text' | 'email' | 'password'
  value?: string | undefined
  autocomplete: string
  minlength?: number
}

/** One whole page. `content` is made with hono's `html`, which escapes what is put in. */
export function page(title: string, content: unknown) {
  return html`<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title} · Bridgehead</title><style>${raw(STYLE)}</style></head>
<body><main>${content}</main></body>
</html>`
}

/** A form of labelled fields; works without any script. */
export function form(action: string, fields: readonly Field[], button: string, hidden: Record<string, string> = {}) {
  return html`<form method="post" action="${action}">
${Object.entries(hidden).map(([name, value]) => html`<input type="hidden" name="${name}" value="${value}">`)}
${fields.map(
  (field) => html`<label for="${field.name}">${field.label}</label>
<input id="${field.name}" name="${field.name}" type="${field.type ?? 'text'}" value="${field.value ?? ''}" autocomplete="${field.autocomplete}" minlength="${field.minlength ?? 1}" required>`,
)}
<button type="submit">${button}</button></form>`
}
