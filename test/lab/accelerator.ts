import { spawn } from 'node:child_process'
import { accessSync, constants, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { z } from 'zod'
import { cacheDirectory } from './cache.ts'

/** How QEMU runs code. `why` is a sentence for people. */
export interface Accelerator {
  kind: 'kvm' | 'tcg'
  args: readonly string[]
  why: string
}

const KVM = ['-accel', 'kvm', '-cpu', 'host']
const TCG = ['-accel', 'tcg,thread=multi,tb-size=512', '-cpu', 'max']
/** A Linux kernel without a root says this after some seconds; under a KVM that only seems to work it never comes. */
const LATE_LINE = /Unable to mount root fs|Kernel panic/
const LIMIT_MS = 10_000

const Verdict = z.object({ boot: z.string(), kind: z.enum(['kvm', 'tcg']), why: z.string() })

/**
 * KVM where it really runs `kernel` (a bzImage) to a late line, else TCG. Some machines have /dev/kvm, run firmware with it, and hang in
 * the first lines of any kernel. The verdict is kept for this boot of the machine.
 */
export async function accelerator({ kernel }: { kernel: string }): Promise<Accelerator> {
  const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  const file = join(cacheDirectory(), 'accelerator.json')
  const verdict = remembered(file, boot) ?? { boot, ...(await probe(kernel)) }
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, JSON.stringify(verdict))
  return { kind: verdict.kind, args: verdict.kind === 'kvm' ? KVM : TCG, why: verdict.why }
}

function remembered(file: string, boot: string) {
  try {
    const verdict = Verdict.safeParse(JSON.parse(readFileSync(file, 'utf8')))
    return verdict.success && verdict.data.boot === boot ? verdict.data : undefined
  } catch {
    return undefined // no verdict yet, or half a file: the probe makes it anew
  }
}

async function probe(kernel: string): Promise<{ kind: 'kvm' | 'tcg'; why: string }> {
  try {
    accessSync('/dev/kvm', constants.R_OK | constants.W_OK)
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT'
    return { kind: 'tcg', why: missing ? 'no /dev/kvm on this machine' : '/dev/kvm may not be opened by this user' }
  }
  const began = performance.now()
  const outcome = await runKernel(kernel)
  const seconds = ((performance.now() - began) / 1000).toFixed(1)
  return outcome === undefined
    ? { kind: 'kvm', why: `KVM ran a kernel in ${seconds} s` }
    : { kind: 'tcg', why: `/dev/kvm is there, but ${outcome} (tried ${seconds} s)` }
}

/** Undefined when the late line came; else what went wrong. */
function runKernel(kernel: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const machine = ['-m', '256', '-nodefaults', '-display', 'none', '-monitor', 'none', '-serial', 'stdio', '-no-reboot']
    const child = spawn('qemu-system-x86_64', [...KVM, ...machine, '-kernel', kernel, '-append', 'console=ttyS0 panic=-1'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    let seen = ''
    let outcome: string | undefined = `a kernel under it hung for ${LIMIT_MS / 1000} s`
    const timer = setTimeout(() => child.kill('SIGKILL'), LIMIT_MS)
    child.stdout.on('data', (chunk: Buffer) => {
      seen += chunk.toString('latin1')
      if (!LATE_LINE.test(seen)) return
      outcome = undefined
      child.kill('SIGKILL')
    })
    child.on('error', (error) => resolve(error.message))
    child.on('exit', (code, signal) => {
      clearTimeout(timer)
      resolve(signal === 'SIGKILL' ? outcome : LATE_LINE.test(seen) ? undefined : `QEMU ended with ${signal ?? `exit code ${code}`}`)
    })
  })
}
