/**
 * What `bash -s` reads: one line of ours, then the script as it is. The line takes exactly the script's bytes before any of it runs,
 * so that a connection that breaks on the way never leaves half a command (`rm -rf /tmp/x` cut to `rm -rf /`), and gives the script
 * an empty standard input, so that a command that reads does not eat the rest of the script.
 */
export function scriptInput(text: string): string {
  const clean = text.replaceAll('\0', '').replaceAll('\r\n', '\n') // bash drops NUL, and takes a CR as part of a word
  const script = clean.endsWith('\n') ? clean : `${clean}\n`
  const bytes = Buffer.byteLength(script)
  const take = `LC_ALL=C IFS= read -r -N ${bytes} bridgehead_script`
  const orFail = '{ echo "the script arrived cut; nothing of it ran" >&2; exit 125; }'
  const group = `read -r -a bridgehead_stat </proc/$$/stat; echo "${GROUP_MARK}\${bridgehead_stat[4]}" >&2`
  return `${take} || ${orFail}; ${group}; exec </dev/null; eval "$bridgehead_script"\n${script}`
}

const GROUP_MARK = 'bridgehead-process-group '

/**
 * Takes our line about the process group (`stat` field 5, proc(5)) out of what comes on standard error. It comes before anything of
 * the script; what a login shell says before it passes through.
 */
export function createGroupFinder(): { add(bytes: Buffer): Buffer; rest(): Buffer; group(): string | undefined } {
  let held: Buffer | undefined = Buffer.alloc(0)
  let group: string | undefined
  return {
    add(bytes) {
      if (held === undefined) return bytes
      const all = Buffer.concat([held, bytes])
      const start = all.indexOf(GROUP_MARK)
      const end = start < 0 ? -1 : all.indexOf('\n', start)
      if (end < 0 && all.length < MAX_BEFORE_MARK) {
        held = all
        return Buffer.alloc(0)
      }
      held = undefined
      if (end < 0) return all
      const [, digits] = /^(\d{1,10})$/.exec(all.toString('latin1', start + GROUP_MARK.length, end)) ?? []
      group = digits
      return Buffer.concat([all.subarray(0, start), all.subarray(end + 1)])
    },
    /** What was held back when the line never came. */
    rest() {
      const all = held ?? Buffer.alloc(0)
      held = undefined
      return all
    },
    group: () => group,
  }
}

const MAX_BEFORE_MARK = 65_536
