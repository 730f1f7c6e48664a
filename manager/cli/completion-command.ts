import { Argument, type Command } from 'commander'
import { connect, type Manager } from './api.ts'
import { candidates, type NameKind } from './complete.ts'
import { addressOf } from './find-host.ts'
import type { World } from './world.ts'

/** Nobody waits longer for a Tab. */
const PATIENCE_MS = 1_500

const SCRIPTS = {
  bash: `_bridgehead() {
  local IFS=$'\\n'
  COMPREPLY=($(bridgehead __complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null | cut -f1))
}
complete -o default -F _bridgehead bridgehead
`,
  zsh: `#compdef bridgehead
_bridgehead() {
  local -a found
  local line
  for line in "\${(@f)$(bridgehead __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
    [[ -n $line ]] && found+=("\${\${line%%$'\\t'*}//:/\\\\:}:\${line#*$'\\t'}")
  done
  _describe bridgehead found
}
if [ "$funcstack[1]" = _bridgehead ]; then _bridgehead; else compdef _bridgehead bridgehead; fi
`,
  fish: `function __bridgehead_complete
  set -l words (commandline -opc) (commandline -ct)
  bridgehead __complete -- $words[2..-1] 2>/dev/null
end
complete -c bridgehead -f -a '(__bridgehead_complete)'
`,
}
type Shell = keyof typeof SCRIPTS

export function addCompletionCommand(program: Command, world: World): void {
  program
    .command('completion')
    .description('prints what makes Tab complete commands, options and names')
    .addArgument(new Argument('<shell>').choices(Object.keys(SCRIPTS)))
    .addHelpText(
      'after',
      `
bash:  bridgehead completion bash > ~/.local/share/bash-completion/completions/bridgehead
zsh:   bridgehead completion zsh > "\${fpath[1]}/_bridgehead"
fish:  bridgehead completion fish > ~/.config/fish/completions/bridgehead.fish`,
    )
    .action((shell: Shell) => void world.stdout.write(SCRIPTS[shell]))
  program.command('__complete [words...]', { hidden: true }).action(async (words: string[]) => {
    const { words: known, names } = candidates(program, words.length > 0 ? words : [''])
    for (const { word, about } of known) world.stdout.write(`${word}\t${about}\n`)
    if (names === undefined) return
    const typed = words.at(-1) ?? ''
    for (const [name, about] of await namesOf(world, names)) if (name.startsWith(typed)) world.stdout.write(`${name}\t${about}\n`)
  })
}

/** Nothing when the manager does not answer, or not at once: a Tab is no place for errors. */
async function namesOf(world: World, kind: NameKind): Promise<[string, string][]> {
  const late = new AbortController()
  try {
    const found = connect(world).then((manager) => READ[kind](manager))
    const names = await Promise.race([found.catch(() => []), world.clock.sleep(PATIENCE_MS, late.signal).then(() => [])])
    return names.sort(([one], [other]) => (one < other ? -1 : 1))
  } finally {
    late.abort()
  }
}

const READ: Record<NameKind, (manager: Manager) => Promise<[string, string][]>> = {
  site: async ({ api }) => (await (await api.sites.sites.$get({ query: {} })).json()).items.map(({ name }) => [name, 'site']),
  host: async ({ api }) => (await (await api.hosts.hosts.$get({ query: {} })).json()).items.map((host) => [addressOf(host), host.status]),
  script: async ({ api }) => (await (await api.scripts.scripts.$get()).json()).items.map(({ name, kind }) => [name, kind]),
  profile: async ({ api }) => (await (await api.scripts.profiles.$get()).json()).items.map(({ name }) => [name, 'profile']),
  run: async ({ api }) =>
    (await (await api.runs.runs.$get({ query: {} })).json()).items.map(({ id, done }) => [id, done ? 'done' : 'under way']),
}
