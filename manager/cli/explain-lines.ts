import { count, printable } from './print.ts'
import type { Explained, Host } from './shapes.ts'

const GOALS: Record<string, string> = {
  install: 'would be installed',
  'local-disk': 'would start its own disk',
  wait: 'would wait at the loader',
  ignore: 'would be left alone',
}
const STEPS: Record<string, string> = {
  silent: 'nothing',
  'start-script': 'the start script',
  script: 'its script',
}

/** What the host would be told at its next boot, and why, in sentences. Pure. */
export function explainLines(host: Pick<Host, 'name' | 'siteName'>, explained: Explained): string[] {
  const { firmware, script, rule, revision, appliedRevision, mac, platform } = explained
  const { goal } = script
  const profile = profileName(goal)
  const lines = [`${host.siteName}/${host.name} ${GOALS[goal.kind] ?? goal.kind}${profile === undefined ? '' : ` as "${profile}"`}`, '']
  if (rule) lines.push(`  rule "${rule.name}" would approve it`)
  lines.push(`  to its firmware (${platform}, ${mac}): ${step(firmware.step)}`, ...because(firmware.reasons))
  lines.push(`  to iPXE: a script of ${count(script.text.trimEnd().split('\n').length, 'line')}`, ...because(script.reasons))
  if (appliedRevision === undefined) lines.push(`  ! the site has applied no state yet; this is by revision ${revision}`)
  else if (appliedRevision < revision)
    lines.push(`  ! this is by revision ${revision}; the site still answers by revision ${appliedRevision}`)
  return lines.map(printable)
}

const because = (reasons: readonly string[]) => reasons.map((reason) => `    because ${reason}`)

function step(step: Explained['firmware']['step']): string {
  return 'name' in step && typeof step.name === 'string' ? `the loader ${step.name}` : (STEPS[step.kind] ?? step.kind)
}

function profileName(goal: Explained['script']['goal']): string | undefined {
  const profile = 'profile' in goal ? goal.profile : undefined
  return profile !== null && typeof profile === 'object' && 'name' in profile && typeof profile.name === 'string' ? profile.name : undefined
}
