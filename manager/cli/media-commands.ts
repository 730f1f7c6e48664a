import { ago } from '@bridgehead/shared/text/ago.ts'
import { formatBytes } from '@bridgehead/shared/text/format.ts'
import { createScreen } from '@bridgehead/shared/text/screen.ts'
import type { Command } from 'commander'
import { z } from 'zod'
import { connect, type Manager } from './api.ts'
import { download } from './download.ts'
import { Failure } from './failure.ts'
import { awaitMade } from './making.ts'
import { choice, command, group, type JsonOption, listOf, whole } from './options.ts'
import { count, createPrinter, type Printer, table } from './print.ts'
import { readText } from './script-commands.ts'
import type { Media, MediaRecipe } from './shapes.ts'
import type { World } from './world.ts'

type Output = NonNullable<MediaRecipe['outputs']>[number]
type Architecture = NonNullable<MediaRecipe['architectures']>[number]
const Outputs = z.enum(['iso', 'usb', 'pi', 'pxe', 'secure-boot', 'bundle'] satisfies Output[])
const Architectures = z.enum(['x86_64', 'arm64'] satisfies Architecture[])

/** iPXE's names of its platforms, in plain words. */
const PLATFORMS: Record<Media['ways'][number]['platform'], string> = {
  bin: 'BIOS',
  'bin-x86_64-efi': 'UEFI x86_64',
  'bin-arm64-efi': 'UEFI arm64',
}

interface BuildOptions extends JsonOption {
  site?: string
  url?: string
  script?: string
  recipe?: string
  output?: Output[]
  arch?: Architecture[]
  name?: string
  ca?: string
  vlan?: number
  download?: string
  detach?: true
}

export function addMediaCommands(program: Command, world: World): void {
  const media = group(program, 'media', 'boot media: ISO, stick, card, PXE set, offline bundle')
  command(media, 'build', 'make boot media of one recipe, or find what is there')
    .option('--site <site>', "boots from this site's appliance ...")
    .option('--url <url>', '... or what lies at this address')
    .option('--script <file>', '... or by this iPXE script; - is standard input')
    .addOption(choice('-o, --output <kinds>', 'what is made, by commas; iso unless told', Outputs).argParser(listOf(Outputs)))
    .addOption(choice('--arch <architectures>', 'for what, by commas; both unless told', Architectures).argParser(listOf(Architectures)))
    .option('--name <name>', "begins the files' names")
    .option('--ca <file>', 'PEM of the authorities that HTTPS servers are checked against')
    .option('--vlan <tag>', 'to boot in', whole(1, 4094))
    .option('--recipe <file>', 'the whole recipe in JSON; other options come before what it says')
    .option('-d, --download <directory>', 'fetch the files when they are there')
    .option('--detach', 'do not wait')
    .action(async (options: BuildOptions) => build(await connect(world), options, world))
  command(media, 'ls', 'what this organisation asked for, newest first').action(async (options: JsonOption) => {
    const manager = await connect(world)
    const { items } = (await (await manager.fetch('/media')).json()) as { items: Media[] }
    const printer = createPrinter(world, options)
    if (options.json) printer.value({ items })
    else for (const line of listLines(items, world)) printer.line(line)
  })
  command(media, 'get', 'fetch the files of made media; goes on where it was cut off')
    .argument('<hash>', 'as `media ls` and `media build` tell it')
    .argument('[file]', 'name or sha256 of one; all unless told')
    .option('-d, --download <directory>', 'where to', '.')
    .action(async (hash: string, file: string | undefined, options: JsonOption & { download: string }) => {
      const manager = await connect(world)
      const found = (await (await manager.fetch(`/media/${encodeURIComponent(hash)}`)).json()) as Media
      const printer = createPrinter(world, options)
      const fetched = await fetchFiles(manager, found, options.download, printer, world, file)
      if (options.json) printer.value({ items: fetched })
    })
}

async function build(manager: Manager, options: BuildOptions, world: World): Promise<void> {
  const { download: directory, detach, ...rest } = options
  const json = await recipeOf(rest, world)
  const printer = createPrinter(world, rest)
  const asked = await (await manager.api.media.media.$post({ json })).json()
  for (const [reason, ways] of Map.groupBy(asked.ways, ({ way, why }) => `${way}: ${why}`))
    printer.note(`  ${ways.map(({ platform }) => PLATFORMS[platform]).join(', ')}: ${reason}`)
  const again = `bridgehead media get ${asked.hash}`
  if (detach) {
    if (printer.json) return printer.value(asked)
    return printer.line(`${asked.hash} is ${asked.state}\n  → when they are there: ${again}`)
  }
  const what = `the making of ${(asked.recipe.outputs ?? []).join(', ')}`
  const path = `/media/${asked.hash}`
  const made = await awaitMade(manager, world, { asked, path, what, again: 'bridgehead media build, with the same options', printer })
  if (printer.json) printer.value(made, true)
  else for (const line of fileLines(made, world)) printer.line(line)
  if (directory !== undefined) await fetchFiles(manager, made, directory, printer, world)
  else if (!printer.json) printer.line(`  → fetch them: ${again}`)
}

async function recipeOf({ site, url, script, output, arch, name, ca, vlan, recipe }: BuildOptions, world: World): Promise<MediaRecipe> {
  const given = recipe === undefined ? {} : parseRecipe(await readText(recipe, world), recipe)
  return {
    ...given,
    ...(site === undefined ? {} : { site }),
    ...(url === undefined ? {} : { url }),
    ...(script === undefined ? {} : { script: await readText(script, world) }),
    ...(output === undefined ? {} : { outputs: output }),
    ...(arch === undefined ? {} : { architectures: arch }),
    ...(name === undefined ? {} : { name }),
    ...(ca === undefined ? {} : { ca: await readText(ca, world) }),
    ...(vlan === undefined ? {} : { vlan }),
  }
}

/** What is in it, the manager checks, field by field. */
function parseRecipe(text: string, file: string): MediaRecipe {
  try {
    return z.record(z.string(), z.unknown()).parse(JSON.parse(text))
  } catch (cause) {
    throw new Failure(`${file}: expected a recipe in JSON: ${cause instanceof SyntaxError ? cause.message : 'it is no object'}`, {
      usage: true,
      cause,
    })
  }
}

function listLines(items: readonly Media[], world: World): string[] {
  if (items.length === 0) return ['no boot media yet', '  → bridgehead media build --site SITE --output iso']
  const ready = items.filter((one) => one.state === 'ready').length
  const rows = items.map((one) => [
    one.hash,
    one.state === 'making' ? `${Math.floor(one.fraction * 100)} %` : one.state,
    (one.recipe.outputs ?? []).join(','),
    one.recipe.name ?? ('name' in one.target ? one.target.name : one.target.kind),
    ago(one.requestedAt, world.clock.now()),
  ])
  return [
    `${count(items.length, 'recipe')}: ${ready} ready`,
    '',
    ...table(['hash', 'state', 'outputs', 'for', 'asked'], rows, world.stdout),
  ]
}

const filesOf = ({ manifest }: Media) => Object.values(manifest?.files ?? {}).flatMap((files) => files ?? [])

function fileLines(media: Media, world: World): string[] {
  const files = filesOf(media)
  const rows = files.map(({ name, bytes, sha256 }) => [name, formatBytes(bytes), sha256])
  return [
    `${count(files.length, 'file')}, ${media.hash}`,
    '',
    ...table(
      ['  file', 'size', 'sha256'],
      rows.map(([name = '', ...more]) => [`  ${name}`, ...more]),
      world.stdout,
    ),
  ]
}

async function fetchFiles(manager: Manager, media: Media, directory: string, printer: Printer, world: World, only?: string) {
  if (media.state !== 'ready')
    throw new Failure(`these media are ${media.state}`, { next: ['wait for them: bridgehead media build, with the same options'] })
  const files = filesOf(media).filter(({ name, sha256 }) => only === undefined || name === only || sha256 === only)
  if (files.length === 0)
    throw new Failure(`there is no file "${only}" among these media`, {
      code: 'not-found',
      next: [
        `they are: ${filesOf(media)
          .map(({ name }) => name)
          .join(', ')}`,
      ],
    })
  const screen = createScreen(world.stderr)
  const fetched: { file: string; bytes: number; sha256: string }[] = []
  for (const { name, sha256, bytes } of files) {
    const twice = files.filter((one) => one.name === name).length > 1
    const from = { path: `/media/${media.hash}/files/${sha256}` }
    const made = await download(manager, world, screen, {
      from,
      to: `${directory}/`,
      name: twice ? `${sha256.slice(0, 8)}-${name}` : name,
      sha256,
      bytes,
    })
    fetched.push({ ...made, sha256 })
    if (!printer.json) printer.line(`${made.file}  ${formatBytes(made.bytes)}, sha256 checked`)
  }
  return fetched
}
