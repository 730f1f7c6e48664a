/**
 * GRUB's twin of an iPXE script, for machines whose Secure Boot lets a signed GRUB run and no iPXE. Scripts that load a kernel and start it
 * have one; whatever GRUB cannot do is an error that names the line.
 */
export class GrubScriptError extends Error {
  readonly code = 'grub-script'
  /** Counted from 1. */
  readonly line: number
  constructor(line: number, message: string) {
    super(`line ${line}: ${message}`)
    this.line = line
  }
}

/** Where an appliance answers GRUB; `server` is `http://ip[:port]`. GRUB fills in the variables. */
function grubStartPath(server: string): string {
  return `${grubPath(0, server)}/boot/grub.cfg?mac=$net_default_mac&arch=$grub_cpu&platform=$grub_platform`
}

/**
 * The GRUB script (GRUB 2.12 and its signed network image) that does what `script` does. Each label becomes a function, `goto` calls it and
 * leaves; loops therefore end after some rounds, when GRUB allows no deeper call, and the machine restarts. Throws GrubScriptError.
 */
export function grubScript(script: string): string {
  const lines = script.split('\n').map((raw) => raw.replace(/\r$/, ''))
  if (!/^#!ipxe(\s|$)/.test(lines[0] ?? '')) throw new GrubScriptError(1, 'expected an iPXE script, #!ipxe in its first line')
  const parts: { name: string; body: string[] }[] = [{ name: 'ipxe_start', body: [] }]
  const labels = new Set(lines.flatMap((line) => /^\s*:(\S+)/.exec(line)?.[1] ?? []))
  const known = new Map<string, string | undefined>()
  for (const [index, text] of lines.entries()) {
    if (text.endsWith('\\')) throw new GrubScriptError(index + 1, 'expected each command on one line')
    const [, label, rest] = /^\s*(?::(\S+))?(.*)$/.exec(text) ?? []
    if (label !== undefined) parts.push({ name: functionOf(label), body: [] })
    parts.at(-1)?.body.push(...translateLine(rest ?? '', { number: index + 1, labels, known }))
  }
  const functions = parts.map(({ name, body }, index) => {
    const next = parts[index + 1]
    return `function ${name} {\n${[...body, next ? next.name : 'ipxe_failed'].map((line) => `  ${line}`).join('\n')}\n}`
  })
  return `${[PROLOGUE, ...functions, 'ipxe_start', 'ipxe_failed'].join('\n')}\n`
}

/** When a command fails that nothing catches, and at the script's end, as iPXE does when there is nothing more to boot. */
const PROLOGUE = `function ipxe_failed {
  echo "Bridgehead: this machine was not started; the lines above say why. Restarting in 20 seconds."
  sleep 20
  reboot
}
function ipxe_boot {
  if [ -n "$ipxe_initrd" ]; then initrd $ipxe_initrd; fi
  boot
}
function ipxe_chain {
  if chainloader "$1"; then boot; fi
}
function ipxe_disk {
  set ipxe_file=/EFI/BOOT/BOOTX64.EFI
  if [ "$grub_cpu" = arm64 ]; then set ipxe_file=/EFI/BOOT/BOOTAA64.EFI; fi
  search --no-floppy --set=ipxe_root --file $ipxe_file
  if [ -n "$ipxe_root" ]; then ipxe_chain ($ipxe_root)$ipxe_file; fi
  false
}
set ipxe_initrd=`

interface Where {
  number: number
  labels: ReadonlySet<string>
  /** Variables that the script has set by now; the value, when it was set only once. */
  known: Map<string, string | undefined>
}

/** iPXE goes through a line from left to right: `||` runs its command after a failure, `&&` after a success, `;` always. */
function translateLine(text: string, where: Where): string[] {
  const steps: { when: string; words: string[] }[] = [{ when: ';', words: [] }]
  for (const word of text.split(/\s+/).filter(Boolean)) {
    if (word.startsWith('#')) break
    if (['&&', '||', ';'].includes(word)) steps.push({ when: word, words: [] })
    else steps.at(-1)?.words.push(word)
  }
  const out: string[] = []
  for (const { when, words } of steps) {
    const command = words.length > 0 ? translateCommand(words, where) : 'true'
    if (words.length === 0 && steps.length === 1) return []
    const run = leaves(command) ? command : `if ${command}; then set ipxe_ok=1; else set ipxe_ok=0; fi`
    if (when === ';') out.push(run)
    else out.push(`if [ "$ipxe_ok" = ${when === '&&' ? 1 : 0} ]; then ${run}; fi`)
  }
  out.push('if [ "$ipxe_ok" = 0 ]; then ipxe_failed; fi')
  return simpler(out)
}

/** Commands that never come back, or never fail, need no more around them. */
function simpler(lines: string[]): string[] {
  const [only, last] = lines
  const alone =
    lines.length === 2 && last?.includes('ipxe_failed')
      ? /^if (echo .*|set .*|true); then set ipxe_ok=1; else set ipxe_ok=0; fi$/.exec(only ?? '')
      : null
  if (alone?.[1]) return alone[1] === 'true' ? [] : [alone[1]]
  return lines.length === 2 && leaves(only ?? '') ? [only ?? ''] : lines
}

const leaves = (command: string) => /; return$/.test(command)

function translateCommand([command = '', ...args]: string[], where: Where): string {
  const refuse = (why: string): never => {
    throw new GrubScriptError(where.number, why)
  }
  const text = (words: readonly string[]) => quoted(words.join(' '), where)
  switch (command) {
    case 'echo':
      return `echo ${text(args.filter((word) => word !== '-n'))}`
    case 'dhcp':
    case 'ifopen':
    case 'ifconf':
    case 'ifstat':
    case 'imgfree':
      return 'true' // the firmware's address is GRUB's too
    case 'set':
      return assignment(args, where)
    case 'isset':
      return `[ -n ${text(args)} ]`
    case 'iseq':
      return `[ ${quoted(args[0] ?? '', where)} = ${quoted(args[1] ?? '', where)} ]`
    case 'kernel': {
      const [url = '', ...words] = withoutOptions(args)
      const line = words.filter((word) => !word.startsWith('initrd=')).map((word) => quoted(word, where))
      return ['linux', address(url, where), ...line].join(' ')
    }
    case 'initrd':
      // GRUB takes all of them in one command, after the kernel: `boot` gives it them.
      return `set ipxe_initrd="$ipxe_initrd ${address(withoutOptions(args)[0] ?? '', where).slice(1, -1)}"`
    case 'boot':
      if (withoutOptions(args).length > 0) return refuse('GRUB can "boot" what "kernel" loaded; expected "boot" alone')
      return 'ipxe_boot'
    case 'chain':
      return chain(withoutOptions(args)[0] ?? '', where)
    case 'goto': {
      const [label = ''] = args
      if (!where.labels.has(label)) return refuse(`there is no label ":${label}"`)
      return `${functionOf(label)}; return`
    }
    case 'sanboot':
      if (!/(^| )--drive (0x80|128)( |$)/.test(args.join(' ')))
        return refuse('GRUB can start the disk itself; expected "sanboot --drive 0x80"')
      return 'ipxe_disk' // the loader of the first disk that has one: signed, or shim refuses it
    case 'sleep':
      return /^\d+$/.test(args[0] ?? '') ? `sleep ${args[0]}` : refuse('expected "sleep" with a number of seconds')
    case 'reboot':
      return 'reboot'
    case 'poweroff':
      return 'halt'
    case 'exit':
      return 'exit'
    default:
      return refuse(
        `GRUB has nothing like iPXE's "${command}"; with Secure Boot a script can echo, set, kernel, initrd, boot, chain, sanboot, goto, sleep, reboot`,
      )
  }
}

function chain(url: string, where: Where): string {
  const appliance = /^(http:\/\/[^/]+)\/boot\/start\.ipxe$/.exec(url)?.[1]
  if (appliance !== undefined) return `configfile "${grubStartPath(appliance)}"`
  const path = url.replace(/[?#].*$/, '')
  if (/\.cfg$/i.test(path)) return `configfile ${address(url, where)}`
  if (/\.efi$/i.test(path)) return `ipxe_chain ${address(url, where)}`
  throw new GrubScriptError(
    where.number,
    `GRUB cannot run what lies at ${url}; with Secure Boot "chain" takes a GRUB configuration (.cfg), a signed program (.efi) or an appliance`,
  )
}

function assignment([name = '', ...words]: string[], where: Where): string {
  if (!/^[A-Za-z_]\w*$/.test(name))
    throw new GrubScriptError(where.number, `GRUB has no setting "${name}"; expected a name of letters, digits and _`)
  const value = quoted(words.join(' '), where)
  where.known.set(name, where.known.has(name) ? undefined : words.join(' '))
  return `set ipxe_${name}=${value}`
}

/** iPXE's settings that GRUB knows under another name. */
const SETTINGS: Record<string, string> = {
  mac: 'net_default_mac',
  ip: 'net_default_ip',
  'next-server': 'net_default_server',
  buildarch: 'grub_cpu',
  platform: 'grub_platform',
}

/** In double quotes, where only `$`, `"` and `\` mean something; `${name}` becomes GRUB's. */
function quoted(text: string, { number, known }: Where): string {
  const out = text.split(/(\$\{[^}]*\})/).map((piece) => {
    const full = /^\$\{([^}]*)\}$/.exec(piece)?.[1]
    if (full === undefined) return piece.replace(/[\\"$]/g, '\\$&')
    const name = full.replace(/^net[\dX]\//, '')
    const setting = SETTINGS[name]
    if (setting !== undefined) return `\${${setting}}`
    if (known.has(full)) return `\${ipxe_${full}}`
    throw new GrubScriptError(
      number,
      `GRUB does not know iPXE's setting "${full}"; expected one of ${Object.keys(SETTINGS).join(', ')}, or one that was set before`,
    )
  })
  return `"${out.join('')}"`
}

/** A variable that holds the beginning of an URL is put in here, for GRUB writes URLs otherwise. */
function address(url: string, where: Where): string {
  const whole = url.replace(/^\$\{(\w+)\}/, (variable, name: string) => where.known.get(name) ?? variable)
  return quoted(grubPath(where.number, whole), where)
}

/** `http://host/path` -> `(http,host)/path`. GRUB has no TLS. */
function grubPath(line: number, url: string): string {
  const [, scheme, host, path = ''] = /^(https?|tftp):\/\/([^/\s]+)(\/\S*)?$/i.exec(url) ?? []
  if (scheme === undefined || host === undefined)
    throw new GrubScriptError(
      line,
      `"${url}": expected a whole URL, such as http://192.168.1.2/vmlinuz; GRUB knows no other kinds than http and tftp`,
    )
  if (scheme.toLowerCase() === 'https') throw new GrubScriptError(line, `"${url}": GRUB has no HTTPS; expected an http URL`)
  if (host.includes('@')) throw new GrubScriptError(line, `"${url}": GRUB sends no user and password`)
  return `(${scheme.toLowerCase()},${host})${path}`
}

const functionOf = (label: string) => `ipxe_at_${label.replace(/[^A-Za-z0-9]/g, (sign) => `_${sign.codePointAt(0)?.toString(16)}_`)}`

/** Leaves out `--name x`, `-n x`, `--timeout 5`, `--autofree` and the like. */
function withoutOptions(args: readonly string[]): string[] {
  const left: string[] = []
  for (let index = 0; index < args.length; index++) {
    const word = args[index] ?? ''
    if (/^(--name|-n|--timeout|-t)$/.test(word)) index++
    else if (left.length > 0 || !word.startsWith('-')) left.push(word)
  }
  return left
}
